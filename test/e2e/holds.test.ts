// Held statements from end to end with a stock driver: what the client sees while it waits, what decides, and what is on record.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { Approvals, Hold, Person } from '../../src/approvals/index.ts';
import type { EventRecord, StatementRecord } from '../../src/audit/index.ts';
import { house, shopPolicy, shopSchema } from './support.ts';

const policy = shopPolicy
  .replace(
    `    on: { verbs: [update, delete], unbounded: true }
    then: deny`,
    `    on: { verbs: [update, delete], unbounded: true }
    then: hold
    approvers: { groups: [dba], count: 1, timeout: 10m }
  - name: two-for-orders
    on: { verbs: [insert], tables: ["public.orders"] }
    then: hold
    approvers: { groups: [dba], count: 2, timeout: 10m }
  - name: quick
    on: { verbs: [merge] }
    then: hold
    approvers: { groups: [dba], timeout: 1s }`,
  )
  .replace(
    `masks:`,
    `masks:
  - columns: ["shop.public.secrets.code"]
    mask: redact`,
  );

const at = house({
  policy,
  schema: [
    ...shopSchema,
    'create table notes (id int primary key, body text)',
    `insert into notes select n, 'note ' || n from generate_series(1, 50) n`,
    'create table secrets (id int primary key, code text)',
    `insert into secrets values (1, 'tango-42')`,
    'grant all on all tables in schema public to gateway',
    'analyze',
  ],
});

const anna: Person = { kind: 'identity', issuer: 'https://people', subject: 'anna', name: 'anna', groups: ['dba'] };
const boris: Person = { kind: 'identity', issuer: 'https://people', subject: 'boris', name: 'boris', groups: ['dba'] };

const approvals = (): Approvals => {
  const { approvals: room } = at().gateway;
  if (room === undefined) throw new Error('the gateway has a store');
  return room;
};

async function waiting(text: string): Promise<Hold> {
  for (let turn = 0; turn < 1600; turn++) {
    const found = (await approvals().holds.list()).find((hold) => hold.text.includes(text));
    if (found !== undefined) return found;
    await sleep(25);
  }
  throw new Error(`nothing waits: ${text}`);
}

async function failure(run: Promise<unknown>): Promise<pg.DatabaseError> {
  const error = await run.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof pg.DatabaseError) return error;
  throw new Error(`expected an error of the database, got ${String(error)}`);
}

const agent = <T>(use: (client: pg.Client) => Promise<T>) => at().connected(use, ['crew-agent']);

async function statements(text: string): Promise<StatementRecord[]> {
  return (await at().records()).filter(
    (record): record is StatementRecord => record.event === 'statement' && record.text.includes(text),
  );
}

async function steps(hold: string): Promise<EventRecord[]> {
  return (await at().records()).filter(
    (record): record is EventRecord => record.event === 'approval' && record.details.hold === hold,
  );
}

test('a held statement waits with a notice, runs once somebody has agreed, and every step is on record', async () => {
  await agent(async (client) => {
    const notices: string[] = [];
    client.on('notice', (notice) => notices.push(notice.message ?? ''));
    const run = client.query(`update notes set body = 'held once'`);
    const hold = await waiting('held once');
    expect(hold).toMatchObject({
      state: 'pending',
      identity: 'crew-support-7',
      target: 'shop',
      role: 'agent',
      rule: 'unbounded-writes',
      message: 'held by rule "unbounded-writes": UPDATE notes (no WHERE)',
      text: `update notes set body = 'held once'`,
      parameters: [],
      estimate: { kind: 'estimate', rows: 50 },
      approvers: { groups: ['dba'], count: 1 },
    });
    await expect.poll(() => notices.length).toBe(1);
    expect(notices[0]).toContain(`waits for a member of dba`);
    expect(notices[0]).toContain(hold.id);
    expect(await approvals().holds.decide(hold.id, { verdict: 'approve', by: anna })).toMatchObject({ kind: 'taken' });
    expect((await run).rowCount).toBe(50);
    expect((await client.query('select count(*)::int as n from notes where body = $1', ['held once'])).rows).toEqual([
      { n: 50 },
    ]);
    const [record] = await statements('held once');
    expect(record).toMatchObject({ verdict: 'hold', rule: 'unbounded-writes', role: 'agent', record: hold.record });
    const told = await steps(hold.id);
    expect(told.map(({ details }) => details.step)).toEqual(['requested', 'approved']);
    expect(told[1]).toMatchObject({ details: { by: 'anna', statement: hold.record, agreed: 'anna' } });
    const settled = (await at().records()).filter((each) => each.event === 'settled' && each.record === hold.record);
    expect(settled).toMatchObject([{ outcome: 'completed', tag: 'UPDATE 50' }]);
    const order = (await at().records()).filter(
      (each) => each.record === hold.record || (each.event === 'approval' && each.details.hold === hold.id),
    );
    expect(order.map(({ event }) => event)).toEqual(['statement', 'approval', 'approval', 'settled']);
  });
});

