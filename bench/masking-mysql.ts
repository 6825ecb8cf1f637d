// How fast rows come through before MySQL or MariaDB: 1,000,000 rows of 8 columns, 3 of them masked by the gateway; against no proxy and a
// plain Node pipe, in one run, one after the other, several rounds, in text and in binary.
import mysql from 'mysql2/promise';
import { givenServer, missingServer, startMariadb } from '../src/demo/mariadb-server.ts';
import { cpuSeconds, peakMemory } from './support/cpu.ts';
import { compared, type Metric, reporter, round, type Spread, spread, table } from './support/metric.ts';
import {
  addLeg,
  type DrainProcess,
  directLeg,
  drainProcess,
  gatewayLeg,
  type Leg,
  pipeLeg,
} from './support/processes.ts';

const rows = Number(process.env.BENCH_ROWS ?? 1_000_000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const database = 'sallyport_bench';
const sql = 'SELECT id, name, email, ssn, card_number, phone, city, amount FROM people';
const masks = `masks:
  - columns: ["*.*.people.ssn", "*.*.people.card_number"]
    mask: { keep-last: 4 }
  - columns: ["*.*.people.email"]
    mask: redact
`;

interface Subject {
  readonly leg: Leg;
  readonly client: DrainProcess;
}

interface Measured {
  readonly name: string;
  readonly leg: Leg;
  readonly rate: number[];
  readonly cpu: number[];
  readonly clientCpu: number[];
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const missing = missingServer();
  if (missing !== undefined) {
    console.error(`left out, since this machine has not: ${missing}`);
    return [];
  }
  const given = process.env.MYSQL_URL;
  const server =
    given === undefined ? await startMariadb({ options: ['--innodb-buffer-pool-size=512M'] }) : givenServer(given);
  const legs: Leg[] = [];
  const subjects: Subject[] = [];
  try {
    const { host, port, user, password } = server;
    const login = { host, port, user, password, database };
    say(`making ${rows.toLocaleString('en-US')} rows`);
    await makeTable(server.url());
    legs.push(directLeg(login));
    await addLeg(legs, 'pipe', () => pipeLeg(login));
    await addLeg(legs, 'gateway', () =>
      gatewayLeg({ name: 'gateway', upstream: login, masks, durable: true, dialect: 'mysql' }),
    );
    for (const leg of legs) subjects.push({ leg, client: await drainProcess(leg.login, 'mysql') });
    const metrics: Metric[] = [];
    for (const format of ['text', 'binary'] as const) {
      say(`\n${rows.toLocaleString('en-US')} rows of 8 columns, read in ${format}; the gateway masks 3 columns`);
      const measured = await measure(subjects, format, say);
      say(summary(measured));
      metrics.push(...metricsOf(measured));
    }
    return metrics;
  } finally {
    for (const { client } of subjects) await client.stop();
    for (const leg of legs.reverse()) await leg.stop();
    if (given !== undefined) await dropTable(server.url());
    await server.stop();
  }
}

async function measure(
  subjects: readonly Subject[],
  format: 'text' | 'binary',
  say: (line: string) => void,
): Promise<Measured[]> {
  const measured: Measured[] = subjects.map(({ leg }) => ({
    name: format === 'text' ? leg.name : `${leg.name}.${format}`,
    leg,
    rate: [],
    cpu: [],
    clientCpu: [],
  }));
  for (const { client } of subjects) await client.drain(sql, format);
  for (let number = 1; number <= rounds; number++) {
    for (const [at, { leg, client }] of subjects.entries()) {
      const entry = measured[at];
      const before = leg.pid === undefined ? 0 : cpuSeconds(leg.pid);
      const clientBefore = cpuSeconds(client.pid);
      const drained = await client.drain(sql, format);
      if (drained.rows !== rows) throw new Error(`${leg.name} gave ${drained.rows} rows`);
      const perMillion = (seconds: number) => (seconds / drained.rows) * 1e6;
      entry?.rate.push(drained.rows / drained.seconds);
      entry?.clientCpu.push(perMillion(cpuSeconds(client.pid) - clientBefore));
      if (leg.pid !== undefined) entry?.cpu.push(perMillion(cpuSeconds(leg.pid) - before));
    }
    const rates = measured.map(({ leg, rate }) => `${leg.name} ${((rate.at(-1) ?? Number.NaN) / 1e6).toFixed(2)}`);
    say(`  round ${number} of ${rounds}: ${rates.join(', ')} M rows/s`);
  }
  return measured;
}

async function makeTable(url: string): Promise<void> {
  const connection = await mysql.createConnection({ uri: url });
  await connection.query(`DROP DATABASE IF EXISTS ${database}`);
  await connection.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  await connection.query(`USE ${database}`);
  await connection.query(`CREATE TABLE people (
    id INT PRIMARY KEY, name VARCHAR(8), email VARCHAR(40), ssn VARCHAR(11), card_number VARCHAR(16), phone VARCHAR(10), city VARCHAR(10), amount DECIMAL(10,2))`);
  // Numbers without sequences, which MySQL has not: six digits crossed.
  const digits = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS d`).join(' UNION ALL ');
  const places = ['a', 'b', 'c', 'd', 'e', 'f', 'h'];
  const number = places.map((name, place) => `${name}.d * ${10 ** place}`).join(' + ');
  await connection.query(`INSERT INTO people
    SELECT g, LEFT(MD5(g), 8), CONCAT('p', g, '@example.com'),
      CONCAT('9', LPAD(g % 100, 2, '0'), '-', LPAD(g % 49 + 1, 2, '0'), '-', LPAD(g % 9999 + 1, 4, '0')),
      CONCAT('400000', LPAD(g, 10, '0')), CONCAT('555 01', LPAD(g % 100, 2, '0')),
      ELT(g % 6 + 1, 'Albany', 'Boise', 'Chicago', 'Denver', 'Houston', 'Seattle'), (g % 100000) / 100
    FROM (SELECT ${number} + 1 AS g FROM ${places.map((name) => `(${digits}) ${name}`).join(', ')}) numbers
    WHERE g <= ${rows}`);
  await connection.query('ANALYZE TABLE people');
  await connection.end();
}

async function dropTable(url: string): Promise<void> {
  const connection = await mysql.createConnection({ uri: url });
  await connection.query(`DROP DATABASE ${database}`);
  await connection.end();
}

function summary(measured: readonly Measured[]): string {
  const direct = spread(measured[0]?.rate ?? []).median;
  const three = ({ min, median, max }: Spread) => [min, median, max].map((value) => value.toFixed(2)).join(' / ');
  const lines = measured.map(({ name, leg, rate, cpu, clientCpu }) => [
    name,
    three(spread(rate.map((value) => value / 1e6))),
    (spread(rate).median / direct).toFixed(2),
    leg.pid === undefined ? '' : three(spread(cpu)),
    spread(clientCpu).median.toFixed(2),
    leg.pid === undefined ? '' : `${Math.round(peakMemory(leg.pid) / 1e6)}`,
  ]);
  const head = ['min / median / max', 'M rows/s', 'of direct', 'CPU s per M rows', "client's CPU", 'peak MB'];
  return table([head, ...lines]);
}

function metricsOf(measured: readonly Measured[]): Metric[] {
  const by = (pick: (entry: Measured) => readonly number[]) =>
    new Map(measured.filter((entry) => pick(entry).length > 0).map((entry) => [entry.name, pick(entry)]));
  const named = (name: string) => measured.find(({ leg }) => leg.name === name)?.name ?? name;
  return [
    ...compared(
      'masking-mysql',
      'rows_per_second',
      by(({ rate }) => rate),
      named('direct'),
    ),
    ...compared(
      'masking-mysql',
      'cpu_seconds_per_million_rows',
      by(({ cpu }) => cpu),
      named('pipe'),
    ),
    ...measured.flatMap(({ name, leg }) =>
      leg.pid === undefined
        ? []
        : [{ bench: 'masking-mysql', metric: `${name}.peak_bytes`, value: round(peakMemory(leg.pid)) }],
    ),
  ];
}
