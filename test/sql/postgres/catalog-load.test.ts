// A catalog that is read again in parts is the one that a whole reading gives, after any kind of DDL.
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Catalog } from '../../../src/sql/postgres/catalog.ts';
import { loadCatalog } from '../../../src/sql/postgres/catalog-load.ts';
import { type EmbeddedServer, startEmbedded } from '../../../src/store/index.ts';

let server: EmbeddedServer;
let reader: pg.Client;
let owner: pg.Client;

beforeAll(async () => {
  server = await startEmbedded();
  reader = new pg.Client({ connectionString: server.url() });
  owner = new pg.Client({ connectionString: server.url() });
  await reader.connect();
  await owner.connect();
}, 180_000);

afterAll(async () => {
  await reader?.end();
  await owner?.end();
  await server?.stop();
});

/** All a catalog says of what is not the server's own, and how much there is of the rest. */
function said(catalog: Catalog): unknown {
  const relations = [...catalog.relationsByOid.values()].filter(({ oid }) => oid >= 16384);
  const functions = [...catalog.functionsByOid.values()];
  return {
    schemas: [...catalog.schemas].sort(),
    relations: relations
      .map(({ columns, parents, children, triggers, ...relation }) => ({
        ...relation,
        columns: columns.map(({ table: _, ...column }) => column),
        parents: parents.map(({ name }) => name),
        children: children.map(({ name }) => name),
        triggers: triggers.map(({ name }) => name),
      }))
      .sort((a, b) => a.oid - b.oid),
    functions: functions.filter(({ oid }) => oid >= 16384).sort((a, b) => a.oid - b.oid),
    types: [...catalog.types.values()].filter(({ oid }) => oid >= 16384).sort((a, b) => a.oid - b.oid),
    operators: [...catalog.operators],
    casts: catalog.casts,
    counts: [catalog.relationsByOid.size, functions.length, catalog.types.size, catalog.typeNames.size],
  };
}

const ddl = [
  'create table t (a int primary key, b text)',
  'create view v as select a, b as c from t',
  'create rule r as on insert to v do instead insert into t values (new.a, new.c)',
  'alter table t rename column b to d',
  'alter table t rename to u',
  'create schema s; alter table u set schema s',
  'alter schema s rename to s2',
  `create type mood as enum ('sad', 'glad')`,
  `create view moods as select 'sad'::mood as m`,
  `alter type mood rename value 'sad' to 'blue'`,
  'create function f(a int) returns int language sql begin atomic select count(*)::int from s2.u; end',
  `create function g(m mood) returns int language plpgsql as 'begin return 1; end'`,
  'alter type mood rename to temper',
  'alter table s2.u rename to w',
  `create or replace function g(m temper) returns int language plpgsql as 'begin return 2; end'`,
  `create function tr() returns trigger language plpgsql as 'begin return new; end'`,
  'create trigger tt before insert on s2.w for each row execute function tr()',
  'alter table s2.w disable trigger tt',
  'create table parted (k int, x int) partition by list (k); create table part1 partition of parted for values in (1)',
  'alter table parted detach partition part1',
  'create unique index on s2.w (d)',
  'alter table s2.w alter column d set not null',
  'alter table s2.w add e numeric(10, 2), drop column d cascade',
  'create operator === (leftarg = temper, rightarg = temper, function = enum_eq)',
  'create view same as select $$blue$$::temper === $$glad$$::temper as b',
  'alter operator === (temper, temper) set schema s2',
  'create cast (int as temper) with function pg_catalog.enum_first(anyenum)',
  'create function bit_of(temper) returns bit language sql as $$select 1::bit$$; create cast (temper as bit) with function bit_of(temper)',
  'create domain d as int not null; alter domain d drop not null',
  'alter function f(int) rename to f2; drop schema s2 cascade',
  'create temporary table hidden (a int)',
];

test('a catalog read in parts after DDL is the one a whole reading gives', async () => {
  let catalog = await loadCatalog(reader);
  for (const text of ddl) {
    const failed = await owner.query(text).then(
      () => undefined,
      (error: Error) => error.message,
    );
    const before = catalog;
    catalog = await loadCatalog(reader, catalog);
    expect(said(catalog), `${text}: ${failed}`).toEqual(said(await loadCatalog(reader)));
    if (failed === undefined && !text.includes('temporary')) expect(catalog, text).not.toBe(before);
  }
  expect(await loadCatalog(reader, catalog)).toBe(catalog);
}, 180_000);

test('what somebody does to the server’s own functions is seen', async () => {
  const before = await loadCatalog(reader);
  await owner.query(
    `create or replace function pg_catalog.lower(text) returns text language sql immutable strict as 'select $1'`,
  );
  const after = await loadCatalog(reader, before);
  const lower = (catalog: Catalog) => catalog.functions.get('lower')?.map(({ language }) => language);
  expect(lower(before)).not.toContain('sql');
  expect(lower(after)).toContain('sql');
  expect(lower(after)).toEqual(lower(await loadCatalog(reader)));
});
