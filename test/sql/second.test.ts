// The second reader against the first: they agree on verbs and tables wherever both read, and a wrong reading is noticed.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compare, createPostgresReader, type SqlReader } from '../../src/sql/index.ts';
import { execute, postgresServer } from '../support/postgres.ts';

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8');
const server = postgresServer();
let reader: SqlReader;

beforeAll(async () => {
  await execute(server().url(), fixture('adversary/schema-postgres.sql'));
  const connect = { connectionString: server().url() };
  reader = await createPostgresReader({ connect, trustedFunctions: [], refreshIntervalMs: 0 });
});
afterAll(() => reader.close());

it('both readers see the same verbs and tables in all fixtures', async () => {
  const cases = [...JSON.parse(fixture('adversary/postgres.json')), ...JSON.parse(fixture('ordinary/postgres.json'))];
  const disagreements: string[] = [];
  for (const { sql } of cases as { sql: string }[]) {
    const result = await reader.session(new Map()).read(sql);
    if (result.kind !== 'read' || result.statements.length !== 1) continue;
    const reading = result.statements[0]?.reading;
    const found = reading === undefined ? undefined : compare(sql, reading);
    if (found !== undefined) disagreements.push(`${sql}: ${found.message} ${JSON.stringify(found.details)}`);
  }
  expect(disagreements).toEqual([]);
});

it('a table that the first reader missed is a disagreement', async () => {
  const result = await reader.session(new Map()).read('select 1');
  const reading = result.kind === 'read' ? result.statements[0]?.reading : undefined;
  if (reading === undefined) throw new Error('select 1 is readable');
  expect(compare('select id from customers', reading)?.details.second).toBe('customers');
  expect(compare('drop table customers', reading)?.message).toContain('another verb');
});
