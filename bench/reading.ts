// What a reading costs: a statement never seen before, a cached shape with other literals, and the same text again; beside it the
// bare parse of the server's grammar. `npm run bench reading`.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { createPostgresReader } from '../src/sql/index.ts';
import { loadParser, parse } from '../src/sql/postgres/parser.ts';
import { startEmbedded } from '../src/store/embedded.ts';
import { type Metric, reporter } from './support/metric.ts';

const names = ['total', 'spent', 'amount', 'value', 'gross'];

/** Five lines of analysis, different in an alias, so that no cache has seen it. */
function unseen(at: number): string {
  const name = `${names[at % names.length]}_${at}`;
  return `select c.city, date_trunc('month', o.ordered_at) as month, count(*) as orders, sum(i.quantity * i.price) as ${name}
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

/** Median microseconds of one call. */
function measure(count: number, work: (at: number) => unknown): number {
  for (let at = 0; at < count / 4; at++) work(1_000_000 + at);
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const start = process.hrtime.bigint();
    work(at);
    times.push(Number(process.hrtime.bigint() - start) / 1_000);
  }
  return median(times);
}

/** Microseconds a call of many, for calls too short to be timed one by one. */
function average(count: number, work: (at: number) => unknown): number {
  for (let at = 0; at < count / 4; at++) work(at);
  const start = process.hrtime.bigint();
  for (let at = 0; at < count; at++) work(at);
  return Number(process.hrtime.bigint() - start) / 1_000 / count;
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  await loadParser();
  const server = await startEmbedded();
  try {
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    await client.query(readFileSync(new URL('../fixtures/adversary/schema-postgres.sql', import.meta.url), 'utf8'));
    await client.end();
    const connect = { connectionString: server.url() };
    const reader = await createPostgresReader({ connect, trustedFunctions: [], refreshIntervalMs: 0 });
    const session = reader.session(new Map([['search_path', '"$user", public']]));
    const fresh = measure(1_000, (at) => session.read(unseen(at)));
    const bare = measure(1_000, (at) => parse(unseen(at)));
    // A shape with literals never seen before, and a text that has been sent before.
    const texts = Array.from({ length: 100_000 }, (_, at) => shaped(at));
    const cached = average(100_000, (at) => session.read(texts[at] ?? ''));
    const again = average(100_000, (at) => session.read(texts[at % 1_000] ?? ''));
    await reader.close();
    say(
      `never seen: ${fresh.toFixed(0)} us median (of it the parse ${bare.toFixed(0)} us); a known shape with other literals: ${cached.toFixed(2)} us; a known text: ${again.toFixed(2)} us`,
    );
    return [
      { bench: 'reading', metric: 'never-seen-us', value: fresh, against: 'parse alone', ratio: fresh / bare },
      { bench: 'reading', metric: 'known-shape-us', value: cached, against: 'parse alone', ratio: cached / bare },
      { bench: 'reading', metric: 'known-text-us', value: again, against: 'parse alone', ratio: again / bare },
    ];
  } finally {
    await server.stop();
  }
}
