// The live view's source: every record the gateway appends, handed to whoever watches. Watchers are bounded and never slow a session.
import type { AuditRecord, AuditSink, StatementRecord } from '../audit/index.ts';

/** A statement as it is known so far, or an event. */
export type LiveRecord = AuditRecord & { readonly event: Exclude<AuditRecord['event'], 'settled'> } & LiveEnding;

export interface LiveEnding {
  readonly outcome?: 'completed' | 'failed' | 'not-run' | 'lost';
  readonly sqlstate?: string | undefined;
  readonly rows?: number;
  readonly bytes?: number;
  readonly ms?: number;
}

export interface Watcher {
  /** What came since the last call, the oldest first; `dropped` counts what there was no room for. */
  take(): { readonly records: readonly LiveRecord[]; readonly dropped: number };
  close(): void;
}

export interface Live {
  /** Called for each record after it has been handed to the journal. */
  publish(record: AuditRecord): void;
  /** Undefined when as many watch as may. */
  watch(wanted: (record: LiveRecord) => boolean): Watcher | undefined;
  readonly watchers: number;
  /** What a session last sent, and how much. */
  activity(session: string): Activity | undefined;
}

export interface Activity {
  readonly statements: number;
  readonly denied: number;
  readonly last: StatementRecord | undefined;
  /** The last statement is still running. */
  readonly running: boolean;
}

const mostWatchers = 100;
const mostWaiting = 200;
const mostOpen = 2000;
const mostSessions = 20_000;

interface Mutable {
  statements: number;
  denied: number;
  last: StatementRecord | undefined;
  running: boolean;
}

interface Watching {
  readonly wanted: (record: LiveRecord) => boolean;
  /** By record: a settlement that comes while its statement still waits completes it in place. */
  readonly waiting: Map<string, LiveRecord>;
  dropped: number;
}

/** Makes the hub. With nobody watching a record costs one look-up. */
export function createLive(): Live {
  const watching = new Set<Watching>();
  /** Statements that run, so that their settlement can be shown with them; only while somebody watches. */
  const open = new Map<string, StatementRecord>();
  const sessions = new Map<string, Mutable>();

  const offer = (record: LiveRecord) => {
    for (const watcher of watching) {
      if (!watcher.wanted(record)) continue;
      if (watcher.waiting.has(record.record)) watcher.waiting.set(record.record, record);
      else if (watcher.waiting.size < mostWaiting) watcher.waiting.set(record.record, record);
      else watcher.dropped += 1;
    }
  };

  return {
    publish(record) {
      if (record.event === 'settled') {
        const session = sessions.get(record.session);
        if (session?.last?.record === record.record) session.running = false;
        const opened = open.get(record.record);
        if (opened === undefined) return;
        open.delete(record.record);
        const { outcome, sqlstate, rows, bytes, ms } = record;
        offer({ ...opened, outcome, sqlstate, rows, bytes, ms });
        return;
      }
      if (record.event === 'statement') {
        const session = sessions.get(record.session) ?? { statements: 0, denied: 0, last: undefined, running: false };
        session.statements += 1;
        if (record.verdict === 'deny') session.denied += 1;
        session.last = record;
        session.running = record.verdict !== 'deny';
        if (sessions.size < mostSessions) sessions.set(record.session, session);
        if (watching.size > 0 && record.verdict !== 'deny') {
          open.set(record.record, record);
          if (open.size > mostOpen) open.delete(open.keys().next().value ?? '');
        }
      } else if (record.event === 'session-end' && record.session !== undefined) sessions.delete(record.session);
      if (watching.size > 0) offer(record as LiveRecord);
    },
    watch(wanted) {
      if (watching.size >= mostWatchers) return undefined;
      const watcher: Watching = { wanted, waiting: new Map(), dropped: 0 };
      watching.add(watcher);
      return {
        take() {
          const records = [...watcher.waiting.values()];
          const { dropped } = watcher;
          watcher.waiting.clear();
          watcher.dropped = 0;
          return { records, dropped };
        },
        close() {
          watching.delete(watcher);
          if (watching.size === 0) open.clear();
        },
      };
    },
    get watchers() {
      return watching.size;
    },
    activity: (session) => sessions.get(session),
  };
}

/** The same journal, whose records the hub sees as soon as the journal has taken them. Adds no wait to a record. */
export function teed<Sink extends AuditSink>(sink: Sink, live: Live): Sink {
  const append = (record: AuditRecord): void | Promise<void> => {
    const written = sink.append(record);
    try {
      live.publish(record);
    } catch {
      // Nobody's view of a record may touch the record.
    }
    return written;
  };
  return new Proxy(sink, {
    get(target, key) {
      if (key === 'append') return append;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
