// The demo: an embedded PostgreSQL with the sample shop, the gateway before it, and one agent session from login to records.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import pg from 'pg';
import type { AuditRecord } from '../audit/record.ts';
import { type EmbeddedServer, freePort, startEmbedded } from '../store/index.ts';
import { playAgent } from './agent.ts';
import { BrokenPromise } from './broken-promise.ts';
import { playCrm, startCrm } from './crm.ts';
import { loadShop } from './load.ts';
import { missingServer } from './mariadb-server.ts';
import { serverLog } from './server-log.ts';
import { writeSettings } from './settings.ts';
import { defaultSize, type ShopSize } from './shop.ts';
import { type Out, type Show, show as showOn } from './show.ts';

/** The gateway as the demo sees it: started from a file, closed at the end. */
export interface DemoGateway {
  readonly postgres: { readonly host: string; readonly port: number };
  readonly mysql?: { readonly host: string; readonly port: number };
  /** The console's address, with its one-time link. */
  readonly console?: string;
  close(): Promise<void>;
}

export interface DemoToken {
  readonly subject: string;
  readonly groups: readonly string[];
  readonly ttlSeconds: number;
}

/** What the command line hands in: the product, as started and asked by its own commands. */
export interface DemoParts {
  startGateway(configPath: string): Promise<DemoGateway>;
  /** As `sallyport token` does. */
  issueToken(configPath: string, token: DemoToken): Promise<string>;
  /** As `sallyport audit tail` reads them, oldest first. */
  readRecords(configPath: string): Promise<readonly AuditRecord[]>;
}

export interface DemoOptions extends DemoParts {
  /** Leave after the script; otherwise stay up until Ctrl-C. */
  readonly once: boolean;
  readonly out: Out;
  /** Where the configuration, the keys and the journal are written. Left out: data/demo. */
  readonly folder?: string;
  readonly size?: ShopSize;
  /** True when the gateway serves the console. */
  readonly console?: boolean;
  /** Ends the stay like Ctrl-C. */
  readonly signal?: AbortSignal;
}

const identity = 'crew-support-7';
const groups = ['crew-support'];
const customer = 4711;
/** The exit code of a program that was stopped by SIGINT. */
const interrupted = 130;

/** Runs the demo and gives the exit code: 0 only when every step happened as printed. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const show = showOn(options.out);
  const stop = stopRequested(options.signal);
  const cleanup: Cleanup = [];
  const played = play(options, show, cleanup, stop.signal);
  try {
    await Promise.race([played, stop.asked]);
    if (stop.signal.aborted) return interrupted;
    if (options.once) return 0;
    await stop.asked;
    show.line('\n  Closing.');
    return 0;
  } catch (error) {
    show.line(`\n  ${show.style('red', 'The demo failed:')} ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof Error && !(error instanceof BrokenPromise) && error.stack !== undefined)
      show.line(show.style('dim', error.stack.split('\n').slice(1, 6).join('\n')));
    return 1;
  } finally {
    stop.release();
    await clean(cleanup);
    // Stopped in the middle of a step: what that step has opened meanwhile is closed as well.
    await played.catch(() => undefined);
    await clean(cleanup);
  }
}

/** What to close, in the order it was opened. */
type Cleanup = (() => Promise<unknown>)[];

async function clean(cleanup: Cleanup): Promise<void> {
  for (let close = cleanup.pop(); close !== undefined; close = cleanup.pop()) await close().catch(() => undefined);
}

