// `npm run drivers [names]`: the drivers of several languages run one scenario each, directly and through the gateway, and must print the same.
// It takes what the machine has (python3, go, mvn and java, cargo, psql, pgbench, pg_dump); packages come from the languages' own registries into
// data/drivers. Takes minutes; `npm test` runs the parts that need no compiler.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { available, openSides, output } from '../test/drivers/sides.ts';

const run = promisify(execFile);
const here = resolve(import.meta.dirname, '..', 'test', 'drivers');
const scratch = resolve(import.meta.dirname, '..', 'data', 'drivers');
const wanted = process.argv.slice(2);

interface Scenario {
  readonly name: string;
  readonly command: readonly string[];
}

const prepared = (text: string, error: unknown): readonly Scenario[] => {
  process.stdout.write(
    `not there: ${text} (${error instanceof Error ? error.message.split('\n')[0] : String(error)})\n`,
  );
  return [];
};

async function python(): Promise<readonly Scenario[]> {
  const venv = join(scratch, 'python');
  const program = join(venv, 'bin', 'python');
  await run(process.env.DRIVERS_PYTHON ?? 'python3', ['-m', 'venv', venv]);
  await run(program, ['-m', 'pip', 'install', '-q', '-r', join(here, 'python', 'requirements.txt')]);
  const one = (name: string, ...more: string[]) => ({
    name: [name, ...more].join(' on '),
    command: [program, join(here, 'python', `${name}_scenario.py`), ...more],
  });
  return [
    one('asyncpg'),
    one('psycopg3'),
    one('psycopg2'),
    one('sqlalchemy', 'psycopg'),
    one('sqlalchemy', 'psycopg2'),
    one('sqlalchemy', 'asyncpg'),
  ];
}

async function go(): Promise<readonly Scenario[]> {
  const build = async (name: string) => {
    await run('go', ['build', '-o', join(scratch, name), `./${name}`], { cwd: join(here, 'go') });
    return { name, command: [join(scratch, name)] };
  };
  return [await build('pgx'), await build('libpq')];
}

async function java(): Promise<readonly Scenario[]> {
  const project = join(here, 'java', 'pom.xml');
  await run(
    'mvn',
    ['-q', '-f', project, `-Dbuild=${join(scratch, 'java')}`, 'package', 'dependency:copy-dependencies'],
    {
      maxBuffer: 1e7,
    },
  );
  const path = [join(scratch, 'java', 'classes'), join(scratch, 'java', 'dependency', '*')].join(':');
  return [{ name: 'pgjdbc', command: ['java', '-cp', path, 'Scenario'] }];
}

async function rust(): Promise<readonly Scenario[]> {
  await run('cargo', ['build', '-q', '--target-dir', join(scratch, 'rust')], {
    cwd: join(here, 'rust'),
    maxBuffer: 1e7,
  });
  return [{ name: 'tokio-postgres', command: [join(scratch, 'rust', 'debug', 'scenario')] }];
}

const node = (name: string): Scenario => ({
  name,
  command: [process.execPath, '--no-deprecation', join(here, 'node', `${name}.mjs`)],
});

await mkdir(scratch, { recursive: true });
const scenarios = [node('pg'), node('postgres.js')];
for (const name of ['psql', 'pgbench', 'pg_dump']) {
  if (await available(name, '--version'))
    scenarios.push({ name, command: ['bash', join(here, 'programs', `${name}.sh`)] });
  else process.stdout.write(`not there: ${name}\n`);
}
for (const [name, needs, prepare] of [
  ['Python', ['python3', '--version'], python],
  ['Go', ['go', 'version'], go],
  ['Java', ['mvn', '--version'], java],
  ['Rust', ['cargo', '--version'], rust],
] as const) {
  if (await available(...needs)) scenarios.push(...(await prepare().catch((error) => prepared(name, error))));
  else process.stdout.write(`not there: ${name}\n`);
}

const sides = await openSides();
let different = 0;
for (const { name, command } of scenarios) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const direct = await output(sides.direct, command);
  const through = await output(sides.gateway, command);
  const lines = direct.split('\n');
  const failed = lines.some((line) => line.startsWith('ended with'));
  if (direct === through && !failed) {
    process.stdout.write(`${name}: the same (${lines.length} lines)\n`);
    continue;
  }
  different += 1;
  process.stdout.write(`${name}: ${failed ? 'the direct run fails' : 'different'}\n`);
  const others = through.split('\n');
  for (const line of lines.filter((each) => !others.includes(each)).slice(0, 12))
    process.stdout.write(`  - ${line.slice(0, 600)}\n`);
  for (const line of others.filter((each) => !lines.includes(each)).slice(0, 12))
    process.stdout.write(`  + ${line.slice(0, 600)}\n`);
}
await sides.stop();
process.exit(different === 0 ? 0 : 1);
