// Partitions of the records by day (UTC): made when the first record of a day comes, dropped when the retention says so.
import type { Queries, Store } from '../../store/types.ts';

const DAY_MS = 86_400_000;

/** The day of a record's time, as the partition's name carries it: `20261125`. */
export function dayOf(time: string): string {
  return `${time.slice(0, 4)}${time.slice(5, 7)}${time.slice(8, 10)}`;
}

function midnight(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6, 8)));
}

/** Makes the partition of a day where there is none. Gateways may do so at the same moment. */
export async function makeDay(queries: Queries, day: string): Promise<void> {
  if (!/^\d{8}$/.test(day)) throw new Error('a record carries no time');
  const from = new Date(midnight(day)).toISOString();
  const to = new Date(midnight(day) + DAY_MS).toISOString();
  try {
    await queries.query(
      `create table if not exists sallyport.records_${day} partition of sallyport.records for values from ('${from}') to ('${to}')`,
    );
  } catch (cause) {
    // duplicate_table, unique_violation (of the catalog), invalid_object_definition (would overlap): another gateway was first.
    if (!['42P07', '23505', '42P17'].includes(codeOf(cause))) throw cause;
  }
}

/** The days that have a partition, oldest first. */
export async function listDays(queries: Queries): Promise<string[]> {
  const rows = await queries.query<{ name: string }>(
    `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent = 'sallyport.records'::regclass order by relname`,
  );
  return rows.flatMap(({ name }) => (/^records_\d{8}$/.test(name) ? [name.slice('records_'.length)] : []));
}

/** The oldest day that is kept. */
export function oldestKept(now: number, retentionDays: number): string {
  return dayOf(new Date(now - retentionDays * DAY_MS).toISOString());
}

/** Drops the days before the retention and the counts with them; gives the days that went. */
export async function dropOldDays(store: Store, now: number, retentionDays: number): Promise<readonly string[]> {
  const keep = oldestKept(now, retentionDays);
  const old = (await listDays(store)).filter((day) => day < keep);
  const before = new Date(midnight(keep));
  for (const day of old) {
    await store.transaction(async (queries) => {
      // A search that runs is not to be waited for by all searches behind us: rather try again later.
      await queries.query(`set local lock_timeout = '2s'`);
      await queries.query(`drop table if exists sallyport.records_${day}`);
    });
  }
  if (old.length > 0) {
    await store.query('delete from sallyport.record_minutes where minute < $1', [before]);
    await store.query('delete from sallyport.record_tallies where period < $1', [before]);
    await store.query('delete from sallyport.records_open where time < $1', [before]);
  }
  return old;
}

export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}
