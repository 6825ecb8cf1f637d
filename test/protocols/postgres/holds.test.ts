// Runs that wait for a person, at their opening: in the simple and the extended protocol, beside what else is on the wire.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test, vi } from 'vitest';
import type { Execution, Opened, Outcome, RecordId } from '../../../protocols/gate.ts';
import { postgresServer } from '../../support/postgres.ts';
import {
  errorOf,
  type Gateway,
  letters,
  RawClient,
  refusal,
  rowsOf,
  type Script,
  say,
  startGateway,
  statusOf,
} from './support.ts';

const server = postgresServer();
const gateways: Gateway[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
});

interface Desk {
  readonly script: Script;
  readonly shown: (string | undefined)[];
  readonly outcomes: Outcome[];
  decide(agree: boolean): void;
  withdrawn: number;
}

/** A gate that holds every run of a text with `held` in it. */
function desk(more: Script = {}): Desk {
  const shown: (string | undefined)[] = [];
  const outcomes: Outcome[] = [];
  let decide: (agree: boolean) => void = () => undefined;
  const execution = (): Execution => ({
    record: 'r1' as RecordId,
    settle: (outcome) => void outcomes.push(outcome),
  });
  const made: Desk = {
    script: {
      ...more,
      open(text, parameters): Opened | undefined {
        if (!text.includes('held')) return undefined;
        shown.push(parameters?.value(0)?.toString());
        return {
          kind: 'hold',
          notice: 'sallyport: it waits',
          decision: new Promise((resolve) => {
            decide = (agree) =>
              resolve(
                agree
                  ? { kind: 'opened', execution: execution() }
                  : { kind: 'refused', refusal: refusal('refused', { kind: 'approval' }) },
              );
          }),
          withdraw() {
            made.withdrawn += 1;
            decide(false);
          },
        };
      },
    },
    shown,
    outcomes,
    decide: (agree) => decide(agree),
    withdrawn: 0,
  };
  return made;
}

async function start(script: Script): Promise<Gateway> {
  const gateway = await startGateway(server(), script);
  gateways.push(gateway);
  return gateway;
}

const noticed = (client: RawClient) => client.until((received) => received.some(({ type }) => type === 'N'));

test('an Execute waits with the values of its Bind, and the pipeline behind it goes on in order', async () => {
  const held = desk();
  const gateway = await start(held.script);
  const client = await RawClient.open(gateway.port);
  client.messages.length = 0;
  client.send(
    say.parse('', 'select $1::text || /* held */ $2::text'),
    say.bind('', '', ['a', 'b']),
    say.execute(''),
    say.sync,
    say.query('select 6'),
  );
  await noticed(client);
  expect(errorOf(client.messages, 'N')).toMatchObject({ S: 'NOTICE', M: 'sallyport: it waits' });
  expect(held.shown).toEqual(['a']);
  await sleep(50);
  expect(letters(client.messages)).not.toContain('D');
  held.decide(true);
  const all = await client.take(2);
  expect(letters(all).replace('N', '')).toBe('12DCZTDCZ');
  expect(rowsOf(all)).toEqual([['ab'], ['6']]);
  expect(held.outcomes).toMatchObject([{ kind: 'completed' }]);
  await client.close();
});

test('a refused Execute fails like one that the server refuses: the rest of the pipeline up to Sync is skipped', async () => {
  const held = desk();
  const gateway = await start(held.script);
  const client = await RawClient.open(gateway.port);
  await client.ask(say.query('create temp table t (n int)'));
  client.messages.length = 0;
  client.send(
    say.parse('', 'insert into t values (1)'),
    say.bind('', ''),
    say.execute(''),
    say.parse('', 'insert into t values (2) /* held */'),
    say.bind('', ''),
    say.execute(''),
    say.parse('', 'insert into t values (3)'),
    say.bind('', ''),
    say.execute(''),
    say.sync,
  );
  await noticed(client);
  held.decide(false);
  const all = await client.take(1);
  expect(errorOf(all)).toMatchObject({ C: '57014', M: 'sallyport: refused' });
  expect(statusOf(all)).toBe('I');
  expect(rowsOf(await client.ask(say.query('select count(*) from t')))).toEqual([['0']]);
  await client.close();
});

