// Reads the catalog of a target over the gateway's own connection, in one snapshot, with rows as arrays for speed.
import type pg from 'pg';
import { Catalog, type Column, type FunctionFact, type Relation, type RelationKind, type TypeFact } from './catalog.ts';

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

const systemSchemas = `('pg_catalog', 'information_schema')`;
const notTemporary = `n.nspname !~ '^pg_(temp|toast)'`;

const queries = {
  schemas: `select oid, nspname from pg_namespace n where ${notTemporary}`,
  relations: `
    select c.oid, n.nspname, c.relname, c.relkind, c.reltype
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and ${notTemporary}`,
  columns: `
    select a.attrelid, a.attname, a.attnum, a.atttypid, a.attnotnull, a.attgenerated <> '',
      exists (select from pg_index i where i.indrelid = a.attrelid and (i.indisunique or i.indisexclusion) and a.attnum = any (i.indkey)), a.atttypmod
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and ${notTemporary}
    order by a.attrelid, a.attnum`,
  definitions: `
    select c.oid, pg_get_viewdef(c.oid)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('v', 'm') and n.nspname not in ${systemSchemas} and ${notTemporary}`,
  inheritance: `select inhrelid, inhparent from pg_inherits order by inhrelid, inhseqno`,
  rules: `
    select r.ev_class, pg_get_ruledef(r.oid)
    from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
    where r.rulename <> '_RETURN' and r.ev_enabled <> 'D' and n.nspname not in ${systemSchemas} and ${notTemporary}`,
  triggers: `select tgrelid, tgfoid from pg_trigger where not tgisinternal and tgenabled <> 'D'`,
  types: `
    select t.oid, n.nspname, t.typname, t.typtype, t.typelem, t.typbasetype, t.typrelid, t.typcategory, t.typnotnull, r.rngsubtype,
      t.typsubscript = 'array_subscript_handler'::regproc
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    left join pg_range r on r.rngtypid = t.oid or r.rngmultitypid = t.oid
    where ${notTemporary}`,
  labels: `select enumtypid, enumlabel from pg_enum order by enumtypid, enumsortorder`,
  builtins: `
    select p.oid, p.proname, p.prokind, p.provolatile, p.proretset, p.prorettype, p.proargtypes::text, p.pronargdefaults, p.provariadic,
      p.proallargtypes, p.proargmodes::text[], p.proargnames
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'pg_catalog'::regnamespace and l.lanname in ('internal', 'c')
      and not exists (select 1 from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`,
  functions: `
    select p.oid, p.proname, p.prokind, p.provolatile, p.proretset, p.prorettype, p.proargtypes::text, p.pronargdefaults, p.provariadic,
      p.proallargtypes, p.proargmodes::text[], p.proargnames, n.nspname, l.lanname, p.proconfig, coalesce(e.extname, ''),
      case when l.lanname = 'sql' then coalesce(BODY, p.prosrc) end,
      case when l.lanname = 'plpgsql' and p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) end,
      array[a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggmtransfn::oid, a.aggmfinalfn::oid]
    from pg_proc p join pg_language l on l.oid = p.prolang join pg_namespace n on n.oid = p.pronamespace
    left join pg_aggregate a on a.aggfnoid = p.oid
    left join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    left join pg_extension e on e.oid = d.refobjid
    where not (n.nspname = 'pg_catalog' and l.lanname in ('internal', 'c') and e.oid is null)`,
  operators: `
    select n.nspname, o.oprname, o.oprcode::oid, coalesce(e.extname, '')
    from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
    left join pg_depend d on d.classid = 'pg_operator'::regclass and d.objid = o.oid and d.deptype = 'e'
    left join pg_extension e on e.oid = d.refobjid
    where o.oid >= 16384`,
  casts: `select castsource, casttarget, castfunc from pg_cast where oid >= 16384 and castfunc <> 0`,
  settings: `select current_setting('search_path'), current_user, current_setting('server_version_num')`,
} as const;

