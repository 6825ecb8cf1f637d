// Samples the tables of a MySQL or MariaDB server in a read-only session: the first rows of each, values as text, no more of a long one
// than is needed to tell what it holds.
import mysql, { type ConnectionOptions, type RowDataPacket } from 'mysql2/promise';
import { ColumnSample, type SampleKind } from '../masking/index.ts';
import type { ScannedTable } from './scan-postgres.ts';

interface Table {
  readonly schema: string;
  readonly table: string;
  readonly columns: { readonly name: string; readonly kind: SampleKind }[];
}

const longestText = 8192;
const longestDocument = 65_536;

/** Reads up to `rows` rows of each table the login may read. `progress` is told before each. */
export async function* scanMysql(
  connect: ConnectionOptions,
  rows: number,
  progress: (done: number, total: number, what: string) => void,
): AsyncGenerator<ScannedTable> {
  const connection = await mysql.createConnection({ ...connect, rowsAsArray: true, charset: 'utf8mb4' });
  // A connection that breaks fails the query that runs, which says so.
  connection.on('error', () => undefined);
  try {
    await connection.query('SET SESSION TRANSACTION READ ONLY');
    // The limit has one name in MariaDB and another in MySQL.
    await connection
      .query('SET SESSION max_statement_time = 30')
      .catch(() => connection.query('SET SESSION max_execution_time = 30000'));
    const tables = await tablesOf(connection);
    for (const [index, table] of tables.entries()) {
      progress(index, tables.length, `${table.schema}.${table.table}`);
      yield await scanTable(connection, table, rows);
    }
    progress(tables.length, tables.length, '');
  } finally {
    await connection.end().catch(() => undefined);
  }
}

async function scanTable(connection: mysql.Connection, table: Table, rows: number): Promise<ScannedTable> {
  const samples = new Map(table.columns.map(({ name, kind }) => [name, new ColumnSample(name, kind)]));
  const looked = table.columns.filter(({ kind }) => kind !== 'other');
  let error: string | undefined;
  if (looked.length > 0) {
    try {
      const list = looked.map(
        ({ name, kind }) =>
          `LEFT(CONVERT(${mysql.escapeId(name, true)} USING utf8mb4), ${kind === 'json' ? longestDocument : longestText})`,
      );
      const from = `${mysql.escapeId(table.schema, true)}.${mysql.escapeId(table.table, true)}`;
      const [found] = await connection.query<RowDataPacket[][]>(`SELECT ${list.join(', ')} FROM ${from} LIMIT ${rows}`);
      for (const row of found) {
        row.forEach((value: unknown, index) => {
          if (typeof value === 'string') samples.get(looked[index]?.name ?? '')?.add(value);
        });
      }
    } catch (cause) {
      error = cause instanceof Error ? cause.message : String(cause);
    }
  }
  return { schema: table.schema, table: table.table, samples, error };
}

/** Tables that are no system's. information_schema shows only what the login may see. */
async function tablesOf(connection: mysql.Connection): Promise<readonly Table[]> {
  const [rows] = await connection.query<RowDataPacket[][]>(`
    SELECT c.table_schema, c.table_name, c.column_name, c.data_type
    FROM information_schema.columns c
      JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
    WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')
    ORDER BY c.table_schema, c.table_name, c.ordinal_position`);
  const tables = new Map<string, Table>();
  for (const row of rows) {
    const [schema = '', table = '', name = '', type = ''] = (row as unknown[]).map(String);
    const key = `${schema}\0${table}`;
    const known = tables.get(key) ?? { schema, table, columns: [] };
    known.columns.push({ name, kind: kindOf(type.toLowerCase()) });
    tables.set(key, known);
  }
  return [...tables.values()];
}

function kindOf(type: string): SampleKind {
  if (type === 'json') return 'json';
  if (/char|text|^enum$|^set$/.test(type)) return 'text';
  if (type === 'bigint' || type === 'decimal') return 'number';
  return type === 'date' || type === 'datetime' || type === 'timestamp' ? 'date' : 'other';
}
