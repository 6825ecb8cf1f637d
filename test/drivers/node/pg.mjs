// node-postgres: parameters, types, errors, several statements, cursors by name, notices, notifications, transactions.
import pg from 'pg';

const show = (label, value) => console.log(`${label}: ${JSON.stringify(value)}`);
const client = new pg.Client({ host: process.env.PGHOST, port: Number(process.env.PGPORT) });
await client.connect();
await client.query('drop schema if exists node cascade; create schema node; set search_path = node');
await client.query(
  'create table t (id int primary key, name text, raw bytea, doc jsonb, list int[], big int8, at timestamptz)',
);
await client.query('insert into t values ($1, $2, $3, $4, $5, $6, $7)', [
  1,
  "it's \\ ü",
  Buffer.from([0, 255]),
  { a: 1 },
  [1, null],
  '9007199254740993',
  new Date(0),
]);
const { rows, fields, command, rowCount } = await client.query('select * from t');
show('row', rows);
show('fields', [
  fields.map(({ name, dataTypeID, format, columnID }) => [name, dataTypeID, format, columnID]),
  command,
  rowCount,
]);
show(
  'several',
  (await client.query('select 1 as a; update t set id = id; select 2 as b')).map(({ command: done, rows: all }) => [
    done,
    all,
  ]),
);
show('array mode', (await client.query({ text: 'select 1, 2', rowMode: 'array' })).rows);
for (let i = 0; i < 3; i += 1)
  show('named', (await client.query({ name: 'one', text: 'select $1::int + 1 as n', values: [i] })).rows);
for (const [text, values] of [
  ['select 1/0'],
  ['selec'],
  ['insert into t (id) values ($1)', [1]],
  ['select $1::int', ['x']],
  ['select nope from t'],
  ['begin; select 1/0; commit'],
]) {
  const error = await client.query(text, values).catch((caught) => caught);
  show('error', [
    error.code,
    error.message,
    error.position,
    error.detail,
    error.hint,
    error.severity,
    error.table,
    error.constraint,
  ]);
}
await client.query('rollback');
show(
  'pipelined',
  (await Promise.all(Array.from({ length: 50 }, (_, i) => client.query('select $1::int as n', [i])))).map(
    ({ rows: [row] }) => row.n,
  ),
);
const said = [];
client.on('notice', ({ severity, message }) => said.push([severity, message]));
client.on('notification', ({ channel, payload }) => said.push([channel, payload]));
await client.query(`do $$ begin raise notice 'heard'; end $$`);
await client.query(`listen news; notify news, 'payload'`);
show('said', said);
await client.query('begin; declare c cursor for select generate_series(1, 100) n');
show('fetch', (await client.query('fetch 3 from c')).rows);
show('move', (await client.query('move 10 from c')).rowCount);
show('fetch', (await client.query('fetch 1 from c')).rows);
await client.query('commit');
show(
  'timeout',
  await client.query('set statement_timeout = 100; select pg_sleep(5)').catch(({ code, message }) => [code, message]),
);
await client.query('reset statement_timeout; drop schema node cascade');
await client.end();
