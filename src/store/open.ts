// Finds the store a configuration names: a shared PostgreSQL by its URL, or the embedded one in the data folder, which the gateway
// runs and commands visit.
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Config, privateFile } from '../config/index.ts';
import { dataFolder } from './binaries.ts';
import { type EmbeddedServer, startEmbedded } from './embedded.ts';
import { connectStore } from './store.ts';
import type { Store } from './types.ts';

export interface OpenOptions {
  /** A host (the gateway) keeps the embedded server running; a visitor (a command) ends a server it had to start. */
  readonly as: 'host' | 'visitor';
  readonly log?: (message: string, cause: unknown) => void;
}

/** Where the embedded server of a data folder can be reached, as its host wrote it down. */
interface Notice {
  readonly port: number;
  /** The process that runs it. */
  readonly pid: number;
  readonly as: OpenOptions['as'];
}

const waitMs = 15_000;
const stepMs = 100;
const user = 'sallyport';

/** Opens the store of the file; `config.store` undefined means the embedded one. */
export async function openStore(config: Pick<Config, 'store' | 'data'>, options: OpenOptions): Promise<Store> {
  const log = options.log === undefined ? {} : { log: options.log };
  if (config.store?.kind === 'postgres') return connectStore({ url: config.store.url.reveal(), ...log });
  const folder = join(config.data, 'store');
  const password = (
    await privateFile(join(folder, 'password'), () => Buffer.from(randomBytes(24).toString('hex')))
  ).toString();
  const { url, stop } = await embedded(folder, password, options.as);
  try {
    const store = await connectStore({ url, ...log });
    return {
      ...store,
      async close() {
        await store.close();
        await stop();
      },
    };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

interface Reached {
  readonly url: string;
  stop(): Promise<void>;
}

/** Takes the server that runs in the folder, or starts it. */
async function embedded(folder: string, password: string, as: OpenOptions['as']): Promise<Reached> {
  const notice = join(folder, 'server.json');
  const directory = join(await dataFolder(folder), 'data');
  const until = Date.now() + waitMs;
  for (;;) {
    const running = await readNotice(notice);
    if (running !== undefined) {
      const url = urlOf(running.port, password);
      const alive = isAlive(running.pid);
      // A visitor's server ends with the visitor: a host waits for that and runs its own.
      if ((alive && (running.as === 'host' || as === 'visitor')) || Date.now() > until) {
        if (await answers(url)) return { url, stop: async () => undefined };
      } else if (!alive && (await answers(url))) {
        // Its host was killed and the server lives on: it is ours now.
        await writeNotice(notice, { port: running.port, pid: process.pid, as });
        return { url, stop: () => stopOrphan(directory, notice) };
      }
      if (alive && Date.now() <= until) {
        await sleep(stepMs);
        continue;
      }
    }
    try {
      const server = await startEmbedded({ directory, user, password, settings: { max_connections: '200' } });
      await writeNotice(notice, { port: server.port, pid: process.pid, as });
      return { url: urlOf(server.port, password), stop: () => stopOwn(server, notice) };
    } catch (cause) {
      // Another process may be starting it at this moment (postmaster.pid); then its notice appears.
      if (Date.now() > until) throw cause;
      await sleep(stepMs * 5);
    }
  }
}

function urlOf(port: number, password: string): string {
  return `postgres://${user}:${password}@127.0.0.1:${port}/postgres`;
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

async function stopOwn(server: EmbeddedServer, notice: string): Promise<void> {
  await rm(notice, { force: true });
  await server.stop();
}

/** Ends a server whose first host is gone, by the process id on the first line of postmaster.pid. */
async function stopOrphan(directory: string, notice: string): Promise<void> {
  await rm(notice, { force: true });
  const lines = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(lines.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  process.kill(pid, 'SIGINT');
  for (let waited = 0; waited < waitMs && isAlive(pid); waited += stepMs) await sleep(stepMs);
}

async function readNotice(path: string): Promise<Notice | undefined> {
  try {
    const { port, pid, as } = JSON.parse(await readFile(path, 'utf8')) as Partial<Notice>;
    if (typeof port !== 'number' || typeof pid !== 'number') return undefined;
    return { port, pid, as: as === 'visitor' ? 'visitor' : 'host' };
  } catch {
    return undefined;
  }
}

function writeNotice(path: string, notice: Notice): Promise<void> {
  return writeFile(path, JSON.stringify(notice), { mode: 0o600 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}
