// PostgreSQL's regression suite through the gateway: its SQL files run by psql directly on two servers and through an allow-everything role
// on a third. What the direct runs do not agree on is not compared. Run by hand: REGRESS_SQL=<folder of .sql files> npm run regression [names]
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { loadConfig } from '../src/config/index.ts';
import { startGateway } from '../src/gateway.ts';
import { issueLocalToken } from '../src/identity/index.ts';
import { type EmbeddedServer, startEmbedded } from '../src/store/index.ts';

/** Files that others build on, in the order in which the suite's schedule has them. */
const first = ['test_setup', 'create_misc', 'create_operator', 'create_procedure', 'create_table', 'create_type']
  .concat(['create_schema', 'copy', 'copyselect', 'insert', 'create_index', 'create_view', 'index_including'])
  .concat([
    'create_aggregate',
    'create_function_sql',
    'create_cast',
    'constraints',
    'triggers',
    'select',
    'sanity_check',
  ]);
/** A file that has not ended by then is ended; its output so far is compared. */
const limitMs = 120_000;

interface Leg {
  readonly name: string;
  readonly port: number;
  readonly password: string;
  readonly server: EmbeddedServer;
}

const folder = process.env.REGRESS_SQL;
if (folder === undefined) {
  process.stderr.write('REGRESS_SQL names no folder: src/test/regress/sql of the PostgreSQL sources is meant\n');
  process.exit(2);
}
const wanted = process.argv.slice(2);
const work = await mkdtemp(join(tmpdir(), 'sallyport-regression-'));
const legs: Leg[] = [];
for (const name of ['direct', 'direct again', 'gateway']) {
  const server = await startEmbedded({ settings: { max_connections: '100', max_prepared_transactions: '4' } });
  await prepare(server);
  legs.push({ name, port: server.port, password: server.password, server });
}
const last = legs[2];
if (last === undefined) throw new Error('three servers were started');
const gateway = await throughGateway(last);

let identical = 0;
let unstable = 0;
let different = 0;
let lines = 0;
const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).map((name) => basename(name, '.sql'));
const ordered = [
  ...first.filter((name) => names.includes(name)),
  ...names.filter((name) => !first.includes(name)).sort(),
];
for (const name of ordered) {
  if (wanted.length > 0 && !wanted.includes(name) && name !== 'test_setup') continue;
  const text = await source(name);
  const file = join(work, `${name}.sql`);
  await writeFile(file, text);
  const outputs = await Promise.all(
    legs.map((leg) => psql(leg === last ? { ...leg, port: gateway.port, password: gateway.token } : leg, file)),
  );
  const [one, two, gate] = outputs.map((output) => output.split('\n'));
  if (one === undefined || two === undefined || gate === undefined) continue;
  lines += one.length;
  const agreed = one.join('\n') === two.join('\n');
  if (one.join('\n') === gate.join('\n')) identical++;
  else {
    const wrong = differences(one, two, gate);
    if (wrong.length === 0) unstable++;
    else {
      different++;
      await mkdir(join(work, 'out'), { recursive: true });
      for (const [index, leg] of legs.entries()) {
        await writeFile(join(work, 'out', `${name}.${leg.name.replace(' ', '-')}.out`), outputs[index] ?? '');
      }
      process.stdout.write(`${name}: ${wrong.length} lines differ${agreed ? '' : ' (the direct runs differ too)'}\n`);
      for (const line of wrong.slice(0, Number(process.env.REGRESS_LINES ?? 6))) process.stdout.write(`    ${line}\n`);
    }
  }
}
process.stdout.write(
  `${identical} files identical (${lines} lines of output), ${unstable} more but for what the direct runs do not agree on, ${different} different; outputs of these in ${join(work, 'out')}\n`,
);
await gateway.stop();
for (const { server } of legs) await server.stop();
if (different === 0) await rm(work, { recursive: true, force: true });
process.exit(different === 0 ? 0 : 1);

