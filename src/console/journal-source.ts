// Records from the journal itself, where no store holds them: right for small journals, since every question reads it through.
import { type AuditFilter, type Merged, type MergedStatement, searchJournal } from '../audit/index.ts';
import type {
  ColumnSummary,
  Counts,
  FoundPage,
  IdentitySummary,
  Page,
  Range,
  RecordSource,
  RuleHits,
} from './sources.ts';

const textLimit = 4096;

/** Reads the journal in this folder. */
export function journalSource(directory: string): RecordSource {
  const statements = async (range: Range, visit: (record: MergedStatement) => void, filter: AuditFilter = {}) => {
    for await (const record of searchJournal(directory, { ...filter, ...range, kind: 'statement' })) {
      if (record.event === 'statement') visit(record);
    }
  };
  const summaries = async (range: Range, filter: AuditFilter = {}) => {
    const found = new Map<string, Summing>();
    await statements(range, (record) => addTo(found, record), filter);
    return [...found.values()]
      .map(summed)
      .sort((a, b) => b.last.localeCompare(a.last) || compare(a.identity, b.identity));
  };
  return {
    async search(filter, { limit, after }) {
      const cursor = after === undefined ? undefined : readCursor(after);
      // The end of the time asked for is not included, the cursor's own millisecond is: it may hold more records.
      const until = cursor === undefined ? filter.until : earlier(filter.until, nextMs(cursor.time));
      const last = new Newest(limit + 1);
      for await (const record of searchJournal(directory, { ...filter, until })) {
        if (cursor === undefined || order(record, cursor) < 0) last.add(record);
      }
      return pageOf(last.newestFirst(), limit);
    },
    async record(id) {
      for await (const record of searchJournal(directory, { record: id })) return record;
      return undefined;
    },
    async counts(range, stepMs) {
      const from = Date.parse(range.since);
      const steps = Math.max(1, Math.ceil((Date.parse(range.until) - from) / stepMs));
      const counts = Array.from({ length: steps }, tally);
      await statements(range, ({ time, verdict }) => {
        const step = counts[Math.floor((Date.parse(time) - from) / stepMs)];
        if (step !== undefined) step[verdict] += 1;
      });
      return counts.map((each, index): Counts => ({ time: new Date(from + index * stepMs).toISOString(), ...each }));
    },
    async ruleHits(range) {
      const hits = new Map<string, Tally & { last: string }>();
      await statements(range, ({ rule, verdict, time }) => {
        if (rule === undefined) return;
        const hit = hits.get(rule) ?? { ...tally(), last: time };
        hit[verdict] += 1;
        hit.last = time;
        hits.set(rule, hit);
      });
      return [...hits].map(([rule, hit]): RuleHits => ({ rule, ...hit }));
    },
    async identities(range, { limit, after }) {
      return paged(await summaries(range), limit, after);
    },
    async identity(name, range) {
      // A name with a star in it would be a wildcard.
      const found = await summaries(range, name.includes('*') ? {} : { identity: name });
      return found.find(({ identity }) => identity === name);
    },
    async columns(range, { limit, after }) {
      const found = new Map<string, Tally & { masked: number; last: string }>();
      await statements(range, ({ columns, masked, verdict, time }) => {
        for (const column of new Set([...columns, ...masked])) {
          const sum = found.get(column) ?? { ...tally(), masked: 0, last: time };
          sum[verdict] += 1;
          sum.masked += masked.includes(column) && verdict !== 'deny' ? 1 : 0;
          sum.last = time;
          found.set(column, sum);
        }
      });
      const all = [...found].map(([column, sum]): ColumnSummary => ({ column, ...sum }));
      return paged(
        all.sort((a, b) => b.masked - a.masked || b.allow - a.allow || compare(a.column, b.column)),
        limit,
        after,
      );
    },
  };
}

interface Tally {
  allow: number;
  deny: number;
  hold: number;
}

function tally(): Tally {
  return { allow: 0, deny: 0, hold: 0 };
}

/** A page of a list that is all there; the cursor is the place. */
function paged<T>(all: readonly T[], limit: number, after: string | undefined): Page<T> {
  const start = Math.max(0, Math.floor(Number(after ?? 0)) || 0);
  const end = start + limit;
  return { items: all.slice(start, end), next: end < all.length ? String(end) : undefined };
}

interface Place {
  readonly time: string;
  readonly record: string;
}

function order(a: Place, b: Place): number {
  return compare(a.time, b.time) || compare(a.record, b.record);
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Keeps the newest records of a stream that is nearly in order. */
class Newest {
  readonly #most: number;
  #records: Merged[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  add(record: Merged): void {
    this.#records.push(record.event === 'statement' ? { ...record, text: record.text.slice(0, textLimit) } : record);
    if (this.#records.length > this.#most * 2 + 1000) this.#records = this.newestFirst().reverse();
  }

  newestFirst(): Merged[] {
    return this.#records.sort((a, b) => order(b, a)).slice(0, this.#most);
  }
}

function pageOf(records: readonly Merged[], limit: number): FoundPage {
  const items = records.slice(0, limit);
  const final = items.at(-1);
  const next = records.length > limit && final !== undefined ? `${final.time}_${final.record}` : undefined;
  return { items, next, reached: next === undefined ? undefined : final?.time };
}

function readCursor(text: string): Place | undefined {
  const at = text.indexOf('_');
  const time = text.slice(0, at);
  return at < 0 || Number.isNaN(Date.parse(time)) ? undefined : { time, record: text.slice(at + 1) };
}

function nextMs(time: string): string {
  return new Date(Date.parse(time) + 1).toISOString();
}

function earlier(a: string | undefined, b: string): string {
  return a !== undefined && a < b ? a : b;
}

interface Summing extends Tally {
  readonly identity: string;
  rows: number;
  readonly tables: Map<string, number>;
  last: string;
}

function addTo(sums: Map<string, Summing>, { identity, verdict, rows, tables, time }: MergedStatement): void {
  const sum: Summing = sums.get(identity) ?? { identity, ...tally(), rows: 0, tables: new Map(), last: time };
  sum[verdict] += 1;
  sum.rows += rows ?? 0;
  for (const table of tables) sum.tables.set(table, (sum.tables.get(table) ?? 0) + 1);
  if (time > sum.last) sum.last = time;
  sums.set(identity, sum);
}

function summed({ tables, ...rest }: Summing): IdentitySummary {
  const used = [...tables].sort((a, b) => b[1] - a[1] || compare(a[0], b[0]));
  return { ...rest, tables: used.slice(0, 10).map(([table]) => table) };
}
