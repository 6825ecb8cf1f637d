// Runs the shipper in a thread of its own, at low priority: reading the journal and talking to the store take nothing from the event
// loop that carries the sessions.
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Config } from '../../config/types.ts';
import { describe } from '../errors.ts';
import type { JournalLog } from '../journal.ts';
import type { Shipping, ShipState } from './ship.ts';

export interface ShippingOptions {
  readonly config: Pick<Config, 'store' | 'data' | 'audit'>;
  readonly log: JournalLog;
  /** What the page calls this gateway; left out: the host's name. */
  readonly gateway?: string | undefined;
  /** Only these workers' chains; left out: every chain of the journal. */
  readonly workers?: readonly string[] | undefined;
}

/** What the thread is given when it begins. */
export interface ThreadData {
  readonly directory: string;
  readonly gateway: string;
  /** Undefined: the embedded store of the data folder. */
  readonly url: string | undefined;
  readonly data: string;
  readonly retentionDays: number | undefined;
  readonly workers: readonly string[] | undefined;
}

/** What it says, and what it is told. */
export type FromThread =
  | { readonly kind: 'state'; readonly state: ShipState }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly details: object;
      readonly message: string;
    };
export interface ToThread {
  readonly stopWithin: number;
}

const AGAIN_MS = 5000;

/** A thread of a checkout learns TypeScript first, as bin/sallyport.js does; the package's files are JavaScript. */
function spawn(workerData: ThreadData): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./ship-thread.js', import.meta.url), { workerData });
  // The entry that `import` gets, which is an .mjs beside the one that `require` gets.
  const tsx = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const file = new URL('./ship-thread.ts', import.meta.url).href;
  const code = `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(file)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData, execArgv: [] });
}

/**
 * Begins to copy the journal to the store of the configuration, which is open already. It goes on through failures of the store and
 * begins anew when its thread ends.
 */
export function startShipping({ config, log, gateway, workers }: ShippingOptions): Shipping {
  const { store, data, audit } = config;
  const workerData: ThreadData = {
    directory: audit.journal,
    gateway: gateway ?? hostname(),
    url: store?.kind === 'postgres' ? store.url.reveal() : undefined,
    data,
    retentionDays: audit.retentionMs === undefined ? undefined : audit.retentionMs / 86_400_000,
    workers,
  };
  let state: ShipState = { shipped: 0, behind: 0, lagMs: 0, failures: 0, cause: undefined };
  let earlier = 0;
  let stopping = false;
  let again: NodeJS.Timeout | undefined;
  let thread: Worker;
  let ended: Promise<void>;
  const start = () => {
    thread = spawn(workerData);
    thread.unref();
    thread.on('message', (message: FromThread) => {
      if (message.kind === 'log') log[message.level](message.details, message.message);
      else state = { ...message.state, shipped: earlier + message.state.shipped };
    });
    thread.on('error', (cause) => {
      log.error({ cause: describe(cause) }, 'the thread that copies records to the store failed; it begins anew');
    });
    ended = new Promise((resolve) => {
      thread.once('exit', () => {
        resolve();
        if (stopping) return;
        earlier = state.shipped;
        state = { ...state, failures: state.failures + 1, cause: 'the thread ended' };
        again = setTimeout(start, AGAIN_MS);
        again.unref();
      });
    });
  };
  start();
  return {
    get state() {
      return state;
    },
    async stop(graceMs = 2000) {
      stopping = true;
      clearTimeout(again);
      thread.postMessage({ stopWithin: graceMs } satisfies ToThread);
      const late = setTimeout(() => void thread.terminate(), graceMs + 3000);
      await ended;
      clearTimeout(late);
    },
  };
}
