// `sallyport scan` against a real database: what it proposes, and that the proposal is a configuration that works.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/index.ts';
import { compilePolicy } from '../../src/policy/index.ts';
import { house } from './support.ts';

const at = house({
  schema: [
    `create table customers (id int primary key, name text, email text, card_number text, backup_mail varchar(80), pan bigint, birth_date date, notes text,
       profile jsonb, phones text[], "odd.name" text, plain text)`,
    `insert into customers select n, 'Name ' || n, 'user' || n || '@example.com', '4111111111111111', 'other' || n || '@example.org', 4111111111111111,
       date '1980-01-01' + n, case when n % 10 = 0 then 'paid with 5500 0000 0000 0004' else 'nothing' end,
       jsonb_build_object('contact', jsonb_build_object('mail', 'x' || n || '@example.com', 'city', 'Oslo')), array['+44 20 7946 0958'],
       'GB33BUKB20201555555555', 'plain' from generate_series(1, 300) n`,
    'create schema other',
    'create table other.hidden (mail text)',
    'create table other.empty (password text, tags text)',
    `create table big as select n as id, 'p' || n || '@example.com' as contact from generate_series(1, 20000) n`,
    'analyze',
    `create role gateway login password 'gateway-secret'`,
    'grant select on all tables in schema public to gateway',
    'grant usage on schema other to gateway',
    'grant select on other.empty to gateway',
  ],
});
const bin = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
const file = () => join(at().folder, 'sallyport.yaml');

function scan(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, 'scan', '-c', file(), ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

test('proposes masks for what the columns hold, and for nothing else', async () => {
  const { code, out, err } = await scan('--target', 'shop', '--rows', '200');
  expect(err).toBe('');
  expect(code).toBe(0);
  const { masks } = parse(out) as { masks: { columns: string[]; mask: unknown }[] };
  expect(Object.fromEntries(masks.map(({ columns: [column], mask }) => [column, mask]))).toEqual({
    'shop.public.customers.backup_mail': 'email',
    'shop.public.customers.pan': { 'keep-last': 4 },
    'shop.public.customers.notes': 'redact',
    'shop.public.customers.profile': { paths: ['$.contact.mail'], with: 'email' },
    'shop.public.customers.phones': { 'keep-last': 2 },
    'shop.public.customers."odd.name"': { 'keep-last': 4 },
    'shop.public.big.contact': 'email',
    'shop.other.empty.password': 'redact',
  });
  expect(out).toMatch(/# card in \d+ of 200 values\n {2}- columns: \["shop\.public\.customers\.notes"\]/);
  // No value of the database stands in the output.
  expect(out).not.toMatch(/5500|4111|example\.com|GB33/);

  const taken = join(at().folder, 'taken.yaml');
  const text = await readFile(file(), 'utf8');
  await writeFile(taken, `${text.split('\nmasks:')[0]}\n${out}`);
  const policy = compilePolicy(await loadConfig(taken), 'shop');
  expect(policy.listed({ schema: 'public', table: 'customers', column: 'odd.name' })).toBe(true);
  expect(policy.listed({ schema: 'public', table: 'customers', column: 'plain' })).toBe(false);
});

test('--json gives one object with what each proposal rests on', async () => {
  const { out } = await scan('--target', 'shop', '--json', '--rows', '100');
  const found = JSON.parse(out);
  expect(found).toMatchObject({ target: 'shop', tables: 3, listed: 3, unread: [] });
  expect(found.proposals).toContainEqual({
    columns: ['shop.public.customers.pan'],
    mask: { 'keep-last': 4 },
    by: 'content',
    found: { card: 100 },
    sampled: 100,
  });
});

test('an unknown target, a wrong count and a server that is down are said', async () => {
  expect(await scan('--target', 'nowhere')).toMatchObject({
    code: 1,
    err: expect.stringContaining('no target "nowhere"'),
  });
  expect(await scan('--target', 'shop', '--rows', 'many')).toMatchObject({
    code: 1,
    err: expect.stringContaining('--rows'),
  });
  const down = join(at().folder, 'down.yaml');
  await writeFile(
    down,
    (await readFile(file(), 'utf8')).replace(/@127\.0\.0\.1:\d+\/postgres/, '@127.0.0.1:1/postgres'),
  );
  const { code, err } = await new Promise<{ code: number; err: string }>((resolve) => {
    execFile(process.execPath, [bin, 'scan', '-c', down, '--target', 'shop'], (error, _out, said) =>
      resolve({ code: error === null ? 0 : Number(error.code), err: said }),
    );
  });
  expect(code).toBe(1);
  expect(err).toContain('cannot be scanned');
});
