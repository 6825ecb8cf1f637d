// Reads the catalog of a target from information_schema over the gateway's own connection, with rows as arrays for speed.
import { createHash, type Hash } from 'node:crypto';
import type mysql from 'mysql2/promise';
import { Catalog, type Table, type Trigger, wireType } from './catalog.ts';

type Row = readonly (string | number | null)[];
const text = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? '' : String(value);

const queries = {
  facts: 'SELECT @@version, @@lower_case_table_names, @@global.sql_mode',
  // One look at each table: TABLES would open all of them once more. Sorting is left to us, it would fill the server's disk.
  columns: `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, ORDINAL_POSITION, COLUMN_TYPE,
      COLLATION_NAME
    FROM information_schema.COLUMNS`,
  views: 'SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS',
  routines: `SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION FROM information_schema.ROUTINES
    WHERE ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE')`,
  triggers: `SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_STATEMENT
    FROM information_schema.TRIGGERS`,
} as const;

/** The connection is made fit for reading the catalog: definitions come with backticks and backslashes as everywhere. */
export async function prepareConnection(connection: mysql.Connection): Promise<void> {
  await connection.query("SET SESSION sql_mode = ''");
}

/** Reads everything. The connection must be idle; it is left idle. */
export async function loadCatalog(connection: mysql.Connection): Promise<Catalog> {
  const digest = createHash('sha1');
  const run = async (name: keyof typeof queries): Promise<readonly Row[]> => {
    const [rows] = await connection.query({ sql: queries[name], rowsAsArray: true });
    const found = rows as unknown as readonly Row[];
    hash(digest, name, found);
    return found;
  };
  const [facts] = await run('facts');
  const catalog = new Catalog(Number(facts?.[1] ?? 0) !== 0);
  catalog.version = text(facts?.[0]);
  catalog.sqlMode = text(facts?.[2]);
  let table: Table | undefined;
  for (const [schema, name, column, type, nullable, ordinal, declared, collation] of await run('columns')) {
    if (table === undefined || table.schema !== schema || table.name !== name)
      table = catalog.table(text(schema), text(name)) ?? catalog.addTable(text(schema), text(name), 'table');
    // Rows of a table come in order from most servers.
    table.columns[Number(ordinal) - 1] = {
      table,
      name: text(column),
      type: wireType(text(type)),
      notNull: nullable === 'NO',
      declared: `${text(declared)} ${text(collation)}`.trim().toLowerCase(),
    };
  }
  for (const [schema, name, definition] of await run('views')) {
    const view = catalog.table(text(schema), text(name));
    if (view === undefined) continue;
    view.kind = 'view';
    view.definition = text(definition);
  }
  for (const [schema, name, type, body] of await run('routines')) {
    catalog.addRoutine({
      schema: text(schema),
      name: text(name),
      kind: text(type).toLowerCase() === 'function' ? 'function' : 'procedure',
      body: body === null || body === undefined ? undefined : text(body),
    });
  }
  for (const [schema, name, trigger, event, body] of await run('triggers')) {
    const of = catalog.table(text(schema), text(name));
    of?.triggers.push({ name: text(trigger), table: of, event: eventOf(text(event)), body: text(body) });
  }
  for (const each of catalog.tables.values()) compact(each);
  catalog.digest = digest.digest('base64');
  return catalog;
}

/** Places that a server leaves out between columns. */
function compact({ columns }: Table): void {
  let at = 0;
  for (const column of columns) if (column !== undefined) columns[at++] = column;
  columns.length = at;
}

function hash(digest: Hash, name: string, rows: readonly Row[]): void {
  digest.update(name);
  for (const row of rows) digest.update(`${row.join('\u0001')}\u0002`);
}

function eventOf(event: string): Trigger['event'] {
  return event === 'UPDATE' ? 'update' : event === 'DELETE' ? 'delete' : 'insert';
}

/** Columns of some tables as they are now, as one text to compare by; the server looks at these tables alone. */
export async function columnsNow(
  connection: mysql.Connection,
  tables: readonly { readonly schema: string; readonly table: string }[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { schema, table } of tables) {
    const [rows] = await connection.query(
      {
        sql: `SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
        rowsAsArray: true,
      },
      [schema, table],
    );
    found.push((rows as unknown as readonly Row[]).map((row) => text(row[0])).join('\u0001'));
  }
  return found;
}

/** Whether any stored program has one of these names. */
export async function routinesNow(connection: mysql.Connection, names: readonly string[]): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const [rows] = await connection.query(
    { sql: 'SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_NAME IN (?)', rowsAsArray: true },
    [names],
  );
  return (rows as unknown as readonly Row[]).map((row) => text(row[0]));
}
