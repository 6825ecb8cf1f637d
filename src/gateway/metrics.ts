// The gateway's numbers: what they are read from, and the handler of /metrics.
import type { Journal, Shipping } from '../audit/index.ts';
import { createMetrics, type GatewayMetrics, METRICS_TYPE, mergeMetrics } from '../metrics/index.ts';
import type { Store } from '../store/index.ts';
import type { Session } from './session.ts';

export interface NumberSources {
  readonly journal: Journal;
  readonly shipping: Shipping | undefined;
  readonly store: Store | undefined;
  readonly sessions: ReadonlySet<Session>;
  /** The texts of other processes of this gateway. */
  readonly others?: (() => Promise<readonly string[]>) | undefined;
  /** Another process of this gateway counts what the store says. */
  readonly storeElsewhere?: boolean;
}

export interface Numbers {
  readonly metrics: GatewayMetrics;
  /** Answers for /metrics. They hold no word of a statement and no name but those of targets and rules, so nobody is asked who he is. */
  respond(): Promise<Response>;
  /** The text of this process alone. */
  text(): Promise<string>;
}

export function createNumbers(sources: NumberSources): Numbers {
  const { journal, shipping, store, sessions, others } = sources;
  let holds: number | undefined;
  const metrics = createMetrics({
    journal: () => journal,
    shipping: () => shipping,
    sessions: () => [...sessions].map(({ upstream }) => upstream.target),
    holds: () => holds,
  });
  const text = async () => {
    holds = store === undefined || sources.storeElsewhere === true ? undefined : await pending(store);
    return metrics.render();
  };
  return {
    metrics,
    text,
    async respond() {
      const all = others === undefined ? await text() : mergeMetrics([await text(), ...(await others())]);
      return new Response(all, { headers: { 'Content-Type': METRICS_TYPE } });
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
