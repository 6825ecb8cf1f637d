// Records from the journal itself, where no store holds them: right for small journals, since every question reads it through.
import { type AuditFilter, type Merged, type MergedStatement, searchJournal } from '../audit/index.ts';
import type { Counts, IdentitySummary, MaskedColumn, Page, Range, RecordSource, RuleHits, Touched } from './sources.ts';

/** Reads the journal in this folder. */
export function journalSource(directory: string): RecordSource {
  const statements = async (range: Range, visit: (record: MergedStatement) => void, filter: AuditFilter = {}) => {
    for await (const record of searchJournal(directory, { ...filter, ...range, kind: 'statement' })) {
      if (record.event === 'statement') visit(record);
    }
  };
  const summaries = async (range: Range, filter: AuditFilter = {}) => {
    const found = new Map<string, Summing>();
    await statements(range, (record) => add(found, record), filter);
    return [...found.values()].map(summed);
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
      const counts: Tally[] = Array.from({ length: steps }, () => ({ allow: 0, deny: 0, hold: 0 }));
      await statements(range, ({ time, verdict }) => {
        const step = counts[Math.floor((Date.parse(time) - from) / stepMs)];
        if (step !== undefined) step[verdict] += 1;
      });
      return counts.map((tally, index): Counts => ({ time: new Date(from + index * stepMs).toISOString(), ...tally }));
    },
    async ruleHits(range) {
      const hits = new Map<string, RuleHits>();
      const hit = (rule: string, verdict: RuleHits['verdict'], time: string) => {
        const key = `${verdict} ${rule}`;
        hits.set(key, { rule, verdict, count: (hits.get(key)?.count ?? 0) + 1, last: time });
      };
      await statements(range, ({ rule, verdict, wouldBe, time }) => {
        if (rule !== undefined) hit(rule, verdict, time);
        for (const name of wouldBe) hit(name, 'would-be', time);
      });
      return [...hits.values()];
    },
    async identities(range, { limit, after }) {
      const all = (await summaries(range)).sort((a, b) => b.last.localeCompare(a.last) || compareNames(a, b));
      const start = after === undefined ? 0 : all.findIndex((each) => nameCursor(each) === after) + 1;
      const items = all.slice(start, start + limit);
      const final = items.at(-1);
      return { items, next: start + limit < all.length && final !== undefined ? nameCursor(final) : undefined };
    },
    async touched(identity, issuer, range) {
      const tables = new Map<string, number>();
      const columns = new Map<string, number>();
      const verbs = new Map<string, number>();
      const sums = new Map<string, Summing>();
      await statements(
        range,
        (record) => {
          if (record.issuer !== issuer || record.identity !== identity) return;
          add(sums, record);
          for (const table of record.tables) count(tables, `${record.target}\0${table}`);
          for (const column of record.columns) count(columns, `${record.target}\0${column}`);
          for (const verb of record.verbs) count(verbs, verb);
        },
        // A name with a star in it would be a wildcard.
        identity.includes('*') ? {} : { identity },
      );
      const [sum] = sums.values();
      return {
        summary: sum === undefined ? undefined : summed(sum),
        tables: most(tables).map(([key, n]) => ({ ...split(key, 'table'), count: n })),
        columns: most(columns).map(([key, n]) => ({ ...split(key, 'column'), count: n })),
        verbs: most(verbs).map(([verb, n]) => ({ verb, count: n })),
      } satisfies Touched;
    },
    async maskedColumns(range) {
      const found = new Map<string, MaskedColumn>();
      await statements(range, ({ target, masked, time }) => {
        for (const column of masked) {
          const key = `${target}\0${column}`;
          found.set(key, { target, column, count: (found.get(key)?.count ?? 0) + 1, last: time });
        }
      });
      return [...found.values()].sort((a, b) => b.count - a.count || a.column.localeCompare(b.column));
    },
  };
}

interface Tally {
  allow: number;
  deny: number;
  hold: number;
}

interface Place {
  readonly time: string;
  readonly record: string;
}

function order(a: Place, b: Place): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return a.record === b.record ? 0 : a.record < b.record ? -1 : 1;
}

/** Keeps the newest records of a stream that is nearly in order. */
class Newest {
  readonly #most: number;
  #records: Merged[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  add(record: Merged): void {
    this.#records.push(record);
    if (this.#records.length > this.#most * 2 + 1000) this.#trim();
  }

  #trim(): void {
    this.#records = this.newestFirst();
    this.#records.reverse();
  }

  newestFirst(): Merged[] {
    return this.#records.sort((a, b) => order(b, a)).slice(0, this.#most);
  }
}

function pageOf(records: readonly Merged[], limit: number): Page<Merged> {
  const items = records.slice(0, limit);
  const final = items.at(-1);
  return { items, next: records.length > limit && final !== undefined ? `${final.time}_${final.record}` : undefined };
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

interface Summing {
  readonly identity: string;
  readonly issuer: string;
  groups: readonly string[];
  readonly targets: Set<string>;
  statements: number;
  denied: number;
  rows: number;
  last: string;
}

function add(sums: Map<string, Summing>, record: MergedStatement): void {
  const { identity, issuer, groups, target, verdict, rows, time } = record;
  const key = `${issuer}\0${identity}`;
  const sum = sums.get(key) ?? {
    identity,
    issuer,
    groups,
    targets: new Set<string>(),
    statements: 0,
    denied: 0,
    rows: 0,
    last: time,
  };
  sum.groups = groups;
  sum.targets.add(target);
  sum.statements += 1;
  sum.denied += verdict === 'deny' ? 1 : 0;
  sum.rows += rows ?? 0;
  if (time > sum.last) sum.last = time;
  sums.set(key, sum);
}

function summed({ targets, ...rest }: Summing): IdentitySummary {
  return { ...rest, targets: [...targets].sort() };
}

function compareNames(a: IdentitySummary, b: IdentitySummary): number {
  return nameCursor(a) < nameCursor(b) ? -1 : 1;
}

function nameCursor({ issuer, identity }: IdentitySummary): string {
  return Buffer.from(JSON.stringify([issuer, identity])).toString('base64url');
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const mostTouched = 100;

function most(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).slice(0, mostTouched);
}

function split<K extends string>(key: string, name: K): { target: string } & Record<K, string> {
  const at = key.indexOf('\0');
  return { target: key.slice(0, at), [name]: key.slice(at + 1) } as { target: string } & Record<K, string>;
}
