// What statements read as, against a catalog that a real server gave.
import { describe, expect, test } from 'vitest';
import { haveMariadb, onMariadb } from '../../support/mariadb.ts';
import { shop, sources } from './support.ts';

describe.skipIf(!haveMariadb)('the MySQL reading', () => {
  const at = shop();

  test('a column comes through alias, derived table, WITH and view as a copy of itself', async () => {
    for (const text of [
      'select ssn as x from customers',
      'select x from (select c.ssn as x from customers as c) as d',
      'with w (x) as (select ssn from customers) select x from w',
      'select number from people',
      'select p.`number` from people p join orders o on o.customer_id = p.id',
    ])
      expect(sources(await at().reading(text), 0), text).toContain('copied customers.ssn');
  });

  test('whatever is computed from a column is derived from it', async () => {
    for (const expression of [
      'upper(ssn)',
      "concat(ssn, '')",
      'hex(ssn)',
      'left(ssn, 3)',
      "json_object('s', ssn)",
      'cast(ssn as char)',
      'group_concat(ssn)',
      'ssn collate utf8mb4_bin',
      "ssn = '1'",
      'max(ssn)',
      'reverse((select ssn from customers limit 1))',
    ]) {
      const reading = await at().reading(`select ${expression} from customers`);
      expect(sources(reading, 0), expression).toContain('derived customers.ssn');
    }
  });

  test('the kinds of statements have the verbs of what they do', async () => {
    const verbs: Readonly<Record<string, readonly string[]>> = {
      'insert into orders (customer_id) values (1)': ['insert'],
      'insert into archive select id, note from orders': ['insert', 'select'],
      'replace into vault values (1, 2)': ['replace'],
      'update orders set note = 1 where id = 1': ['update'],
      'delete from orders where id = 1': ['delete'],
      'truncate orders': ['truncate'],
      'drop table orders': ['drop'],
      'alter table orders add column x int': ['alter'],
      'create table t (a int)': ['create'],
      'show tables': ['show'],
      'explain select 1': ['explain', 'select'],
      'set autocommit = 0': ['set'],
      'start transaction': ['begin'],
      'rollback to savepoint x': ['rollback'],
      "select 1 into outfile '/tmp/x'": ['select', 'file'],
      "load data infile '/tmp/x' into table archive": ['load', 'file'],
      'handler orders open': ['handler'],
      'lock tables orders write': ['lock'],
      'kill 5': ['kill'],
      'grant select on *.* to x@y': ['grant'],
      'call wipe()': ['call', 'delete'],
      "execute immediate 'drop table orders'": ['execute', 'drop'],
      '/*!50000 drop table orders */': ['drop'],
      'create sequence q': ['create'],
      'begin not atomic drop table orders; end': ['do', 'drop'],
    };
    for (const [text, expected] of Object.entries(verbs)) {
      if (!onMariadb && /sequence|not atomic|immediate/.test(text)) continue;
      expect((await at().reading(text)).verbs, text).toEqual(expected);
    }
  });

  test('a write without a condition that restricts it is unbounded', async () => {
    for (const where of [
      '',
      'where 1',
      'where 1 = 1',
      'where id = id',
      "where note like '%'",
      'where id is not null',
      'where true or id = 3',
      'where id = 3 or id <> 3',
      'where exists (select 1)',
      'where not false',
      'limit 100000',
    ])
      expect((await at().reading(`delete from orders ${where}`)).unbounded, where).toHaveLength(1);
    for (const where of ['where id = 3', 'where id in (1, 2)', 'where note is null', 'limit 5'])
      expect((await at().reading(`delete from orders ${where}`)).unbounded, where).toHaveLength(0);
  });

  test('names that the catalog does not have are told in the words of the server', async () => {
    const [table] = (await at().reading('select a from nothing')).opaque;
    expect(table?.missing).toEqual({
      sqlstate: '42S02',
      message: `Table '${at().database}.nothing' doesn't exist`,
    });
    const [column] = (await at().reading('select a from orders')).opaque;
    expect(column?.missing?.sqlstate).toBe('42S22');
  });

  test('a table made elsewhere is found when it is asked for', async () => {
    await at().direct.query('create table made_later (a int)');
    expect((await at().reading('select a from made_later')).opaque).toEqual([]);
    await at().direct.query('alter table made_later add column b int');
    expect((await at().reading('select b from made_later')).opaque).toEqual([]);
  });
});
