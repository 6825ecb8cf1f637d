// One session through the relay, against a real server: queries, refusals, masks, cancel, records.
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresServer } from '../../support/postgres.ts';
import {
  allowed,
  errorOf,
  type Gateway,
  letters,
  RawClient,
  refusal,
  rowsOf,
  type Script,
  say,
  stars,
  startGateway,
  statusOf,
  word,
} from './support.ts';

const server = postgresServer();
const gateways: Gateway[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
});

async function start(script: Script = {}): Promise<Gateway> {
  const gateway = await startGateway(server(), script);
  gateways.push(gateway);
  return gateway;
}

const denyDrops: Script = {
  judge: (text) =>
    /drop/i.test(text)
      ? { kind: 'deny', refusal: refusal('denied by rule "no-drops": DROP', { hint: 'Ask.', detail: 'record r1' }) }
      : undefined,
};

describe('with everything allowed', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });

  test('pg runs simple and prepared queries and gets the same values as directly', async () => {
    const client = new pg.Client({ connectionString: gateway.url() });
    await client.connect();
    const simple = await client.query('select 1 as a, null as b, $$x$$ as c');
    expect(simple.rows).toEqual([{ a: 1, b: null, c: 'x' }]);
    const prepared = await client.query({ name: 'p', text: 'select $1::int + 1 as n', values: [41] });
    expect(prepared.rows).toEqual([{ n: 42 }]);
    expect((await client.query({ name: 'p', text: 'select $1::int + 1 as n', values: [1] })).rows).toEqual([{ n: 2 }]);
    await expect(client.query('select * from nowhere')).rejects.toMatchObject({ code: '42P01', position: '15' });
    expect((await client.query('select 2 as b; select 3 as c')) as unknown).toMatchObject([
      { rows: [{ b: 2 }] },
      { rows: [{ c: 3 }] },
    ]);
    await client.end();
  });

  test('postgres.js pipelines, prepares, streams and copies', async () => {
    const sql = postgres(gateway.url(), { max: 1 });
    const numbers = await Promise.all([1, 2, 3, 4].map((n) => sql`select ${n}::int as n`));
    expect(numbers.map((rows) => rows[0]?.n)).toEqual([1, 2, 3, 4]);
    let seen = 0;
    await sql`select * from generate_series(1, 1000) as n`.cursor(100, (rows) => {
      seen += rows.length;
    });
    expect(seen).toBe(1000);
    await sql`create temporary table t (a int, b text)`;
    const writable = await sql`copy t from stdin`.writable();
    await new Promise<void>((resolve, reject) => {
      writable.on('finish', resolve).on('error', reject);
      writable.end('1\tone\n2\ttwo\n');
    });
    expect(await sql`select count(*)::int as n from t`).toEqual([{ n: 2 }]);
    await sql.end();
  });

  test('every run is settled once, with its tag, rows and bytes', async () => {
    gateway.settled.length = 0;
    const client = await RawClient.open(gateway.port);
    await client.ask(say.query('select 1; select 2, 3; select 1/0; select 4'));
    expect(gateway.settled.map(({ outcome }) => outcome.kind)).toEqual(['completed', 'completed', 'failed', 'not-run']);
    expect(gateway.settled[0]?.outcome).toMatchObject({ tag: 'SELECT 1', rows: 1, bytes: 12 });
    expect(gateway.settled[2]?.outcome).toMatchObject({ sqlstate: '22012', rows: 0 });
    gateway.settled.length = 0;
    await client.ask(
      say.parse('', 'select 1/0'),
      say.bind('', ''),
      say.execute(''),
      say.parse('', 'select 1'),
      say.bind('', ''),
      say.execute(''),
      say.sync,
    );
    // The server fails while planning, so the first was never executed: nothing of the pipeline was.
    expect(new Set(gateway.settled.map(({ outcome }) => outcome.kind))).toEqual(new Set(['not-run']));
    await client.close();
  });

  test('a suspended portal is one run, settled when its transaction ends', async () => {
    gateway.settled.length = 0;
    const client = await RawClient.open(gateway.port);
    const answer = await client.ask(
      say.parse('', 'select * from generate_series(1, 5)'),
      say.bind('', ''),
      say.execute('', 2),
      say.execute('', 2),
      say.sync,
    );
    expect(letters(answer)).toBe('12DDsDDsZ');
    expect(gateway.settled).toHaveLength(1);
    expect(gateway.settled[0]?.outcome).toMatchObject({ kind: 'completed', rows: 4 });
    await client.close();
  });

  test('what the client had in flight when it left is carried out and settled', async () => {
    gateway.settled.length = 0;
    const client = await RawClient.open(gateway.port);
    client.socket.end(Buffer.concat([say.query('select pg_sleep(0.2)'), say.terminate]));
    await client.until(() => client.closed);
    await expect.poll(() => gateway.settled[0]?.outcome.kind).toBe('completed');
    expect(gateway.ends.at(-1)).toBe('client left');
  });

  test('a 64 MB value passes in constant memory', async () => {
    const client = new pg.Client({ connectionString: gateway.url() });
    await client.connect();
    const { rows } = await client.query("select repeat('x', 64 * 1024 * 1024) as big");
    expect(rows[0].big).toHaveLength(64 * 1024 * 1024);
    await client.query({ text: 'select length($1::text)', values: ['y'.repeat(20 * 1024 * 1024)] });
    await client.end();
  });

  test('a CancelRequest reaches the right statement, and only with the right key', async () => {
    const client = new pg.Client({ connectionString: gateway.url() });
    await client.connect();
    const running = client.query('select pg_sleep(20)');
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const cancel = async (secret: number) => {
      const raw = await RawClient.connect(gateway.port);
      const bytes = Buffer.alloc(16);
      [16, 80877102, processID, secret].forEach((value, index) => void bytes.writeInt32BE(value, index * 4));
      raw.send(bytes);
      await raw.until(() => raw.closed);
    };
    await cancel(secretKey ^ 1);
    const first = await Promise.race([
      running.catch(() => 'failed'),
      new Promise((r) => setTimeout(r, 300, 'running')),
    ]);
    expect(first).toBe('running');
    await cancel(secretKey);
    await expect(running).rejects.toMatchObject({ code: '57014' });
    await client.end();
  });
});

