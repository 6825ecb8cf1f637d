// No text throws, hangs or goes through unread: mutated statements, deep nesting, long chains.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMysqlReader } from '../../../src/sql/index.ts';
import { Catalog } from '../../../src/sql/mysql/catalog.ts';
import { attacks, ordinary } from './attacks.ts';

const timeout = 300_000;
const catalog = new Catalog(false);
catalog.version = '10.11.19-MariaDB';
const reader = await createMysqlReader({ connect: { database: 'shop' }, trustedFunctions: [], catalog });
const read = async (text: string) => reader.session(new Map()).read(text);
const times = (text: string, count: number) => text.repeat(count);

test('a text that was mutated is read or refused, and the reading says what it does', { timeout }, async () => {
  const texts = [...ordinary, ...attacks.flatMap((attack) => attack.texts)];
  const mutation = fc.record({
    text: fc.constantFrom(...texts),
    at: fc.nat(200),
    drop: fc.nat(6),
    put: fc.constantFrom(
      '',
      ' ',
      "'",
      '"',
      '`',
      '(',
      ')',
      ';',
      '/*',
      '*/',
      '/*!',
      '--',
      '\\',
      '\0',
      ',',
      '.',
      '@',
      'select',
      'é',
    ),
  });
  await fc.assert(
    fc.asyncProperty(mutation, async ({ text, at, drop, put }) => {
      const place = at % (text.length + 1);
      const result = await read(text.slice(0, place) + put + text.slice(place + drop));
      if (result.kind !== 'read') return;
      let end = 0;
      for (const statement of result.statements) {
        expect(statement.reading.verbs.length).toBeGreaterThan(0);
        expect(statement.start).toBeGreaterThanOrEqual(end);
        expect(statement.end).toBeGreaterThan(statement.start);
        end = statement.end;
      }
    }),
    { numRuns: 250 },
  );
});

test('what is nested too deeply is refused at once', async () => {
  for (const text of [
    `select ${times('(', 1000)}1${times(')', 1000)}`,
    `select ${times('(select ', 300)}1${times(')', 300)}`,
    `${times('(', 5000)}`,
  ])
    expect((await read(text)).kind).toBe('unreadable');
});

test('long chains of conditions, rows and queries are read', { timeout }, async () => {
  for (const text of [
    `select 1 from t where a = 1${times(' or a = 1', 1500)}`,
    `select 1 from t where a = 1${times(' and a = 1', 1500)}`,
    `select 1 from t where a in (1${times(', 1', 3000)})`,
    `insert into t values (1, 2)${times(', (1, 2)', 800)}`,
    `select 1${times(' union all select 1', 300)}`,
  ])
    expect((await read(text)).kind).toBe('read');
});
