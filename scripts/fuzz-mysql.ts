// `node --import tsx scripts/fuzz-mysql.ts [MUTANTS]`: so many mutants (1,000,000) of what clients and MySQL servers send, without a network;
// says how far it is, and exits 1 on a problem. `SALLYPORT_SEED` repeats a run.
import { type Direction, fuzz } from '../test/protocols/mysql/fuzz.ts';

// What goes wrong is told by its mutant; stacks of what is refused by the thousand only take time.
Error.stackTraceLimit = 0;
const wanted = Number(process.argv[2] ?? 1_000_000);
const first = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const slice = 20_000;
/** Shares of the whole, in tenths: a server's answer takes several times as long as the others. */
const shares: readonly (readonly [Direction, number])[] = [
  ['client', 4],
  ['login', 3],
  ['server', 2],
  ['server login', 1],
];
const counts = new Map<Direction, number>();
const problems: string[] = [];
let mutants = 0;
for (let turn = 0; mutants < wanted && problems.length === 0; turn++) {
  for (const [direction, share] of shares) {
    const count = Math.min((slice * share) / 10, wanted - mutants);
    const report = await fuzz(direction, count, first + turn);
    mutants += report.mutants;
    counts.set(direction, (counts.get(direction) ?? 0) + report.mutants);
    problems.push(...report.problems);
  }
  console.log(`${mutants} mutants`);
}
const each = [...counts].map(([direction, count]) => `${direction} ${count}`).join(', ');
console.log(
  `mysql: ${mutants} mutants from seed ${first} (${each}): ${problems.length === 0 ? 'no problem' : 'problems'}`,
);
for (const problem of problems) console.log(problem);
process.exit(problems.length === 0 ? 0 : 1);
