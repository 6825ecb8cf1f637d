// The process that is killed: it appends as fast as it can from many sessions at once and prints the id of each
// statement at the moment when the gateway would send it on.
import { openJournal } from '../../src/audit/index.ts';
import { settled, statement } from './records.ts';

const [directory, durable, sessions] = process.argv.slice(2);
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const journal = await openJournal({
  directory: directory ?? '',
  durable: durable === 'durable',
  segmentBytes: 200_000,
  log: quiet,
  timing: { headMs: 20 },
});
process.stdout.write('ready\n');
await Promise.all(
  Array.from({ length: Number(sessions) }, async (_, session) => {
    for (let count = 0; ; count++) {
      const opening = statement({ text: `select ${count} /* ${'x'.repeat((count * 37 + session * 101) % 900)} */` });
      await journal.append(opening);
      process.stdout.write(`${opening.record}\n`);
      if (count % 3 !== 0) void journal.append(settled(opening));
      if (durable !== 'durable') await new Promise((resolve) => setImmediate(resolve));
    }
  }),
);
