// How fast rows come through: 1,000,000 rows of 8 columns through the gateway under several masks; against no proxy, pgbouncer and a plain
// Node pipe, all unmasked, in one run, one after the other, several rounds.
import { writeFileSync } from 'node:fs';
import { startEmbedded } from '../src/store/embedded.ts';
import { cpuSeconds, peakMemory, resetPeakMemory } from './support/cpu.ts';
import { type MaskCase, maskCases, maskSection } from './support/mask-cases.ts';
import { compared, type Metric, reporter, round, type Spread, spread, table } from './support/metric.ts';
import { makePeople } from './support/people.ts';
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
const wanted = process.env.BENCH_CASES?.split(',');
const cases = maskCases.filter(({ name }, index) => index === 0 || wanted === undefined || wanted.includes(name));
const columns = 'id, name, email, ssn, card_number, phone, city';
const plain = `select ${columns}, amount from people`;
const documents = `select ${columns}, document from people`;

const formats = ['text', 'binary'] as const;
type Format = (typeof formats)[number];

/** Who is measured, with what. Figures of a subject are compared with the direct ones of the same statement. */
interface Subject {
  readonly name: string;
  readonly sql: string;
  readonly leg: Leg;
  readonly client: DrainProcess;
}

interface Measured extends Subject {
  readonly rate: number[];
  /** CPU seconds of the proxy and of the client for a million rows. */
  readonly cpu: number[];
  readonly clientCpu: number[];
  peak: number;
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const server = await startEmbedded({ settings: { shared_buffers: '512MB', max_wal_size: '1GB' } });
  const legs: Leg[] = [];
  const clients: DrainProcess[] = [];
  try {
    const { host, port, user, password } = server;
    const login = { host, port, user, password, database: 'bench' };
    say(`making ${rows.toLocaleString('en-US')} rows`);
    const bytes = await makePeople(server, rows);
    legs.push(directLeg(login));
    await addLeg(legs, 'pgbouncer', () => pgbouncerLeg(login));
    await addLeg(legs, 'pipe', () => pipeLeg(login));
    const subjects: Subject[] = [];
    const add = async (name: string, leg: Leg, database: string, ...statements: readonly string[]) => {
      const client = await drainProcess({ ...leg.login, database });
      clients.push(client);
      for (const sql of statements) {
        subjects.push({
          name: sql === documents && leg.name !== 'gateway' ? `${name}-document` : name,
          sql,
          leg,
          client,
        });
      }
    };
    const both = cases.some(({ document }) => document === true) ? [plain, documents] : [plain];
    for (const leg of legs) await add(leg.name, leg, 'bench', ...(leg.name === 'pipe' ? [plain] : both));
    const targets = cases.map(({ name }) => name);
    await addLeg(legs, 'gateway', () =>
      gatewayLeg({
        name: 'gateway',
        upstream: login,
        targets,
        masks: maskSection(cases, (name) => name),
        durable: true,
      }),
    );
    const gateway = legs.find(({ name }) => name === 'gateway');
    if (gateway !== undefined) for (const each of cases) await add(each.name, gateway, each.name, statementOf(each));

    const metrics: Metric[] = [];
    for (const format of formats) {
      say(
        `\n${rows.toLocaleString('en-US')} rows of 8 columns, ${Math.round(bytes)} bytes each in text, read in ${format}; the gateway masks 3 of them, or as the name says`,
      );
      const measured = await measure(subjects, format, say);
      say(summary(measured));
      metrics.push(...metricsOf(measured, format));
      const file = process.env.BENCH_SVG;
      if (format === 'text' && file !== undefined) writeFileSync(file, pictureOf(measured));
    }
    return metrics;
  } finally {
    for (const client of clients) await client.stop();
    for (const leg of legs.reverse()) await leg.stop();
    await server.stop();
  }
}

function statementOf({ document }: MaskCase): string {
  return document === true ? documents : plain;
}

async function measure(subjects: readonly Subject[], format: Format, say: (line: string) => void): Promise<Measured[]> {
  const measured = subjects.map(
    (subject): Measured => ({ ...subject, rate: [], cpu: [], clientCpu: [], peak: Number.NaN }),
  );
  // The first run compiles what a mask needs.
  for (const { sql, client } of subjects) await client.drain(sql, format);
  for (let round = 1; round <= rounds; round++) {
    for (const entry of measured) {
      const { leg, client, sql } = entry;
      if (leg.pid !== undefined) resetPeakMemory(leg.pid);
      const before = leg.pid === undefined ? 0 : cpuSeconds(leg.pid);
      const clientBefore = cpuSeconds(client.pid);
      const drained = await client.drain(sql, format);
      if (drained.rows !== rows) throw new Error(`${entry.name} gave ${drained.rows} rows`);
      const perMillion = (seconds: number) => (seconds / drained.rows) * 1e6;
      entry.rate.push(drained.rows / drained.seconds);
      entry.clientCpu.push(perMillion(cpuSeconds(client.pid) - clientBefore));
      if (leg.pid === undefined) continue;
      entry.cpu.push(perMillion(cpuSeconds(leg.pid) - before));
      entry.peak = Math.max(Number.isNaN(entry.peak) ? 0 : entry.peak, peakMemory(leg.pid));
    }
    say(
      `  round ${round} of ${rounds}: ${measured.map(({ name, rate }) => `${name} ${millions(rate.at(-1))}`).join(', ')} M rows/s`,
    );
  }
  return measured;
}