async function play(options: DemoOptions, show: Show, cleanup: Cleanup, signal: AbortSignal): Promise<void> {
  const step: Show['step'] = (name, work, done) => {
    signal.throwIfAborted();
    return show.step(name, work, done);
  };
  const folder = options.folder ?? join('data', 'demo');
  const startedAt = new Date().toISOString();
  show.line(show.style('bold', 'Sallyport: one agent session on a real PostgreSQL, from login to records'));
  show.line();

  const log = serverLog();
  const server = await step(
    'PostgreSQL',
    () => startEmbedded({ onLog: log.add }),
    ({ port }) => `PostgreSQL from npm's binaries, on 127.0.0.1:${port}`,
  );
  cleanup.push(() => server.stop());
  const password = randomBytes(18).toString('base64url');
  const rows = await step(
    'the sample shop',
    (tell) => makeShop(server, password, options.size ?? defaultSize, tell),
    (count) => `the sample shop: ${count.toLocaleString('en-US')} rows in 5 tables`,
  );
  if (rows === 0) throw new BrokenPromise('the shop is empty');

  const noCrm = missingServer();
  const crm =
    noCrm === undefined
      ? await step('a MySQL server', startCrm, ({ port }) => `the CRM on this machine's MySQL, on 127.0.0.1:${port}`)
      : undefined;
  if (crm !== undefined) cleanup.push(() => crm.stop());
  const settings = await writeSettings({
    folder,
    listen: {
      postgres: await portOr(6432),
      mysql: crm === undefined ? undefined : await portOr(6306),
      console: options.console === true ? await portOr(8090) : undefined,
    },
    crm,
    upstream: { port: server.port, user: 'gateway', password },
  });
  const shown = relative(process.cwd(), settings.file);
  const gateway = await step(
    'the gateway',
    () => options.startGateway(settings.file),
    ({ postgres, mysql }) =>
      `the gateway on ${postgres.host}:${postgres.port}${mysql === undefined ? '' : ` and ${mysql.host}:${mysql.port}`}, configured by ${shown}`,
  );
  cleanup.push(() => gateway.close());

  const token = await step(
    'a token',
    () => options.issueToken(settings.file, { subject: identity, groups, ttlSeconds: 3600 }),
    () => `a signed token for ${identity}, of the group ${groups.join(', ')}; it is the agent's password`,
  );
  const tokenFile = join(settings.folder, 'token');
  await writeFile(tokenFile, token, { mode: 0o600 });

  const { host, port } = gateway.postgres;
  const agent = clientOf({ host, port, user: 'agent', password: token, database: 'shop' });
  const direct = clientOf({ connectionString: server.url('shop') });
  for (const client of [agent, direct]) {
    client.setTypeParser(pg.types.builtins.DATE, (text: string) => text);
    cleanup.push(() => client.end());
    await client.connect();
  }
  // The folder may hold the records of earlier demos: their chain goes on, the script looks at its own.
  const records = async () => (await options.readRecords(settings.file)).filter(({ time }) => time >= startedAt);
  await playAgent({
    show,
    agent,
    direct,
    log,
    records,
    customer: Math.min(customer, (options.size ?? defaultSize).customers),
  });
  if (crm === undefined) {
    show.line();
    show.line(`  ${show.style('dim', `7  The same door before MySQL: not shown, for want of ${noCrm}`)}`);
  } else {
    if (gateway.mysql === undefined) throw new BrokenPromise('the gateway does not listen for MySQL');
    await playCrm({ show, server: crm, gateway: gateway.mysql, token });
  }

  show.line();
  if (options.once) {
    show.line(`  ${show.style('green', 'All of it happened.')}`);
    return;
  }
  const paste = (what: string, command: string) => show.line(`  ${show.style('dim', what.padEnd(18))} ${command}`);
  paste(
    'your own session',
    `PGPASSWORD=$(cat ${relative(process.cwd(), tokenFile)}) psql -h ${host} -p ${port} -U me shop`,
  );
  if (gateway.mysql !== undefined) {
    const mine = `-h ${gateway.mysql.host} -P ${gateway.mysql.port} -u me crm`;
    paste('and before MySQL', `MYSQL_PWD=$(cat ${relative(process.cwd(), tokenFile)}) mysql ${mine}`);
  }
  paste('what would happen', `npx sallyport explain -c ${shown} --target shop --groups ${groups} 'DROP TABLE orders'`);
  paste('the records', `npx sallyport audit tail -c ${shown}`);
  paste('a fresh token', `npx sallyport token -c ${shown} --sub me --groups ${groups}`);
  if (gateway.console !== undefined) paste('the console', gateway.console);
  show.line();
  show.line('  Everything stays up until Ctrl-C.');
}

/** A connection lost between two statements fails the next one; without a listener it would end the process. */
function clientOf(settings: pg.ClientConfig): pg.Client {
  const client = new pg.Client(settings);
  client.on('error', () => {});
  return client;
}

/** The database belongs to the gateway's own login, so nothing but the gateway stands between an agent and a DROP. */
async function makeShop(
  server: EmbeddedServer,
  password: string,
  size: ShopSize,
  tell: (detail: string) => void,
): Promise<number> {
  const admin = clientOf({ connectionString: server.url() });
  await admin.connect();
  try {
    await admin.query(`create role gateway login password '${password}'`);
    await admin.query('create database shop owner gateway');
    await admin.query("alter role gateway set log_statement = 'all'");
  } finally {
    await admin.end();
  }
  const { host, port } = server;
  const owner = clientOf({ host, port, user: 'gateway', password, database: 'shop' });
  await owner.connect();
  try {
    return await loadShop(owner, size, (table, rows, total) => {
      const count = (number: number) => number.toLocaleString('en-US');
      tell(`${table}, ${count(rows)} of ${count(total)} rows`);
    });
  } finally {
    await owner.end();
  }
}

/** The port people know from the documentation, or a free one when something else has it. */
async function portOr(preferred: number): Promise<number> {
  const free = await new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(preferred, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
  return free ? preferred : await freePort();
}

interface Stop {
  readonly signal: AbortSignal;
  readonly asked: Promise<void>;
  release(): void;
}

function stopRequested(outer: AbortSignal | undefined): Stop {
  const controller = new AbortController();
  const ask = () => controller.abort();
  const asked = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, ask);
  outer?.addEventListener('abort', ask);
  return {
    signal: controller.signal,
    asked,
    release() {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, ask);
      outer?.removeEventListener('abort', ask);
    },
  };
}
