// The processes a benchmark measures or measures with: started, waited for, and ended by their own id.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/store/embedded.ts';
import type { Order } from './drain.ts';
import type { Drained, Login } from './drain-client.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A proxy under test: where a client logs in, and whose CPU time counts. Direct connections have no process. */
export interface Leg {
  readonly name: string;
  readonly login: Login;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

export function programPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
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

export function directLeg(login: Login): Leg {
  return { name: 'direct', login, pid: undefined, stop: async () => {} };
}

export async function pipeLeg(upstream: Login): Promise<Leg> {
  const script = fileURLToPath(new URL('./pipe.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, String(upstream.port)], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = Number(await firstLine(child, /^\d+$/));
  return { name: 'pipe', login: { ...upstream, port }, pid: child.pid, stop: () => end(child) };
}

/** pgbouncer as it would stand in the gateway's place: one upstream connection a session, no checks of its own. */
export async function pgbouncerLeg(upstream: Login): Promise<Leg | undefined> {
  const program = programPath('pgbouncer');
  if (program === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const { host, user, password, database } = upstream;
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
${database} = host=${host} port=${upstream.port} dbname=${database} user=${user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
default_pool_size = 64
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
`,
  );
  // As root it insists on another user.
  const asUser = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const child = spawn(program, ['-q', ...asUser, file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  await accepts(port).catch((cause) => {
    throw new Error(`pgbouncer did not start: ${said.trim()}`, { cause });
  });
  return {
    name: 'pgbouncer',
    login: { ...upstream, port },
    pid: child.pid,
    async stop() {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Adds the leg that `start` makes; one that cannot start is named and left out, and the benchmark ends with an error code. */
export async function addLeg(legs: Leg[], name: string, start: () => Promise<Leg | undefined>): Promise<void> {
  try {
    const leg = await start();
    if (leg === undefined) console.error(`${name} is not on the PATH: left out`);
    else legs.push(leg);
  } catch (error) {
    console.error(`${name} is left out: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** What of a gateway's configuration a benchmark chooses; the rest is the same for all. */
export interface GatewaySetup {
  readonly name: string;
  readonly upstream: Login;
  /** The `masks:` section, or an empty text. */
  readonly masks: string;
  readonly durable: boolean;
  /** Left out: postgres. */
  readonly dialect?: 'postgres' | 'mysql';
  /** Names of further targets on the same database, for masks of their own. */
  readonly targets?: readonly string[];
  /** Processes that share the sessions. Left out: one. */
  readonly workers?: number;
  /** Run the compiled files, as the published package does, in place of the sources. */
  readonly compiled?: boolean;
}

/** The gateway, as `serve` runs it from a file, with a token of its local issuer. */
export async function gatewayLeg(setup: GatewaySetup): Promise<Leg> {
  const { name, upstream, masks, durable, dialect = 'postgres', targets = [] } = setup;
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const port = await freePort();
  const file = join(folder, 'sallyport.yaml');
  await writeFile(join(folder, 'password'), upstream.password, { mode: 0o600 });
  await writeFile(
    file,
    `listen:
  ${dialect}: 127.0.0.1:${port}
identity:
  issuers:
    - local: true
targets:
${[upstream.database, ...targets]
  .map(
    (target) => `  ${target}:
    dialect: ${dialect}
    url: ${dialect}://${upstream.user}@${upstream.host}:${upstream.port}/${upstream.database}
    password: { file: password }
    tls: disable`,
  )
  .join('\n')}
roles:
  - name: bench
    groups: [bench]
    targets: ["*"]
    allow: [read, write, ddl, session]
rules: []
${masks}
audit:
  journal: journal
  durable: ${durable}
${setup.workers === undefined ? '' : `workers: ${setup.workers}\n`}`,
  );
  const command =
    setup.compiled === true ? join(await compiled(), 'src', 'main.js') : join(root, 'bin', 'sallyport.js');
  const child = spawn(process.execPath, [command, 'serve', '-c', file], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await firstLine(child, /^ready\b/);
    const token = await output(
      process.execPath,
      [command, 'token', '-c', file, '--sub', 'bench', '--groups', 'bench', '--ttl', '1h'],
      folder,
    );
    const login = { host: '127.0.0.1', port, user: 'bench', password: token.trim(), database: upstream.database };
    return {
      name,
      login,
      pid: child.pid,
      async stop() {
        await end(child);
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await end(child);
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Compiles the sources into dist/, as packing does; answers that folder. */
export async function compiled(): Promise<string> {
  await output('npm', ['run', '--silent', 'build']);
  return join(root, 'dist');
}

export interface DrainProcess {
  readonly pid: number;
  /** With `bytesPerSecond` the client reads no faster than that. */
  drain(sql: string, format?: 'text' | 'binary', bytesPerSecond?: number): Promise<Drained>;
  stop(): Promise<void>;
}

/** A client in a process of its own, logged in through one leg. */
export async function drainProcess(login: Login, dialect: 'postgres' | 'mysql' = 'postgres'): Promise<DrainProcess> {
  const child = fork(fileURLToPath(new URL('./drain.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] });
  const ask = (order: Order) =>
    new Promise<Drained>((resolve, reject) => {
      const lost = (code: number | null) => reject(new Error(`the client ended with ${code}`));
      child.once('exit', lost);
      child.once('message', (answer: Drained | { readonly error: string }) => {
        child.off('exit', lost);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer);
      });
      child.send(order);
    });
  await ask({ kind: 'login', login, dialect });
  return {
    pid: child.pid ?? 0,
    drain: (sql, format = 'text', bytesPerSecond = undefined) => ask({ kind: 'drain', sql, format, bytesPerSecond }),
    stop: () => end(child),
  };
}

/** What a command prints, or an error with what it said on stderr. */
export function output(
  program: string,
  args: readonly string[],
  cwd: string = root,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let said = '';
    let complained = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complained += text;
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve(said)
        : reject(new Error(`${program} ended with ${code}: ${complained.trim() || said.trim()}`)),
    );
  });
}

/** The first line on stdout that fits; rejects when the process ends before. */
export function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const line = said.split('\n').find((candidate) => pattern.test(candidate));
      if (line !== undefined) resolve(line);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the process ended with ${code} before it was ready`)));
  });
}

async function accepts(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port} after 5 s`);
}

/** Asks a process to end, and ends it after five seconds. */
export function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const kill = setTimeout(() => child.kill('SIGKILL'), 5000);
    child.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
