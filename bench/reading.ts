// What a reading costs: a statement never seen before, a cached shape with other literals, and the same text again; beside it the
// bare parse of the server's grammar. In both dialects, from the compiled files, which is what the package runs. `npm run bench reading`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import type { SqlSession } from '../src/sql/index.ts';
import { startEmbedded } from '../src/store/embedded.ts';
import { type Metric, reporter } from './support/metric.ts';
import { compiled } from './support/processes.ts';

const names = ['total', 'spent', 'amount', 'value', 'gross'];

/** Rounds of each measurement. The least of their medians counts: what else the machine does only adds. */
const rounds = 8;

/** Five lines of analysis, different in an alias, so that no cache has seen it. */
function unseen(at: number, month = `date_trunc('month', o.ordered_at)`): string {
  const name = `${names[at % names.length]}_${at}`;
  return `select c.city, ${month} as month, count(*) as orders, sum(i.quantity * i.price) as ${name}
from customers c join orders o on o.customer_id = c.id
join order_items i on i.order_id = o.id
where o.status = 'paid' and c.active and o.ordered_at >= '2024-01-01'
group by c.city, month having sum(i.quantity * i.price) > 100 order by ${name} desc limit 20`;
}

/** Five lines whose literals change from one to the next. */
function shaped(at: number): string {
  return `select c.id, c.name, c.email, o.id as order_id, o.total
from customers c join orders o on o.customer_id = c.id
where o.status = 'open' and c.id = ${at}
  and c.city = 'Oslo ${at}' and o.ordered_at >= '2024-01-01'
order by o.ordered_at desc limit ${1 + (at % 50)}`;
}

function median(times: number[]): number {
  const sorted = times.sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Texts as they come from a socket. */
function sent(count: number, from: number, text: (at: number) => string): string[] {
  return Array.from({ length: count }, (_, at) => Buffer.from(text(from + at)).toString());
}

/** Median microseconds of one call with a text never given before, in a process that has made `warm` such calls. */
function measure(count: number, warm: number, text: (at: number) => string, work: (text: string) => unknown): number {
  let next = 0;
  const take = (many: number) => {
    const texts = sent(many, next, text);
    next += many;
    return texts;
  };
  for (const each of take(warm)) work(each);
  const medians: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const times: number[] = [];
    for (const each of take(count)) {
      const start = process.hrtime.bigint();
      work(each);
      times.push(Number(process.hrtime.bigint() - start) / 1_000);
    }
    medians.push(median(times));
  }
  return Math.min(...medians);
}

/** Microseconds a call of many, for calls too short to be timed one by one; `distinct` texts in turn. */
function average(
  count: number,
  distinct: number,
  text: (at: number) => string,
  work: (text: string) => unknown,
): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const texts = sent(distinct, distinct === count ? round * count : 0, text);
    const start = process.hrtime.bigint();
    for (let at = 0; at < count; at++) work(texts[at % distinct] ?? '');
    const took = Number(process.hrtime.bigint() - start) / 1_000 / count;
    if (round > 0) least = Math.min(least, took);
  }
  return least;
}

interface Costs {
  readonly fresh: number;
  readonly shape: number;
  readonly again: number;
}

function costs(session: SqlSession, month?: string): Costs {
  return {
    fresh: measure(
      500,
      4_000,
      (at) => unseen(at, month),
      (text) => session.read(text),
    ),
    shape: average(50_000, 50_000, shaped, (text) => session.read(text)),
    again: average(50_000, 1_000, shaped, (text) => session.read(text)),
  };
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const folder = await compiled();
  const load = async <T>(path: string): Promise<T> =>
    (await import(pathToFileURL(join(folder, 'src', 'sql', path)).href)) as T;
  const { createPostgresReader } = await load<typeof import('../src/sql/index.ts')>('index.js');
  const { loadParser, parse } = await load<typeof import('../src/sql/postgres/parser.ts')>('postgres/parser.js');
  await loadParser();
  const server = await startEmbedded();
  const metrics: Metric[] = [];
  const add = (dialect: string, { fresh, shape, again }: Costs, bare: number) => {
    const against = dialect === 'postgres' ? 'parse alone' : 'a statement never seen';
    const prefix = dialect === 'postgres' ? '' : `${dialect}-`;
    metrics.push(
      { bench: 'reading', metric: `${prefix}never-seen-us`, value: fresh, against, ratio: fresh / bare },
      { bench: 'reading', metric: `${prefix}known-shape-us`, value: shape, against, ratio: shape / bare },
      { bench: 'reading', metric: `${prefix}known-text-us`, value: again, against, ratio: again / bare },
    );
    say(
      `${dialect}, compiled files: never seen ${fresh.toFixed(0)} us median${dialect === 'postgres' ? ` (the parse alone ${bare.toFixed(0)} us)` : ''}; ` +
        `a known shape with other literals ${shape.toFixed(2)} us; a known text ${again.toFixed(2)} us`,
    );
  };
  try {
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    await client.query(readFileSync(new URL('../fixtures/adversary/schema-postgres.sql', import.meta.url), 'utf8'));
    await client.end();
    const connect = { connectionString: server.url() };
    const reader = await createPostgresReader({ connect, trustedFunctions: [], refreshIntervalMs: 0 });
    const session = reader.session(new Map([['search_path', '"$user", public']]));
    const found = costs(session);
    add('postgres', found, measure(500, 1_000, unseen, parse));
    await reader.close();
  } finally {
    await server.stop();
  }
  const { createMysqlReader } = await load<typeof import('../src/sql/index.ts')>('index.js');
  const reader = await createMysqlReader({
    connect: { database: 'shop' },
    trustedFunctions: [],
    refreshIntervalMs: 0,
    catalog: await mysqlShop(load),
  });
  const found = costs(reader.session(new Map()), 'month(o.ordered_at)');
  add('mysql', found, found.fresh);
  await reader.close();
  return metrics;
}

/** The tables the statements name, without a server. */
async function mysqlShop(
  load: <T>(path: string) => Promise<T>,
): Promise<import('../src/sql/mysql/catalog.ts').Catalog> {
  const { Catalog } = await load<typeof import('../src/sql/mysql/catalog.ts')>('mysql/catalog.js');
  const catalog = new Catalog(false);
  catalog.version = '11.8.0-MariaDB';
  const tables = {
    customers: ['id', 'name', 'email', 'city', 'active'],
    orders: ['id', 'customer_id', 'status', 'total', 'ordered_at'],
    order_items: ['order_id', 'line', 'product', 'quantity', 'price'],
  };
  for (const [name, columns] of Object.entries(tables)) {
    const table = catalog.addTable('shop', name, 'table');
    for (const column of columns) table.columns.push({ table, name: column, type: 253, notNull: false });
  }
  return catalog;
}
