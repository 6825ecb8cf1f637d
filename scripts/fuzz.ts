// `npm run fuzz [-- SECONDS [postgres|mysql]]`: the mutation fuzzers of the wires, both directions, for as long as asked (60 s), one wire after
// the other; exits 1 on a problem. FUZZ_MUTANTS=1000000 ends each wire after so many instead, and says how far it is; SALLYPORT_SEED repeats a run.
import { startEmbedded } from '../src/store/embedded.ts';
import { fuzz as fuzzMysql } from '../test/protocols/mysql/fuzz.ts';
import { fuzz as fuzzPostgres, directions as postgresDirections } from '../test/protocols/postgres/fuzz.ts';

interface Report {
  readonly mutants: number;
  readonly problems: readonly string[];
}

const seconds = Number(process.argv[2] ?? 60);
const wires = process.argv[3] === undefined ? ['postgres', 'mysql'] : [process.argv[3]];
const wanted = Number(process.env.FUZZ_MUTANTS ?? 0);
const first = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const problems: string[] = [];

/** Runs one slice after the other until the time is over, or there are as many as wanted, or something is found. */
async function run(wire: string, slices: readonly ((seed: number) => Promise<Report>)[]): Promise<void> {
  const until = Date.now() + (seconds * 1000) / wires.length;
  let mutants = 0;
  const before = problems.length;
  const goesOn = () => problems.length === before && (wanted > 0 ? mutants < wanted : Date.now() < until);
  for (let seed = first; goesOn(); seed += 1) {
    for (const slice of slices) {
      const report = await slice(seed);
      mutants += report.mutants;
      problems.push(...report.problems);
    }
    if (wanted > 0) console.log(`${wire}: ${mutants} mutants so far`);
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
  // What goes wrong is told by its mutant; stacks of what is refused by the thousand only take time.
  Error.stackTraceLimit = 0;
  // A server's answer takes several times as long as the others.
  const counts = { client: 4_000, login: 3_000, server: 2_000, 'server login': 1_000 } as const;
  await run(
    'mysql',
    (Object.keys(counts) as (keyof typeof counts)[]).map(
      (direction) => (seed) => fuzzMysql(direction, counts[direction], seed),
    ),
  );
}
for (const problem of problems) console.log(problem);
process.exit(problems.length === 0 ? 0 : 1);
