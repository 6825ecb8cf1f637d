// Issued credentials before MySQL: the challenge of stock clients against what the store keeps, on its own port and target.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { haveMariadb } from '../support/mariadb.ts';
import { mysqlHouse } from './mysql-support.ts';

const run = promisify(execFile);

interface Credential {
  readonly user: string;
  readonly password: string;
  readonly url: string;
  readonly dialect: string;
}

describe.runIf(haveMariadb)('an issued credential before MySQL', () => {
  const at = mysqlHouse({ listen: '  console: 127.0.0.1:0', extra: 'credentials: {}\n' });

  async function issue(): Promise<Credential> {
    const response = await fetch(`${at().gateway.console?.url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: await at().token(),
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        audience: 'crm',
      }),
    });
    expect(response.status).toBe(200);
    return (await response.json()) as Credential;
  }

  const connect = (settings: mysql.ConnectionOptions) =>
    mysql.createConnection({ host: '127.0.0.1', port: at().port, ...settings });

  test('logs in by its URL, as the identity it was issued to', async () => {
    const { url, user, dialect } = await issue();
    expect(dialect).toBe('mysql');
    expect(url).toMatch(new RegExp(`^mysql://${user}:[A-Za-z0-9]{32}@127.0.0.1:${at().port}/crm$`));
    const connection = await mysql.createConnection(url);
    const [rows] = await connection.query<mysql.RowDataPacket[]>('SELECT ssn FROM customers WHERE id = 7');
    await connection.end();
    expect(rows).toEqual([{ ssn: '*******0007' }]);
    const login = (await at().records()).findLast(({ event }) => event === 'login');
    expect(login).toMatchObject({ identity: 'crew-support-7', target: 'crm', details: { user } });
  });

  test('needs no database, and enters no other target', async () => {
    const { user, password } = await issue();
    const connection = await connect({ user, password });
    await connection.query('SELECT 1');
    await connection.end();
    await expect(connect({ user, password, database: 'elsewhere' })).rejects.toMatchObject({
      message: expect.stringContaining('credential-target'),
    });
  });

  test('with a wrong password is refused as the server would, on record', async () => {
    const { user, password } = await issue();
    await expect(connect({ user, password: `${password.slice(1)}x`, database: 'crm' })).rejects.toMatchObject({
      code: 'ER_ACCESS_DENIED_ERROR',
      errno: 1045,
    });
    await expect
      .poll(async () => (await at().records()).findLast(({ event }) => event === 'login-refused'), { timeout: 20_000 })
      .toMatchObject({ details: { rule: 'credential', user } });
  });

  test("logs in with MariaDB's own client", async () => {
    const { user, password } = await issue();
    const { stdout } = await run('mariadb', [
      ...['-h', '127.0.0.1', '-P', String(at().port), '-u', user, `-p${password}`, '--skip-ssl'],
      ...['-N', '-B', '-e', 'SELECT count(*) FROM customers', 'crm'],
    ]);
    expect(stdout.trim()).toBe('200');
  });
});