describe('a refusal', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start(denyDrops);
  });

  test('is an error with its fields, and the session goes on', async () => {
    const client = new pg.Client({ connectionString: gateway.url() });
    await client.connect();
    await expect(client.query('drop table customers')).rejects.toMatchObject({
      severity: 'ERROR',
      code: '42501',
      message: 'sallyport: denied by rule "no-drops": DROP',
      hint: 'Ask.',
      detail: 'record r1',
    });
    await expect(client.query({ text: 'drop table customers where $1', values: [1] })).rejects.toMatchObject({
      code: '42501',
    });
    expect((await client.query('select 1 as a')).rows).toEqual([{ a: 1 }]);
    await client.end();
  });

  test('in a pipeline aborts the implicit transaction as the server would', async () => {
    const client = await RawClient.open(gateway.port);
    await client.ask(say.query('create temporary table kept (a int)'));
    const answer = await client.ask(
      say.parse('', 'insert into kept values (1)'),
      say.bind('', ''),
      say.execute(''),
      say.parse('', 'drop table kept'),
      say.bind('', ''),
      say.execute(''),
      say.sync,
      say.query('select count(*) from kept'),
    );
    expect(letters(answer)).toBe('12CEZTDCZ');
    expect(errorOf(answer)).toMatchObject({ C: '42501' });
    expect(rowsOf(answer)).toEqual([['0']]);
    await client.close();
  });

  test('fails an explicit transaction, also one that has failed already', async () => {
    const client = await RawClient.open(gateway.port);
    await client.ask(say.query('begin'));
    expect(statusOf(await client.ask(say.query('drop table kept')))).toBe('E');
    const again = await client.ask(say.parse('', 'drop table kept'), say.sync);
    expect(letters(again)).toBe('EZ');
    expect(errorOf(again)).toMatchObject({ C: '42501' });
    expect(statusOf(again)).toBe('E');
    expect(errorOf(await client.ask(say.query('select 1')))).toMatchObject({ C: '25P02' });
    expect(statusOf(await client.ask(say.query('rollback')))).toBe('I');
    await client.close();
  });

  test('at the run of a prepared statement replaces only that run', async () => {
    const gated = await start({
      open: (text, parameters) =>
        parameters?.count === 1 && parameters.value(0)?.toString() === 'secret'
          ? { kind: 'refused', refusal: refusal(`denied: ${text}`) }
          : undefined,
    });
    const client = await RawClient.open(gated.port);
    await client.ask(say.parse('s', 'select $1::text'), say.sync);
    const answer = await client.ask(
      say.bind('', 's', ['fine']),
      say.execute(''),
      say.sync,
      say.bind('', 's', ['secret']),
      say.execute(''),
      say.sync,
      say.bind('', 's', ['fine']),
      say.execute(''),
      say.sync,
    );
    expect(letters(answer)).toBe('2DCZ2EZ2DCZ');
    await client.close();
  });
});

