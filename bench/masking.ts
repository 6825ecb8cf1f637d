// How fast rows come through: 1,000,000 rows of 8 columns, 3 of them masked by the gateway; against no proxy, pgbouncer and a plain Node pipe,
// in one run, one after the other, several rounds.
import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { startEmbedded } from '../src/store/embedded.ts';
import { cpuSeconds, peakMemory } from './support/cpu.ts';
import { compared, type Metric, reporter, round, type Spread, spread, table } from './support/metric.ts';
import { picture } from './support/picture.ts';
import {
  addLeg,
  type DrainProcess,
  directLeg,
  drainProcess,
  gatewayLeg,
  type Leg,
  pgbouncerLeg,
  pipeLeg,
} from './support/processes.ts';

const rows = Number(process.env.BENCH_ROWS ?? 1_000_000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const sql = 'select id, name, email, ssn, card_number, phone, city, amount from people';
const masks = `masks:
  - columns: ["*.*.people.ssn", "*.*.people.card_number"]
    mask: { keep-last: 4 }
  - columns: ["*.*.people.email"]
    mask: redact
`;

const formats = ['text', 'binary'] as const;
type Format = (typeof formats)[number];

interface Subject {
  readonly leg: Leg;
  readonly client: DrainProcess;
}

interface Measured {
  readonly name: string;
  readonly leg: Leg;
  readonly rate: number[];
  /** CPU seconds of the proxy and of the client for a million rows. */
  readonly cpu: number[];
  readonly clientCpu: number[];
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const server = await startEmbedded({ settings: { shared_buffers: '512MB', max_wal_size: '1GB' } });
  const legs: Leg[] = [];
  const subjects: Subject[] = [];
  try {
    const { host, port, user, password } = server;
    const login = { host, port, user, password, database: 'bench' };
    say(`making ${rows.toLocaleString('en-US')} rows`);
    const bytes = await makeTable(server.url(), server.url('bench'));
    legs.push(directLeg(login));
    await addLeg(legs, 'pgbouncer', () => pgbouncerLeg(login));
    await addLeg(legs, 'pipe', () => pipeLeg(login));
    await addLeg(legs, 'gateway', () => gatewayLeg({ name: 'gateway', upstream: login, masks, durable: true }));
    for (const leg of legs) subjects.push({ leg, client: await drainProcess(leg.login) });

    const metrics: Metric[] = [];
    for (const format of formats) {
      say(
        `\n${rows.toLocaleString('en-US')} rows of 8 columns, ${Math.round(bytes)} bytes each in text, read in ${format}; the gateway masks 3 columns`,
      );
      const measured = await measure(subjects, format, say);
      say(summary(measured));
      metrics.push(...metricsOf(measured));
      const file = process.env.BENCH_SVG;
      if (file !== undefined && format === 'text') writeFileSync(file, drawn(measured));
    }
    return metrics;
  } finally {
    for (const { client } of subjects) await client.stop();
    for (const leg of legs.reverse()) await leg.stop();
    await server.stop();
  }
}

async function measure(subjects: readonly Subject[], format: Format, say: (line: string) => void): Promise<Measured[]> {
  const measured = subjects.map(({ leg }) => ({
    name: format === 'text' ? leg.name : `${leg.name}.${format}`,
    leg,
    rate: [] as number[],
    cpu: [] as number[],
    clientCpu: [] as number[],
  }));
  for (const { client } of subjects) await client.drain(sql, format);
  for (let round = 1; round <= rounds; round++) {
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
    say(
      `  round ${round} of ${rounds}: ${measured.map(({ leg, rate }) => `${leg.name} ${millions(rate.at(-1))}`).join(', ')} M rows/s`,
    );
  }
  return measured;
}

/** Gives the mean length of a DataRow. */
async function makeTable(adminUrl: string, url: string): Promise<number> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query('create database bench');
  await admin.end();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`
    create unlogged table people as
    select g as id, md5(g::text)::varchar(8) as name, 'p' || g || '@example.com' as email,
      '9' || to_char(g % 100, 'FM00') || '-' || to_char(g % 49 + 1, 'FM00') || '-' || to_char(g % 9999 + 1, 'FM0000') as ssn,
      '400000' || to_char(g, 'FM0000000000') as card_number, '555 01' || to_char(g % 100, 'FM00') as phone,
      (array['Albany', 'Boise', 'Chicago', 'Denver', 'Houston', 'Seattle'])[g % 6 + 1] as city, ((g % 100000)::numeric / 100)::numeric(10,2) as amount
    from generate_series(1, ${rows}) g`);
  await client.query('vacuum analyze people');
  const { rows: sizes } = await client.query(`
    select avg(7 + 8 * 4 + length(id::text || name || email || ssn || card_number || phone || city || amount))::float8 as bytes
    from people where id % 100 = 0`);
  await client.end();
  return (sizes[0] as { bytes: number }).bytes;
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

function drawn(measured: readonly Measured[]): string {
  const bars = (pick: (entry: Measured) => number) =>
    measured
      .map((entry) => ({ name: entry.name, value: pick(entry), ours: entry.name === 'gateway' }))
      .filter(({ value }) => Number.isFinite(value));
  return picture(
    [
      { title: 'Rows per second (more is better)', unit: 'M/s', bars: bars(({ rate }) => spread(rate).median / 1e6) },
      {
        title: 'CPU of the proxy per million rows (less is better)',
        unit: 's',
        bars: bars(({ cpu }) => spread(cpu).median),
      },
    ],
    `${rows.toLocaleString('en-US')} rows of 8 columns; the gateway masks 3 of them; median of ${rounds} rounds in one run; npm run bench masking`,
  );
}

function metricsOf(measured: readonly Measured[]): Metric[] {
  const by = (pick: (entry: Measured) => readonly number[]) =>
    new Map(measured.filter((entry) => pick(entry).length > 0).map((entry) => [entry.name, pick(entry)]));
  const named = (name: string) => measured.find(({ leg }) => leg.name === name)?.name ?? name;
  return [
    ...compared(
      'masking',
      'rows_per_second',
      by(({ rate }) => rate),
      named('direct'),
    ),
    ...compared(
      'masking',
      'cpu_seconds_per_million_rows',
      by(({ cpu }) => cpu),
      named('pgbouncer'),
    ),
    ...measured.flatMap(({ name, leg }) =>
      leg.pid === undefined
        ? []
        : [{ bench: 'masking', metric: `${name}.peak_bytes`, value: round(peakMemory(leg.pid)) }],
    ),
  ];
}

function millions(rate: number | undefined): string {
  return ((rate ?? Number.NaN) / 1e6).toFixed(2);
}
