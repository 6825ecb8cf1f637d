// What a session remembers: search_path, prepared statements, cursors, temporary tables, and DDL of an open transaction.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPostgresReader, type Reading, type SqlReader, type SqlSession } from '../../src/sql/index.ts';
import { execute, postgresServer } from '../support/postgres.ts';

const schema = readFileSync(new URL('../../fixtures/adversary/schema-postgres.sql', import.meta.url), 'utf8');

describe('sessions of the Postgres reader', () => {
  const server = postgresServer();
  let reader: SqlReader;
  beforeAll(async () => {
    await execute(server().url(), schema);
    const connect = { connectionString: server().url() };
    reader = await createPostgresReader({ connect, trustedFunctions: ['public.run_sql'], refreshIntervalMs: 0 });
  });
  afterAll(() => reader.close());

  const open = () => reader.session(new Map([['search_path', '"$user", public']]));

  async function read(session: SqlSession, text: string): Promise<Reading[]> {
    const result = await session.read(text);
    if (result.kind !== 'read') throw new Error(result.message);
    return result.statements.map((statement) => statement.reading);
  }

  async function run(session: SqlSession, text: string): Promise<void> {
    const result = await session.read(text);
    if (result.kind !== 'read') throw new Error(result.message);
    for (const statement of result.statements) session.settled(statement, true);
  }

  it('SET search_path inside a text holds for the statements behind it only there', async () => {
    const session = open();
    const [, second] = await read(session, 'set search_path = private; select token from tokens');
    expect(second?.tables[0]).toMatchObject({ schema: 'private', table: 'tokens' });
    const [later] = await read(session, 'select token from tokens');
    expect(later?.opaque[0]?.missing?.sqlstate).toBe('42P01');
  });

  it('a search_path the server reports is used from then on', async () => {
    const session = open();
    session.parameter('search_path', 'private');
    expect((await read(session, 'select token from tokens'))[0]?.opaque).toEqual([]);
  });

  it('EXECUTE carries the verbs and outputs of what was prepared', async () => {
    const session = open();
    await run(session, 'prepare p as delete from orders where id = $1 returning id, status');
    const [reading] = await read(session, 'execute p(1)');
    expect(reading?.verbs).toEqual(expect.arrayContaining(['execute', 'delete']));
    expect(reading?.outputs?.map((output) => output.name)).toEqual(['id', 'status']);
    await run(session, 'deallocate p');
    expect((await read(session, 'execute p(1)'))[0]?.opaque[0]?.missing?.sqlstate).toBe('26000');
  });

  it('FETCH shows what the cursor was declared over', async () => {
    const session = open();
    await run(session, 'declare c cursor for select reverse(ssn) as x from customers');
    const [reading] = await read(session, 'fetch 5 from c');
    expect(reading?.outputs?.[0]?.sources).toContainEqual({
      schema: 'public',
      table: 'customers',
      column: 'ssn',
      how: 'derived',
    });
  });

  it('a temporary table keeps the lineage of what made it', async () => {
    const session = open();
    await run(session, 'create temp table t as select ssn as s from customers');
    const [reading] = await read(session, 'select s from t');
    expect(reading?.outputs?.[0]?.sources.map((source) => source.column)).toEqual(['s', 'ssn']);
  });

  it('names changed in an open transaction are not resolved until the catalog shows them', async () => {
    const session = open();
    session.transaction('T');
    await run(session, 'alter table scratch rename to scratch_old');
    await run(session, 'alter table customers rename to scratch');
    expect((await read(session, 'select * from scratch'))[0]?.opaque[0]?.kind).toBe('relation');
    expect((await read(session, 'select * from orders'))[0]?.opaque).toEqual([]);
  });

  it('a table made elsewhere is found when it is asked for', async () => {
    const session = open();
    await execute(server().url(), 'create table late_arrival (id int)');
    expect((await read(session, 'select * from late_arrival'))[0]?.opaque).toEqual([]);
  });

  it('literals of a known shape are those of the text at hand', async () => {
    const session = open();
    for (const label of ['one', "it''s", 'three']) {
      const [reading] = await read(session, `insert into scratch (label) values ('${label}') -- ${label}`);
      expect(reading?.stores).toEqual([
        {
          column: { schema: 'public', table: 'scratch', column: 'label' },
          value: { kind: 'text', text: label.replace("''", "'") },
        },
      ]);
    }
  });

  it('a condition that is true for one literal and not for another is told apart', async () => {
    const session = open();
    expect((await read(session, 'delete from orders where 1 = 1'))[0]?.unbounded).toHaveLength(1);
    expect((await read(session, 'delete from orders where 1 = 2'))[0]?.unbounded).toHaveLength(0);
    expect((await read(session, 'delete from orders where id = 2'))[0]?.unbounded).toHaveLength(0);
    const opposites = (one: string, other: string) =>
      `delete from orders where status = '${one}' or status <> '${other}'`;
    expect((await read(session, opposites('a', 'b')))[0]?.unbounded).toHaveLength(0);
    expect((await read(session, opposites('a', 'a')))[0]?.unbounded).toHaveLength(1);
  });

  it('functions the configuration trusts are not opaque', async () => {
    expect((await read(open(), `select run_sql('select 1')`))[0]?.opaque).toEqual([]);
  });

  it.each([
    'set standard_conforming_strings = off',
    `select set_config('standard_conforming_strings', 'off', false)`,
    `select set_config(lower('ROLE'), 'x', false)`,
    `select set_config(name, 'off', false) from pg_settings where name = 'standard_conforming_strings'`,
    `select set_config(name, 'off', false) from pg_settings where name like 'restrict%'`,
    `select set_config(name, 'off', false) from pg_settings`,
    `select set_config(name, 'off', false) from pg_settings where name = 'work_mem' or true`,
    `select set_config(name, 'off', false) from pg_settings, customers where name = 'work_mem'`,
    `select (select set_config(name, 'off', false) from (values ('role')) v(name)) from pg_settings where name = 'work_mem'`,
    `select set_config(name, 'off', false) from (select 'role' as name) pg_settings where name = 'work_mem'`,
    'alter role postgres set standard_conforming_strings = off',
    `do $$ begin perform set_config('standard_conforming_strings', 'off', false); end $$`,
    'create function f() returns int language sql set standard_conforming_strings = off as $$ select 1 $$',
  ])('%s is forbidden', async (text) => {
    expect((await open().read(text)).kind).toBe('forbidden');
  });

  it('set_config of the one setting that a query picks from pg_settings is read as that setting, as pg_dump does it', async () => {
    const [reading] = await read(
      open(),
      `select set_config(name, 'view, foreign-table', false) from pg_settings where name = 'restrict_nonsystem_relation_kind'`,
    );
    expect(reading?.settings).toEqual([{ name: 'restrict_nonsystem_relation_kind', value: 'view, foreign-table' }]);
  });

  it('texts that no parser can hold are refused, and the next one is read', async () => {
    const session = open();
    for (const text of [
      `select ${'('.repeat(50_000)}1`,
      `select ${'1+'.repeat(50_000)}1`,
      `select '${'x'.repeat(17_000_000)}'`,
    ]) {
      expect((await session.read(text)).kind).toBe('unreadable');
    }
    expect((await read(session, 'select 1'))[0]?.verbs).toEqual(['select']);
  });

  it('positions count characters', async () => {
    const result = await open().read(`select 'é\u{1F600}', nope from customers`);
    const reading = result.kind === 'read' ? result.statements[0]?.reading : undefined;
    expect(reading?.opaque[0]?.position).toBe(14);
    expect(await open().read('select é from from')).toMatchObject({ kind: 'unreadable', position: 15 });
  });
});
