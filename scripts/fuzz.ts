// `npm run fuzz [-- SECONDS]`: the mutation fuzzer of the Postgres wire, both directions, for as long as asked (60 s); exits 1 on a problem.
import { startEmbedded } from '../src/store/embedded.ts';
import { fuzz } from '../test/protocols/postgres/fuzz.ts';

const seconds = Number(process.argv[2] ?? 60);
const first = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const until = Date.now() + seconds * 1000;
const server = await startEmbedded();
let mutants = 0;
const problems: string[] = [];
try {
  for (let seed = first; Date.now() < until && problems.length === 0; seed += 1) {
    for (const direction of ['client', 'start-up', 'server'] as const) {
      const report = await fuzz(server, direction, 200, seed);
      mutants += report.mutants;
      problems.push(...report.problems);
    }
  }
} finally {
  await server.stop();
}
console.log(`${mutants} mutants from seed ${first}: ${problems.length === 0 ? 'no problem' : 'problems'}`);
for (const problem of problems) console.log(problem);
process.exit(problems.length === 0 ? 0 : 1);
