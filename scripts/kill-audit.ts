// The nightly crash test of the journal: kills a writing process many times at random moments. `node --import tsx scripts/kill-audit.ts [rounds] [seed]`
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashRounds } from '../test/audit/crash.ts';

const rounds = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const folder = await mkdtemp(join(tmpdir(), 'sallyport-kill-'));
console.log(`${rounds} kills, seed ${seed}, journal ${folder}`);

// Mulberry32: small, and the same sequence for the same seed.
let state = seed;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const report = await crashRounds({
  directory: join(folder, 'journal'),
  rounds,
  durable: true,
  random,
  onRound: (round, acknowledged) => {
    if (round % 10 === 0) console.log(`${round} kills: ${acknowledged} statements acknowledged, all recorded once`);
  },
});
await rm(folder, { recursive: true });
console.log(JSON.stringify(report));
