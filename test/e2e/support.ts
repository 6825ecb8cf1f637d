// The whole product for tests: a real PostgreSQL with a small shop, a real configuration file, the gateway in this process.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type RunningGateway, startGateway } from '../../src/gateway.ts';
import { issueLocalToken } from '../../src/identity/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/store/embedded.ts';
import { execute } from '../support/postgres.ts';
import { readJournal } from './journal.ts';

export interface House {
  readonly server: EmbeddedServer;
  readonly gateway: RunningGateway;
  readonly folder: string;
  readonly port: number;
  /** The server's log lines (log_statement = all). */
  readonly log: readonly string[];
  token(groups?: readonly string[], sub?: string): Promise<string>;
  /** Connection settings for stock drivers. */
  client(
    groups?: readonly string[],
  ): Promise<{ host: string; port: number; user: string; password: string; database: string }>;
  /** Runs `use` with a connected `pg` client. */
  connected<T>(use: (client: pg.Client) => Promise<T>, groups?: readonly string[]): Promise<T>;
  /** Everything on record so far, in order. */
  records(): Promise<AuditRecord[]>;
}

export const shopSchema = [
  `create table customers (
     id int primary key, name text not null, email text, ssn text, card_number text, phone text, birth_date date, address jsonb)`,
  'create table orders (id int primary key, customer_id int references customers, total numeric(10,2), placed timestamptz default now())',
  `insert into customers select n, 'Name ' || n, 'user' || n || '@example.com', '912-84-' || lpad(n::text, 4, '0'),
     '400000000000' || lpad(n::text, 4, '0'), '+1 555 010 ' || lpad(n::text, 4, '0'), date '1980-01-01' + n,
     jsonb_build_object('city', 'Berlin', 'street', 'Street ' || n) from generate_series(1, 200) n`,
  'insert into orders select n, n % 200 + 1, n * 1.5 from generate_series(1, 1000) n',
  `create role gateway login password 'gateway-secret'`,
  'grant all on all tables in schema public to gateway',
  'grant all on schema public to gateway',
];

/** The roles, rules and masks that tests use unless they bring their own. */
export const shopPolicy = `
roles:
  - name: support
    groups: [crew-support]
    targets: [shop]
    allow: [read, session]
  - name: agent
    groups: [crew-agent]
    targets: [shop]
    allow: [read, write, session, ddl]
  - name: owner
    groups: [dba]
    targets: [shop]
    allow: [read, write, ddl, session, admin]
rules:
  - name: no-drops
    on: { verbs: [drop, truncate, alter, grant] }
    then: deny
  - name: unbounded-writes
    on: { verbs: [update, delete], unbounded: true }
    then: deny
masks:
  - columns: ["shop.public.customers.ssn", "*.*.*.card_number"]
    mask: { keep-last: 4 }
  - columns: ["*.*.*.email"]
    mask: email
  - columns: ["shop.public.customers.birth_date"]
    mask: year
`;

/** Starts it all before the file's tests and ends it after them. */
export function house(
  options: {
    policy?: string;
    extra?: string;
    schema?: readonly string[];
    /** Further settings of the target. */
    target?: string;
    /** Further addresses, e.g. `  console: 127.0.0.1:0`. */
    listen?: string;
    /** Further entries of `identity.issuers`, asked for when the house opens. */
    issuers?: () => string;
    /** Settings of the server. */
    settings?: Readonly<Record<string, string>>;
  } = {},
): () => House {
  let open: House | undefined;
  const log: string[] = [];
  beforeAll(async () => {
    const server = await startEmbedded({
      settings: { log_statement: 'all', ...options.settings },
      onLog: (line) => log.push(line),
    });
    await execute(server.url(), ...(options.schema ?? shopSchema));
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'));
    const file = join(folder, 'sallyport.yaml');
    process.env.E2E_SHOP_PASSWORD = 'gateway-secret';
    await writeFile(
      file,
      `listen:
  postgres: 127.0.0.1:0
${options.listen ?? ''}
identity:
  issuers:
    - local: true
${options.issuers?.() ?? ''}
targets:
  shop:
    dialect: postgres
    url: postgres://gateway@127.0.0.1:${server.port}/postgres
    password: { env: E2E_SHOP_PASSWORD }
    tls: disable
${options.target ?? ''}
${options.policy ?? shopPolicy}
${options.extra ?? ''}
`,
    );
    const config = await loadConfig(file);
    const gateway = await startGateway(config, pino({ level: process.env.SALLYPORT_LOG ?? 'silent' }));
    const port = gateway.postgres?.port ?? 0;
    const token = (groups: readonly string[] = ['crew-support'], sub = 'crew-support-7') =>
      issueLocalToken(config, { sub, groups, ttlMs: 900_000 });
    const client = async (groups?: readonly string[]) => ({
      host: '127.0.0.1',
      port,
      user: 'agent',
      password: await token(groups),
      database: 'shop',
    });
    open = {
      server,
      gateway,
      folder,
      port,
      log,
      token,
      client,
      async connected(use, groups) {
        const connection = new pg.Client(await client(groups));
        await connection.connect();
        try {
          return await use(connection);
        } finally {
          await connection.end();
        }
      },
      records: () => readJournal(config.audit.journal),
    };
  });
  afterAll(async () => {
    await open?.gateway.drain(0);
    await open?.server.stop();
    if (open !== undefined) await rm(open.folder, { recursive: true, force: true });
  });
  return () => {
    if (open === undefined) throw new Error('the house opens in beforeAll');
    return open;
  };
}
