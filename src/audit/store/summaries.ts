// What the page shows beside the records: the chart, hits of rules, what identities and columns have seen. All from counts that
// are kept while records are written, never by reading records.
import type { Queries } from '../../store/types.ts';

/** A stretch of the chart. */
export interface StatementCount {
  /** Where it begins, ISO 8601. */
  readonly from: string;
  readonly allowed: number;
  readonly denied: number;
  readonly held: number;
  readonly events: number;
}

/** Statements by verdict over time, in so many equal stretches of at least a minute. */
export async function statementCounts(
  store: Queries,
  from: string,
  to: string,
  buckets: number,
): Promise<readonly StatementCount[]> {
  const begin = Math.floor(Date.parse(from) / 60_000) * 60_000;
  const end = Math.max(begin + 60_000, Date.parse(to));
  const minutes = Math.max(1, Math.ceil((end - begin) / 60_000 / Math.max(1, Math.min(buckets, 2000))));
  const width = minutes * 60_000;
  const rows = await store.query<Record<'bucket' | 'allowed' | 'denied' | 'held' | 'events', string>>(
    `select floor(extract(epoch from minute - $1::timestamptz) * 1000 / $3::float8)::int as bucket,
       sum(allowed) as allowed, sum(denied) as denied, sum(held) as held, sum(events) as events
     from sallyport.record_minutes where minute >= $1 and minute < $2 group by 1`,
    [new Date(begin), new Date(end), width],
  );
  const byBucket = new Map(rows.map((row) => [Number(row.bucket), row]));
  const counts: StatementCount[] = [];
  for (let index = 0; begin + index * width < end; index++) {
    const row = byBucket.get(index);
    counts.push({
      from: new Date(begin + index * width).toISOString(),
      allowed: Number(row?.allowed ?? 0),
      denied: Number(row?.denied ?? 0),
      held: Number(row?.held ?? 0),
      events: Number(row?.events ?? 0),
    });
  }
  return counts;
}

export interface SummaryOptions {
  /** ISO 8601, rounded down to the hour for rules and to the day for all else; left out: all that is kept. */
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  /** A part of the name, in any case. */
  readonly like?: string | undefined;
}

export interface Counted {
  readonly name: string;
  readonly allowed: number;
  readonly denied: number;
  readonly held: number;
  readonly latest: string;
}

export interface Summaries<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

interface TallyRow {
  readonly name: string;
  readonly allowed: string;
  readonly denied: string;
  readonly held: string;
  readonly rows: string;
  readonly latest: Date;
}

/** How often each rule decided, the most frequent first. */
export async function ruleHits(store: Queries, options: SummaryOptions = {}): Promise<Summaries<Counted>> {
  const { rows, next } = await tallies(store, 'rule', options);
  return { items: rows.map(counted), next };
}

export interface IdentitySummary extends Counted {
  /** Rows that went to it. */
  readonly rows: number;
  /** The tables it used most, at most ten. */
  readonly tables: readonly string[];
}

/** Identities and what each touched, the latest first. */
export async function identitySummaries(
  store: Queries,
  options: SummaryOptions = {},
): Promise<Summaries<IdentitySummary>> {
  const { rows, next } = await tallies(store, 'identity', options, 'latest');
  const touched = await store.query<{ name: string; tables: string[] }>(
    `select name, array_agg(part order by uses desc) as tables from (
       select name, part, uses, row_number() over (partition by name order by uses desc, part) as place from (
         select name, part, sum(allowed + denied + held) as uses from sallyport.record_tallies
         where kind = 'touch' and name = any($1::text[]) and period >= $2 group by name, part) as summed) as ranked
     where place <= 10 group by name`,
    [rows.map(({ name }) => name), since(options, 'day')],
  );
  const tables = new Map(touched.map((row) => [row.name, row.tables]));
  return {
    items: rows.map((row) => ({ ...counted(row), rows: Number(row.rows), tables: tables.get(row.name) ?? [] })),
    next,
  };
}

export interface ColumnSummary extends Counted {
  /** Statements in whose result the column was masked. */
  readonly masked: number;
}

