// A gateway of two workers: sessions on both, and everything that must reach the right one, or both.
import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectTo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { readRecords } from '../../src/audit/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { issueLocalToken } from '../../src/identity/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/store/index.ts';
import { mariadbDatabase } from '../support/mariadb.ts';
import { execute } from '../support/postgres.ts';
import { bin, endServing, portIn, readyLine, startServing } from './serving.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const patient = { timeout: 60_000, interval: 100 };

let server: EmbeddedServer;
const maria = mariadbDatabase();
let folder = '';
let file = '';
let config: Config;
let gateway: ChildProcess;
let ports: { postgres: number; mysql: number; url: string };
let text = '';

beforeAll(async () => {
  server = await startEmbedded();
  await execute(
    server.url(),
    `create role gateway login password 'gateway-secret'`,
    'create table notes (id int primary key, body text)',
    `insert into notes select n, 'note' from generate_series(1, 10) n`,
    'grant all on notes to gateway',
  );
  folder = await mkdtemp(join(tmpdir(), 'sallyport-workers-'));
  file = join(folder, 'sallyport.yaml');
  const { host, port, user, password, database } = maria();
  text = `listen:
  postgres: 127.0.0.1:0
  mysql: 127.0.0.1:0
  console: 127.0.0.1:0
workers: 2
identity:
  issuers:
    - local: true
targets:
  shop:
    dialect: postgres
    url: postgres://gateway@127.0.0.1:${server.port}/postgres
    password: { env: E2E_SHOP_PASSWORD }
    tls: disable
  crm:
    dialect: mysql
    url: mysql://${user}@${host}:${port}/${database}
    password: { env: E2E_CRM_PASSWORD }
    tls: disable
    connect-timeout: 60s
roles:
  - name: agent
    groups: [crew-agent]
    targets: [shop, crm]
    allow: [read, write, session]
  - name: fixer
    groups: [nobody]
    targets: [shop]
    allow: [read, ddl]
    request: { approvers: { groups: [dba] }, max-duration: 1h }
rules:
  - name: unbounded
    on: { verbs: [update, delete], unbounded: true }
    then: hold
    approvers: { groups: [dba], count: 1, timeout: 10m }
limits: { sessions-per-identity: 5, drain-timeout: 2s, login-timeout: 2m }
loop-breaker: { repeats: 10, within: 1m, pause: 1m }
console: { viewers: [staff], admins: [leads] }
`;
  await writeFile(file, text);
  gateway = startServing(file, {
    E2E_SHOP_PASSWORD: 'gateway-secret',
    E2E_CRM_PASSWORD: password,
    SALLYPORT_LOG: process.env.SALLYPORT_LOG ?? 'fatal',
  });
  const line = await readyLine(gateway);
  ports = {
    postgres: portIn(line, 'postgres'),
    mysql: portIn(line, 'mysql'),
    url: /console=(\S+)/.exec(line)?.[1] ?? '',
  };
  config = await loadConfig(file);
});

afterAll(async () => {
  if (gateway !== undefined) await endServing(gateway);
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Whatever a test leaves open must not count in the next. */
const clients = new Set<pg.Client>();
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.end().catch(() => undefined)));
  clients.clear();
});

const token = (sub: string, groups: readonly string[] = ['crew-agent']) =>
  issueLocalToken(config, { sub, groups, ttlMs: 900_000 });

interface Agent extends pg.Client {
  readonly processID: number;
  readonly secretKey: number;
  readonly over: Promise<unknown>;
}

async function agent(sub: string): Promise<Agent> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: ports.postgres,
    user: 'agent',
    password: await token(sub),
    database: 'shop',
  });
  const over = new Promise((resolve) => client.on('error', resolve));
  clients.add(client);
  await client.connect();
  return Object.assign(client, { over }) as unknown as Agent;
}

