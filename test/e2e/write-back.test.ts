// Agents write back what they read: what a mask put out is refused in the column it came from, and every other write goes through.
import pg from 'pg';
import { beforeEach, expect, test } from 'vitest';
import type { StatementRecord } from '../../src/audit/index.ts';
import { execute } from '../support/postgres.ts';
import { house } from './support.ts';

const at = house({
  schema: [
    `create table people (
       id int primary key, ssn text, email varchar(60), token text, born date, salary numeric(10,2), code uuid, raw bytea, note text,
       doc jsonb, tags text[])`,
    `create role gateway login password 'gateway-secret'`,
    'grant all on all tables in schema public to gateway',
    'grant all on schema public to gateway',
  ],
  policy: `
roles:
  - name: agent
    groups: [crew-agent]
    targets: [shop]
    allow: [read, write, session]
rules: []
masks:
  - columns: ["*.*.people.ssn"]
    mask: { keep-last: 4 }
  - columns: ["*.*.people.email"]
    mask: email
  - columns: ["*.*.people.token", "*.*.people.code", "*.*.people.raw"]
    mask: hash
  - columns: ["*.*.people.born"]
    mask: year
  - columns: ["*.*.people.salary", "*.*.people.tags"]
    mask: redact
  - columns: ["*.*.people.doc"]
    mask: { paths: ["$.contact.ssn"] }
`,
});

beforeEach(() =>
  execute(
    at().server.url(),
    'truncate people',
    `insert into people values (1, '912-84-0001', 'jane@example.com', 'a token', '1980-05-06', 1234.50, gen_random_uuid(), '\\x0102', 'free',
       '{"contact": {"ssn": "912-84-0001"}}', '{red,green}')`,
  ),
);

const agent = ['crew-agent'];

async function refused(run: Promise<unknown>): Promise<pg.DatabaseError> {
  const error = await run.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof pg.DatabaseError)) throw new Error(`expected a refusal, got ${String(error)}`);
  expect(error.message).toContain('sallyport: denied by rule "masked-write-back"');
  expect(error.code).toBe('42501');
  return error;
}

const columns = ['ssn', 'email', 'token', 'born', 'salary', 'code', 'raw', 'doc', 'tags'] as const;

test('every masked column refuses what was read from it, as a parameter and as a literal', async () => {
  await at().connected(async (client) => {
    const { rows } = await client.query({
      text: `select ${columns.map((name) => `${name}::text`).join()} from people`,
      rowMode: 'array',
    });
    // Casts make an output computed, and so redacted whole; the columns themselves are read here.
    expect(rows).toHaveLength(1);
    const types = { getTypeParser: () => (value: string) => value };
    const read = await client.query({ text: `select ${columns.join()} from people`, types } as pg.QueryConfig);
    for (const name of columns) {
      const value = read.rows[0][name] as string;
      expect(typeof value, name).toBe('string');
      await refused(client.query(`update people set ${name} = $1 where id = 1`, [value]));
      await refused(client.query(`update people set ${name} = ${pg.escapeLiteral(value)} where id = 1`));
      await refused(client.query(`insert into people (id, ${name}) values (2, null), (3, $1)`, [value]));
    }
    const error = await refused(client.query(`update people set ssn = $1 where id = 1`, [read.rows[0].ssn]));
    expect(error.message).toContain('UPDATE people');
    expect(error.message).not.toContain(read.rows[0].ssn);
    expect(error.hint).toContain('ssn is masked');
    expect(error.detail).toMatch(/^record /);
  }, agent);
});

test('what a driver made of the values is known again too', async () => {
  await at().connected(async (client) => {
    const { rows } = await client.query('select * from people');
    for (const name of columns) {
      const value = name === 'doc' ? JSON.stringify(rows[0][name]) : rows[0][name];
      await refused(client.query(`update people set ${name} = $1 where id = 1`, [value]));
    }
  }, agent);
});