test('a refused statement fails with 57014, the rule and the reason, and the session goes on', async () => {
  await agent(async (client) => {
    const run = failure(client.query('delete from notes -- refused'));
    const hold = await waiting('refused');
    await approvals().holds.decide(hold.id, { verdict: 'deny', by: anna, reason: 'not on a Friday' });
    const error = await run;
    expect(error.code).toBe('57014');
    expect(error.message).toBe(
      'sallyport: denied by rule "unbounded-writes": DELETE FROM notes (refused by an approver: not on a Friday)',
    );
    expect(error.detail).toBe(`record ${hold.record}`);
    expect((await client.query('select count(*)::int as n from notes')).rows).toEqual([{ n: 50 }]);
    expect(await approvals().holds.decide(hold.id, { verdict: 'approve', by: boris })).toMatchObject({ why: 'over' });
    expect((await steps(hold.id)).map(({ details }) => details.step)).toEqual(['requested', 'denied']);
  });
});

test('without a decision in time the statement is refused and the rule is named', async () => {
  await agent(async (client) => {
    const error = await failure(
      client.query('merge into notes n using notes m on n.id = m.id when matched then do nothing /* late */'),
    );
    expect(error.code).toBe('57014');
    expect(error.message).toContain('denied by rule "quick"');
    expect(error.message).toContain('nobody decided in time');
    const [hold] = await approvals().holds.list({ states: ['expired'] });
    expect(hold?.text).toContain('late');
    expect(await approvals().holds.decide(hold?.id ?? '', { verdict: 'approve', by: anna })).toMatchObject({
      why: 'over',
    });
  });
});

test('parameters of an extended query are shown as they are bound, and each run is decided on alone', async () => {
  await agent(async (client) => {
    const run = client.query({ name: 'set-all', text: 'update notes set body = $1 /* bound */', values: ['first'] });
    const hold = await waiting('bound');
    expect(hold.parameters).toEqual([{ text: 'first', masked: false }]);
    expect(hold.estimate).toMatchObject({ kind: 'estimate', rows: 50 });
    await approvals().holds.decide(hold.id, { verdict: 'approve', by: anna });
    expect((await run).rowCount).toBe(50);
    const again = failure(
      client.query({ name: 'set-all', text: 'update notes set body = $1 /* bound */', values: ['second'] }),
    );
    const second = await waiting('bound');
    expect(second.id).not.toBe(hold.id);
    expect(second.parameters).toEqual([{ text: 'second', masked: false }]);
    await approvals().holds.decide(second.id, { verdict: 'deny', by: anna });
    expect((await again).code).toBe('57014');
    expect((await client.query('select distinct body from notes')).rows).toEqual([{ body: 'first' }]);
    const records = await statements('/* bound */');
    expect(records.map(({ record, prepared }) => [record, prepared])).toEqual([
      [hold.record, undefined],
      [second.record, hold.record],
    ]);
  });
});

test('binary parameters are shown in words', async () => {
  await agent(async (client) => {
    const id = Buffer.alloc(4);
    id.writeInt32BE(77);
    const run = failure(
      client.query({
        text: 'update notes set id = id + $1::int4 /* binary */',
        values: [id],
        binary: true,
      } as pg.QueryConfig),
    );
    const hold = await waiting('binary');
    expect(hold.parameters).toEqual([{ text: expect.stringMatching(/^(77|\\x0000004d)$/), masked: false }]);
    await approvals().holds.decide(hold.id, { verdict: 'deny', by: anna });
    await run;
  });
});

