// Reads the catalog of a target over the gateway's own connection, in one snapshot, part by part, with rows as arrays for speed.
import type pg from 'pg';
import { Catalog, type Column, type FunctionFact, type Relation, type RelationKind, type TypeFact } from './catalog.ts';
import { digests, named, type Part, type PartName, parts } from './catalog-parts.ts';

type Row = readonly unknown[];
const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value));
const oid = (value: unknown): number => Number(value ?? 0);
const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(text) : []);
const oids = (value: unknown): number[] =>
  Array.isArray(value)
    ? value.map(Number)
    : text(value)
        .split(' ')
        .filter((part) => part !== '')
        .map(Number);

/** What a catalog was put together from, kept so that the next one reads only what has changed. */
export interface CatalogSource {
  readonly digests: Readonly<Record<string, string>>;
  readonly settings: string;
  readonly rows: ReadonlyMap<PartName, readonly Row[]>;
}

const sources = new WeakMap<Catalog, CatalogSource>();
const digestQuery = `select ${Object.values(digests).join(', ')}`;

/**
 * Reads the catalog: of an earlier one only the parts that have changed, and the earlier one itself comes back where none has. The
 * connection must be idle; it is left idle.
 */
export async function loadCatalog(client: pg.Client, previous?: Catalog): Promise<Catalog> {
  const run = async (query: string): Promise<Row[]> =>
    (await client.query<Row & unknown[]>({ text: query, rowMode: 'array' })).rows;
  const known = previous === undefined ? undefined : sources.get(previous);
  const [settings = []] = await run(
    `select current_setting('search_path'), current_user, current_setting('server_version_num')`,
  );
  // Definitions are written with qualified names when nothing but pg_catalog is on the path.
  await client.query(`begin isolation level repeatable read read only; set local search_path = ''`);
  try {
    const [values = []] = await run(digestQuery);
    const now = Object.fromEntries(Object.keys(digests).map((name, at) => [name, text(values[at])]));
    const fresh = { digests: now, settings: settings.map(text).join(' '), rows: new Map<PartName, readonly Row[]>() };
    const same = (part: Part) => part.digests.every((name) => known?.digests[name] === now[name]);
    if (previous !== undefined && known?.settings === fresh.settings && parts.every(same)) return previous;
    const body = Number(settings[2]) >= 140000 ? 'pg_get_function_sqlbody(p.oid)' : 'null';
    const ask = (part: Part) => run(part.query.replace('BODY', body));
    for (const part of parts)
      fresh.rows.set(part.name, (same(part) ? known?.rows.get(part.name) : undefined) ?? (await ask(part)));
    // The server wrote definitions with the names of the time: one that has changed since may stand in any of them.
    if (known !== undefined && renamed(known, fresh))
      for (const part of parts) if (part.names === true && same(part)) fresh.rows.set(part.name, await ask(part));
    const catalog = assemble(fresh, settings);
    sources.set(catalog, fresh);
    return catalog;
  } finally {
    await client.query('rollback');
  }
}

/** Whether anything that was there before now has another name. Columns and labels are compared by their whole rows. */
function renamed(before: CatalogSource, after: CatalogSource): boolean {
  for (const [name, places] of Object.entries(named) as [PartName, readonly number[]][]) {
    const [old, fresh] = [before.rows.get(name) ?? [], after.rows.get(name) ?? []];
    if (old === fresh) continue;
    const names = new Map(fresh.map((row) => [row[0], row]));
    for (const row of old) {
      const other = names.get(row[0]);
      if (other !== undefined && places.some((at) => row[at] !== other[at])) return true;
    }
  }
  const columns = (source: CatalogSource) =>
    new Map((source.rows.get('columns') ?? []).map((row) => [`${row[0]}.${row[2]}`, row[1]]));
  if (before.rows.get('columns') !== after.rows.get('columns')) {
    const fresh = columns(after);
    for (const [key, name] of columns(before)) {
      const other = fresh.get(key);
      if (other !== undefined && other !== name) return true;
    }
  }
  return before.digests.labels !== after.digests.labels;
}

/** Functions are plain facts that no catalog changes: each row is made into one once. */
const facts = new WeakMap<Row, FunctionFact>();

