// Joins each statement's opening record with its settlement: one entry a statement, for people and for exports.
import type { JournalEntry } from './read.ts';
import type { EventRecord, SettledRecord, StatementRecord } from './record.ts';

/** A statement and, once it is over, how it ended. */
export type MergedStatement = StatementRecord & {
  readonly worker: string;
  readonly seq: number;
  readonly outcome?: SettledRecord['outcome'];
  readonly sqlstate?: string | undefined;
  readonly tag?: string | undefined;
  readonly rows?: number;
  readonly bytes?: number;
  readonly ms?: number;
  readonly detected?: SettledRecord['detected'];
};

export type MergedEvent = EventRecord & { readonly worker: string; readonly seq: number };

export type Merged = MergedStatement | MergedEvent;

export interface Joiner {
  /** Takes the next entry of the journal and gives out what is complete with it. */
  push(entry: JournalEntry): Merged[];
  /** Statements that have been open since before this time (ISO 8601), as they are; their settlement brings them again. */
  overdue(before: string): MergedStatement[];
  /** What is still open when the journal ends. */
  drain(): MergedStatement[];
}

interface Open {
  readonly statement: MergedStatement;
  shown: boolean;
}

/**
 * `wanted` chooses statements by their opening record; others are not remembered. An entry is given out at its
 * settlement, refused ones and events at once. Memory holds only what is running: when a worker begins again, what it
 * had open is given out unsettled.
 */
export function joiner(wanted: (statement: StatementRecord) => boolean = () => true): Joiner {
  const open = new Map<string, Open>();
  return {
    push(entry) {
      const { record, worker, seq } = entry;
      switch (record.event) {
        case 'statement': {
          if (!wanted(record)) return [];
          const statement: MergedStatement = { ...record, worker, seq };
          if (record.verdict === 'deny') return [statement];
          open.set(record.record, { statement, shown: false });
          return [];
        }
        case 'settled': {
          const found = open.get(record.record);
          if (found === undefined) return [];
          open.delete(record.record);
          const { outcome, sqlstate, tag, rows, bytes, ms, detected } = record;
          const how = { outcome, sqlstate, tag, rows, bytes, ms, ...(detected === undefined ? {} : { detected }) };
          return [{ ...found.statement, ...how }];
        }
        case 'gateway': {
          const event: Merged = { ...record, worker, seq };
          if (!record.message.startsWith('journal opened') && !record.message.startsWith('journal damaged')) {
            return [event];
          }
          const left: Merged[] = [];
          for (const [id, { statement, shown }] of open) {
            if (statement.worker !== worker) continue;
            open.delete(id);
            if (!shown) left.push(statement);
          }
          left.push(event);
          return left;
        }
        default:
          return [{ ...record, worker, seq }];
      }
    },
    overdue(before) {
      const late: MergedStatement[] = [];
      for (const item of open.values()) {
        // In the order they were opened: the first young one ends the search.
        if (item.statement.time >= before) break;
        if (item.shown) continue;
        item.shown = true;
        late.push(item.statement);
      }
      return late;
    },
    drain() {
      const left = [...open.values()].filter((item) => !item.shown).map((item) => item.statement);
      open.clear();
      return left;
    },
  };
}
