// What a target's own planner expects of a statement: EXPLAIN on a connection of the gateway's, never the client's, and never run.
import pg from 'pg';
import type { Estimate } from '../approvals/index.ts';
import type { Reading, Verb } from '../sql/index.ts';
import type { KeptParameter } from './parameters.ts';

/** The outermost verbs EXPLAIN takes. */
const explainable: ReadonlySet<Verb> = new Set<Verb>([
  'select',
  'values',
  'table',
  'insert',
  'update',
  'delete',
  'merge',
]);

const timeoutMs = 1500;
const mostAtOnce = 4;
let running = 0;

/** Whether the planner can be asked about a statement. */
export function isExplainable({ verbs, tables }: Reading): boolean {
  const [verb] = verbs;
  return verb !== undefined && explainable.has(verb) && !tables.some(({ schema }) => schema === 'pg_temp');
}

export interface Explained {
  readonly reading: Reading;
  /** One statement alone. */
  readonly text: string;
  readonly parameters: readonly KeptParameter[];
}

/** Asks a PostgreSQL target. Never rejects; server texts are not repeated, since they may quote values. */
export async function explainPostgres(connect: pg.ClientConfig, explained: Explained): Promise<Estimate> {
  const { reading } = explained;
  const [verb] = reading.verbs;
  if (verb === undefined || !explainable.has(verb)) return none(`EXPLAIN does not take ${verb ?? 'this statement'}`);
  if (reading.tables.some(({ schema }) => schema === 'pg_temp')) return none('it uses temporary tables');
  return withTurn(() => explain(connect, explained));
}

/** A few at a time, so that many held statements do not fill the target with connections. */
export async function withTurn(ask: () => Promise<Estimate>): Promise<Estimate> {
  if (running >= mostAtOnce) return none('too many were asked for at once');
  running++;
  try {
    return await ask();
  } finally {
    running--;
  }
}

async function explain(connect: pg.ClientConfig, explained: Explained): Promise<Estimate> {
  const client = new pg.Client({
    ...connect,
    application_name: 'sallyport:explain',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await estimateOn(client, explained);
  } catch (cause) {
    const state = cause instanceof pg.DatabaseError && cause.code !== undefined ? ` (${cause.code})` : '';
    return none(`the server's EXPLAIN failed${state}`);
  } finally {
    void client.end().catch(() => undefined);
  }
}

/** Asks on a connection, and leaves it in a transaction. Rejects with the driver's error. */
export async function estimateOn(client: pg.ClientBase, { reading, text, parameters }: Explained): Promise<Estimate> {
  // Names without a schema are looked up where the client's session found them.
  const schemas = [...new Set(reading.tables.map(({ schema }) => schema))].filter(
    (schema) => schema !== '' && schema !== 'pg_catalog',
  );
  const path = [...schemas, 'public'].map((schema) => pg.escapeIdentifier(schema)).join(', ');
  await client.query(`begin read only; set local statement_timeout = ${timeoutMs}; set local search_path = ${path}`);
  const question = {
    text: `explain (format json) ${text}`,
    values: parameters.map(({ value, binary }) =>
      value === undefined ? null : binary ? Buffer.from(value) : value.toString('utf8'),
    ),
    // A text of several statements is refused by the server itself.
    queryMode: 'extended',
  };
  const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(question);
  return estimateOf(rows[0]?.['QUERY PLAN']) ?? none('the plan could not be read');
}

/** The rows a plan returns or, for a write, changes: a ModifyTable node says 0 rows, its input says how many. */
export function estimateOf(plan: unknown): Estimate | undefined {
  const top = Array.isArray(plan) ? (plan[0] as { Plan?: PlanNode } | undefined)?.Plan : undefined;
  if (top === undefined) return undefined;
  const writes = top['Node Type'] === 'ModifyTable' ? top : undefined;
  const rows = writes === undefined ? top['Plan Rows'] : sum(writes.Plans ?? []);
  const cost = top['Total Cost'];
  return typeof rows === 'number' && typeof cost === 'number' ? { kind: 'estimate', rows, cost } : undefined;
}

interface PlanNode {
  readonly 'Node Type'?: string;
  readonly 'Plan Rows'?: number;
  readonly 'Total Cost'?: number;
  readonly 'Parent Relationship'?: string;
  readonly Plans?: readonly PlanNode[];
}

function sum(nodes: readonly PlanNode[]): number {
  return nodes
    .filter((node) => node['Parent Relationship'] !== 'InitPlan' && node['Parent Relationship'] !== 'SubPlan')
    .reduce((total, node) => total + (node['Plan Rows'] ?? 0), 0);
}

/** Why there is no estimate. */
export function none(why: string): Estimate {
  return { kind: 'none', why };
}