function assemble(source: CatalogSource, settings: Row): Catalog {
  const rows = (name: PartName) => source.rows.get(name) ?? [];
  const catalog = new Catalog();
  catalog.searchPath = text(settings[0]);
  catalog.user = text(settings[1]);
  catalog.serverVersion = Number(settings[2]);
  catalog.digest = Object.values(source.digests).join(' ');
  for (const row of rows('schemas')) catalog.schemas.add(text(row[1]));
  for (const name of ['systemRelations', 'relations'] as const)
    for (const row of rows(name)) catalog.addRelation(relationOf(row));
  addColumns(catalog, rows('systemColumns'));
  addColumns(catalog, rows('columns'));
  for (const row of rows('definitions')) {
    const relation = catalog.relationsByOid.get(oid(row[0]));
    if (relation !== undefined) relation.definition = text(row[1]);
  }
  for (const row of rows('inheritance')) {
    const child = catalog.relationsByOid.get(oid(row[0]));
    const parent = catalog.relationsByOid.get(oid(row[1]));
    if (child === undefined || parent === undefined) continue;
    child.parents.push(parent);
    parent.children.push(child);
  }
  for (const name of ['systemTypes', 'types'] as const) for (const row of rows(name)) catalog.addType(typeOf(row));
  for (const row of rows('labels')) catalog.types.get(oid(row[0]))?.labels.push(text(row[1]));
  for (const name of ['builtins', 'systemFunctions', 'functions'] as const) {
    for (const row of rows(name)) {
      const fact = facts.get(row) ?? functionOf(row);
      facts.set(row, fact);
      catalog.addFunction(fact);
    }
  }
  for (const row of rows('rules')) catalog.relationsByOid.get(oid(row[0]))?.rules.push(text(row[1]));
  for (const row of rows('triggers')) {
    const fact = catalog.functionsByOid.get(oid(row[1]));
    if (fact !== undefined) catalog.relationsByOid.get(oid(row[0]))?.triggers.push(fact);
  }
  for (const row of rows('operators')) {
    const fact = { schema: text(row[1]), name: text(row[2]), function: oid(row[3]), extension: text(row[4]) };
    catalog.operators.set(fact.name, [...(catalog.operators.get(fact.name) ?? []), fact]);
  }
  for (const row of rows('casts')) {
    catalog.casts.push({ source: oid(row[0]), target: oid(row[1]), function: oid(row[2]) });
  }
  return catalog;
}

function relationOf(row: Row): Relation {
  return {
    oid: oid(row[0]),
    schema: text(row[1]),
    name: text(row[2]),
    kind: text(row[3]) as RelationKind,
    rowType: oid(row[4]),
    columns: [],
    parents: [],
    children: [],
    definition: undefined,
    rules: [],
    triggers: [],
  };
}

function addColumns(catalog: Catalog, rows: readonly Row[]): void {
  for (const row of rows) {
    const table = catalog.relationsByOid.get(oid(row[0]));
    if (table === undefined) continue;
    const column: Column = {
      table,
      name: text(row[1]),
      attnum: Number(row[2]),
      type: oid(row[3]),
      notNull: row[4] === true,
      generated: row[5] === true,
      ...(row[6] === true ? { unique: true } : {}),
      ...(Number(row[7] ?? -1) < 0 ? {} : { limit: Number(row[7]) }),
    };
    table.columns.push(column);
  }
}

function typeOf(row: Row): TypeFact {
  const kind = text(row[3]) as TypeFact['kind'];
  const isArray = row[10] === true && oid(row[4]) !== 0;
  return {
    oid: oid(row[0]),
    schema: text(row[1]),
    name: text(row[2]),
    kind,
    element: isArray ? oid(row[4]) : kind === 'r' || kind === 'm' ? oid(row[9]) : 0,
    base: oid(row[5]),
    relation: oid(row[6]),
    category: text(row[7]),
    notNull: row[8] === true,
    labels: [],
  };
}

function functionOf(row: Row): FunctionFact {
  const modes = list(row[10]);
  const names = list(row[11]);
  const all = oids(row[9]);
  const argTypes = oids(row[6]);
  const isOut = (mode: string | undefined) => mode === 'o' || mode === 'b' || mode === 't';
  const outs = modes.flatMap((mode, at) => (isOut(mode) ? [at] : []));
  const ins =
    modes.length === 0
      ? argTypes.map((_, at) => at)
      : modes.flatMap((mode, at) => (mode !== 'o' && mode !== 't' ? [at] : []));
  return {
    oid: oid(row[0]),
    name: text(row[1]),
    kind: text(row[2]) as FunctionFact['kind'],
    volatility: text(row[3]) as FunctionFact['volatility'],
    returnsSet: row[4] === true,
    returnType: oid(row[5]),
    argTypes,
    argNames: ins.map((at) => names[at] ?? ''),
    defaults: Number(row[7] ?? 0),
    variadic: oid(row[8]) !== 0,
    outNames: outs.map((at) => names[at] ?? ''),
    outTypes: outs.map((at) => all[at] ?? 0),
    schema: row.length > 12 ? text(row[12]) : 'pg_catalog',
    language: row.length > 12 ? text(row[13]) : 'internal',
    settings: list(row[14]),
    extension: text(row[15]),
    body: row[16] === null || row[16] === undefined ? undefined : text(row[16]),
    definition: row[17] === null || row[17] === undefined ? undefined : text(row[17]),
    support: oids(row[18]).filter((value) => value > 0),
  };
}
