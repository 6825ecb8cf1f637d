// Servers for tests of the MySQL side: the one MYSQL_URL names (npm test brings one up for all files), or one a test file.
import { randomBytes } from 'node:crypto';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
import { givenServer, type MariadbServer, missingServer, startMariadb } from '../../src/demo/mariadb-server.ts';

export type { MariadbServer } from '../../src/demo/mariadb-server.ts';

/** False where this machine has no such server: files of tests that need one have none then, and `npm test` says what is missing. */
export const haveMariadb = missingServer() === undefined;

/** A database of its own on a server, gone after the file's tests; call the result inside tests and hooks. */
export function mariadbDatabase(...statements: readonly string[]): () => MariadbServer & { readonly database: string } {
  const database = `sallyport_${randomBytes(4).toString('hex')}`;
  let server: MariadbServer | undefined;
  beforeAll(async () => {
    const given = process.env.MYSQL_URL;
    server = given === undefined ? await startMariadb() : givenServer(given);
    await run(server.url(), `CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
    await run(server.url(database), ...statements);
  });
  afterAll(async () => {
    if (server !== undefined) await run(server.url(), `DROP DATABASE ${database}`);
    await server?.stop();
  });
  return () => {
    if (server === undefined) throw new Error('the server is started in beforeAll');
    return { ...server, database };
  };
}

/** Runs statements on a connection of its own. */
export async function run(url: string, ...statements: readonly string[]): Promise<void> {
  const connection = await mysql.createConnection({ uri: url });
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}
