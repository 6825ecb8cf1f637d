// The shipper's thread: opens the store on its own, copies until it is told to stop. See thread.ts.
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { connectStore, openStore, type Store } from '../../store/index.ts';
import { describe } from '../errors.ts';
import type { JournalLog } from '../journal.ts';
import { Shipper } from './ship.ts';
import type { FromThread, ThreadData, ToThread } from './thread.ts';

const NICE = 10;
const STATE_MS = 500;
const data = workerData as ThreadData;
const say = (message: FromThread) => parentPort?.postMessage(message);
const at = (level: 'info' | 'warn' | 'error') => (details: object, message: string) =>
  say({ kind: 'log', level, details, message });
const log: JournalLog = { info: at('info'), warn: at('warn'), error: at('error') };

let graceMs: number | undefined;
const stopped = new AbortController();
parentPort?.on('message', ({ stopWithin }: ToThread) => {
  graceMs = stopWithin;
  stopped.abort();
});

lower(() => Number(readlinkSync('/proc/thread-self').split('/').at(-1)));
const store = await open();
if (store !== undefined) {
  const { directory, gateway, retentionDays, workers } = data;
  const shipper = new Shipper({ directory, store, gateway, retentionDays, workers, log });
  const tell = setInterval(() => say({ kind: 'state', state: shipper.state }), STATE_MS);
  if (data.url === undefined) await lowerBackend(store);
  shipper.start();
  await new Promise<void>((resolve) => {
    if (stopped.signal.aborted) resolve();
    else stopped.signal.addEventListener('abort', () => resolve());
  });
  await shipper.stop(graceMs);
  clearInterval(tell);
  say({ kind: 'state', state: shipper.state });
  await store.close();
}
parentPort?.close();

/** Tries until the store answers; undefined when the gateway stops before. */
async function open(): Promise<Store | undefined> {
  const report = (message: string, cause: unknown) => log.warn({ cause: describe(cause) }, message);
  for (let wait = 250; !stopped.signal.aborted; wait = Math.min(10_000, wait * 2)) {
    try {
      if (data.url !== undefined) return await connectStore({ url: data.url, connections: 2, log: report });
      return await openStore({ store: undefined, data: data.data }, { as: 'visitor', log: report });
    } catch (cause) {
      report('the store cannot be reached to copy records', cause);
    }
    await sleep(wait, undefined, { signal: stopped.signal }).catch(() => undefined);
  }
  return undefined;
}

/** The embedded server works on this machine too: what it does for us may wait for what it does for sessions. */
async function lowerBackend(store: Store): Promise<void> {
  const rows = await store.query<{ pid: number }>('select pg_backend_pid() as pid').catch(() => []);
  lower(() => rows[0]?.pid);
}

/** Linux gives each thread a priority of its own; elsewhere, or where it is not allowed, all stays as it is. */
function lower(id: () => number | undefined): void {
  if (process.platform !== 'linux') return;
  try {
    const found = id();
    if (found !== undefined && Number.isInteger(found) && found > 1) setPriority(found, NICE);
  } catch {
    // No right to: copying is then as urgent as everything else.
  }
}
