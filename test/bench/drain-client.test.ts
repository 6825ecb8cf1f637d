// The benchmark's client counts what is there, however the server asks for the password, and is told of errors.
import { describe, expect, test } from 'vitest';
import { drainClient } from '../../bench/support/drain-client.ts';
import { postgresServer } from '../support/postgres.ts';

describe.each(['scram-sha-256', 'md5', 'password'] as const)('a server that asks for %s', (auth) => {
  const server = postgresServer({ auth });
  const connect = () => {
    const { host, port, user, password } = server();
    return drainClient({ host, port, user, password, database: 'postgres' });
  };

  test.each(['text', 'binary'] as const)('every row is counted in %s', async (format) => {
    const client = await connect();
    const sql = "select g, repeat('x', g % 3000) from generate_series(1, 20000) g";
    for (let round = 0; round < 2; round++) expect((await client.drain(sql, format)).rows).toBe(20_000);
    expect((await client.drain('select 1 where false', format)).rows).toBe(0);
    client.close();
  });

  test('an error of the server is an error of the drain, and the next one works', async () => {
    const client = await connect();
    await expect(client.drain('select 1 / 0', 'text')).rejects.toThrow('ERROR 22012: division by zero');
    expect((await client.drain('select 1', 'text')).rows).toBe(1);
    client.close();
  });

  test('a wrong password is refused with the message of the server', async () => {
    const { host, port, user } = server();
    await expect(drainClient({ host, port, user, password: 'wrong', database: 'postgres' })).rejects.toThrow(/28P01/);
  });
});
