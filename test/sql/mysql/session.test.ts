// What a session remembers: modes, database, variables, prepared texts, temporary tables; and what is never followed but refused.
import { describe, expect, test } from 'vitest';
import type { ReadResult, SqlSession } from '../../../src/sql/index.ts';
import { haveMariadb, onMariadb } from '../../support/mariadb.ts';
import { shop, sources } from './support.ts';

/** Reads texts in one session as if each had run. */
async function run(session: SqlSession, ...texts: readonly string[]): Promise<ReadResult> {
  let last: ReadResult | undefined;
  for (const text of texts) {
    last = await session.read(text);
    if (last.kind === 'read') for (const statement of last.statements) session.settled(statement, true);
  }
  if (last === undefined) throw new Error('there is no text');
  return last;
}

function reading(result: ReadResult, index = 0) {
  const statement = result.kind === 'read' ? result.statements[index] : undefined;
  if (statement === undefined) throw new Error(result.kind === 'read' ? 'no statement' : result.message);
  return statement.reading;
}

/** What MySQL does not know, and refuses itself. */
const onlyMariadb = /ORACLE|not atomic/;

describe.skipIf(!haveMariadb)('a session of the MySQL reading', () => {
  const at = shop();

  test('sql_mode decides what follows, in the same text too, and is followed when the server reports it', async () => {
    const session = at().session();
    const text = `set sql_mode = 'ANSI_QUOTES'; select "ssn" from customers`;
    expect(sources(reading(await session.read(text), 1), 0)).toEqual(['copied customers.ssn']);
    expect(sources(reading(await session.read('select "ssn" from customers')), 0)).toEqual([]);
    session.parameter('sql_mode', 'STRICT_TRANS_TABLES,ANSI_QUOTES');
    expect(sources(reading(await session.read('select "ssn" from customers')), 0)).toEqual(['copied customers.ssn']);
    session.parameter('sql_mode', 'NO_BACKSLASH_ESCAPES');
    expect(reading(await session.read(`select '\\', ssn from customers -- '`)).outputs).toHaveLength(2);
  });

  test('a mode set inside an executable comment holds behind it', async () => {
    const result = await run(
      at().session(),
      `/*!40101 SET @old = @@sql_mode, sql_mode = 'ANSI_QUOTES' */; select "ssn" from customers`,
    );
    expect(sources(reading(result, 1), 0)).toEqual(['copied customers.ssn']);
  });

  test.each(
    [
      'set sql_mode = @m',
      "set sql_mode = concat('ANSI', '')",
      'set sql_mode = 1',
      'set sql_mode = default',
      "set sql_mode = 'ORACLE'",
      'set names gbk',
      'set character_set_client = @c',
      "set names 'sjis'",
      'set character set ucs2',
      'set @@session.collation_connection = utf16_bin',
      "set session_track_schema = 'off'",
      'prepare s from @t',
      "prepare s from concat('select', ' 1')",
      'execute immediate @t',
      "prepare s from 'set sql_mode = @m'",
      'set role admin',
      'begin not atomic set sql_mode = @m; end',
    ].filter((text) => onMariadb || !onlyMariadb.test(text)),
  )('%s is refused', async (text) => {
    expect((await at().session().read(text)).kind).toBe('forbidden');
  });

  test('a character set that the gateway cannot read ends all reading', async () => {
    const session = at().session();
    expect(session.parameter('character_set_client', 'utf8mb4')).toBeUndefined();
    expect(session.parameter('character_set_client', 'gbk')).toContain('gbk');
    expect((await session.read('select 1')).kind).toBe('forbidden');
  });

  test('unqualified names belong to the database in use', async () => {
    const session = at().session();
    await run(session, 'use information_schema');
    expect(reading(await session.read('select table_name from tables')).opaque).toEqual([]);
    session.parameter('schema', at().database);
    expect(reading(await session.read('select ssn from customers')).opaque).toEqual([]);
  });

  test('a prepared text is read as itself, with the values it is given', async () => {
    const session = at().session();
    const prepared = await run(session, "prepare s from 'select ssn from customers where id = ?'");
    expect(reading(prepared).verbs).toEqual(['prepare', 'select']);
    const executed = await run(session, 'set @i = 1', 'execute s using @i');
    expect(reading(executed).verbs).toEqual(['execute', 'select']);
    expect(sources(reading(executed), 0)).toContain('copied customers.ssn');
    const gone = await run(session, 'deallocate prepare s', 'execute s using @i');
    expect(reading(gone).opaque[0]?.kind).toBe('statement');
    expect(reading(await run(session, "prepare d from 'drop table orders'")).verbs).toContain('drop');
  });

  test('user variables carry what was put into them', async () => {
    const session = at().session();
    const put = reading(await run(session, 'select ssn into @a from customers limit 1'));
    expect(put.flows[0]?.into).toEqual({ kind: 'place', what: 'variable' });
    expect(sources(reading(await session.read('select @a')), 0)).toEqual(['derived customers.ssn']);
    session.reset?.();
    expect(sources(reading(await session.read('select @a')), 0)).toEqual([]);
  });

  test('a text compared with a number shows how it begins, and is no equality', async () => {
    const how = async (text: string, session = at().session()) =>
      reading(await session.read(text)).uses.map((use) => use.how);
    expect(await how("select id from customers where ssn = '1'")).toEqual(['equality']);
    expect(await how('select id from customers where ssn = 1')).toEqual(['computed']);
    expect(await how('select id from customers where id = 1')).toEqual(['equality']);
    const session = at().session();
    await run(session, 'set @n = 1', "set @t = 'x'");
    expect(await how('select id from customers where ssn = @n', session)).toEqual(['computed']);
    expect(await how('select id from customers where ssn = @t', session)).toEqual(['equality']);
    const uses = reading(await session.read('select id from customers where id = ? and ssn in (?, ?)')).uses;
    expect(uses.map((use) => use.textParameters)).toEqual([undefined, [1, 2]]);
  });

  test('a temporary table hides a table of its name, until it is dropped', async () => {
    const session = at().session();
    await run(session, 'create temporary table customers (ssn2 text)');
    expect(reading(await session.read('select ssn2 from customers')).opaque).toEqual([]);
    expect(reading(await session.read('select ssn from customers')).opaque).toHaveLength(1);
    expect((await at().reading('select ssn from customers')).opaque).toEqual([]);
    await run(session, 'drop temporary table customers');
    expect(reading(await session.read('select ssn from customers')).opaque).toEqual([]);
  });

  test('warnings may quote what the statement before them read', async () => {
    const session = at().session();
    await run(session, 'select ssn from customers');
    const warnings = reading(await run(session, 'show warnings'));
    expect(warnings.outputs?.[0]?.everyColumn).toBe(true);
    expect(sources(warnings, 0)).toEqual(['derived customers.ssn']);
    await run(session, 'select 1');
    expect(sources(reading(await session.read('show warnings')), 0)).toEqual([]);
  });

  test('the epoch grows with what earlier readings may not hold for', async () => {
    const session = at().session();
    const before = session.epoch;
    await run(session, 'select 1', 'start transaction', 'insert into orders (customer_id) values (1)');
    expect(session.epoch).toBe(before);
    await run(session, "set sql_mode = 'ANSI'");
    expect(session.epoch).toBeGreaterThan(before);
  });

  test('texts of one shape share a reading, with their own literals in what they store', async () => {
    const session = at().session();
    const text = (value: string) => `insert into orders (customer_id, note) values (1, '${value}')`;
    const [one, other] = [reading(await session.read(text('a'))), reading(await session.read(text("it''s")))];
    expect(one.fingerprint).toBe(other.fingerprint);
    expect(other.stores.map((store) => (store.value.kind === 'text' ? store.value.text : ''))).toEqual(['1', "it's"]);
    const plain = (n: number) => `select name from customers where id = ${n}`;
    await session.read(plain(1));
    expect(reading(await session.read(plain(2)))).toBe(reading(await session.read(plain(3))));
    expect((await at().reading('delete from orders where 1 = 2')).unbounded).toHaveLength(0);
    expect((await at().reading('delete from orders where 1 = 1')).unbounded).toHaveLength(1);
  });
});
