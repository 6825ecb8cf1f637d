// Searches the store, newest first (or oldest first), a page at a time. Common matches are found by walking back through the
// latest records; rare ones by the index, in stretches of time that grow while they bring too little.
import type { Queries, Store } from '../../store/types.ts';
import { type AuditFilter, FilterError } from '../filter.ts';
import { type Conditions, conditionsOf } from './conditions.ts';
import { RECORD_COLUMNS, recordOf, type SelectedRow, type StoredRecord } from './rows.ts';

export interface RecordPage {
  /** At most so many records; left out: 50. Never more than 1,000. */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  readonly order?: 'newest' | 'oldest' | undefined;
  /** The most characters of a statement's text; left out: 4,096. `recordById` has all of it. */
  readonly textLimit?: number | undefined;
  /** A search that has found nothing for so long gives what it has and where to go on; left out: 800 ms. */
  readonly budgetMs?: number | undefined;
}

export interface FoundRecords {
  readonly records: readonly StoredRecord[];
  /** Where the next page begins; undefined when there are no more. A page may be short, or empty, and still have a next one. */
  readonly next: string | undefined;
  /** How far in time this page has looked (ISO 8601); undefined when it has looked at everything. */
  readonly reached: string | undefined;
}

/** Rows looked at one by one before the index is asked. */
const WALK = 4000;
const HOUR_MS = 3_600_000;
/** Asking costs the planner more than the index: a day, then eight, then all there may be. */
const FIRST_HOURS = 24;
const GROWTH = 8;
const MOST = 1000;

interface Cursor {
  readonly ms: number;
  readonly record: string;
}

/** The records that match, in the order of their times. Rejects with a FilterError for a cursor that is none. */
export async function searchRecords(store: Store, filter: AuditFilter, page: RecordPage = {}): Promise<FoundRecords> {
  const limit = Math.max(1, Math.min(MOST, page.limit ?? 50));
  const oldest = page.order === 'oldest';
  const until = performance.now() + (page.budgetMs ?? 800);
  const [conditions, bounds] = await Promise.all([conditionsOf(store, filter), boundsOf(store, filter)]);
  const nothing: FoundRecords = { records: [], next: undefined, reached: undefined };
  if (conditions === undefined || bounds === undefined) return nothing;
  const search = new Search(conditions, oldest, page.textLimit ?? 4096);
  let cursor = page.after === undefined ? search.start(bounds) : readCursor(page.after);
  const found: SelectedRow[] = [];
  const done = (rows: readonly SelectedRow[], end: Cursor | undefined): FoundRecords => {
    const full = rows.length > limit;
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const next = full && last !== undefined ? { ms: last.time.getTime(), record: last.record } : end;
    return {
      records: shown.map(recordOf),
      next: next === undefined ? undefined : writeCursor(next),
      reached: next === undefined ? undefined : new Date(next.ms).toISOString(),
    };
  };
  if (filter.record !== undefined) {
    // A name is unique: the index on it says everything.
    found.push(...(await search.within(store, cursor, search.end(bounds), limit + 1, undefined)));
    return done(found, undefined);
  }
  if (conditions.sql.length === 0) {
    found.push(...(await search.first(store, cursor, search.end(bounds), limit + 1)));
    return done(found, undefined);
  }
  const stop = await search.boundary(store, cursor, bounds, WALK);
  found.push(...(await search.walk(store, cursor, stop ?? search.end(bounds), limit + 1)));
  if (found.length > limit || stop === undefined) return done(found, undefined);
  cursor = stop;
  for (let hours = FIRST_HOURS; ; ) {
    const edge = search.edge(cursor, hours, bounds);
    const left = until - performance.now();
    if (left < 50) return done(found, cursor);
    let rows: readonly SelectedRow[];
    try {
      rows = await search.within(store, cursor, edge.cursor, limit + 1 - found.length, Math.max(50, left));
    } catch (cause) {
      if (!isTimeout(cause)) throw cause;
      // Too many match in this stretch for the index: they are near, and walking finds them.
      const near = await search.boundary(store, cursor, bounds, WALK * 4);
      found.push(...(await search.walk(store, cursor, near ?? search.end(bounds), limit + 1 - found.length)));
      return done(found, found.length > limit ? undefined : near);
    }
    found.push(...rows);
    if (found.length > limit || edge.last) return done(found, undefined);
    cursor = edge.cursor;
    hours *= GROWTH;
  }
}

/** One record with everything about it. */
export async function recordById(store: Queries, record: string): Promise<StoredRecord | undefined> {
  const rows = await store.query<SelectedRow>(
    `select ${RECORD_COLUMNS.replace('$TEXT', 'text')} from sallyport.records where record = $1 limit 1`,
    [record],
  );
  return rows[0] === undefined ? undefined : recordOf(rows[0]);
}

/** From and to, in ms; both ends included. */
interface Bounds {
  readonly from: number;
  readonly to: number;
}

/** The filter's times, cut to those of the records that are there; undefined where there are none. */
async function boundsOf(queries: Queries, filter: AuditFilter): Promise<Bounds | undefined> {
  const [row] = await queries.query<{ first: Date | null; last: Date | null }>(
    `select (select time from sallyport.records order by time, record limit 1) as first,
       (select time from sallyport.records order by time desc, record desc limit 1) as last`,
  );
  if (row === undefined || row.first === null || row.last === null) return undefined;
  const from = Math.max(row.first.getTime(), filter.since === undefined ? 0 : Date.parse(filter.since));
  const to = Math.min(row.last.getTime(), filter.until === undefined ? Infinity : Date.parse(filter.until) - 1);
  return from > to ? undefined : { from, to };
}

