// The console for tests: a real PostgreSQL with a shop, a real gateway with its page, people who log in.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, vi } from 'vitest';
import { tailRecords } from '../../src/audit/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { type RunningGateway, startGateway } from '../../src/gateway.ts';
import { issueLocalToken } from '../../src/identity/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/store/embedded.ts';
import { shopPolicy, shopSchema } from '../e2e/support.ts';
import { execute } from '../support/postgres.ts';
import { Visitor } from './browser.ts';

/** For `expect.poll`: machines may be shared, and nothing here is timed. */
export const patient = { timeout: 30_000, interval: 100 };

export interface ConsoleHouse {
  readonly server: EmbeddedServer;
  readonly gateway: RunningGateway;
  readonly config: Config;
  readonly file: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  token(groups?: readonly string[], sub?: string): Promise<string>;
  /** A connected client of an agent. The caller ends it. */
  agent(groups?: readonly string[], sub?: string): Promise<pg.Client>;
  /** Runs statements, each to its end, whatever it is. */
  run(statements: readonly string[], groups?: readonly string[], sub?: string): Promise<void>;
  /** Waits until the store has all that the journal has now. */
  caughtUp(): Promise<void>;
  /** Somebody who has come in by a one-time link. */
  operator(): Promise<Visitor>;
  /** Asks the API with a bearer token. */
  ask(path: string, init?: RequestInit, groups?: readonly string[]): Promise<Response>;
}

export interface HouseOptions {
  readonly policy?: string;
  /** Further issuers, as lines of the file below `issuers:`. */
  readonly issuers?: string;
  readonly people?: string;
  readonly port?: number;
  readonly extra?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Before the gateway starts. */
  readonly seed?: (config: Config) => Promise<void>;
}

export const people = `
console:
  viewers: [staff]
  approvers: [dba]
  admins: [leads]
`;

/** The same rules, but unbounded writes wait for a person, inserts for two, and a role can be asked for. */
export const holdingPolicy = shopPolicy
  .replace(
    /- name: unbounded-writes[\s\S]*?then: deny/,
    `- name: unbounded-writes
    on: { verbs: [update, delete], unbounded: true }
    then: hold
    approvers: { groups: [dba], count: 1, timeout: 2m }
  - name: two-for-truncate
    on: { verbs: [insert] }
    then: hold
    approvers: { groups: [dba], count: 2, timeout: 2m }`,
  )
  .replace(
    'roles:',
    `roles:
  - name: fraud
    groups: [crew-fraud]
    targets: [shop]
    allow: [read]
    request: { approvers: { groups: [dba], count: 1, timeout: 10m }, max-duration: 1h }`,
  );

/** Starts one house by hand; the caller closes it. */
export async function openHouse(options: HouseOptions = {}): Promise<ConsoleHouse & { close(): Promise<void> }> {
  const server = await startEmbedded();
  await execute(server.url(), ...shopSchema, 'create database control');
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-console-'));
  const file = join(folder, 'sallyport.yaml');
  process.env.CONSOLE_SHOP_PASSWORD = 'gateway-secret';
  await writeFile(
    file,
    `listen:
  postgres: 127.0.0.1:0
  console: 127.0.0.1:${options.port ?? 0}
${options.tls === undefined ? '' : `  tls: { cert: ${options.tls.cert}, key: ${options.tls.key} }`}
identity:
  issuers:
    - local: true
${options.issuers ?? ''}
targets:
  shop:
    dialect: postgres
    url: postgres://gateway@127.0.0.1:${server.port}/postgres
    password: { env: CONSOLE_SHOP_PASSWORD }
    tls: disable
store: ${server.url('control')}
limits: { login-timeout: 2m }
${options.policy ?? shopPolicy}
${options.people ?? people}
${options.extra ?? ''}
`,
  );
  const config = await loadConfig(file);
  await options.seed?.(config);
  const gateway = await startGateway(config, pino({ level: process.env.SALLYPORT_LOG ?? 'silent' }));
  const url = gateway.console?.url ?? '';
  const token = (groups: readonly string[] = ['crew-support'], sub = 'crew-support-7') =>
    issueLocalToken(config, { sub, groups, ttlMs: 900_000 });
  const agent: ConsoleHouse['agent'] = async (groups, sub) => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: gateway.postgres?.port ?? 0,
      user: 'agent',
      password: await token(groups, sub),
      database: 'shop',
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const caughtUp = async () => {
    let last: string | undefined;
    for await (const { record } of tailRecords(config.audit.journal, { last: 1, follow: false })) last = record;
    const client = new pg.Client({ connectionString: server.url('control') });
    await client.connect();
    try {
      for (let tries = 0; tries < 300; tries++) {
        const { rows } = await client.query('select 1 from sallyport.records where record = $1', [last]);
        if (rows.length > 0 || last === undefined) return;
        await sleep(50);
      }
      throw new Error('the store did not catch up with the journal in 15 s');
    } finally {
      await client.end();
    }
  };
  return {
    server,
    gateway,
    config,
    caughtUp,
    file,
    url,
    token,
    agent,
    async run(statements, groups, sub) {
      const client = await agent(groups, sub);
      for (const statement of statements) await client.query(statement).catch(() => undefined);
      await client.end();
      await caughtUp();
    },
    async operator() {
      const visitor = new Visitor();
      const link = (await gateway.console?.link()) ?? '';
      await visitor.submit(await visitor.visit(link));
      return visitor;
    },
    async ask(path, init = {}, groups = ['leads']) {
      if (/^\/api\/(records|counts|rules|identit|columns)/.test(path)) await caughtUp();
      const headers = { authorization: `Bearer ${await token(groups, 'amy')}`, ...init.headers };
      return fetch(url + path, { ...init, headers });
    },
    async close() {
      await gateway.drain(0);
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The same, opened before the file's tests and closed after them. */
export function consoleHouse(options: HouseOptions | (() => Promise<HouseOptions>) = {}): () => ConsoleHouse {
  // Real servers on machines that may be shared.
  vi.setConfig({ testTimeout: 180_000, hookTimeout: 240_000 });
  let house: Awaited<ReturnType<typeof openHouse>> | undefined;
  beforeAll(async () => {
    house = await openHouse(typeof options === 'function' ? await options() : options);
  });
  afterAll(() => house?.close());
  return () => {
    if (house === undefined) throw new Error('the house opens in beforeAll');
    return house;
  };
}
