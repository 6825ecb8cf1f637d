// The nightly crash test: kills a gateway under load many times at random moments and compares what the database executed with the
// journal and the store. `node --import tsx scripts/kill-audit.ts [rounds] [seed]`; with `journal` in front, a process that only
// writes a journal is killed instead, which is faster and hits the writing harder.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashRounds } from '../test/audit/crash.ts';
import { killRounds } from '../test/audit/kill-gateway.ts';

const journalOnly = process.argv[2] === 'journal';
const numbers = process.argv.slice(journalOnly ? 3 : 2);
const rounds = Number(numbers[0] ?? 200);
const seed = Number(numbers[1] ?? Date.now() % 2 ** 31);
console.log(`${rounds} kills of ${journalOnly ? 'a journal' : 'a gateway'}, seed ${seed}`);

// Mulberry32: small, and the same sequence for the same seed.
let state = seed;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const onRound = (round: number, count: number) => {
  if (round % 10 === 0) console.log(`${round} kills: ${count} statements, each with its record`);
};
if (journalOnly) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-kill-'));
  console.log(
    JSON.stringify(await crashRounds({ directory: join(folder, 'journal'), rounds, durable: true, random, onRound })),
  );
  await rm(folder, { recursive: true });
} else console.log(JSON.stringify(await killRounds({ rounds, random, onRound })));
