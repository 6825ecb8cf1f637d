// The demo tells the truth: without a gateway between agent and database, each of its promises is seen to be broken.
import { PassThrough } from 'node:stream';
import pg from 'pg';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type AgentStage, playAgent } from '../../src/demo/agent.ts';
import { BrokenPromise } from '../../src/demo/broken-promise.ts';
import { runDemo } from '../../src/demo/index.ts';
import { loadShop } from '../../src/demo/load.ts';
import { serverLog } from '../../src/demo/server-log.ts';
import { show } from '../../src/demo/show.ts';
import { postgresServer } from '../support/postgres.ts';

const server = postgresServer();
const clients: pg.Client[] = [];

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server().url() });
  client.setTypeParser(pg.types.builtins.DATE, (text: string) => text);
  await client.connect();
  clients.push(client);
  return client;
}

beforeAll(async () => {
  const client = await connect();
  await loadShop(client, { seed: 7, customers: 50 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
});

async function stage(agent: pg.Client): Promise<{ readonly stage: AgentStage; readonly printed: () => string }> {
  const out = new PassThrough();
  const direct = await connect();
  return {
    stage: { show: show(out), agent, direct, log: serverLog(), records: async () => [], customer: 11 },
    printed: () => String(out.read() ?? ''),
  };
}

test('a row that comes back as it stands in the table fails the demo', async () => {
  const { stage: bare, printed } = await stage(await connect());
  await expect(playAgent(bare)).rejects.toThrow(new BrokenPromise('email was not masked'));
  expect(printed()).toContain('what the agent got');
});

test('a value that is not masked but changed fails the demo as well', async () => {
  const agent = await connect();
  await agent.query(
    "create temp view customers as select id, 'x' as name, 'x' as email, 'x' as ssn, 'x' as card_number, 'x' as phone, 'x' as birth_date, '{}' as address from public.customers",
  );
  const { stage: changed } = await stage(agent);
  await expect(playAgent(changed)).rejects.toThrow('name was changed on the way');
});

test('a DROP that goes through fails the demo', async () => {
  const agent = await connect();
  await agent.query(
    "create temp view customers as select id, name, 'x' as email, 'x' as ssn, 'x' as card_number, 'x' as phone, 'x' as birth_date, '{}' as address from public.customers",
  );
  await agent.query('begin');
  await agent.query('create temp table order_items (id integer)');
  const { stage: unguarded } = await stage(agent);
  await expect(playAgent(unguarded)).rejects.toThrow('DROP TABLE order_items was not refused');
});

test('a gateway that does not start makes the exit code 1 and is named on the screen', async () => {
  const out = new PassThrough();
  const code = await runDemo({
    once: true,
    out,
    folder: `${server().directory}-demo`,
    size: { seed: 1, customers: 20 },
    startGateway: () => Promise.reject(new Error('the port is taken')),
    issueToken: () => Promise.reject(new Error('never asked')),
    readRecords: () => Promise.reject(new Error('never asked')),
  });
  const text = String(out.read());
  expect(code).toBe(1);
  expect(text).toContain('✗ the gateway');
  expect(text).toContain('the port is taken');
  expect(text).not.toContain('\x1b');
});

test('Ctrl-C in the middle of the loading leaves nothing behind and is no success', async () => {
  const out = new PassThrough();
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1500);
  const code = await runDemo({
    once: true,
    out,
    folder: `${server().directory}-demo`,
    size: { seed: 1, customers: 400_000 },
    signal: stop.signal,
    startGateway: () => Promise.reject(new Error('never started')),
    issueToken: () => Promise.reject(new Error('never asked')),
    readRecords: () => Promise.reject(new Error('never asked')),
  });
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(String(out.read()))?.[1]);
  expect(code).toBe(130);
  if (Number.isInteger(port)) {
    const late = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: 'postgres' });
    await expect(late.connect()).rejects.toThrow(/ECONNREFUSED/);
  }
});