test('a simple query whose second statement waits is sent when that one may run, or not at all', async () => {
  const held = desk();
  const gateway = await start(held.script);
  const client = await RawClient.open(gateway.port);
  client.messages.length = 0;
  client.send(say.query('select 1; select 2 as held; select 3'));
  await noticed(client);
  held.decide(true);
  expect(rowsOf(await client.take(1))).toEqual([['1'], ['2'], ['3']]);
  client.send(say.query('select 1; select 2 as held; select 3'));
  await noticed(client);
  held.decide(false);
  const refused = await client.take(1);
  expect(letters(refused)).toBe('NEZ');
  expect(gateway.settled.slice(-1)).toMatchObject([{ text: 'select 1', outcome: { kind: 'not-run' } }]);
  await client.close();
});

test('a client that waits is told so again', async () => {
  const held = desk({ limits: { reminderMs: 40 } });
  const gateway = await start(held.script);
  const client = await RawClient.open(gateway.port);
  client.messages.length = 0;
  client.send(say.query('select 1 as held'));
  await client.until((received) => received.filter(({ type }) => type === 'N').length >= 3);
  held.decide(true);
  await client.take(1);
  await sleep(100);
  expect(client.messages).toEqual([]);
  await client.close();
});

test('a client that leaves, or ends its side, withdraws what waits', async () => {
  const held = desk();
  const gateway = await start(held.script);
  const gone = await RawClient.open(gateway.port);
  gone.send(say.parse('', 'select 1 as held'), say.bind('', ''), say.execute(''), say.sync);
  await noticed(gone);
  gone.socket.destroy();
  await expect.poll(() => held.withdrawn).toBe(1);
  await expect.poll(() => gateway.ends.length).toBe(1);
  const left = await RawClient.open(gateway.port);
  left.send(say.query('select 1 as held'), say.terminate);
  left.socket.end();
  await expect.poll(() => held.withdrawn).toBe(2);
  await expect.poll(() => gateway.ends.length).toBe(2);
  expect(held.outcomes).toEqual([]);
});

test("the server's own time limit does not run against a statement that waits for a person", async () => {
  const held = desk({ upstream: { parameters: new Map([['statement_timeout', '300']]) } });
  const gateway = await start(held.script);
  const client = await RawClient.open(gateway.port);
  client.messages.length = 0;
  client.send(say.parse('', 'select $1::text as held'), say.bind('', '', ['x']), say.execute(''), say.sync);
  await noticed(client);
  await sleep(700);
  held.decide(true);
  expect(rowsOf(await client.take(1))).toEqual([['x']]);
  client.messages.length = 0;
  client.send(say.query('select pg_sleep(2)'));
  expect(errorOf(await client.take(1))).toMatchObject({ C: '57014' });
  expect(rowsOf(await client.ask(say.query('select 1')))).toEqual([['1']]);
  await client.close();
});

test.each([
  ['a simple query', [say.query('select 1 as slow')]],
  ['an Execute', [say.parse('', 'select 1 as slow'), say.bind('', ''), say.execute(''), say.sync]],
])('%s whose record is still being written when its session ends is settled as not run', async (_name, sent) => {
  const settled: Outcome[] = [];
  let write: (() => void) | undefined;
  const execution: Execution = { record: 'r1' as RecordId, settle: (outcome) => void settled.push(outcome) };
  const gateway = await start({
    open: () =>
      new Promise((resolve) => {
        write = () => resolve({ kind: 'opened', execution });
      }),
  });
  const client = await RawClient.open(gateway.port);
  client.send(...sent);
  await vi.waitFor(() => expect(write).toBeDefined());
  gateway.endSessions(refusal('revoked'));
  await client.until(() => client.closed);
  write?.();
  await vi.waitFor(() => expect(settled).toEqual([{ kind: 'not-run', rows: 0, bytes: 0 }]));
});