class Search {
  readonly #conditions: Conditions;
  readonly #oldest: boolean;
  readonly #columns: string;
  readonly #order: string;

  constructor(conditions: Conditions, oldest: boolean, textLimit: number) {
    this.#conditions = conditions;
    this.#oldest = oldest;
    this.#columns = RECORD_COLUMNS.replace('$TEXT', `left(text, ${Math.max(1, Math.floor(textLimit))})`);
    this.#order = oldest ? 'time, record' : 'time desc, record desc';
  }

  /** Before the first record there may be. `~` sorts behind every record's name. */
  start({ from, to }: Bounds): Cursor {
    return this.#oldest ? { ms: from - 1, record: '~' } : { ms: to + 1, record: '' };
  }

  /** Behind the last one. */
  end({ from, to }: Bounds): Cursor {
    return this.#oldest ? { ms: to, record: '~' } : { ms: from, record: '' };
  }

  /** So many hours on from a cursor, or the end. */
  edge({ ms }: Cursor, hours: number, bounds: Bounds): { readonly cursor: Cursor; readonly last: boolean } {
    const end = this.end(bounds);
    const to = this.#oldest ? ms + hours * HOUR_MS : ms - hours * HOUR_MS;
    const last = this.#oldest ? to >= end.ms : to <= end.ms;
    return last ? { cursor: end, last } : { cursor: { ms: to, record: this.#oldest ? '~' : '' }, last };
  }

  /** The record so many places on; undefined where there are fewer. */
  async boundary(queries: Queries, from: Cursor, bounds: Bounds, places: number): Promise<Cursor | undefined> {
    const { sql, values } = this.#between(from, this.end(bounds), []);
    const [row] = await queries.query<{ time: Date; record: string }>(
      `select time, record from sallyport.records where ${sql} order by ${this.#order} offset ${places} limit 1`,
      values,
    );
    return row === undefined ? undefined : { ms: row.time.getTime(), record: row.record };
  }

  /** The first records, where nothing is asked of them but their time. */
  first(queries: Queries, from: Cursor, to: Cursor, limit: number): Promise<readonly SelectedRow[]> {
    const { sql, values } = this.#between(from, to, []);
    return queries.query<SelectedRow>(
      `select ${this.#columns} from sallyport.records where ${sql} order by ${this.#order} limit ${limit}`,
      values,
    );
  }

  /** Matches by reading record after record. */
  walk(queries: Queries, from: Cursor, to: Cursor, limit: number): Promise<readonly SelectedRow[]> {
    const { sql, values } = this.#between(from, to, this.#conditions.values);
    const where = this.#conditions.sql.map((each) => ` and ${each}`).join('');
    // The subquery keeps the planner from the index on terms: here what matches is expected to be near.
    return queries.query<SelectedRow>(
      `select ${this.#columns} from (
         select * from sallyport.records where ${sql} order by ${this.#order} offset 0) as near
       where true${where} order by ${this.#order} limit ${limit}`,
      values,
    );
  }

  /** Matches by the indexes, all of them in a stretch, and the first of these. */
  async within(
    store: Store,
    from: Cursor,
    to: Cursor,
    limit: number,
    timeoutMs: number | undefined,
  ): Promise<readonly SelectedRow[]> {
    const { sql, values } = this.#between(from, to, this.#conditions.values);
    const where = this.#conditions.sql.map((each) => ` and ${each}`).join('');
    const text = `with hits as materialized (select time, record from sallyport.records where ${sql}${where}),
         first as materialized (select time, record from hits order by ${this.#order} limit ${limit})
       select ${this.#columns} from first join sallyport.records using (time, record) order by ${this.#order}`;
    if (timeoutMs === undefined) return store.query<SelectedRow>(text, values);
    return store.transaction(async (queries) => {
      await queries.query(`set local statement_timeout = ${Math.ceil(timeoutMs)}`);
      return queries.query<SelectedRow>(text, values);
    });
  }

  /** Conditions for what lies between two cursors, the second included; its parameters come behind those given. */
  #between(from: Cursor, to: Cursor, before: readonly unknown[]): { sql: string; values: unknown[] } {
    const [after, at] = this.#oldest ? ['>', '<='] : ['<', '>='];
    const base = before.length;
    // The first condition on each side is for the planner, which leaves out partitions by it.
    const sql = `time ${after}= $${base + 1} and (time, record) ${after} ($${base + 1}, $${base + 2})
      and time ${at} $${base + 3} and (time, record) ${at} ($${base + 3}, $${base + 4})`;
    return { sql, values: [...before, new Date(from.ms), from.record, new Date(to.ms), to.record] };
  }
}

function writeCursor({ ms, record }: Cursor): string {
  return `${ms}.${record}`;
}

function readCursor(text: string): Cursor {
  const match = /^(\d{1,15})\.([0-9A-Za-z~_-]{0,64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined)
    throw new FilterError('this is no place in a list of records');
  return { ms: Number(match[1]), record: match[2] };
}

/** query_canceled: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === '57014';
}
