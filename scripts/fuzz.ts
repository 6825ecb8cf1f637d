// `npm run fuzz [-- SECONDS [postgres|mysql]]`: the mutation fuzzers of the wires, both directions, for as long as asked (60 s), one wire after
// the other; exits 1 on a problem.
import { startEmbedded } from '../src/store/embedded.ts';
import { fuzz as fuzzMysql } from '../test/protocols/mysql/fuzz.ts';
import { fuzz as fuzzPostgres, directions as postgresDirections } from '../test/protocols/postgres/fuzz.ts';

interface Report {
  readonly mutants: number;
  readonly problems: readonly string[];
}

const seconds = Number(process.argv[2] ?? 60);
const wires = process.argv[3] === undefined ? ['postgres', 'mysql'] : [process.argv[3]];
const first = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const problems: string[] = [];

/** Runs one slice after the other until the time is over or something is found. */
async function run(wire: string, slices: readonly ((seed: number) => Promise<Report>)[]): Promise<void> {
  const until = Date.now() + (seconds * 1000) / wires.length;
  let mutants = 0;
  const before = problems.length;
  for (let seed = first; Date.now() < until && problems.length === before; seed += 1) {
    for (const slice of slices) {
      const report = await slice(seed);
      mutants += report.mutants;
      problems.push(...report.problems);
    }
  }
  console.log(
    `${wire}: ${mutants} mutants from seed ${first}: ${problems.length === before ? 'no problem' : 'problems'}`,
  );
}

if (wires.includes('postgres')) {
  const server = await startEmbedded();
  try {
    await run(
      'postgres',
      // A real server forks a process for each client: fewer of those.
      postgresDirections.map(
        (direction) => (seed) => fuzzPostgres(server, direction, direction.includes('real') ? 200 : 5_000, seed),
      ),
    );
  } finally {
    await server.stop();
  }
}
if (wires.includes('mysql')) {
  const directions = ['client', 'login', 'server', 'server login'] as const;
  await run(
    'mysql',
    directions.map((direction) => (seed) => fuzzMysql(direction, 200, seed)),
  );
}
for (const problem of problems) console.log(problem);
process.exit(problems.length === 0 ? 0 : 1);
