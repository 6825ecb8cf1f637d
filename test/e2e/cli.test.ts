// The commands, as a person or a script runs them.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, test } from 'vitest';
import { house } from './support.ts';

const at = house();
const bin = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));

function sallyport(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

const file = () => join(at().folder, 'sallyport.yaml');

test('check passes a good file and names line, column and what was expected of a wrong one', async () => {
  expect((await sallyport('check', '-c', file())).code).toBe(0);
  const wrong = join(at().folder, 'wrong.yaml');
  await writeFile(wrong, (await readFile(file(), 'utf8')).replace('dialect: postgres', 'dialect: oracle'));
  const { code, err } = await sallyport('check', '-c', wrong);
  expect(code).toBe(1);
  expect(err).toMatch(/wrong\.yaml:\d+:\d+: targets\.shop\.dialect: expected/);
});

test('check names the secrets and files that are missing here, and the file is good all the same', async () => {
  const sample = join(at().folder, 'elsewhere.yaml');
  const text = (await readFile(file(), 'utf8')).replace(/password: \{[^}]*\}/, 'password: { env: NOT_SET_HERE }');
  await writeFile(sample, text);
  const { code, err } = await sallyport('check', '-c', sample);
  expect(code).toBe(0);
  expect(err).toContain('targets.shop.password: environment variable NOT_SET_HERE is not set');
});

test('token prints a token that logs in', async () => {
  const { out } = await sallyport('token', '-c', file(), '--sub', 'crew-9', '--groups', 'crew-support', '--ttl', '5m');
  const client = new pg.Client({ ...(await at().client()), password: out.trim() });
  await client.connect();
  const { rows } = await client.query(`select current_setting('application_name') as name`);
  await client.end();
  expect(rows).toEqual([{ name: 'sallyport:crew-9' }]);
});

test('explain says allow with 0 and deny with 4, and shows the masks', async () => {
  const ask = (sql: string, ...more: string[]) =>
    sallyport('explain', '-c', file(), '--target', 'shop', '--groups', 'crew-support', ...more, sql);
  const allowed = await ask('select ssn as x, name from customers');
  expect(allowed.code).toBe(0);
  expect(allowed.out).toContain('mask x: keep-last 4');
  const denied = await ask('delete from customers', '--json');
  expect(denied.code).toBe(4);
  expect(JSON.parse(denied.out)).toMatchObject({ verdict: 'deny', reading: { verbs: ['delete'] } });
  expect((await ask('selec 1')).code).toBe(4);
});

test('explain says that a masked value would be written back', async () => {
  const sql = "update customers set ssn = '*******0001' where id = 1";
  const back = await sallyport('explain', '-c', file(), '--target', 'shop', '--groups', 'crew-agent', sql);
  expect(back.code).toBe(4);
  expect(back.out).toContain('deny by rule "masked-write-back"');
});

test('audit tail, search, export and verify read what sessions leave', async () => {
  await at().connected((client) => client.query('drop table orders').catch(() => undefined));
  const found = await sallyport('audit', 'search', '-c', file(), '--verb', 'drop', '--json');
  expect(JSON.parse(found.out.split('\n')[0] ?? '')).toMatchObject({ verdict: 'deny', verbs: ['drop'] });
  expect((await sallyport('audit', 'tail', '-c', file(), '--no-follow')).out).toContain('drop table orders');
  expect((await sallyport('audit', 'export', '-c', file(), '--format', 'csv', '--verb', 'drop')).out).toContain(
    'time,event',
  );
  expect(await sallyport('audit', 'verify', '-c', file())).toMatchObject({ code: 0 });
});

test('commands that need the store say how to have one', async () => {
  for (const command of ['approvals', 'grants', 'sessions', 'revocations']) {
    const { code, err } = await sallyport(command, 'list', '-c', file());
    expect(code).toBe(1);
    expect(err).toContain('Add "store: embedded" to it');
  }
});

test('what stands in the way of serve is told in one line, with 1', async () => {
  const taken = join(at().folder, 'taken.yaml');
  const text = (await readFile(file(), 'utf8')).replace('127.0.0.1:0', `127.0.0.1:${at().port}`);
  await writeFile(taken, `${text}\naudit: { journal: elsewhere }\n`);
  const { code, out, err } = await sallyport('serve', '-c', taken);
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err.trim().split('\n').at(-1)).toBe(
    `sallyport: listen EADDRINUSE: address already in use 127.0.0.1:${at().port}`,
  );
});