/** Columns that statements named, with how often they were masked; the most often masked first. */
export async function columnSummaries(store: Queries, options: SummaryOptions = {}): Promise<Summaries<ColumnSummary>> {
  const limit = limitOf(options);
  const offset = offsetOf(options);
  const rows = await store.query<TallyRow & { masked: string }>(
    `select name,
       coalesce(sum(allowed) filter (where kind = 'column'), 0) as allowed,
       coalesce(sum(denied) filter (where kind = 'column'), 0) as denied,
       coalesce(sum(held) filter (where kind = 'column'), 0) as held,
       coalesce(sum(allowed + held) filter (where kind = 'masked'), 0) as masked,
       0 as rows, max(latest) as latest
     from sallyport.record_tallies
     where kind in ('column', 'masked') and period >= $1 and ($2::text is null or strpos(lower(name), lower($2)) > 0)
     group by name order by masked desc, allowed desc, name limit $3 offset $4`,
    [since(options, 'day'), options.like ?? null, limit + 1, offset],
  );
  return {
    items: rows.slice(0, limit).map((row) => ({ ...counted(row), masked: Number(row.masked) })),
    next: rows.length > limit ? String(offset + limit) : undefined,
  };
}

export interface Detections {
  readonly detector: string;
  /** The table, where the statements named only one. */
  readonly table: string | undefined;
  readonly statements: number;
  readonly values: number;
  readonly latest: string;
}

/** What detectors found in results that no mask covers, the most values first. */
export async function detections(store: Queries, options: SummaryOptions = {}): Promise<Summaries<Detections>> {
  const limit = limitOf(options);
  const offset = offsetOf(options);
  const rows = await store.query<TallyRow & { part: string }>(
    `select name, part, sum(allowed) as allowed, sum(rows) as rows, max(latest) as latest
     from sallyport.record_tallies
     where kind = 'detected' and period >= $1 and ($2::text is null or strpos(lower(part), lower($2)) > 0)
     group by name, part order by sum(rows) desc, name, part limit $3 offset $4`,
    [since(options, 'day'), options.like ?? null, limit + 1, offset],
  );
  return {
    items: rows.slice(0, limit).map(({ name, part, allowed, rows: values, latest }) => ({
      detector: name,
      table: part === '' ? undefined : part,
      statements: Number(allowed),
      values: Number(values),
      latest: latest.toISOString(),
    })),
    next: rows.length > limit ? String(offset + limit) : undefined,
  };
}

async function tallies(
  store: Queries,
  kind: string,
  options: SummaryOptions,
  order: 'count' | 'latest' = 'count',
): Promise<{ rows: readonly TallyRow[]; next: string | undefined }> {
  const limit = limitOf(options);
  const offset = offsetOf(options);
  const rows = await store.query<TallyRow>(
    `select name, sum(allowed) as allowed, sum(denied) as denied, sum(held) as held, sum(rows) as rows, max(latest) as latest
     from sallyport.record_tallies
     where kind = $1 and period >= $2 and ($3::text is null or strpos(lower(name), lower($3)) > 0)
     group by name order by ${order === 'latest' ? 'latest' : 'sum(allowed + denied + held)'} desc, name limit $4 offset $5`,
    [kind, since(options, kind === 'rule' ? 'hour' : 'day'), options.like ?? null, limit + 1, offset],
  );
  return { rows: rows.slice(0, limit), next: rows.length > limit ? String(offset + limit) : undefined };
}

function counted({ name, allowed, denied, held, latest }: TallyRow): Counted {
  return {
    name,
    allowed: Number(allowed),
    denied: Number(denied),
    held: Number(held),
    latest: latest.toISOString(),
  };
}

function limitOf({ limit }: SummaryOptions): number {
  return Math.max(1, Math.min(1000, limit ?? 50));
}

function offsetOf({ after }: SummaryOptions): number {
  const offset = Number(after ?? 0);
  return Number.isSafeInteger(offset) && offset >= 0 ? offset : 0;
}

function since({ since }: SummaryOptions, unit: 'hour' | 'day'): Date {
  if (since === undefined) return new Date(0);
  const width = unit === 'hour' ? 3_600_000 : 86_400_000;
  return new Date(Math.floor(Date.parse(since) / width) * width);
}
