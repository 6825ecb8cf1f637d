// The sample shop is the same on every machine, and nobody in it can exist.
import { createHash } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { copyIn } from '../../src/demo/copy.ts';
import { loadShop } from '../../src/demo/load.ts';
import { random } from '../../src/demo/random.ts';
import { customerOf, luhnDigit, shopTables } from '../../src/demo/shop.ts';
import { postgresServer } from '../support/postgres.ts';

const small = { seed: 7, customers: 300 };

function digest(seed: number): string {
  const hash = createHash('sha256');
  for (const table of shopTables({ ...small, seed })) for (const line of table.rows()) hash.update(line);
  return hash.digest('hex').slice(0, 16);
}

test('the same seed makes the same rows, another seed others', () => {
  expect(digest(7)).toBe('4cb6e891b96a5e28');
  expect(digest(8)).not.toBe(digest(7));
});

test('each table announces exactly the rows it makes', () => {
  for (const customers of [1, 2, 3, 100]) {
    for (const table of shopTables({ seed: 1, customers })) expect([...table.rows()]).toHaveLength(table.count);
  }
});

test('card numbers pass the Luhn check, below test prefixes', () => {
  for (let id = 1; id <= 500; id++) {
    const { cardNumber } = customerOf(1, id);
    expect(cardNumber).toMatch(/^(400000|424242|555555|601111)\d{10}$/);
    expect(luhnDigit(cardNumber.slice(0, -1))).toBe(cardNumber.at(-1));
  }
  expect(luhnDigit('7992739871')).toBe('3');
});

test('social security numbers, phones and addresses belong to nobody', () => {
  for (let id = 1; id <= 500; id++) {
    const { ssn, phone, email, address } = customerOf(1, id);
    expect(ssn).toMatch(/^9\d\d-(0[1-9]|[1-4]\d)-(?!0000)\d{4}$/);
    expect(phone).toMatch(/^\+1 \d{3} 555 01\d\d$/);
    expect(email).toMatch(/^[a-z]+\.[a-z]+\d+@example\.(com|org|net)$/);
    expect(Object.keys(JSON.parse(address))).toEqual(['street', 'city', 'state', 'zip', 'country']);
  }
});

test('random integers cover their range evenly', () => {
  const draw = random(42);
  const counts = new Array<number>(10).fill(0);
  for (let at = 0; at < 100_000; at++) {
    const drawn = draw.integer(0, 9);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(9500);
  expect(Math.max(...counts)).toBeLessThan(10_500);
});

const server = postgresServer();

test('the shop loads into a real server, and its foreign keys hold', async () => {
  const client = new pg.Client({ connectionString: server().url() });
  await client.connect();
  const heard: number[] = [];
  const total = await loadShop(client, small, (_table, rows) => heard.push(rows));
  const { rows } = await client.query(`
    select (select count(*)::int from customers) as customers, (select count(*)::int from order_items) as items,
      (select sum(quantity * unit_price) from order_items) = (select sum(total) from orders) as adds_up,
      (select bool_and(body like '%' || c.name || '%') from support_notes n join customers c on c.id = customer_id
        where body like '%asks for%') as notes_name_them`);
  await client.end();
  expect(rows).toEqual([{ customers: 300, items: 1200, adds_up: true, notes_name_them: true }]);
  expect(heard.at(-1)).toBe(total);
});

test('a refused COPY rejects with the error of the server, and the connection lives on', async () => {
  const client = new pg.Client({ connectionString: server().url() });
  await client.connect();
  await client.query('create temp table numbers (number integer)');
  await expect(copyIn(client, 'numbers', ['1\n', 'two\n'])).rejects.toThrow(/invalid input syntax for type integer/);
  const failing = (function* () {
    yield '1\n';
    throw new Error('no more numbers');
  })();
  await expect(copyIn(client, 'numbers', failing)).rejects.toThrow(/no more numbers/);
  await copyIn(client, 'numbers', ['1\n', '2\n']);
  expect((await client.query('select sum(number)::int from numbers')).rows).toEqual([{ sum: 3 }]);
  await client.end();
});
