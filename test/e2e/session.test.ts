// One agent's session, end to end, with a stock driver: what it sees, what the server sees, what is on record.
import pg from 'pg';
import { expect, test } from 'vitest';
import type { StatementRecord } from '../../src/audit/index.ts';
import { house } from './support.ts';

const at = house();

async function failure(run: Promise<unknown>): Promise<pg.DatabaseError> {
  const error = await run.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof pg.DatabaseError) return error;
  throw new Error(`expected an error of the database, got ${String(error)}`);
}

test('masked columns come back masked and the others untouched', async () => {
  const { rows } = await at().connected((client) => client.query('select * from customers where id = 7'));
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({
    id: 7,
    name: 'Name 7',
    ssn: '*******0007',
    card_number: '************0007',
    phone: '+1 555 010 0007',
  });
  expect(rows[0].email).not.toContain('user7');
  expect((rows[0].birth_date as Date).getMonth()).toBe(0);
  expect((rows[0].birth_date as Date).getDate()).toBe(1);
});

test('an alias, an expression, a CTE and a whole row do not talk around a mask', async () => {
  await at().connected(async (client) => {
    for (const sql of [
      'select ssn as nothing from customers where id = 7',
      'select upper(ssn) as x from customers where id = 7',
      'with c as (select ssn s from customers where id = 7) select s || $$!$$ as x from c',
      'select row_to_json(c) as x from customers c where id = 7',
      'select c::text as x from customers c where id = 7',
      'select (select ssn from customers i where i.id = o.id) as x from customers o where id = 7',
      'select ssn from customers where id = 6 union all select ssn from customers where id = 7',
      'select array_agg(ssn) as x from customers where id in (7)',
    ]) {
      const text = await client.query({ text: sql, rowMode: 'array' }).then(
        ({ rows }) => JSON.stringify(rows),
        (error: Error) => error.message,
      );
      expect(text, sql).not.toContain('912');
      expect(text, sql).not.toContain('84-0007');
    }
  });
});

test('parameters, prepared statements and binary results are masked alike', async () => {
  await at().connected(async (client) => {
    for (let run = 0; run < 3; run++) {
      const { rows } = await client.query({
        name: 'one',
        text: 'select ssn, id from customers where id = $1',
        values: [run + 1],
      });
      expect(rows).toEqual([{ ssn: `*******000${run + 1}`, id: run + 1 }]);
    }
    const binary = await client.query({
      text: 'select ssn, birth_date, id from customers where id = $1',
      values: [7],
      binary: true,
    } as pg.QueryConfig);
    expect(binary.rows[0].ssn).toBe('*******0007');
  });
});

test('a refusal is an error with the rule, the way out and the record, and the session goes on', async () => {
  await at().connected(async (client) => {
    const error = await failure(client.query('drop table customers'));
    expect(error.code).toBe('42501');
    expect(error.severity).toBe('ERROR');
    expect(error.message).toMatch(/^sallyport: denied by rule "(no-drops|no-role)": DROP TABLE customers/);
    expect(error.hint).toBeTruthy();
    expect(error.detail).toMatch(/record \S+/);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});

test('a refusal inside a transaction aborts it as a server error would', async () => {
  await at().connected(
    async (client) => {
      await client.query('begin');
      await client.query('insert into orders values (5000, 1, 1)');
      expect((await failure(client.query('delete from orders'))).message).toContain('unbounded-writes');
      expect((await failure(client.query('select 1'))).code).toBe('25P02');
      await client.query('rollback');
      expect((await client.query('select count(*)::int as n from orders where id = 5000')).rows).toEqual([{ n: 0 }]);
    },
    ['crew-agent'],
  );
});

test('one denied statement in a text of several keeps all of them from the server', async () => {
  await at().connected(
    async (client) => {
      await failure(client.query('update orders set total = 0 where id = 1; delete from orders'));
      expect((await client.query('select total::float as total from orders where id = 1')).rows).toEqual([
        { total: 1.5 },
      ]);
    },
    ['crew-agent'],
  );
});

test('a text that does not parse is refused with the position the server would give', async () => {
  await at().connected(async (client) => {
    const error = await failure(client.query('selec 1'));
    expect(error.code).toBe('42601');
    expect(error.position).toBe('1');
    expect(error.message).toBe('syntax error at or near "selec"');
  });
});

test('the server sees the tag and the identity', async () => {
  await at().connected(async (client) => {
    const marker = `m${Date.now()}`;
    const { rows } = await client.query(`select current_setting('application_name') as name, '${marker}' as marker`);
    expect(rows[0].name).toBe('sallyport:crew-support-7');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const line = at().log.find((entry) => entry.includes(marker));
    expect(line).toMatch(/\/\*identity='crew-support-7',issuer='[^']+',record='[^']+',session='[^']+'\*\//);
  });
});

test('every statement is on record, opened and settled, and no masked value is', async () => {
  const marker = `marker${Date.now()}`;
  await at().connected(async (client) => {
    await client.query(`select id, '${marker}' from orders limit 3`);
    await client.query(`select ssn as ${marker} from customers where ssn = '912-84-0007'`);
    await failure(client.query(`drop table orders /* ${marker} */`));
    await failure(client.query(`select 1/0 /* ${marker} */`));
  });
  const records = await at().records();
  const statements = records.filter(
    (record): record is StatementRecord => record.event === 'statement' && record.text.includes(marker),
  );
  expect(statements.map(({ verdict }) => verdict)).toEqual(['allow', 'allow', 'deny', 'allow']);
  expect(statements[0]).toMatchObject({
    identity: 'crew-support-7',
    target: 'shop',
    role: 'support',
    verbs: ['select'],
    tables: ['public.orders'],
  });
  expect(statements[1]?.masked).toEqual(['public.customers.ssn']);
  const settled = statements.map(({ record }) =>
    records.find((entry) => entry.event === 'settled' && entry.record === record),
  );
  expect(settled[0]).toMatchObject({ outcome: 'completed', rows: 3 });
  expect(settled[2]).toBeUndefined();
  expect(settled[3]).toMatchObject({ outcome: 'failed', sqlstate: '22012' });
  expect(JSON.stringify(records)).not.toContain('912-84');
});

test('what the server says of a statement over masked columns is withheld', async () => {
  await at().connected(async (client) => {
    const error = await failure(client.query('select (ssn || $$x$$)::int from customers where id = 7'));
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain('912');
  });
});
