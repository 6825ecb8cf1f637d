// The primary of a gateway of several processes: starts the workers, hands their questions on, starts one again that has crashed.
// Node's cluster has the listening sockets and gives each worker in turn a connection.
import cluster, { type Worker } from 'node:cluster';
import { lastingMetrics, mergeMetrics } from '../../metrics/index.ts';
import type { Log } from '../log.ts';
import { type Line, openLine, type Question } from './line.ts';
import type { Addresses, Crew } from './part.ts';

/** In the environment of a worker: who it is. */
export const workerVariable = 'SALLYPORT_WORKER';

/** What a worker is told when it starts. */
export interface WorkerOrder {
  readonly name: string;
  /** Its name in the store, and how those of its siblings begin. */
  readonly gateway: string;
  readonly prefix: string;
  readonly http: string | undefined;
}

export interface PrimaryOptions {
  readonly workers: number;
  /** The command line of a worker, behind Node's own. */
  readonly command: readonly [string, ...string[]];
  /** The primary's name in the store. */
  readonly gateway: string;
  readonly log: Log;
  /** A worker of this name in the store has ended without being asked to. */
  readonly crashed: (gateway: string) => Promise<void>;
}

export interface Primary extends Crew {
  /** Resolves when every worker takes clients; rejects when one cannot start. */
  start(http: string | undefined): Promise<void>;
}

const firstWaitMs = 500;
const longestWaitMs = 30_000;
/** A worker that lived for so long has not failed at its start. */
const healthyMs = 60_000;
const reloadMs = 60_000;
/** A worker that does not end by itself is ended this long after its grace. */
const lastMs = 5000;

/** One worker's place: who stands in it changes when it crashes. */
interface Place {
  readonly name: string;
  turn: number;
  gateway: string;
  process: Worker | undefined;
  line: Line | undefined;
  ready: boolean;
  failures: number;
  /** Its numbers when it was last asked. */
  numbers: string;
}

export function createPrimary(options: PrimaryOptions): Primary {
  const { log, gateway, crashed } = options;
  const places: Place[] = Array.from({ length: options.workers }, (_, index) => ({
    name: `w${index + 1}`,
    turn: 0,
    gateway: '',
    process: undefined,
    line: undefined,
    ready: false,
    failures: 0,
    numbers: '',
  }));
  let addresses: Addresses = { postgres: undefined, mysql: undefined };
  let draining = false;
  let http: string | undefined;
  /** What workers that are no more have counted. */
  let departed = '';

  const answer = async (from: Place, question: Question): Promise<unknown> => {
    switch (question.kind) {
      case 'ready':
        addresses = question.addresses;
        from.ready = true;
        return undefined;
      case 'cancel':
      case 'kill':
        return anyOf(
          places.filter((place) => place !== from),
          question,
        );
      default:
        throw new Error('not a question for the primary');
    }
  };

  /** Starts the worker of a place. `settled` hears whether it came to take clients. */
  const begin = (place: Place, settled: (cause?: Error) => void): void => {
    place.turn += 1;
    place.gateway = `${gateway}/${place.name}.${place.turn}`;
    const order: WorkerOrder = { name: place.name, gateway: place.gateway, prefix: `${gateway}/`, http };
    const began = Date.now();
    const worker = cluster.fork({ [workerVariable]: JSON.stringify(order) });
    place.process = worker;
    place.line = openLine(worker.process, async (question) => {
      const said = await answer(place, question);
      if (question.kind === 'ready') settled();
      return said;
    });
    worker.once('exit', (code, signal) => {
      place.ready = false;
      place.process = undefined;
      place.line = undefined;
      departed = mergeMetrics([departed, lastingMetrics(place.numbers)]);
      place.numbers = '';
      settled(new Error(`the worker ${place.name} ended at its start (${signal ?? code})`));
      if (draining) return;
      place.failures = Date.now() - began > healthyMs ? 1 : place.failures + 1;
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (place.failures - 1));
      log.error(
        { worker: place.name, code, signal, waitMs },
        'a worker has ended; its sessions are gone, it is started again',
      );
      crashed(place.gateway).catch((err: unknown) =>
        log.warn({ err }, 'the sessions of a worker could not be forgotten'),
      );
      setTimeout(() => !draining && begin(place, () => undefined), waitMs).unref();
    });
  };

  return {
    get addresses() {
      return addresses;
    },
    async start(at) {
      http = at;
      const [exec, ...args] = options.command;
      cluster.setupPrimary({ exec, args });
      const all = places.map(
        (place) =>
          new Promise<void>((resolve, reject) =>
            begin(place, (cause) => (cause === undefined ? resolve() : reject(cause))),
          ),
      );
      try {
        await Promise.all(all);
      } catch (cause) {
        await this.drain(0);
        throw cause;
      }
    },
    async numbers() {
      await Promise.all(
        places.map(async (place) => {
          const text = await place.line?.ask({ kind: 'numbers' }).catch(() => undefined);
          // One that is too busy to answer counts with what it said last.
          if (typeof text === 'string' && place.process !== undefined) place.numbers = text;
        }),
      );
      return [departed, ...places.map(({ numbers }) => numbers)];
    },
    async readiness() {
      const detail: Record<string, string> = {};
      const answers = await Promise.all(
        places.map(async ({ name, line, ready }) => {
          const said = ready ? await line?.ask({ kind: 'readiness' }, 2000).catch(() => undefined) : undefined;
          const ok = typeof said === 'object' && said !== null && 'ok' in said && said.ok === true;
          detail[name] = ok ? 'ok' : ready ? 'failing' : 'starting';
          return ok;
        }),
      );
      // While one of them starts again the others take its clients.
      return { ok: answers.includes(true) && !Object.values(detail).includes('failing'), detail };
    },
    async reload() {
      await Promise.all(
        places.map(({ name, line }) =>
          line?.ask({ kind: 'reload' }, reloadMs).catch((err: unknown) => {
            log.error({ err, worker: name }, 'a worker has not taken the new configuration');
          }),
        ),
      );
    },
    async drain(graceMs) {
      draining = true;
      await Promise.all(
        places.map(async ({ process: worker, line }) => {
          if (worker === undefined || worker.isDead()) return;
          const over = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
          const late = setTimeout(() => worker.process.kill('SIGKILL'), graceMs + lastMs);
          line?.ask({ kind: 'drain', graceMs }, graceMs + lastMs).catch(() => undefined);
          await over;
          clearTimeout(late);
        }),
      );
    },
  };
}

/** True when one of them says so. */
async function anyOf(places: readonly Place[], question: Question): Promise<boolean> {
  const answers = await Promise.all(places.map(({ line }) => line?.ask(question).catch(() => false) ?? false));
  return answers.includes(true);
}