describe('masks', () => {
  const script: Script = {
    masks: (field) => ({ ssn: stars, email: word('hidden@example.com') })[field.name],
  };
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start(script);
  });
  const text = "select 1 as id, '123' as ssn, 'a@b.c' as email, null::text as ssn, 'plain' as rest";

  test('cover simple, prepared and described results alike', async () => {
    const client = await RawClient.open(gateway.port);
    const masked = [['1', '***', 'hidden@example.com', null, 'plain']];
    expect(rowsOf(await client.ask(say.query(text)))).toEqual(masked);
    const described = await client.ask(
      say.parse('', text),
      say.bind('', ''),
      say.describe('P', ''),
      say.execute(''),
      say.sync,
    );
    expect(letters(described)).toBe('12TDCZ');
    expect(rowsOf(described)).toEqual(masked);
    // No Describe by the client: the relay asks itself, and keeps the answer to itself.
    const blind = await client.ask(say.parse('', text), say.bind('', ''), say.execute(''), say.sync);
    expect(letters(blind)).toBe('12DCZ');
    expect(rowsOf(blind)).toEqual(masked);
    await client.ask(say.parse('named', text), say.describe('S', 'named'), say.sync);
    expect(rowsOf(await client.ask(say.bind('', 'named'), say.execute(''), say.sync))).toEqual(masked);
    await client.close();
  });

  test('cover many rows over many chunks', async () => {
    const client = await RawClient.open(gateway.port);
    const many = await client.ask(
      say.query(
        "select n, 'secret' || n as ssn, 'someone' || n || '@example.org' as email, repeat('r', n % 50) from generate_series(1, 20000) n",
      ),
    );
    const rows = rowsOf(many);
    expect(rows).toHaveLength(20_000);
    rows.forEach((row, index) => {
      expect(row).toEqual([
        String(index + 1),
        '*'.repeat(6 + String(index + 1).length),
        'hidden@example.com',
        'r'.repeat((index + 1) % 50),
      ]);
    });
    await client.close();
  });
});

describe('a hold', () => {
  test('tells the client, waits, and goes on with the decision', async () => {
    let decide: (ok: boolean) => void = () => {};
    const script: Script = {
      judge: (text) =>
        text.startsWith('delete')
          ? {
              kind: 'hold',
              notice: 'sallyport: waiting for approval',
              decision: new Promise((resolve) => {
                decide = (ok) =>
                  resolve(
                    ok
                      ? allowed(script, 'select 5 as approved')
                      : { kind: 'deny', refusal: refusal('refused', { kind: 'approval' }) },
                  );
              }),
              withdraw: () => decide(false),
            }
          : undefined,
    };
    const gateway = await start(script);
    const client = await RawClient.open(gateway.port);
    client.messages.length = 0;
    client.send(say.query('delete from t'), say.query('select 6'));
    await client.until((received) => received.length > 0);
    expect(errorOf(client.messages, 'N')).toMatchObject({ S: 'NOTICE', M: 'sallyport: waiting for approval' });
    decide(true);
    expect(rowsOf(await client.take(2))).toEqual([['5'], ['6']]);
    client.send(say.parse('', 'delete from t'), say.sync);
    await client.until((received) => received.length > 0);
    decide(false);
    expect(errorOf(await client.take())).toMatchObject({ C: '57014' });
    client.send(say.query('delete from t'));
    await client.until((received) => received.length > 0);
    // The client leaves: the hold is withdrawn.
    client.socket.destroy();
    await expect.poll(() => gateway.ends.length).toBe(1);
  });
});

describe('limits', () => {
  test('a result ends with an error after max-rows, and its transaction has failed', async () => {
    const gateway = await start({ plan: { maxRows: 3 } });
    const client = await RawClient.open(gateway.port);
    const exact = await client.ask(say.query('select * from generate_series(1, 3)'));
    expect(letters(exact)).toBe('TDDDCZ');
    const cut = await client.ask(say.query('select * from generate_series(1, 4)'));
    expect(letters(cut)).toBe('TDDDEZ');
    expect(errorOf(cut)).toMatchObject({ C: '54000', M: 'sallyport: the result was ended after 3 rows' });
    await client.ask(say.query('begin'));
    const extended = await client.ask(
      say.parse('', 'select * from generate_series(1, 1000000)'),
      say.bind('', ''),
      say.execute(''),
      say.sync,
    );
    expect(letters(extended)).toBe('12DDDEZ');
    expect(statusOf(extended)).toBe('E');
    await client.ask(say.query('rollback'));
    const several = await client.ask(say.query('select 1; select generate_series(1, 10000000)'));
    expect(letters(several)).toBe('TDCTDDDEZ');
    expect(rowsOf(await client.ask(say.query('select 7')))).toEqual([['7']]);
    await client.close();
  });

  test('a text that is too long is refused and the session goes on', async () => {
    const gateway = await start({ limits: { maxStatementBytes: 1000 } });
    const client = await RawClient.open(gateway.port);
    const long = `select '${'x'.repeat(200_000)}'`;
    expect(errorOf(await client.ask(say.query(long)))).toMatchObject({ C: '54000' });
    expect(errorOf(await client.ask(say.parse('', long), say.bind('', ''), say.sync))).toMatchObject({ C: '54000' });
    expect(rowsOf(await client.ask(say.query('select 1')))).toEqual([['1']]);
    await client.close();
  });
});