/** Which worker's chain has the login of each of these identities. */
async function workersOf(subs: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { worker, record } of readRecords(config.audit.journal))
    if (record.event === 'login' && record.identity !== undefined && subs.includes(record.identity))
      found.set(record.identity, worker);
  return found;
}

/** Opens sessions of identities of their own until each worker has one; the others are closed. Whoever is busy takes fewer. */
async function oneOnEach(name: string): Promise<{ w1: Agent; w2: Agent; subs: { w1: string; w2: string } }> {
  const open = new Map<string, Agent>();
  for (let turn = 0; turn < 60; turn += 1) {
    open.set(`${name}-${turn}`, await agent(`${name}-${turn}`));
    const at = await workersOf([...open.keys()]);
    const [one, two] = ['w1', 'w2'].map((worker) => [...at].find(([, each]) => each === worker)?.[0]);
    if (one === undefined || two === undefined) continue;
    for (const [sub, client] of open) if (sub !== one && sub !== two) await client.end();
    return { w1: open.get(one) as Agent, w2: open.get(two) as Agent, subs: { w1: one, w2: two } };
  }
  throw new Error('the connections all go to one worker');
}

async function cancel({ processID, secretKey }: Agent): Promise<void> {
  const request = Buffer.alloc(16);
  for (const [at, value] of [16, 80877102, processID, secretKey].entries()) request.writeInt32BE(value, at * 4);
  const socket = connectTo(ports.postgres, '127.0.0.1');
  await new Promise((resolve) => socket.once('close', resolve).resume().end(request));
}

const outcome = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'done',
    (cause: unknown) => (cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)),
  );

async function ask(path: string, init: RequestInit = {}, groups = ['leads']): Promise<Response> {
  const authorization = `Bearer ${await token('anna', groups)}`;
  return fetch(`${ports.url}${path}`, { ...init, headers: { ...init.headers, authorization } });
}

const openSessions = async () =>
  ((await (await ask('/api/sessions')).json()) as { items: { id: string; identity: string }[] }).items;
const held = async () => ((await (await ask('/api/holds')).json()) as { items: unknown[] }).items.length;

