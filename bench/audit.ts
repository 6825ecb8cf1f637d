// The journal by itself: records a second, CPU microseconds a record and the wait of a statement, durable and fast, against the
// same loop without a journal, from many sessions at once. A statement is two records: opening and settlement. `npm run bench audit`
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isoTime,
  type Journal,
  newRecordId,
  newSessionId,
  openJournal,
  type StatementRecord,
} from '../src/audit/index.ts';
import { type Metric, reporter, round } from './support/metric.ts';

const SECONDS = 3;
const SESSIONS = Number(process.env.BENCH_SESSIONS ?? 64);
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const session = newSessionId();
const TEXT =
  'select c.id, c.name, c.email, o.total from customers c join orders o on o.customer_id = c.id where o.placed_at > now() - interval $1 order by o.total desc limit 20';

/** What all runs of a shape in a session share, as in the gateway. */
const shared = {
  session,
  identity: 'crew-support-7',
  issuer: 'https://idp.example.com',
  groups: ['crew-support', 'crew'],
  target: 'shop',
  client: '127.0.0.1:50412',
  role: 'support',
  text: TEXT,
  fingerprint: '9f86d081884c7d65',
  verbs: ['select'],
  tables: ['public.customers', 'public.orders'],
  columns: ['public.customers.id', 'public.customers.name', 'public.customers.email', 'public.orders.total'],
} as const;

function statement(): StatementRecord {
  return {
    event: 'statement',
    time: isoTime(Date.now()),
    record: newRecordId(),
    ...shared,
    verdict: 'allow',
    rule: undefined,
    reason: undefined,
    masked: ['public.customers.email'],
    wouldBe: [],
    prepared: undefined,
    imitatesTag: false,
  };
}

function settle(journal: Pick<Journal, 'append'>, opening: StatementRecord): void {
  void journal.append({
    event: 'settled',
    time: isoTime(Date.now()),
    session,
    record: opening.record,
    outcome: 'completed',
    sqlstate: undefined,
    tag: 'SELECT 20',
    rows: 20,
    bytes: 1874,
    ms: 1.713,
  });
}

interface Measured {
  readonly records: number;
  readonly seconds: number;
  readonly cpuUs: number;
  readonly batches: number;
  readonly medianMs: number;
}

type Mode = 'none' | 'fast' | 'durable';

async function measure(directory: string, mode: Mode): Promise<Measured> {
  const durable = mode === 'durable';
  const journal = await openJournal({ directory, durable, worker: mode, log: quiet, compress: false });
  let appended = 0;
  const sink: Pick<Journal, 'append'> = mode === 'none' ? { append: () => {} } : journal;
  const latencies: number[] = [];
  const until = { time: performance.now() + 300 };
  const work = async () => {
    while (performance.now() < until.time) {
      const begun = performance.now();
      const opening = statement();
      await sink.append(opening);
      latencies.push(performance.now() - begun);
      settle(sink, opening);
      appended += 2;
      // Fast mode answers at once: give the event loop its turn as the sockets would.
      if (!durable) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: SESSIONS }, work));
  await journal.flush();
  latencies.length = 0;
  appended = 0;
  const before = journal.statistics;
  const cpu = process.cpuUsage();
  const begun = performance.now();
  until.time = begun + SECONDS * 1000;
  await Promise.all(Array.from({ length: SESSIONS }, work));
  await journal.flush();
  const seconds = (performance.now() - begun) / 1000;
  const used = process.cpuUsage(cpu);
  const records = appended;
  const batches = journal.statistics.batches - before.batches;
  await journal.close();
  latencies.sort((a, b) => a - b);
  return {
    records,
    seconds,
    cpuUs: (used.user + used.system) / records,
    batches,
    medianMs: latencies[latencies.length >> 1] ?? 0,
  };
}

/** How long this disk takes for one small write and its fdatasync: what durable mode shares among the records of a batch. */
async function syncMs(folder: string): Promise<number> {
  const handle = await open(join(folder, 'sync'), 'w');
  const times: number[] = [];
  for (let index = 0; index < 100; index++) {
    const begun = performance.now();
    await handle.write(Buffer.alloc(700), 0, 700, index * 700);
    await handle.datasync();
    times.push(performance.now() - begun);
  }
  await handle.close();
  times.sort((a, b) => a - b);
  return times[50] ?? 0;
}

/** Runs the benchmark, with lines for people, and hands back what was measured. */
export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const metrics: Metric[] = [];
  const report = (metric: string, value: number, against?: string, other = 0) => {
    const compared = against === undefined || other === 0 ? {} : { against, ratio: round(value / other) };
    metrics.push({ bench: 'audit', metric, value: round(value), ...compared });
  };
  try {
    const sync = await syncMs(folder);
    say(`one write and fdatasync on this disk: ${sync.toFixed(2)} ms`);
    report('fdatasync.ms', sync);
    const none = await measure(join(folder, 'journal'), 'none');
    say(`no journal: ${none.cpuUs.toFixed(2)} us CPU a record to make it`);
    for (const mode of ['durable', 'fast'] as const) {
      const { records, seconds, cpuUs, batches, medianMs } = await measure(join(folder, 'journal'), mode);
      const rate = records / seconds;
      const added = cpuUs - none.cpuUs;
      const wait = medianMs - none.medianMs;
      say(
        `${mode}: ${Math.round(rate).toLocaleString('en')} records/s (${Math.round(rate / 2).toLocaleString('en')} statements/s), ` +
          `${added.toFixed(2)} us CPU a record added, ${Math.round(records / Math.max(1, batches))} records a batch, ` +
          `${wait.toFixed(3)} ms median wait of a statement added, ${SESSIONS} sessions`,
      );
      report(`${mode}.records-per-second`, rate);
      report(`${mode}.cpu-us-per-record`, added, 'aim.cpu-us-per-record', 8);
      report(`${mode}.added-median-ms`, wait, 'fdatasync.ms', sync);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return metrics;
}
