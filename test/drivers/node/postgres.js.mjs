// postgres.js: templates, arrays, transactions with savepoints, cursors, streams of COPY, errors, listen.
import { once } from 'node:events';
import postgres from 'postgres';

const show = (label, value) => console.log(`${label}: ${JSON.stringify(value)}`);
const notices = [];
const sql = postgres({ max: 3, onnotice: ({ severity, message }) => notices.push([severity, message]) });
await sql
  .unsafe(
    'drop schema if exists js cascade; create schema js; create table js.t (id int primary key, name text, doc jsonb, list text[], at timestamptz)',
  )
  .simple();
await sql`insert into js.t ${sql([
  { id: 1, name: "it's", doc: { a: [1] }, list: ['x', 'y'], at: new Date(0) },
  { id: 2, name: null, doc: null, list: [], at: null },
])}`;
show('rows', await sql`select * from js.t order by id`);
const found = await sql`select id, name from js.t where id = any(${[1, 2, 3]}) order by id`;
show('found', [found, found.columns.map(({ name, type }) => [name, type]), found.command, found.count]);
show('dynamic', await sql`select ${sql(['id', 'name'])} from ${sql('js.t')} where name = ${"it's"}`);
show(
  'transaction',
  await sql.begin(async (inside) => {
    await inside`insert into js.t (id) values (10)`;
    await inside
      .savepoint(async (deeper) => {
        await deeper`insert into js.t (id) values (10)`;
      })
      .catch(({ code, constraint_name }) => show('inner', [code, constraint_name]));
    return inside`select count(*) from js.t`;
  }),
);
await sql`insert into js.t (id, name) select n, 'n' || n from generate_series(100, 1099) n`;
let sum = 0;
for await (const part of sql`select id from js.t order by id`.cursor(64)) for (const { id } of part) sum += id;
show('cursor', sum);
show(
  'each',
  await sql`select id from js.t where id < 103 order by id`
    .forEach(({ id }) => {
      sum += id;
    })
    .then(() => sum),
);
show(
  'raw',
  (await sql`select 1::int as a, null::text as b`.raw()).map((row) => row.map((value) => value?.toString() ?? null)),
);
show('values', await sql`select 1, 'x'`.values());
show(
  'described',
  (await sql`select id, name from js.t where id = ${1}`.describe()).columns.map(({ name, type }) => [name, type]),
);
for (const query of [sql`select 1/0`, sql`selec`, sql`select * from nowhere`, sql`insert into js.t (id) values (1)`]) {
  show(
    'error',
    await query.catch(({ code, message, position, detail, severity, table_name }) => [
      code,
      message,
      position,
      detail,
      severity,
      table_name,
    ]),
  );
}
const writable = await sql`copy js.t (id, name) from stdin`.writable();
for (let i = 5000; i < 7000; i += 1) writable.write(`${i}\tcopied ${i}\n`);
writable.end();
await once(writable, 'finish');
const readable =
  await sql`copy (select id, name from js.t where id between 5000 and 5003 order by id) to stdout`.readable();
const chunks = [];
for await (const chunk of readable) chunks.push(chunk.toString());
show('copied', chunks.join(''));
let tell;
const heard = new Promise((resolve) => {
  tell = resolve;
});
await sql.listen('news', tell);
await sql.notify('news', 'payload');
show('heard', await heard);
const slow = sql`select pg_sleep(20)`;
setTimeout(() => slow.cancel(), 300);
show('cancelled', await slow.catch(({ code, message }) => [code, message]));
await sql`do $$ begin raise notice 'said'; end $$`;
show(
  'notices',
  notices.filter(([, message]) => message === 'said'),
);
show(
  'many',
  (await Promise.all(Array.from({ length: 200 }, (_, i) => sql`select ${i}::int as n`))).reduce(
    (all, [{ n }]) => all + n,
    0,
  ),
);
await sql`drop schema js cascade`.simple?.();
await sql.end();
