// `npm run random-queries [-- STATEMENTS]`: random statements (200,000 unless said) over the adversary's schema in two worlds that differ
// in their masked values; exits 1 when one of them tells a value or the worlds apart. SALLYPORT_SEED repeats a run, SALLYPORT_MINUTES
// ends it early.
import fc from 'fast-check';
import { statements } from '../test/adversary/queries.ts';
import { Worlds } from '../test/adversary/worlds.ts';

const wanted = Number(process.argv[2] ?? 200_000);
const seed = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const minutes = Number(process.env.SALLYPORT_MINUTES ?? 0);
const counts = { ran: 0, refused: 0, invalid: 0, leaked: 0 };
const rules = new Map<string, number>();
const leaks: string[] = [];
const worlds = await Worlds.open();
const began = Date.now();
try {
  await fc.assert(
    fc.asyncProperty(statements, async (sql) => {
      const answer = await worlds.try(sql);
      counts[answer.kind]++;
      if (answer.kind === 'refused') rules.set(answer.rule, (rules.get(answer.rule) ?? 0) + 1);
      if (answer.kind === 'leaked' && leaks.length < 20) leaks.push(`${sql}\n  ${answer.how}`);
    }),
    { numRuns: wanted, seed, ...(minutes > 0 ? { interruptAfterTimeLimit: minutes * 60_000 } : {}) },
  );
} finally {
  await worlds.close();
}
const judged = counts.ran + counts.refused + counts.leaked;
console.log(
  `${judged + counts.invalid} statements from seed ${seed} in ${Math.round((Date.now() - began) / 1000)} s: ${counts.ran} ran, ${counts.refused} refused ` +
    `(${((100 * counts.refused) / Math.max(1, judged)).toFixed(1)} % of those the server takes or the gateway refuses), ` +
    `${counts.invalid} that the server refuses itself, ${counts.leaked} leaks`,
);
for (const [rule, count] of rules) console.log(`  refused by ${rule}: ${count}`);
for (const leak of leaks) console.log(`LEAK ${leak}`);
process.exitCode = counts.leaked === 0 ? 0 : 1;
