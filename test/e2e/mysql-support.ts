// The whole product before a MySQL server for tests: a small shop, a real configuration file, the gateway in this process.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type RunningGateway, startGateway } from '../../src/gateway.ts';
import { issueLocalToken } from '../../src/identity/index.ts';
import { type MariadbServer, mariadbDatabase, sequences } from '../support/mariadb.ts';
import { readJournal } from './journal.ts';

export interface MysqlHouse {
  readonly server: MariadbServer & { readonly database: string };
  readonly gateway: RunningGateway;
  readonly port: number;
  readonly folder: string;
  token(groups?: readonly string[], sub?: string): Promise<string>;
  /** Options for mysql2. */
  client(groups?: readonly string[], sub?: string): Promise<Login>;
  /** Runs `use` with a connection of mysql2. */
  connected<T>(
    use: (connection: mysql.Connection) => Promise<T>,
    groups?: readonly string[],
    more?: object,
  ): Promise<T>;
  records(): Promise<AuditRecord[]>;
}

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export const crmSchema = [
  ...sequences(200, 1000),
  `CREATE TABLE customers (
     id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, email VARCHAR(80), ssn VARCHAR(20), card_number VARCHAR(20),
     phone VARCHAR(30), birth_date DATE)`,
  'CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT, total DECIMAL(10,2), FOREIGN KEY (customer_id) REFERENCES customers (id))',
  `INSERT INTO customers SELECT seq, CONCAT('Name ', seq), CONCAT('user', seq, '@example.com'), CONCAT('912-84-', LPAD(seq, 4, '0')),
     CONCAT('400000000000', LPAD(seq, 4, '0')), CONCAT('+1 555 010 ', LPAD(seq, 4, '0')), DATE '1980-01-01' + INTERVAL seq DAY FROM seq_1_to_200`,
  'INSERT INTO orders SELECT seq, seq % 200 + 1, seq * 1.5 FROM seq_1_to_1000',
  'CREATE VIEW contacts AS SELECT id, name, ssn AS number FROM customers',
];

export const crmPolicy = `
roles:
  - name: support
    groups: [crew-support]
    targets: [crm]
    allow: [read, session]
  - name: agent
    groups: [crew-agent]
    targets: [crm]
    allow: [read, write, session, ddl]
    statement-timeout: 20s
rules:
  - name: no-drops
    on: { verbs: [drop, truncate, alter, grant] }
    then: deny
  - name: unbounded-writes
    on: { verbs: [update, delete], unbounded: true }
    then: deny
masks:
  - columns: ["crm.*.customers.ssn", "*.*.*.card_number"]
    mask: { keep-last: 4 }
  - columns: ["*.*.*.email"]
    mask: email
  - columns: ["crm.*.customers.birth_date"]
    mask: year
`;

/** Starts it all before the file's tests and ends it after them. */
export function mysqlHouse(
  options: { policy?: string; extra?: string; target?: string; listen?: string } = {},
): () => MysqlHouse {
  const server = mariadbDatabase(...crmSchema);
  let open: MysqlHouse | undefined;
  let folder: string | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'));
    const file = join(folder, 'sallyport.yaml');
    const { host, port, user, password, database } = server();
    process.env.E2E_CRM_PASSWORD = password;
    await writeFile(
      file,
      `listen:
  mysql: 127.0.0.1:0
${options.listen ?? ''}
identity:
  issuers:
    - local: true
targets:
  crm:
    dialect: mysql
    url: mysql://${user}@${host}:${port}/${database}
    password: { env: E2E_CRM_PASSWORD }
    tls: disable
${options.target ?? ''}
${options.policy ?? crmPolicy}
${options.extra ?? ''}
`,
    );
    const config = await loadConfig(file);
    const gateway = await startGateway(config, pino({ level: process.env.SALLYPORT_LOG ?? 'silent' }));
    const listening = gateway.mysql?.port ?? 0;
    const token = (groups: readonly string[] = ['crew-support'], sub = 'crew-support-7') =>
      issueLocalToken(config, { sub, groups, ttlMs: 900_000 });
    const client = async (groups?: readonly string[], sub?: string) => ({
      host: '127.0.0.1',
      port: listening,
      user: 'agent',
      password: await token(groups, sub),
      database: 'crm',
    });
    open = {
      server: server(),
      gateway,
      port: listening,
      folder,
      token,
      client,
      async connected(use, groups, more = {}) {
        const connection = await mysql.createConnection({ connectTimeout: 60_000, ...(await client(groups)), ...more });
        try {
          return await use(connection);
        } finally {
          connection.destroy();
        }
      },
      records: () => readJournal(config.audit.journal),
    };
  });
  afterAll(async () => {
    await open?.gateway.drain(0);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  return () => {
    if (open === undefined) throw new Error('the house opens in beforeAll');
    return open;
  };
}