async function metric(name: string): Promise<number> {
  const lines = (await (await fetch(`${ports.url}/metrics`)).text()).split('\n');
  return lines
    .filter((line) => new RegExp(`^${name}[ {]`).test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

function sallyport(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, E2E_SHOP_PASSWORD: 'x', E2E_CRM_PASSWORD: 'x' };
    execFile(process.execPath, [bin, ...args, '-c', file], { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** The process of a worker, by what the primary told it. */
async function pidOf(worker: string): Promise<number | undefined> {
  const children = await readFile(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8');
  for (const pid of children.trim().split(' ')) {
    const env = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (env.includes(`SALLYPORT_WORKER={"name":"${worker}"`)) return Number(pid);
  }
  return undefined;
}

test('connections go to both workers, each of which writes a chain of its own, and the numbers are summed', async () => {
  const before = await metric('sallyport_logins_total');
  const { w1, w2 } = await oneOnEach('sum');
  for (const client of [w1, w2]) await client.query('select count(*) from notes');
  expect(await metric('sallyport_logins_total')).toBe(before + clients.size);
  await expect.poll(() => metric('sallyport_sessions'), patient).toBe(2);
  expect(await metric('sallyport_journal_writable')).toBe(1);
  await expect.poll(async () => (await openSessions()).length, patient).toBe(2);
  const ready = await fetch(`${ports.url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, expect.objectContaining({ w1: 'ok', w2: 'ok' })]);
  await Promise.all([w1.end(), w2.end()]);
  await expect.poll(() => metric('sallyport_sessions'), patient).toBe(0);
});

test('a cancel request reaches its session, whichever worker takes it', async () => {
  const { w1, w2 } = await oneOnEach('cancel');
  for (const client of [w1, w2, w1, w2, w2]) {
    const run = outcome(client.query('select pg_sleep(60)'));
    await sleep(300);
    await cancel(client);
    expect(await run).toBe('57014');
  }
  // A wrong key cancels nothing.
  const run = outcome(w1.query('select pg_sleep(1)'));
  await sleep(100);
  for (let turn = 0; turn < 2; turn += 1) await cancel({ ...w1, processID: w1.processID, secretKey: 7 } as Agent);
  expect(await run).toBe('done');
  await Promise.all([w1.end(), w2.end()]);
});

test("MySQL's KILL reaches a session of the same identity at the other worker, and no other", async () => {
  const open = async (sub: string) =>
    mysql.createConnection({
      host: '127.0.0.1',
      port: ports.mysql,
      // The first session loads the grammar and the catalog, in each worker.
      connectTimeout: 60_000,
      user: 'agent',
      password: await token(sub),
      database: 'crm',
    });
  const all = [];
  for (let turn = 0; turn < 4; turn += 1) all.push(await open('killer'));
  const [killer, ...others] = all;
  const stranger = await open('stranger');
  const over = others.map((each) => new Promise((resolve) => each.once('error', resolve)));
  // mysql2 has no method for COM_PROCESS_KILL: the command is written, and its answer read, beside the driver.
  const kill = (by: mysql.Connection | undefined, id: number | null) =>
    new Promise<string>((resolve) => {
      const { stream } = (by as unknown as { connection: { stream: NodeJS.ReadWriteStream } }).connection;
      const heard = stream.listeners('data') as ((data: Buffer) => void)[];
      stream.removeAllListeners('data');
      const packet = Buffer.alloc(9);
      packet.writeUIntLE(5, 0, 3);
      packet[4] = 0x0c;
      packet.writeUInt32LE(id ?? 0, 5);
      stream.once('data', (data: Buffer) => {
        for (const each of heard) stream.on('data', each);
        resolve(data[4] === 0 ? 'ok' : data.toString('latin1', 13));
      });
      stream.write(packet);
    });
  expect(await kill(stranger, others[0]?.threadId ?? 0)).toContain('Unknown thread id');
  for (const [index, other] of others.entries()) {
    expect(await kill(killer, other.threadId)).toBe('ok');
    await over[index];
  }
  killer?.destroy();
  stranger.destroy();
});

test('a session is killed from the page, and a revocation ends sessions at both workers', async () => {
  const { w1, w2, subs } = await oneOnEach('kill');
  await expect
    .poll(async () => (await openSessions()).map(({ identity }) => identity).sort(), patient)
    .toEqual([subs.w1, subs.w2].sort());
  const id = (await openSessions()).find(({ identity }) => identity === subs.w2)?.id ?? '';
  expect((await ask(`/api/sessions/${id}/kill`, { method: 'POST', body: '{}' })).status).toBe(200);
  await w2.over;
  expect((await w1.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
  await w1.end();

  const same = await Promise.all([agent('lost'), agent('lost')]);
  const revoked = await ask('/api/revocations', {
    method: 'POST',
    body: JSON.stringify({ issuer: 'sallyport:local', subject: 'lost' }),
  });
  expect(revoked.status).toBe(200);
  await Promise.all(same.map(({ over }) => over));
  for (let turn = 0; turn < 2; turn += 1) await expect(agent('lost')).rejects.toThrow('has been revoked');
});

test('limits of an identity and pauses are those of the gateway, not of a worker', async () => {
  const open = [];
  for (let turn = 0; turn < 5; turn += 1) {
    open.push(await agent('many'));
    await expect.poll(async () => (await openSessions()).length, patient).toBe(turn + 1);
  }
  for (let turn = 0; turn < 2; turn += 1) await expect(agent('many')).rejects.toThrow('too many sessions');
  const [first, second] = open;
  for (let turn = 0; turn < 10; turn += 1)
    await outcome(first?.query('select body from notes where id = 7') as Promise<unknown>);
  await expect.poll(() => outcome(second?.query('select 1 from notes') as Promise<unknown>), patient).toBe('53400');
  await Promise.all(open.map((each) => each.end()));
});

test('what the page shows live comes from both workers', async () => {
  const { w1, w2 } = await oneOnEach('live');
  const end = new AbortController();
  const stream = await ask('/live/events', { signal: end.signal });
  let seen = '';
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) seen += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch(() => undefined);
  await w1.query(`select 'from the first' from notes where id = 1`);
  await w2.query(`select 'from the second' from notes where id = 2`);
  await expect.poll(() => seen.includes('from the first') && seen.includes('from the second'), patient).toBe(true);
  end.abort();
  await reading;
  await Promise.all([w1.end(), w2.end()]);
});

test('a changed file is taken by both workers', async () => {
  const { w1, w2 } = await oneOnEach('reload');
  await writeFile(file, text.replace('allow: [read, write, session]', 'allow: [session]'));
  gateway.kill('SIGHUP');
  for (let turn = 0; turn < 4; turn += 1)
    await expect
      .poll(async () => {
        const client = await agent(`reloaded-${turn}`);
        const said = await outcome(client.query('select body from notes'));
        await client.end();
        return said;
      }, patient)
      .toBe('42501');
  await writeFile(file, text);
  gateway.kill('SIGHUP');
  for (let turn = 0; turn < 4; turn += 1)
    await expect
      .poll(async () => {
        const client = await agent(`again-${turn}`);
        const said = await outcome(client.query('select body from notes'));
        await client.end();
        return said;
      }, patient)
      .toBe('done');
  await Promise.all([w1.end(), w2.end()]);
});

test('a worker that is killed takes its sessions with it, is started again, and no number falls', async () => {
  const { w1, w2, subs } = await oneOnEach('crash');
  const deleting = w1.query('delete from notes').catch(() => undefined);
  await expect.poll(held, patient).toBe(1);
  const before = await metric('sallyport_logins_total');
  const pid = await pidOf('w1');
  expect(pid).toBeGreaterThan(1);
  process.kill(pid ?? 0, 'SIGKILL');
  await w1.over;
  await deleting;
  expect((await w2.query('select count(*)::int as n from notes')).rows).toEqual([{ n: 10 }]);
  // Its hold is withdrawn and its session forgotten, without the wait for gateways that are only missed.
  const open = async () => [await held(), (await openSessions()).map(({ identity }) => identity)];
  await expect.poll(open, { timeout: 12_000, interval: 100 }).toEqual([0, [subs.w2]]);
  await expect.poll(() => pidOf('w1'), patient).toBeDefined();
  expect(await metric('sallyport_logins_total')).toBeGreaterThanOrEqual(before);
  await expect
    .poll(async () => (await (await fetch(`${ports.url}/readyz`)).json()) as object, patient)
    .toMatchObject({ w1: 'ok' });
  const again = await oneOnEach('after');
  await again.w1.query('select 1 from notes');
  await Promise.all([w2.end(), again.w1.end(), again.w2.end()]);
});

test('SIGTERM ends all of it, and every chain verifies', async () => {
  const { w1, w2 } = await oneOnEach('drain');
  const pids = [await pidOf('w1'), await pidOf('w2')];
  const code = endServing(gateway);
  await Promise.all([w1.over, w2.over]);
  expect(await code).toBe(0);
  for (const pid of pids) expect(() => process.kill(pid ?? 0, 0)).toThrow();
  const verified = await sallyport('audit', 'verify');
  expect(verified.code, verified.out + verified.err).toBe(0);
  for (const chain of ['main', 'w1', 'w2']) expect(verified.out).toContain(chain);
  expect(await readdir(config.audit.journal)).toEqual(expect.arrayContaining(['main', 'w1', 'w2']));
  const found = await sallyport('audit', 'search', '--identity', 'live-0', '--journal');
  expect(found.out).toContain('notes');
});
