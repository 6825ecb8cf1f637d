// Servers for tests of the MySQL side: the one MYSQL_URL names (npm test brings one up for all files), or one a test file.
import { randomBytes } from 'node:crypto';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
import {
  givenServer,
  type MariadbServer,
  missingServer,
  serverIsMariadb,
  startMariadb,
} from '../../src/demo/mariadb-server.ts';

export type { MariadbServer } from '../../src/demo/mariadb-server.ts';

/** False where this machine has no such server: files of tests that need one have none then, and `npm test` says what is missing. */
export const haveMariadb = missingServer() === undefined;

/** True where the server of these tests is MariaDB; false where it is MySQL, which lacks what only MariaDB has. */
export const onMariadb = haveMariadb && (await isMariadb());

async function isMariadb(): Promise<boolean> {
  const given = process.env.MYSQL_URL;
  if (given === undefined) return serverIsMariadb();
  const connection = await mysql.createConnection({ uri: given });
  try {
    const [rows] = await connection.query('SELECT VERSION() AS version');
    return /mariadb/i.test(JSON.stringify(rows));
  } finally {
    await connection.end();
  }
}

/**
 * Statements behind which `seq_1_to_N` can be read, rows of the numbers 1 to N in column `seq`: MariaDB has these tables by itself
 * (its Sequence engine), MySQL is given them.
 */
export function sequences(...ends: readonly number[]): string[] {
  if (onMariadb) return [];
  const digit = `(${Array.from({ length: 10 }, (_, number) => `SELECT ${number} AS d`).join(' UNION ALL ')})`;
  return ends.flatMap((end) => {
    const places = Array.from({ length: String(end).length }, (_, place) => place);
    const number = `1 + ${places.map((place) => `${10 ** place} * p${place}.d`).join(' + ')}`;
    return [
      `CREATE TABLE seq_1_to_${end} (seq BIGINT UNSIGNED PRIMARY KEY)`,
      `INSERT INTO seq_1_to_${end} SELECT ${number} FROM ${places.map((place) => `${digit} p${place}`).join(', ')} WHERE ${number} <= ${end}`,
    ];
  });
}

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
