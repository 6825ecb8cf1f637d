// Samples the tables of a Postgres database in a read-only transaction: some rows of each, values as text, no more of a long one than is
// needed to tell what it holds.
import pg from 'pg';
import { ColumnSample, type SampleKind } from '../masking/index.ts';

export interface ScannedTable {
  readonly schema: string;
  readonly table: string;
  readonly samples: ReadonlyMap<string, ColumnSample>;
  /** Why the table could not be read. */
  readonly error: string | undefined;
}

interface Table {
  readonly schema: string;
  readonly table: string;
  /** The planner's estimate; below 0 where the table was never analyzed. */
  readonly rows: number;
  readonly columns: readonly { readonly name: string; readonly kind: SampleKind }[];
}

/** More of a value is not looked at. A document that is cut is looked at as text. */
const longestText = 8192;
const longestDocument = 65_536;

/** Reads up to `rows` rows of each table the login may read. `progress` is told before each. */
export async function* scanPostgres(
  connect: pg.ClientConfig,
  rows: number,
  progress: (done: number, total: number, what: string) => void,
): AsyncGenerator<ScannedTable> {
  const client = new pg.Client(connect);
  // A connection that breaks fails the query that runs, which says so.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`set statement_timeout = '30s'; set default_transaction_read_only = on`);
    const tables = await tablesOf(client);
    for (const [index, table] of tables.entries()) {
      progress(index, tables.length, `${table.schema}.${table.table}`);
      yield await scanTable(client, table, rows);
    }
    progress(tables.length, tables.length, '');
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function scanTable(client: pg.Client, table: Table, rows: number): Promise<ScannedTable> {
  const samples = new Map(table.columns.map(({ name, kind }) => [name, new ColumnSample(name, kind)]));
  const looked = table.columns.filter(({ kind }) => kind !== 'other');
  let error: string | undefined;
  if (looked.length > 0) {
    try {
      const list = looked.map(({ name, kind }) => {
        const column = pg.escapeIdentifier(name);
        return kind === 'date'
          ? `${column}::text`
          : `left(${column}::text, ${kind === 'json' ? longestDocument : longestText})`;
      });
      const from = `${pg.escapeIdentifier(table.schema)}.${pg.escapeIdentifier(table.table)}`;
      const { rows: found } = await client.query<(string | null)[]>({
        text: `select ${list.join(', ')} from ${from}${sampling(table.rows, rows)} limit ${rows}`,
        rowMode: 'array',
      });
      for (const row of found) {
        row.forEach((value, index) => {
          if (value !== null) samples.get(looked[index]?.name ?? '')?.add(value);
        });
      }
    } catch (cause) {
      error = cause instanceof Error ? cause.message : String(cause);
    }
  }
  return { schema: table.schema, table: table.table, samples, error };
}

/** Of a large table pages from all over it are read, the same ones each time; of any other its first rows. */
function sampling(estimate: number, rows: number): string {
  if (estimate < rows * 10) return '';
  const percent = Math.min(100, (rows * 4 * 100) / estimate);
  return ` tablesample system (${percent.toPrecision(4)}) repeatable (1)`;
}

interface CatalogRow {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  readonly column: string;
  readonly category: string;
  readonly type: string;
}

/** Tables, partitioned tables and materialized views that are no system's, with the columns the login may read. */
async function tablesOf(client: pg.Client): Promise<readonly Table[]> {
  const { rows } = await client.query<CatalogRow>(`
    select n.nspname as schema, c.relname as table, a.attname as column, c.reltuples::float8 as rows,
      coalesce(e.typcategory, t.typcategory) as category, coalesce(e.typname, t.typname) as type
    from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_type t on t.oid = a.atttypid
      left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
    where c.relkind in ('r', 'p', 'm') and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select')
    order by n.nspname, c.relname, a.attnum`);
  const tables = new Map<string, Table & { columns: { name: string; kind: SampleKind }[] }>();
  for (const row of rows) {
    const key = `${row.schema}\0${row.table}`;
    const table = tables.get(key) ?? { schema: row.schema, table: row.table, rows: row.rows, columns: [] };
    table.columns.push({ name: row.column, kind: kindOf(row.type, row.category) });
    tables.set(key, table);
  }
  return [...tables.values()];
}

/** By pg_type.typcategory, where the type's name does not say more. */
function kindOf(type: string, category: string): SampleKind {
  if (type === 'json' || type === 'jsonb') return 'json';
  // Too short for anything that is looked for.
  if (['int2', 'int4', 'float4', 'float8', 'oid', 'money', 'bool'].includes(type)) return 'other';
  if (category === 'N') return 'number';
  if (category === 'D') return 'date';
  return category === 'S' || type === 'xml' || type === 'citext' || type === 'hstore' ? 'text' : 'other';
}
