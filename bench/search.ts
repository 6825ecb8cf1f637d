// Searches over many records in the store: how long each filter of the page takes for its first pages, and what slows them down.
// `npm run bench search`; BENCH_RECORDS=2000000 makes fewer than ten million, BENCH_DAYS spreads them over so many days.
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AuditFilter,
  columnSummaries,
  identitySummaries,
  recordById,
  ruleHits,
  searchRecords,
  statementCounts,
} from '../src/audit/index.ts';
import { connectStore, type Store, startEmbedded } from '../src/store/index.ts';
import { fillStore, type Sample } from './support/many-records.ts';
import { type Metric, reporter, round } from './support/metric.ts';

const DAYS = Number(process.env.BENCH_DAYS ?? 30);
const REPEATS = Number(process.env.BENCH_REPEATS ?? 12);
/** What a record takes with its indexes, generously. */
const BYTES_A_RECORD = 2500;

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-search-'));
  const disk = await statfs(folder);
  const wanted = Number(process.env.BENCH_RECORDS ?? 10_000_000);
  const room = Math.floor((disk.bavail * disk.bsize * 0.8) / BYTES_A_RECORD);
  const count = room >= wanted ? wanted : Math.min(wanted, 2_000_000);
  if (count < wanted) say(`the disk has no room for ${wanted} records: ${count} instead`);
  await rm(folder, { recursive: true });
  const server = await startEmbedded({
    settings: { max_wal_size: '8GB', checkpoint_timeout: '30min', maintenance_work_mem: '512MB' },
  });
  try {
    const store = await connectStore({ url: server.url() });
    try {
      const begun = performance.now();
      const sample = await fillStore(store, count, DAYS, (done) =>
        say(`${done.toLocaleString('en')} records after ${Math.round((performance.now() - begun) / 1000)} s`),
      );
      return await measureSearches(store, sample, count, say);
    } finally {
      await store.close();
    }
  } finally {
    await server.stop();
  }
}

/** Runs every search of the page and says how long each takes. */
export async function measureSearches(
  store: Store,
  sample: Sample,
  count: number,
  say: (line: string) => void,
): Promise<Metric[]> {
  const [size] = await store.query<{ table: string; indexes: string }>(
    `select pg_size_pretty(sum(pg_table_size(inhrelid))) as table, pg_size_pretty(sum(pg_indexes_size(inhrelid))) as indexes
     from pg_inherits where inhparent = 'sallyport.records'::regclass`,
  );
  say(`${count.toLocaleString('en')} records over ${DAYS} days: ${size?.table} and ${size?.indexes} of indexes`);
  const { from, to, identity, rareIdentity, text, record } = sample;
  const middle = new Date((Date.parse(from) + Date.parse(to)) / 2).toISOString();
  const hour = new Date(Date.parse(middle) + 3_600_000).toISOString();
  const filters: Record<string, AuditFilter> = {
    'nothing (the latest)': {},
    identity: { identity },
    'a rare identity': { identity: rareIdentity },
    'an identity by wildcard': { identity: 'agent-1*' },
    'an identity of one night': { identity: sample.burstIdentity },
    'that identity and a rare verb': { identity: sample.burstIdentity, verb: 'drop' },
    'no such identity': { identity: 'nobody' },
    group: { group: 'crew-3' },
    target: { target: 'crm' },
    'a rare target': { target: 'legacy' },
    table: { table: 'orders' },
    'a rare table': { table: 'public.t199' },
    'tables by wildcard': { table: 'public.t19*' },
    column: { column: 'customers.ssn' },
    'a rare column': { column: 't199.c3' },
    'verdict deny': { verdict: 'deny' },
    'verdict hold': { verdict: 'hold' },
    rule: { rule: 'no-drops' },
    'a rare rule': { rule: 'once-a-day' },
    verb: { verb: 'update' },
    'a rare verb': { verb: 'truncate' },
    'an hour in the middle': { since: middle, until: hour },
    'a verb before the middle': { verb: 'delete', until: middle },
    'text, common': { text: 'where id' },
    'text, a value that is there once': { text },
    'text, nowhere': { text: 'no such words anywhere' },
    'text, two letters': { text: 'zq' },
    fingerprint: { fingerprint: 'shape-0007' },
    'a rare fingerprint': { fingerprint: 'shape-1999' },
    'duration over 1 s': { minMs: 1000 },
    'duration over 1 min': { minMs: 60_000 },
    'rows over 10,000': { minRows: 10_000 },
    'rows over 1,000,000': { minRows: 1_000_000 },
    'identity, table and verdict': { identity, table: 'orders', verdict: 'deny' },
    'two that never meet': { identity: rareIdentity, rule: 'once-a-day' },
    'group, verb, rows and text': { group: 'crew-3', verb: 'select', minRows: 1000, text: 'join' },
    session: { session: sample.session },
    events: { kind: 'event' },
    'one record': { record },
  };
  const all: number[] = [];
  const metrics: Metric[] = [];
  for (const [name, filter] of Object.entries(filters)) {
    const times: number[] = [];
    let first = 0;
    let after: string | undefined;
    // Page after page, and from the top again where there is none: what a person does.
    for (let index = 0; index < REPEATS; index++) {
      const start = performance.now();
      const page = await searchRecords(store, filter, { limit: 50, after });
      times.push(performance.now() - start);
      if (index === 0) first = page.records.length;
      after = index % 4 === 3 ? undefined : page.next;
    }
    all.push(...times);
    times.sort((a, b) => a - b);
    const worst = times.at(-1) ?? 0;
    say(
      `${name.padEnd(36)} ${quantile(times, 0.5).toFixed(1).padStart(8)} ms median ${worst.toFixed(1).padStart(8)} ms worst, ${first} on the first page`,
    );
    metrics.push({ bench: 'search', metric: `${name}.p95-ms`, value: round(quantile(times, 0.95)) });
  }
  const views: Record<string, () => Promise<unknown>> = {
    'one record with everything': () => recordById(store, record),
    'the chart': () => statementCounts(store, from, to, 200),
    'hits of rules': () => ruleHits(store),
    identities: () => identitySummaries(store),
    columns: () => columnSummaries(store),
  };
  for (const [name, view] of Object.entries(views)) {
    const times: number[] = [];
    for (let index = 0; index < REPEATS; index++) {
      const start = performance.now();
      await view();
      times.push(performance.now() - start);
    }
    all.push(...times);
    times.sort((a, b) => a - b);
    say(
      `${name.padEnd(36)} ${quantile(times, 0.5).toFixed(1).padStart(8)} ms median ${(times.at(-1) ?? 0).toFixed(1).padStart(8)} ms worst`,
    );
    metrics.push({ bench: 'search', metric: `${name}.p95-ms`, value: round(quantile(times, 0.95)) });
  }
  all.sort((a, b) => a - b);
  const p95 = quantile(all, 0.95);
  say(
    `all of it: ${quantile(all, 0.5).toFixed(1)} ms median, ${p95.toFixed(1)} ms at the 95th percentile, ${(all.at(-1) ?? 0).toFixed(1)} ms worst`,
  );
  metrics.push({ bench: 'search', metric: 'records', value: count });
  metrics.push({
    bench: 'search',
    metric: 'p95-ms',
    value: round(p95),
    against: 'aim.1000-ms',
    ratio: round(p95 / 1000),
  });
  return metrics;
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
