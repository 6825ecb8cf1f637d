// One server reached in two ways, directly and through a gateway whose role allows everything, for programs that must not tell them apart.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { pino } from 'pino';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway.ts';
import { issueLocalToken } from '../../src/identity/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/store/index.ts';

const run = promisify(execFile);

/** Where one side is, as the environment that libpq and the scenarios read. */
export type Side = Readonly<Record<'PGHOST' | 'PGPORT' | 'PGUSER' | 'PGPASSWORD' | 'PGDATABASE', string>>;

export interface Sides {
  readonly direct: Side;
  readonly gateway: Side;
  stop(): Promise<void>;
}

export interface Through {
  readonly port: number;
  /** A token of an identity that may do everything. */
  readonly token: string;
  stop(): Promise<void>;
}

/** A gateway before a database, with one role that allows everything; its files are put into `folder`. */
export async function everythingThrough(
  folder: string,
  server: Pick<EmbeddedServer, 'port' | 'password'>,
  database: string,
): Promise<Through> {
  const file = join(folder, 'sallyport.yaml');
  await writeFile(join(folder, 'password'), server.password, { mode: 0o600 });
  await writeFile(
    file,
    `listen:
  postgres: 127.0.0.1:0
identity:
  issuers:
    - local: true
targets:
  ${database}:
    dialect: postgres
    url: postgres://postgres@127.0.0.1:${server.port}/${database}
    password: { file: password }
    tls: disable
roles:
  - name: everything
    groups: [everything]
    targets: [${database}]
    allow: [read, write, ddl, session, admin]
keep-application-name: true
audit:
  journal: journal
  durable: false
`,
  );
  const config = await loadConfig(file);
  const running = await startGateway(config, pino({ level: 'silent' }));
  return {
    port: running.postgres?.port ?? 0,
    token: await issueLocalToken(config, { sub: database, groups: ['everything'], ttlMs: 3_600_000 }),
    stop: () => running.drain(0),
  };
}

/** Starts what is needed. The name of database and target is the same, so that a program can be told the same words for both sides. */
export async function openSides(): Promise<Sides> {
  const server = await startEmbedded({ settings: { max_prepared_transactions: '10' } });
  const database = 'drivers';
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await client.query(`create database ${database} template template0`);
  await client.end();
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-drivers-'));
  const gateway = await everythingThrough(folder, server, database);
  const side = (at: number, secret: string): Side => ({
    PGHOST: '127.0.0.1',
    PGPORT: String(at),
    PGUSER: 'postgres',
    PGPASSWORD: secret,
    PGDATABASE: database,
  });
  return {
    direct: side(server.port, server.password),
    gateway: side(gateway.port, gateway.token),
    async stop() {
      await gateway.stop();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a program printed, both streams, whether it succeeded or not; its port is left out. */
export async function output(side: Side, command: readonly string[], cwd?: string): Promise<string> {
  const [program = '', ...parameters] = command;
  const options = {
    env: { ...process.env, ...side },
    timeout: 300_000,
    maxBuffer: 64 * 1024 * 1024,
    ...(cwd === undefined ? {} : { cwd }),
  };
  const { stdout, stderr } = await run(program, parameters, options).catch(
    (error: { stdout?: string; stderr?: string; code?: unknown }) => ({
      stdout: `${error.stdout ?? ''}\nended with ${String(error.code)}`,
      stderr: error.stderr ?? '',
    }),
  );
  return `${stdout}${stderr}`.replaceAll(side.PGPORT, '<port>');
}

/** Whether a program is there: the command succeeds. */
export async function available(...command: readonly string[]): Promise<boolean> {
  const [program = '', ...parameters] = command;
  return run(program, parameters).then(
    () => true,
    () => false,
  );
}
