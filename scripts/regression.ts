// PostgreSQL's regression suite through the gateway: its SQL files run by psql directly on two servers and through an allow-everything role
// on a third. What the direct runs do not agree on is not compared. Run by hand, see docs/postgres-regression.md:
// REGRESS=<src/test/regress of the PostgreSQL sources> npm run regression [names]
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { differences, untagged } from './regression/compare.ts';
import { type Leg, openLegs, runFile } from './regression/legs.ts';

const source = process.env.REGRESS;
if (source === undefined) {
  process.stderr.write('REGRESS names no folder: src/test/regress of the PostgreSQL sources is meant\n');
  process.exit(2);
}
const wanted = process.argv.slice(2);
/** REGRESS_WORK keeps servers and outputs in a folder: a run that was ended goes on there with the next file. */
const kept = process.env.REGRESS_WORK;
const work = resolve(kept ?? (await mkdtemp(join(tmpdir(), 'sallyport-regression-'))));
await mkdir(join(work, 'out'), { recursive: true });
await chmod(work, 0o755);

/** `tagged`: nothing but the tag, where the server shows statements; `unstable`: nothing but what the direct runs do not agree on. */
type Result = 'identical' | 'tagged' | 'unstable' | 'different';
const journal = join(work, 'done.json');
const done: Record<string, { lines: number; result: Result; wrong: number }> = await readFile(journal, 'utf8').then(
  JSON.parse,
  () => ({}),
);

const legs = await openLegs(work, async (folder) => {
  await cp(join(source, 'sql'), join(folder, 'sql'), { recursive: true });
  await cp(join(source, 'data'), join(folder, 'data'), { recursive: true });
  await mkdir(join(folder, 'results'), { recursive: true });
  // The server, which runs as another user, writes there too.
  await chmod(join(folder, 'results'), 0o777);
});

for (const name of await order(source)) {
  if (done[name] !== undefined) continue;
  if (wanted.length > 0 && !wanted.includes(name) && name !== 'test_setup') continue;
  const started = Date.now();
  const [one = '', two = '', gate = ''] = await Promise.all(legs.map((leg: Leg) => runFile(leg, name)));
  const wrong = differences(one.split('\n'), two.split('\n'), gate.split('\n'));
  const [plain = [], plainTwo = [], plainGate = []] = [one, two, gate].map((text) => untagged(text).split('\n'));
  const result: Result =
    one === gate
      ? 'identical'
      : wrong.length === 0
        ? 'unstable'
        : differences(plain, plainTwo, plainGate).length === 0
          ? 'tagged'
          : 'different';
  done[name] = { lines: one.split('\n').length, result, wrong: wrong.length };
  await writeFile(journal, JSON.stringify(done));
  for (const [index, text] of [one, two, gate].entries())
    await writeFile(join(work, 'out', `${name}.${['direct', 'again', 'gateway'][index]}`), text, 'latin1');
  const seconds = Math.round((Date.now() - started) / 1000);
  if (result !== 'different') {
    if (seconds > 20) process.stdout.write(`${name}: ${result}, ${seconds} s\n`);
    continue;
  }
  process.stdout.write(`${name}: ${wrong.length} lines differ, ${seconds} s\n`);
  for (const line of wrong.slice(0, Number(process.env.REGRESS_LINES ?? 6))) process.stdout.write(`    ${line}\n`);
}

const all = Object.values(done);
const count = (result: string) => all.filter((file) => file.result === result).length;
process.stdout.write(
  `${all.length} files, ${all.reduce((sum, { lines }) => sum + lines, 0)} lines of output: ${count('identical')} files identical, ` +
    `${count('tagged')} but for the tag, ${count('unstable')} but for what the direct runs do not agree on, ${count('different')} different; outputs in ${join(work, 'out')}\n`,
);
for (const leg of legs) await leg.stop();
if (count('different') === 0 && kept === undefined) await rm(work, { recursive: true, force: true });
process.exit(count('different') === 0 ? 0 : 1);

/** The schedule's order, what it runs at once one after the other; files that no schedule names come last. */
async function order(folder: string): Promise<string[]> {
  const files = (await readdir(join(folder, 'sql')))
    .filter((name) => name.endsWith('.sql'))
    .map((name) => basename(name, '.sql'));
  const schedule = (await readFile(join(folder, 'parallel_schedule'), 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('test:'))
    .flatMap((line) => line.slice(5).trim().split(/\s+/));
  const scheduled = schedule.filter((name) => files.includes(name));
  return [...scheduled, ...files.filter((name) => !scheduled.includes(name)).sort()];
}
