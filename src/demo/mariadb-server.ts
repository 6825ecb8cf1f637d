// A MariaDB or MySQL server of our own in a scratch folder, from the `mariadbd` or `mysqld` of the machine: for the demo and the tests.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { freePort } from '../store/index.ts';

export interface MariadbServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** A connection URL for one of its databases, password included. */
  url(database?: string): string;
  stop(): Promise<void>;
}

/** Where a program is, also outside of the PATH of people who are not root. */
function find(program: string, first: readonly string[] = []): string | undefined {
  const folders = [
    ...first,
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/usr/libexec',
  ];
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The server program of this machine: the one MYSQL_SERVER names, or what is on the PATH. */
export function serverProgram(): string | undefined {
  return process.env.MYSQL_SERVER ?? find('mariadbd') ?? find('mysqld');
}

/** True where that program is MariaDB's; MySQL's are started in another way. */
export function serverIsMariadb(program = serverProgram()): boolean {
  return program !== undefined && /mariadb/i.test(execFileSync(program, ['--version'], { encoding: 'utf8' }));
}

/** The program that makes MariaDB's data folder: the one beside the server, before others of the machine. */
function installer(program: string): string | undefined {
  const beside = ['../bin', '.'].map((folder) => join(dirname(program), folder));
  return find('mariadb-install-db', beside) ?? find('mysql_install_db', beside);
}

/** Why there is no server on this machine, in one line; undefined where there is one. */
export function missingServer(): string | undefined {
  if (process.env.MYSQL_URL !== undefined || serverProgram() !== undefined) return undefined;
  return 'a MariaDB or MySQL server (set MYSQL_URL, or put mariadbd or mysqld on the PATH; on Debian: apt-get install mariadb-server)';
}

/** The server that MYSQL_URL names: its user must be allowed to create users and databases. */
export function givenServer(url: string): MariadbServer {
  const { hostname, port, username, password } = new URL(url);
  const server = {
    host: hostname,
    port: port === '' ? 3306 : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
  return { ...server, url: (database = '') => urlOf(server, database), stop: async () => {} };
}

function urlOf({ host, port, user, password }: Omit<MariadbServer, 'url' | 'stop'>, database: string): string {
  return `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}`;
}

export interface MariadbOptions {
  /** Further options of the server, `--name=value`. */
  readonly options?: readonly string[];
}

/** Starts a server with an empty data folder and resolves when it accepts connections. It ends with this process. */
export async function startMariadb({ options = [] }: MariadbOptions = {}): Promise<MariadbServer> {
  const program = serverProgram();
  if (program === undefined) throw new Error(`not on this machine: ${missingServer()}`);
  const mariadb = serverIsMariadb(program);
  const scratch = await mkdtemp(join(tmpdir(), 'sallyport-my-'));
  const data = join(scratch, 'data');
  const init = join(scratch, 'init.sql');
  const server = { host: '127.0.0.1', port: await freePort(), user: 'tester', password: 'tester-secret' };
  const account = `'${server.user}'@'%'`;
  await mkdir(data);
  await writeFile(
    init,
    `CREATE USER ${account} IDENTIFIED BY '${server.password}';\nGRANT ALL ON *.* TO ${account} WITH GRANT OPTION;\n`,
  );
  // As root a server wants to be told so; `--no-defaults` keeps the machine's own settings out.
  const asRoot = userInfo().uid === 0 ? ['--user=root'] : [];
  const log: string[] = [];
  const run = (path: string, parameters: readonly string[]) => {
    const child = spawn(path, parameters, { cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log.push(text);
        if (log.length > 60) log.shift();
      });
    }
    return child;
  };
  const failed = async (what: string) => {
    await rm(scratch, { recursive: true, force: true });
    return new Error(`${what}\n${log.join('')}`);
  };
  const install = installer(program);
  const prepare =
    mariadb && install !== undefined
      ? run(install, [
          '--no-defaults',
          `--datadir=${data}`,
          `--tmpdir=${scratch}`,
          '--skip-test-db',
          '--skip-name-resolve',
          '--auth-root-authentication-method=normal',
          ...asRoot,
        ])
      : run(program, [
          '--no-defaults',
          '--initialize-insecure',
          `--datadir=${data}`,
          '--secure-file-priv=NULL',
          ...asRoot,
        ]);
  if ((await ended(prepare)) !== 0) throw await failed('the data folder could not be made');
  const daemon = run(program, [
    '--no-defaults',
    `--datadir=${data}`,
    // A server that starts clears temporary tables out of its folder, also those of another that runs.
    `--tmpdir=${scratch}`,
    `--port=${server.port}`,
    `--bind-address=${server.host}`,
    `--socket=${join(scratch, 's')}`,
    `--pid-file=${join(scratch, 'pid')}`,
    `--init-file=${init}`,
    '--skip-name-resolve',
    '--skip-log-bin',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-buffer-pool-size=128M',
    '--max-allowed-packet=64M',
    '--local-infile=1',
    // MySQL's second protocol would want a port of its own; its packages name a folder for files that may not be there.
    ...(mariadb ? [] : ['--mysqlx=OFF', `--secure-file-priv=${scratch}`]),
    ...asRoot,
    ...options,
  ]);
  const kill = () => daemon.kill('SIGKILL');
  process.once('exit', kill);
  const over = ended(daemon);
  const ready = new Promise<true>((resolve) => {
    daemon.stderr?.on('data', () => {
      // The port 0 of an initialising server is not the one that counts.
      if (log.join('').includes(`port: ${server.port}`)) resolve(true);
    });
  });
  if ((await Promise.race([ready, over])) !== true) {
    process.off('exit', kill);
    throw await failed('the server did not start');
  }
  return {
    ...server,
    url: (database = '') => urlOf(server, database),
    async stop() {
      // Nothing of its data is wanted: it need not be written.
      daemon.kill('SIGKILL');
      await over;
      process.off('exit', kill);
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(-1));
    child.once('close', (code) => resolve(code ?? -1));
  });
}
