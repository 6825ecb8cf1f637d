// What a MySQL or MariaDB target's planner expects of a statement: EXPLAIN on a connection of the gateway's, in a transaction that
// is never committed.
import mysql, { type ConnectionOptions, type RowDataPacket } from 'mysql2/promise';
import type { Estimate } from '../approvals/index.ts';
import type { Reading, Verb } from '../sql/index.ts';
import { type Explained, none, withTurn } from './estimate.ts';
import { parameterText } from './parameters.ts';

/** The outermost verbs EXPLAIN takes (https://dev.mysql.com/doc/refman/8.4/en/explain.html). */
const explainable: ReadonlySet<Verb> = new Set<Verb>(['select', 'insert', 'update', 'delete', 'replace']);

const timeoutMs = 1500;

/** Whether the planner can be asked about a statement. */
export function isExplainableMysql({ verbs: [verb] }: Reading): boolean {
  return verb !== undefined && explainable.has(verb);
}

/** Never rejects; server texts are not repeated, since they may quote values. */
export async function explainMysql(connect: ConnectionOptions, explained: Explained): Promise<Estimate> {
  const { reading } = explained;
  if (!isExplainableMysql(reading)) return none(`EXPLAIN does not take ${reading.verbs[0] ?? 'this statement'}`);
  return withTurn(async () => {
    let connection: mysql.Connection | undefined;
    try {
      connection = await mysql.createConnection({ ...connect, connectTimeout: timeoutMs });
      connection.on('error', () => undefined);
      return await estimateOnMysql(connection, explained);
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
      return none(`the server's EXPLAIN failed${code}`);
    } finally {
      connection?.destroy();
    }
  });
}

/** Asks on a connection, and leaves it in a transaction. Rejects with the driver's error. */
export async function estimateOnMysql(
  connection: mysql.Connection,
  { reading, text, parameters }: Explained,
): Promise<Estimate> {
  // Names without a database are looked up where the client's session found them.
  const [database, ...others] = new Set(reading.tables.map(({ schema }) => schema).filter((schema) => schema !== ''));
  if (database !== undefined && others.length === 0) await connection.query('USE ??', [database]);
  // In a read-only transaction the servers refuse even to explain a write.
  const reads = reading.verbs.every((verb) => verb === 'select');
  await connection.query(`START TRANSACTION${reads ? ' READ ONLY' : ''}`);
  const sql = { sql: `EXPLAIN FORMAT=TRADITIONAL ${text}`, timeout: timeoutMs };
  const values = parameters.map((parameter) => parameterText(parameter, 'mysql'));
  const [plan] =
    values.length === 0
      ? await connection.query<RowDataPacket[]>(sql)
      : await connection.execute<RowDataPacket[]>(sql, values);
  const [status] = await connection.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Last_query_cost'");
  const rows = planRows(plan);
  return rows === undefined
    ? none('the plan could not be read')
    : { kind: 'estimate', rows, cost: Number(status[0]?.Value ?? 0) };
}

/** Tables of one SELECT are joined: their rows multiply. UNION's parts add up; subqueries and derived tables only feed the others. */
export function planRows(plan: readonly Readonly<Record<string, unknown>>[]): number | undefined {
  const selects = new Map<unknown, number>();
  for (const { id, select_type: type, rows, filtered } of plan) {
    if (/SUBQUERY|DERIVED|MATERIALIZED|UNION RESULT|LATERAL/.test(String(type))) continue;
    const share = typeof filtered === 'number' || typeof filtered === 'string' ? Number(filtered) / 100 : 1;
    const each = rows === null || rows === undefined ? 1 : Number(rows) * (Number.isFinite(share) ? share : 1);
    selects.set(id, (selects.get(id) ?? 1) * each);
  }
  if (selects.size === 0) return undefined;
  return Math.round([...selects.values()].reduce((sum, each) => sum + each, 0));
}