/** Cheap to compute, different whenever DDL has been committed. */
export const digestQuery = `
  select concat_ws('-',
    (select count(*) || ':' || coalesce(sum(hashtext(oid::text || relname || relnamespace::text)::bigint), 0)
       from pg_class c where relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
       and relnamespace not in (select oid from pg_namespace where nspname ~ '^pg_(temp|toast)')),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_proc where oid >= 16384),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_rewrite where oid >= 16384),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_trigger),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_namespace where nspname !~ '^pg_(temp|toast)'),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || inhrelid::text)::bigint), 0) from pg_inherits),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_enum),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_operator where oid >= 16384),
    (select count(*) || ':' || coalesce(sum(hashtext(xmin::text || oid::text)::bigint), 0) from pg_cast where oid >= 16384),
    (select count(*) || ':' || coalesce(sum(indexrelid::bigint), 0) from pg_index where indrelid >= 16384 and (indisunique or indisexclusion)),
    (select coalesce(max(xmin::text::bigint), 0) || ':' || count(*) from pg_attribute where attnum > 0 and attrelid >= 16384
       and attrelid in (select c.oid from pg_class c where c.relnamespace not in (select oid from pg_namespace where nspname ~ '^pg_(temp|toast)'))))`;

/** Reads everything. The connection must be idle; it is left idle. */
export async function loadCatalog(client: pg.Client): Promise<Catalog> {
  const run = async (query: string): Promise<Row[]> =>
    (await client.query<Row & unknown[]>({ text: query, rowMode: 'array' })).rows;
  const catalog = new Catalog();
  const settings = (await run(queries.settings))[0] ?? [];
  catalog.searchPath = text(settings[0]);
  catalog.user = text(settings[1]);
  catalog.serverVersion = Number(settings[2]);
  await client.query('begin isolation level repeatable read read only');
  try {
    // Definitions are written with qualified names when nothing but pg_catalog is on the path.
    await client.query(`set local search_path = ''`);
    catalog.digest = text((await run(digestQuery))[0]?.[0]);
    for (const row of await run(queries.schemas)) catalog.schemas.add(text(row[1]));
    for (const row of await run(queries.relations)) catalog.addRelation(relationOf(row));
    addColumns(catalog, await run(queries.columns));
    for (const row of await run(queries.definitions)) {
      const relation = catalog.relationsByOid.get(oid(row[0]));
      if (relation !== undefined) relation.definition = text(row[1]);
    }
    for (const row of await run(queries.inheritance)) {
      const child = catalog.relationsByOid.get(oid(row[0]));
      const parent = catalog.relationsByOid.get(oid(row[1]));
      if (child === undefined || parent === undefined) continue;
      child.parents.push(parent);
      parent.children.push(child);
    }
    for (const row of await run(queries.types)) catalog.addType(typeOf(row));
    for (const row of await run(queries.labels)) catalog.types.get(oid(row[0]))?.labels.push(text(row[1]));
    for (const row of await run(queries.builtins)) catalog.addFunction(functionOf(row));
    const body = catalog.serverVersion >= 140000 ? 'pg_get_function_sqlbody(p.oid)' : 'null';
    for (const row of await run(queries.functions.replace('BODY', body))) catalog.addFunction(functionOf(row));
    for (const row of await run(queries.rules)) catalog.relationsByOid.get(oid(row[0]))?.rules.push(text(row[1]));
    for (const row of await run(queries.triggers)) {
      const fact = catalog.functionsByOid.get(oid(row[1]));
      if (fact !== undefined) catalog.relationsByOid.get(oid(row[0]))?.triggers.push(fact);
    }
    for (const row of await run(queries.operators)) {
      const fact = { schema: text(row[0]), name: text(row[1]), function: oid(row[2]), extension: text(row[3]) };
      catalog.operators.set(fact.name, [...(catalog.operators.get(fact.name) ?? []), fact]);
    }
    for (const row of await run(queries.casts)) {
      catalog.casts.push({ source: oid(row[0]), target: oid(row[1]), function: oid(row[2]) });
    }
  } finally {
    await client.query('rollback');
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