/** The subject that reads the same statement without a proxy, or through pgbouncer. */
function against(measured: readonly Measured[], entry: Measured, leg: string): Measured | undefined {
  return measured.find((other) => other.leg.name === leg && other.sql === entry.sql);
}

function summary(measured: readonly Measured[]): string {
  const three = ({ min, median, max }: Spread) => [min, median, max].map((value) => value.toFixed(2)).join(' / ');
  const lines = measured.map((entry) => {
    const direct = spread(against(measured, entry, 'direct')?.rate ?? []).median;
    return [
      entry.name,
      three(spread(entry.rate.map((value) => value / 1e6))),
      (spread(entry.rate).median / direct).toFixed(2),
      entry.leg.pid === undefined ? '' : three(spread(entry.cpu)),
      spread(entry.clientCpu).median.toFixed(2),
      entry.leg.pid === undefined ? '' : `${Math.round(entry.peak / 1e6)}`,
    ];
  });
  const head = ['min / median / max', 'M rows/s', 'of direct', 'CPU s per M rows', "client's CPU", 'peak MB'];
  return table([head, ...lines]);
}

/** What the picture calls the subjects. */
const labels: Readonly<Record<string, string>> = {
  direct: 'direct, no proxy',
  pgbouncer: 'pgbouncer, no masks',
  pipe: 'plain Node pipe',
  gateway: 'keep-last and redact, 3 of 8',
  'redact-3': 'redact, 3 of 8',
  'redact-8': 'redact, 8 of 8',
  'keep-last-3': 'keep-last, 3 of 8',
  'keep-last-8': 'keep-last, 8 of 8',
  'email-3': 'email, 3 of 8',
  'hash-3': 'keyed hash, 3 of 8',
  'hash-8': 'keyed hash, 8 of 8',
};

function pictureOf(measured: readonly Measured[]): string {
  const shown = measured.filter(({ sql }) => sql === plain);
  const bars = (pick: (entry: Measured) => number) =>
    shown
      .map((entry) => ({
        name: labels[entry.name] ?? entry.name,
        value: pick(entry),
        ours: entry.leg.name === 'gateway',
      }))
      .filter(({ value }) => Number.isFinite(value));
  return picture(
    [
      {
        title: 'Rows per second',
        better: 'million; more is better',
        unit: 'M',
        bars: bars(({ rate }) => spread(rate).median / 1e6),
      },
      {
        title: 'Processor time of the proxy for a million rows',
        better: 'seconds; less is better',
        unit: 's',
        bars: bars(({ cpu }) => spread(cpu).median),
      },
    ],
    [
      `Green: Sallyport with policy, records and these masks. ${rows.toLocaleString('en-US')} rows of 8 columns in text,`,
      `one subject after the other, median of ${rounds} rounds: npm run bench masking`,
    ],
  );
}

function metricsOf(measured: readonly Measured[], format: Format): Metric[] {
  const named = (entry: Measured) => (format === 'text' ? entry.name : `${entry.name}.${format}`);
  return measured.flatMap((entry) => {
    const pair = (pick: (each: Measured) => readonly number[], leg: string) => {
      const other = against(measured, entry, leg);
      const both = other === undefined ? [entry] : [other, entry];
      const subjects = new Map(both.map((each) => [named(each), pick(each)] as const));
      return { subjects, base: other === undefined ? '' : named(other) };
    };
    const rate = pair(({ rate }) => rate, 'direct');
    const cpu = pair(({ cpu }) => cpu, 'pgbouncer');
    const own = (metrics: readonly Metric[]) => metrics.filter(({ metric }) => metric.startsWith(`${named(entry)}.`));
    return [
      ...own(compared('masking', 'rows_per_second', rate.subjects, rate.base)),
      ...(entry.leg.pid === undefined
        ? []
        : [
            ...own(compared('masking', 'cpu_seconds_per_million_rows', cpu.subjects, cpu.base)),
            { bench: 'masking', metric: `${named(entry)}.peak_bytes`, value: round(entry.peak) },
          ]),
    ];
  });
}

function millions(rate: number | undefined): string {
  return ((rate ?? Number.NaN) / 1e6).toFixed(2);
}