test('no literal and no parameter is shown where a masked column is touched', async () => {
  await agent(async (client) => {
    const literal = failure(client.query(`update secrets set code = 'whisper-9'`));
    const first = await waiting('secrets');
    expect(first.text).toBe('update secrets set code = ?');
    await approvals().holds.decide(first.id, { verdict: 'deny', by: anna });
    await literal;
    const bound = failure(client.query('update secrets set code = $1', ['whisper-9']));
    const second = await waiting('$1');
    expect(second.parameters).toEqual([{ text: '(not shown)', masked: true }]);
    await approvals().holds.decide(second.id, { verdict: 'deny', by: anna });
    await bound;
    const everything = JSON.stringify([await at().records(), await approvals().holds.list({ states: ['denied'] })]);
    expect(everything).not.toContain('whisper-9');
  });
});

test('what a text besides the held statement touches is not shown either, nor recorded when it is denied', async () => {
  await agent(async (client) => {
    const run = failure(
      client.query(`update secrets set code = 'whisper-8' where id = 1; update notes set body = 'beside'`),
    );
    const hold = await waiting('update notes set body');
    expect(hold.text).toBe('update secrets set code = ? where id = ?; update notes set body = ?');
    await approvals().holds.decide(hold.id, { verdict: 'deny', by: anna });
    await run;
    await failure(client.query(`update secrets set code = 'whisper-8' where id = 1; drop table notes`));
    expect(JSON.stringify(await at().records())).not.toContain('whisper-8');
  });
});

test('several must agree where the rule says so, nobody twice, nobody for themselves, nobody from outside', async () => {
  await agent(async (client) => {
    const run = client.query('insert into orders (id, customer_id, total) values (9001, 1, 5)');
    const { id, issuer } = await waiting('9001');
    const decide = (by: Person) => approvals().holds.decide(id, { verdict: 'approve', by });
    expect(
      await decide({ kind: 'identity', issuer, subject: 'crew-support-7', name: 'someone', groups: ['dba'] }),
    ).toMatchObject({ kind: 'refused', why: 'own' });
    expect(await decide({ ...anna, groups: ['crew-agent'] })).toMatchObject({ kind: 'refused', why: 'not-approver' });
    expect(await decide(anna)).toMatchObject({ kind: 'taken', now: { state: 'pending' } });
    expect(await decide(anna)).toMatchObject({ kind: 'refused', why: 'twice' });
    expect(await decide({ kind: 'operator', name: 'root' })).toMatchObject({
      kind: 'taken',
      now: { state: 'approved' },
    });
    expect((await run).rowCount).toBe(1);
    expect((await steps(id)).map(({ details }) => [details.step, details.agreed])).toEqual([
      ['requested', undefined],
      ['agreed', 'anna'],
      ['approved', 'anna, operator:root'],
    ]);
  });
});

test('one no is enough', async () => {
  await agent(async (client) => {
    const run = failure(client.query('insert into orders (id, customer_id, total) values (9002, 1, 5)'));
    const { id } = await waiting('9002');
    await approvals().holds.decide(id, { verdict: 'approve', by: anna });
    await approvals().holds.decide(id, { verdict: 'deny', by: boris });
    expect((await run).code).toBe('57014');
  });
});

test('a shape may be agreed to for a time, for this identity alone', async () => {
  const connect = async (name: string) => {
    const client = new pg.Client({ ...(await at().client()), password: await at().token(['crew-agent'], name) });
    await client.connect();
    return client;
  };
  const client = await connect('crew-1');
  const run = client.query(`update notes set body = 'shape one'`);
  const hold = await waiting('shape one');
  await approvals().holds.decide(hold.id, { verdict: 'approve', by: anna, forMs: 60_000 });
  await run;
  expect((await client.query(`update notes set body = 'shape two'`)).rowCount).toBe(50);
  const [record] = await statements('shape two');
  expect(record).toMatchObject({ verdict: 'hold', reason: expect.stringContaining(`agreed to by anna until`) });
  expect(record?.reason).toContain(hold.id);
  // Another shape, and another identity with the same one, wait all the same.
  const other = failure(client.query(`update notes set body = 'shape three', id = id`));
  await approvals().holds.decide((await waiting('shape three')).id, { verdict: 'deny', by: anna });
  expect((await other).code).toBe('57014');
  await client.end();
  const stranger = await connect('crew-8');
  const refused = failure(stranger.query(`update notes set body = 'shape four'`));
  await approvals().holds.decide((await waiting('shape four')).id, { verdict: 'deny', by: anna });
  expect((await refused).code).toBe('57014');
  await stranger.end();
});

