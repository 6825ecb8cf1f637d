// The gateway's numbers: what they are read from, and the handler of /metrics.
import type { Journal, Shipping } from '../audit/index.ts';
import { createMetrics, type GatewayMetrics, METRICS_TYPE } from '../metrics/index.ts';
import type { Store } from '../store/index.ts';
import type { Session } from './session.ts';

export interface NumberSources {
  readonly journal: Journal;
  readonly shipping: Shipping | undefined;
  readonly store: Store | undefined;
  readonly sessions: ReadonlySet<Session>;
}

export interface Numbers {
  readonly metrics: GatewayMetrics;
  /** Answers for /metrics. They hold no word of a statement and no name but those of targets and rules, so nobody is asked who he is. */
  respond(): Promise<Response>;
}

export function createNumbers({ journal, shipping, store, sessions }: NumberSources): Numbers {
  let holds: number | undefined;
  const metrics = createMetrics({
    journal: () => journal,
    shipping: () => shipping,
    sessions: () => [...sessions].map(({ upstream }) => upstream.target),
    holds: () => holds,
  });
  return {
    metrics,
    async respond() {
      holds = store === undefined ? undefined : await pending(store);
      return new Response(metrics.render(), { headers: { 'Content-Type': METRICS_TYPE } });
    },
  };
}

/** Held statements of all gateways; undefined while the store does not say. */
function pending(store: Store): Promise<number | undefined> {
  const asked = store
    .query<{ waiting: string }>(`select count(*) as waiting from sallyport.holds where state = 'pending'`)
    .then(
      ([row]) => Number(row?.waiting),
      () => undefined,
    );
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 1000, undefined).unref());
  return Promise.race([asked, late]);
}

/** The journal as it is, with what is appended counted. */
export function countedJournal(journal: Journal, { metrics }: Numbers): Journal {
  const append = metrics.counted(journal);
  return {
    get worker() {
      return journal.worker;
    },
    get directory() {
      return journal.directory;
    },
    get state() {
      return journal.state;
    },
    get statistics() {
      return journal.statistics;
    },
    append,
    flush: () => journal.flush(),
    close: () => journal.close(),
  };
}
