// Records from the store, where the shipper has copied them: pages and counts come from its indexes, however many records there are.
import {
  type Counted,
  columnSummaries,
  detections,
  identitySummaries,
  recordById,
  ruleHits,
  searchRecords,
  statementCounts,
  tailRecords,
} from '../audit/index.ts';
import type { Store } from '../store/index.ts';
import type { RecordSource, Verdicts } from './sources.ts';

export function storeSource(store: Store): RecordSource {
  return {
    async search(filter, { limit, after }) {
      const { records, next, reached } = await searchRecords(store, filter, { limit, after });
      return { items: records, next, reached };
    },
    record: (id) => recordById(store, id),
    async counts({ since, until }, stepMs) {
      const steps = Math.round((Date.parse(until) - Date.parse(since)) / stepMs);
      const counts = await statementCounts(store, since, until, steps);
      return counts.map(({ from, allowed, denied, held }) => ({
        time: from,
        allow: allowed,
        deny: denied,
        hold: held,
      }));
    },
    async ruleHits({ since }) {
      const { items } = await ruleHits(store, { since, limit: 1000 });
      return items.map((each) => ({ rule: each.name, ...verdicts(each), last: each.latest }));
    },
    async identities({ since }, { limit, after }) {
      const { items, next } = await identitySummaries(store, { since, limit, after });
      return { items: items.map(identity), next };
    },
    async identity(name, { since }) {
      const { items } = await identitySummaries(store, { since, like: name, limit: 1000 });
      const found = items.find((each) => each.name === name);
      return found === undefined ? undefined : identity(found);
    },
    async columns({ since }, { limit, after }) {
      const { items, next } = await columnSummaries(store, { since, limit, after });
      return {
        items: items.map((each) => ({ column: each.name, ...verdicts(each), masked: each.masked, last: each.latest })),
        next,
      };
    },
    async detections({ since }) {
      const { items } = await detections(store, { since, limit: 200 });
      return items.map(({ detector, table, statements, values, latest }) => ({
        detector,
        table,
        statements,
        values,
        last: latest,
      }));
    },
  };
}

const mostRecent = 2000;

/** The same records, and one that is asked for by its id also where it stands in the journal only, among the latest. */
export function withRecent(source: RecordSource, journal: string): RecordSource {
  return {
    ...source,
    async record(id) {
      const stored = await source.record(id);
      if (stored !== undefined) return stored;
      for await (const record of tailRecords(journal, { last: mostRecent, follow: false })) {
        if (record.record === id) return record;
      }
      return undefined;
    },
  };
}

function verdicts({ allowed, denied, held }: Counted): Verdicts {
  return { allow: allowed, deny: denied, hold: held };
}

function identity(each: Counted & { readonly rows: number; readonly tables: readonly string[] }) {
  return { identity: each.name, ...verdicts(each), rows: each.rows, tables: each.tables, last: each.latest };
}