test('a cancel request and a disconnect withdraw what waits, and it never runs', async () => {
  const settings = { ...(await at().client(['crew-agent'])) };
  const client = new pg.Client(settings);
  client.on('error', () => undefined);
  await client.connect();
  const run = failure(client.query(`update notes set body = 'cancelled'`));
  const hold = await waiting('cancelled');
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const cancel = new pg.Client(settings) as unknown as {
    connection: {
      connect(port: number, host: string): void;
      cancel(pid: number, key: number): void;
      on(event: string, run: () => void): void;
    };
  };
  cancel.connection.on('connect', () => cancel.connection.cancel(processID, secretKey));
  cancel.connection.connect(settings.port, settings.host);
  const error = await run;
  expect(error.code).toBe('57014');
  expect(error.message).toContain('withdrawn');
  await expect.poll(async () => (await approvals().holds.get(hold.id))?.state).toBe('withdrawn');

  const gone = client.query(`update notes set body = 'left'`).catch(() => undefined);
  const left = await waiting('left');
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  await gone;
  await expect.poll(async () => (await approvals().holds.get(left.id))?.state).toBe('withdrawn');
  expect(await approvals().holds.decide(left.id, { verdict: 'approve', by: anna })).toMatchObject({ why: 'over' });
  await sleep(100);
  const rows = await agent((other) =>
    other.query(`select count(*)::int as n from notes where body in ('cancelled', 'left')`),
  );
  expect(rows.rows).toEqual([{ n: 0 }]);
  await expect
    .poll(async () => (await steps(left.id)).map(({ details }) => details.step))
    .toEqual(['requested', 'withdrawn']);
});

test('a hold inside a transaction leaves it open while it waits, and aborts it when it is refused', async () => {
  await agent(async (client) => {
    await client.query('begin');
    await client.query(`update notes set body = 'in tx' where id = 1`);
    const run = client.query(`update notes set body = 'in tx all'`);
    await approvals().holds.decide((await waiting('in tx all')).id, { verdict: 'approve', by: anna });
    expect((await run).rowCount).toBe(50);
    const second = failure(client.query('delete from notes'));
    await approvals().holds.decide((await waiting('delete from notes')).id, { verdict: 'deny', by: anna });
    await second;
    expect((await failure(client.query('select 1'))).code).toBe('25P02');
    await client.query('rollback');
  });
});

test('a text with a held statement among others goes out whole or not at all', async () => {
  await agent(async (client) => {
    const text = `update notes set body = 'part' where id = 3; update notes set body = 'whole text'; select 1`;
    const refused = failure(client.query(text));
    const hold = await waiting('whole text');
    expect(hold.text).toBe(text);
    await approvals().holds.decide(hold.id, { verdict: 'deny', by: anna });
    await refused;
    expect((await client.query(`select count(*)::int as n from notes where body = 'part'`)).rows).toEqual([{ n: 0 }]);
    const run = client.query(text);
    await approvals().holds.decide((await waiting('whole text')).id, { verdict: 'approve', by: anna });
    expect(((await run) as unknown as pg.QueryResult[]).map(({ rowCount }) => rowCount)).toEqual([1, 50, 1]);
  });
});

test('what has changed while it waited counts: a statement that may no longer run is refused', async () => {
  await agent(async (client) => {
    await client.query('create table passing (id int)');
    const run = failure(client.query('delete from passing'));
    const hold = await waiting('delete from passing');
    await agent((other) => other.query('alter table notes add column extra int').catch(() => undefined));
    const owner = new pg.Client({ connectionString: at().server.url() });
    await owner.connect();
    await owner.query('drop table passing');
    await owner.end();
    await approvals().holds.decide(hold.id, { verdict: 'approve', by: anna });
    expect((await run).code).toMatch(/^(42P01|42501)$/);
  });
});
