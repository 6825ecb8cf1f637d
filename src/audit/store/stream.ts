// Everything that matches, in the order of time, and what is added: the commands' view of the store.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../store/types.ts';
import type { AuditFilter } from '../filter.ts';
import type { TailOptions } from '../tail.ts';
import type { StoredRecord } from './rows.ts';
import { searchRecords } from './search.ts';

const PAGE = 500;
/** Longer than any text that a gateway takes. */
const WHOLE = 2 ** 30;
/** Gateways' clocks differ, and a busy one copies late: what is this much older than the newest may still come. */
const LATE_MS = 30_000;

/** All records that match, oldest first. Memory holds a page. */
export async function* searchStore(store: Store, filter: AuditFilter = {}): AsyncGenerator<StoredRecord> {
  let after: string | undefined;
  do {
    const page = await searchRecords(store, filter, {
      limit: PAGE,
      after,
      order: 'oldest',
      textLimit: WHOLE,
      budgetMs: 10_000,
    });
    yield* page.records;
    after = page.next;
  } while (after !== undefined);
}

/** The last records, then, while following, each when it has come; a statement that runs long is shown before it is over, and again then. */
export async function* tailStore(store: Store, options: TailOptions): AsyncGenerator<StoredRecord> {
  const now = options.now ?? Date.now;
  const patience = options.patienceMs ?? 2000;
  /** Shown ones by name, with whether they were over. */
  const shown = new Map<string, boolean>();
  const due = function* (records: readonly StoredRecord[]): Generator<StoredRecord> {
    for (const record of records) {
      const over = isOver(record);
      const before = shown.get(record.record);
      if (before === true || (before === false && !over)) continue;
      if (!over && now() - Date.parse(record.time) < patience) continue;
      shown.set(record.record, over);
      yield record;
    }
  };
  const last = await searchRecords(store, {}, { limit: Math.max(1, options.last), textLimit: WHOLE });
  const first = [...last.records].reverse();
  if (!options.follow) {
    if (options.last > 0) yield* first;
    return;
  }
  if (options.last > 0) yield* due(first);
  else for (const record of first) shown.set(record.record, isOver(record));
  let newest = first.at(-1)?.time ?? new Date(now()).toISOString();
  const begun = options.last > 0 ? (first[0]?.time ?? newest) : newest;
  const stopped = () => options.signal?.aborted === true;
  while (!stopped()) {
    await sleep(options.pollMs ?? 500, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
      () => undefined,
    );
    if (stopped()) return;
    const since = new Date(Math.max(Date.parse(begun), Date.parse(newest) - LATE_MS)).toISOString();
    for await (const record of searchStore(store, { since })) {
      // Of the records of one millisecond only those behind the first one shown.
      if (record.time !== begun || record.record >= (first[0]?.record ?? '')) yield* due([record]);
      if (record.time > newest) newest = record.time;
    }
    if (shown.size > 100_000) for (const name of [...shown.keys()].slice(0, 50_000)) shown.delete(name);
  }
}

function isOver(record: StoredRecord): boolean {
  return record.event !== 'statement' || record.verdict === 'deny' || record.outcome !== undefined;
}