async function prepare(server: EmbeddedServer): Promise<void> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await client.query('create database regression template template0');
  for (const [name, value] of [
    ['lc_messages', 'C'],
    ['timezone', 'PST8PDT'],
    ['datestyle', 'Postgres, MDY'],
    ['intervalstyle', 'postgres_verbose'],
  ] as const) {
    await client.query(`alter database regression set ${name} = '${value}'`);
  }
  await client.end();
}

/** The suite's tables of numbers come from files that are not here: the same kind of rows, made by a formula. */
async function source(name: string): Promise<string> {
  const text = await readFile(join(folder ?? '', `${name}.sql`), 'utf8');
  if (name !== 'test_setup') return text;
  const numbers = (rows: number) =>
    `select u, n, u % 2, u % 4, u % 10, u % 20, u % 100, u % 1000, u % 2000, u % 5000, u, (u % 100) * 2, (u % 100) * 2 + 1,
       lpad(chr(65 + u % 26), 6, 'A'), lpad(chr(65 + n % 26), 6, 'A'), (array['AAAAxx', 'HHHHxx', 'OOOOxx', 'VVVVxx'])[1 + n % 4]
     from (select n, (n * 7919 + 13) % ${rows} as u from generate_series(0, ${rows - 1}) n) numbers`;
  return text
    .replace(/^COPY onek FROM.*$/m, `INSERT INTO onek ${numbers(1000)};`)
    .replace(/^COPY tenk1 FROM.*$/m, `INSERT INTO tenk1 ${numbers(10_000)};`);
}

async function throughGateway(leg: Leg) {
  const file = join(work, 'sallyport.yaml');
  await writeFile(join(work, 'password'), leg.password, { mode: 0o600 });
  await writeFile(
    file,
    `listen:
  postgres: 127.0.0.1:0
identity:
  issuers:
    - local: true
targets:
  regression:
    dialect: postgres
    url: postgres://postgres@127.0.0.1:${leg.port}/regression
    password: { file: password }
    tls: disable
roles:
  - name: everything
    groups: [everything]
    targets: [regression]
    allow: [read, write, ddl, session, admin]
keep-application-name: true
audit:
  journal: journal
  durable: false
`,
  );
  const config = await loadConfig(file);
  const running = await startGateway(config, pino({ level: 'silent' }));
  return {
    port: running.postgres?.port ?? 0,
    token: await issueLocalToken(config, { sub: 'regression', groups: ['everything'], ttlMs: 3_600_000 }),
    stop: () => running.drain(0),
  };
}

/** As pg_regress runs it (pg_regress_main.c, "psql_start_test"): both streams in one file, so that their order is kept. */
async function psql({ name, port, password }: Leg, file: string): Promise<string> {
  const path = `${file}.${name.replace(' ', '-')}`;
  const output = await open(path, 'w');
  const options = ['-X', '-a', '-q', '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'];
  const child = spawn(
    'psql',
    [...options, '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', 'regression', '-f', file],
    {
      cwd: work,
      env: {
        PATH: process.env.PATH,
        PGPASSWORD: password,
        PGAPPNAME: 'pg_regress',
        PG_ABS_SRCDIR: work,
        PG_ABS_BUILDDIR: work,
        PG_LIBDIR: work,
        PG_DLSUFFIX: '.so',
        LC_ALL: 'C.UTF-8',
      },
      stdio: ['ignore', output.fd, output.fd],
    },
  );
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(timer);
  await output.close();
  return (await readFile(path, 'latin1')).replaceAll(`port ${port}`, 'port N');
}

/** Lines through the gateway that no direct run has, and lines of the direct run that it lacks, but for those the two direct runs differ in. */
function differences(one: readonly string[], two: readonly string[], gate: readonly string[]): string[] {
  const count = (all: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const line of all) counts.set(line, (counts.get(line) ?? 0) + 1);
    return counts;
  };
  const [a, b, c] = [count(one), count(two), count(gate)];
  const wrong: string[] = [];
  for (const [line, times] of c) {
    if (times > Math.max(a.get(line) ?? 0, b.get(line) ?? 0)) wrong.push(`+ ${line}`);
  }
  for (const [line, times] of a) {
    if (Math.min(times, b.get(line) ?? 0) > (c.get(line) ?? 0)) wrong.push(`- ${line}`);
  }
  return wrong;
}
