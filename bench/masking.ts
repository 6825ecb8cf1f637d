// How fast rows come through: 1,000,000 rows of 8 columns, 3 of them masked by the gateway; against no proxy, pgbouncer and a plain Node pipe,
// in one run, one after the other, several rounds.
import pg from 'pg';
import { startEmbedded } from '../src/store/embedded.ts';
import { cpuSeconds, peakMemory } from './support/cpu.ts';
import { compared, type Metric, reporter, round, spread, table } from './support/metric.ts';
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

interface Measured {
  readonly leg: Leg;
  readonly client: DrainProcess;
  readonly rate: number[];
  readonly cpu: number[];
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const server = await startEmbedded({ settings: { shared_buffers: '512MB', max_wal_size: '1GB' } });
  const legs: Leg[] = [];
  const clients: DrainProcess[] = [];
  try {
    const login = {
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
      database: 'bench',
    };
    say(`making ${rows.toLocaleString('en-US')} rows`);
    const bytes = await makeTable(server.url(), server.url('bench'));
    legs.push(directLeg(login));
    await addLeg(legs, 'pgbouncer', () => pgbouncerLeg(login));
    await addLeg(legs, 'pipe', () => pipeLeg(login));
    await addLeg(legs, 'gateway', () => gatewayLeg({ name: 'gateway', upstream: login, masks, durable: true }));

    const measured: Measured[] = [];
    for (const leg of legs) {
      const client = await drainProcess(leg.login);
      clients.push(client);
      measured.push({ leg, client, rate: [], cpu: [] });
    }
    for (const format of ['text'] as const) {
      for (const { client } of measured) await client.drain(sql, format);
      for (let round = 1; round <= rounds; round++) {
        for (const entry of measured) await measure(entry, format);
        say(
          `round ${round} of ${rounds}: ${measured.map((entry) => `${entry.leg.name} ${millions(entry.rate.at(-1))}`).join(', ')} M rows/s`,
        );
      }
    }
    say('');
    say(summary(measured, bytes));
    return metrics(measured);
  } finally {
    for (const client of clients) await client.stop();
    for (const leg of legs.reverse()) await leg.stop();
    await server.stop();
  }
}

async function measure({ leg, client, rate, cpu }: Measured, format: 'text' | 'binary'): Promise<void> {
  const before = leg.pid === undefined ? 0 : cpuSeconds(leg.pid);
  const drained = await client.drain(sql, format);
  if (drained.rows !== rows) throw new Error(`${leg.name} gave ${drained.rows} rows`);
  rate.push(drained.rows / drained.seconds);
  if (leg.pid !== undefined) cpu.push(((cpuSeconds(leg.pid) - before) / drained.rows) * 1e6);
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
    select g as id, md5(g::text)::varchar(10) as name, 'p' || g || '@example.com' as email,
      '9' || to_char(g % 100, 'FM00') || '-' || to_char(g % 49 + 1, 'FM00') || '-' || to_char(g % 9999 + 1, 'FM0000') as ssn,
      '400000' || to_char(g, 'FM0000000000') as card_number, '555 01' || to_char(g % 100, 'FM00') as phone,
      (array['Albany', 'Boise', 'Chicago', 'Denver', 'Houston', 'Seattle'])[g % 6 + 1] as city, (g % 100000)::numeric / 100 as amount
    from generate_series(1, ${rows}) g`);
  await client.query('vacuum analyze people');
  const { rows: sizes } = await client.query(`
    select avg(7 + 8 * 4 + length(id::text || name || email || ssn || card_number || phone || city || amount))::float8 as bytes
    from people where id % 100 = 0`);
  await client.end();
  return (sizes[0] as { bytes: number }).bytes;
}

function summary(measured: readonly Measured[], bytes: number): string {
  const direct = spread(measured[0]?.rate ?? []).median;
  const lines = measured.map(({ leg, rate, cpu }) => {
    const { min, median, max } = spread(rate);
    const used = spread(cpu);
    return [
      leg.name,
      `${millions(min)} / ${millions(median)} / ${millions(max)}`,
      (median / direct).toFixed(2),
      leg.pid === undefined ? '' : `${used.min.toFixed(2)} / ${used.median.toFixed(2)} / ${used.max.toFixed(2)}`,
      leg.pid === undefined ? '' : `${Math.round(peakMemory(leg.pid) / 1e6)}`,
    ];
  });
  return [
    `${rows.toLocaleString('en-US')} rows of 8 columns, ${Math.round(bytes)} bytes each; the gateway masks 3 columns; ${rounds} rounds, min / median / max`,
    table([['', 'M rows/s', 'of direct', 'CPU s per M rows', 'peak MB'], ...lines]),
  ].join('\n');
}

function metrics(measured: readonly Measured[]): Metric[] {
  const by = (pick: (entry: Measured) => readonly number[]) =>
    new Map(measured.filter((entry) => pick(entry).length > 0).map((entry) => [entry.leg.name, pick(entry)]));
  return [
    ...compared(
      'masking',
      'rows_per_second',
      by(({ rate }) => rate),
      'direct',
    ),
    ...compared(
      'masking',
      'cpu_seconds_per_million_rows',
      by(({ cpu }) => cpu),
      'pgbouncer',
    ),
    ...measured.flatMap(({ leg }) =>
      leg.pid === undefined
        ? []
        : [{ bench: 'masking', metric: `${leg.name}.peak_bytes`, value: round(peakMemory(leg.pid)) }],
    ),
  ];
}

function millions(rate: number | undefined): string {
  return ((rate ?? Number.NaN) / 1e6).toFixed(2);
}