test('parameters in the binary format are looked at', async () => {
  await at().connected(async (client) => {
    const { rows } = await client.query({ text: 'select ssn, token, raw from people', binary: true } as pg.QueryConfig);
    // node-postgres sends a Buffer in the binary format.
    await refused(client.query('update people set ssn = $1 where id = 1', [Buffer.from(rows[0].ssn)]));
    await refused(client.query('update people set token = $1 where id = 1', [Buffer.from(rows[0].token)]));
    await refused(client.query('update people set raw = $1 where id = 1', [rows[0].raw]));
    await client.query('update people set raw = $1 where id = 1', [Buffer.from([1, 2, 3])]);
  }, agent);
});

test('a prepared statement is refused for the run that brings a masked value, and runs on with others', async () => {
  await at().connected(async (client) => {
    const set = (ssn: string) =>
      client.query({ name: 'set', text: 'update people set ssn = $1 where id = 1', values: [ssn] });
    await set('912-84-0002');
    await refused(set('*******0001'));
    await set('912-84-0003');
    await client.query('begin');
    await client.query("update people set note = 'kept' where id = 1");
    await client.query('commit');
    await client.query('prepare p as update people set ssn = $1, note = $2 where id = 1');
    await refused(client.query("execute p('*******0001', 'x')"));
    await client.query("execute p('912-84-0004', '*******0001')");
  }, agent);
  const { rows } = await query('select ssn, note from people');
  expect(rows).toEqual([{ ssn: '912-84-0004', note: '*******0001' }]);
});

test('all ways of writing are looked at', async () => {
  await at().connected(async (client) => {
    for (const sql of [
      "insert into people (id, ssn) values (2, '912-84-0002'), (3, '*******0001')",
      "insert into people (id, ssn) select 2, '*******0001'",
      "insert into people (id, ssn) values (1, null) on conflict (id) do update set ssn = '*******0001'",
      "update people set (note, ssn) = ('x', '*******0001') where id = 1",
      "update people set ssn = coalesce('*******0001', ssn) where id = 1",
      "update people set ssn = case when id = 1 then '*******0001' end where id = 1",
      "update people set ssn = (select '*******0001') where id = 1",
      "update people set ssn = '*******0001'::text where id = 1",
      "merge into people using (values (1)) v(i) on id = v.i when matched then update set ssn = '*******0001'",
      "with w as (update people set ssn = '*******0001' where id = 1 returning id) select * from w",
      "update people set note = 'x' where id = 1; update people set ssn = '*******0001' where id = 1",
    ]) {
      await refused(client.query(sql));
    }
  }, agent);
  expect((await query('select ssn, note from people')).rows).toEqual([{ ssn: '912-84-0001', note: 'free' }]);
});

test('true values, NULL and other columns are written', async () => {
  await at().connected(async (client) => {
    await client.query("update people set ssn = '912-84-0009', email = $1, born = $2, salary = $3 where id = 1", [
      'joe@example.com',
      '1981-02-03',
      99.5,
    ]);
    await client.query('update people set ssn = null, tags = $1, doc = $2 where id = 1', [
      ['blue'],
      { contact: { ssn: '912-84-0007' } },
    ]);
    await client.query("update people set note = '*******0001' where id = 1");
    await client.query('insert into people (id, note) values (2, $1)', ['[redacted]']);
  }, agent);
});

test('a refused write is on record, and neither the message nor the record holds the value', async () => {
  await at().connected(
    (client) => refused(client.query('update people set email = $1 where id = 1', ['q***@secret.example'])),
    agent,
  );
  await at().connected(
    (client) => refused(client.query("update people set email = 'r***@secret.example' where id = 1")),
    agent,
  );
  const records = await at().records();
  const denied = records.filter(
    (record): record is StatementRecord => record.event === 'statement' && record.rule === 'masked-write-back',
  );
  expect(denied.length).toBeGreaterThanOrEqual(2);
  expect(denied.every(({ verdict }) => verdict === 'deny')).toBe(true);
  expect(JSON.stringify(denied)).not.toContain('secret.example');
});

async function query(sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: at().server.url() });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}
