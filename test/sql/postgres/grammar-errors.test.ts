// The errors of the grammar carry what the server's own carry: SQLSTATE, hint, detail and position.
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrammarError, loadParser, parse } from '../../../src/sql/postgres/parser.ts';
import { type EmbeddedServer, startEmbedded } from '../../../src/store/index.ts';

let server: EmbeddedServer;
let client: pg.Client;

beforeAll(async () => {
  await loadParser();
  server = await startEmbedded();
  client = new pg.Client({ connectionString: server.url() });
  await client.connect();
}, 60_000);

afterAll(async () => {
  await client?.end();
  await server?.stop();
});

const texts = [
  'selec 1',
  'select 1 limit 1, 2',
  "select U&'\\06'",
  "select E'\\u06'",
  "select U&'\\0061' uescape '+'",
  'create role a unencrypted password $$x$$',
  'create policy p on t as sometimes using (true)',
  'create operator family f using btree; drop operator === (int)',
  'create publication p for a.b',
  'create assertion a check (true)',
  'select float(0) 1',
  'select 1::float(0)',
  'select 1::float(54)',
  'select sum(1) over (rows unbounded following)',
  'select sum(1) over (rows between current row and 1 preceding)',
  'create role public',
  'create role current_user',
  'create role "none"',
  'create table t (a int, check (a > 0) deferrable)',
  'create table t (a int, check (a > 0) not valid no inherit, unique (a) no inherit)',
  'create table t (a int references t match partial)',
  'create schema if not exists s create table t (a int)',
  'alter type t drop value $$a$$',
  'create recursive view v (a) as select 1 with check option',
  'create table t (a int) partition by magic (a)',
  'alter index i alter column 0 set statistics 1',
  'create table t partition of p for values with (modulus 1, modulus 2)',
  'select json_object(1: 2 format json encoding utf99)',
  'create extension e from old',
  'create or replace constraint trigger t after insert on t for each row execute function f()',
  'select unique (select 1)',
];

test.each(texts)('%s fails as at the server', async (text) => {
  const theirs = await client.query(text).then(
    () => undefined,
    (error: { message: string; code: string; hint?: string; detail?: string; position?: string }) => ({
      message: error.message,
      sqlstate: error.code,
      hint: error.hint,
      detail: error.detail,
      position: error.position === undefined ? undefined : Number(error.position),
    }),
  );
  let ours: unknown;
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const { message, sqlstate, hint, detail, position } = error;
    ours = { message, sqlstate, hint, detail, position };
  }
  expect(ours).toEqual(theirs);
});
