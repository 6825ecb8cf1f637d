// What the catalog is read from, in parts: each has a digest that is cheap to compute and differs whenever its rows may, so that DDL costs
// the parts it touches. What initdb made (object ids below 16384, transam.h) is read once and again only if somebody tampers with it.

export type PartName =
  | 'schemas'
  | 'systemRelations'
  | 'systemColumns'
  | 'systemTypes'
  | 'builtins'
  | 'systemFunctions'
  | 'relations'
  | 'columns'
  | 'types'
  | 'labels'
  | 'inheritance'
  | 'functions'
  | 'definitions'
  | 'rules'
  | 'triggers'
  | 'operators'
  | 'casts';

export interface Part {
  readonly name: PartName;
  readonly query: string;
  /** Which of the digests decide. */
  readonly digests: readonly (keyof typeof digests)[];
  /** Its rows are texts made by the server, which name other objects: they change with any of those names. */
  readonly names?: boolean;
}

const user = 16_384;
const systemSchemas = `('pg_catalog', 'information_schema')`;
const notTemporary = `n.nspname !~ '^pg_(temp|toast)'`;
const lasting = `(select oid from pg_namespace n where ${notTemporary})`;
const kinds = `('r', 'p', 'v', 'm', 'f', 'S', 'c')`;

/** A row's version is its xmin: every update of a catalog row makes a new one, but for those in place, which change statistics only. */
const versions = (oid: string) =>
  `count(*) || ':' || coalesce(sum(hashint8extended((${oid})::bigint, xmin::text::bigint)::numeric), 0)`;
/** pg_class rows also change with what is of no interest here; these columns are all that is read of them. */
const relationNames = `count(*) || ':' ||
  coalesce(sum(hashtextextended(relname || relkind::text, oid::bigint << 32 | relnamespace::bigint)::numeric), 0)`;

export const digests = {
  system: `concat_ws('-',
    (select ${versions('oid')} from pg_proc where oid < ${user}),
    (select ${versions('oid')} from pg_type where oid < ${user}),
    (select ${versions('attrelid::bigint * 2048 + attnum')} from pg_attribute where attrelid < ${user} and attnum > 0),
    (select ${relationNames} from pg_class where oid < ${user} and relkind in ${kinds}))`,
  schemas: `(select ${versions('oid')} from pg_namespace n where ${notTemporary})`,
  relations: `(select ${relationNames} from pg_class where oid >= ${user} and relkind in ${kinds} and relnamespace in ${lasting})`,
  columns: `concat_ws('-',
    (select ${versions('attrelid::bigint * 2048 + attnum')} from pg_attribute where attrelid >= ${user} and attnum > 0
       and attrelid in (select c.oid from pg_class c where relkind in ${kinds} and c.relnamespace in ${lasting})),
    (select ${versions('indexrelid')} from pg_index where indrelid >= ${user} and (indisunique or indisexclusion)
       and indrelid in (select c.oid from pg_class c where c.relnamespace in ${lasting})))`,
  types: `(select ${versions('oid')} from pg_type where oid >= ${user} and typnamespace in ${lasting})`,
  labels: `(select ${versions('oid')} from pg_enum)`,
  inheritance: `(select ${versions('inhrelid::bigint << 32 | inhparent::bigint')} from pg_inherits)`,
  functions: `concat_ws('-',
    (select ${versions('oid')} from pg_proc where oid >= ${user}), (select ${versions('oid')} from pg_extension),
    (select count(*) from pg_depend where classid = 'pg_proc'::regclass and deptype = 'e'))`,
  rules: `(select ${versions('oid')} from pg_rewrite where oid >= ${user})`,
  triggers: `(select ${versions('oid')} from pg_trigger)`,
  operators: `(select ${versions('oid')} from pg_operator where oid >= ${user})`,
  casts: `(select ${versions('oid')} from pg_cast where oid >= ${user})`,
} as const;

const relations = `
  select c.oid, n.nspname, c.relname, c.relkind, c.reltype
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ${kinds} and ${notTemporary}`;

const columns = `
  select a.attrelid, a.attname, a.attnum, a.atttypid, a.attnotnull, a.attgenerated <> '', u.attnum is not null, a.atttypmod
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  left join (select distinct i.indrelid, k.attnum from pg_index i cross join unnest(i.indkey) k (attnum)
    where i.indisunique or i.indisexclusion) u on u.indrelid = a.attrelid and u.attnum = a.attnum
  where a.attnum > 0 and not a.attisdropped and c.relkind in ${kinds} and ${notTemporary}`;

const types = `
  select t.oid, n.nspname, t.typname, t.typtype, t.typelem, t.typbasetype, t.typrelid, t.typcategory, t.typnotnull, r.rngsubtype,
    t.typsubscript = 'array_subscript_handler'::regproc
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
  left join pg_range r on r.rngtypid = t.oid or r.rngmultitypid = t.oid
  where ${notTemporary}`;

const functions = `
  select p.oid, p.proname, p.prokind, p.provolatile, p.proretset, p.prorettype, p.proargtypes::text, p.pronargdefaults, p.provariadic,
    p.proallargtypes, p.proargmodes::text[], p.proargnames, n.nspname, l.lanname, p.proconfig, coalesce(e.extname, ''),
    case when l.lanname = 'sql' then coalesce(BODY, p.prosrc) end,
    case when l.lanname = 'plpgsql' and p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) end,
    array[a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggmtransfn::oid, a.aggmfinalfn::oid]
  from pg_proc p join pg_language l on l.oid = p.prolang join pg_namespace n on n.oid = p.pronamespace
  left join pg_aggregate a on a.aggfnoid = p.oid
  left join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
  left join pg_extension e on e.oid = d.refobjid`;

/** In the order in which they are put together. */
export const parts: readonly Part[] = [
  { name: 'schemas', digests: ['schemas'], query: `select oid, nspname from pg_namespace n where ${notTemporary}` },
  { name: 'systemRelations', digests: ['system'], query: `${relations} and c.oid < ${user}` },
  { name: 'relations', digests: ['relations', 'schemas'], query: `${relations} and c.oid >= ${user}` },
  {
    name: 'systemColumns',
    digests: ['system'],
    query: `${columns} and c.oid < ${user} order by a.attrelid, a.attnum`,
  },
  {
    name: 'columns',
    digests: ['relations', 'columns', 'schemas'],
    query: `${columns} and c.oid >= ${user} order by a.attrelid, a.attnum`,
  },
  {
    name: 'inheritance',
    digests: ['inheritance'],
    query: 'select inhrelid, inhparent from pg_inherits order by inhrelid, inhseqno',
  },
  { name: 'systemTypes', digests: ['system'], query: `${types} and t.oid < ${user}` },
  { name: 'types', digests: ['types', 'schemas'], query: `${types} and t.oid >= ${user}` },
  {
    name: 'labels',
    digests: ['labels'],
    query: 'select enumtypid, enumlabel from pg_enum order by enumtypid, enumsortorder',
  },
  {
    name: 'builtins',
    digests: ['system'],
    query: `
      select p.oid, p.proname, p.prokind, p.provolatile, p.proretset, p.prorettype, p.proargtypes::text, p.pronargdefaults, p.provariadic,
        p.proallargtypes, p.proargmodes::text[], p.proargnames
      from pg_proc p join pg_language l on l.oid = p.prolang
      where p.oid < ${user} and p.pronamespace = 'pg_catalog'::regnamespace and l.lanname in ('internal', 'c')
        and not exists (select 1 from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`,
  },
  {
    name: 'systemFunctions',
    digests: ['system'],
    query: `${functions}
      where p.oid < ${user} and not (n.nspname = 'pg_catalog' and l.lanname in ('internal', 'c') and e.oid is null)`,
  },
  {
    name: 'functions',
    digests: ['functions', 'schemas'],
    names: true,
    query: `${functions} where p.oid >= ${user}`,
  },
  {
    name: 'definitions',
    digests: ['rules'],
    names: true,
    query: `
      select c.oid, pg_get_viewdef(c.oid)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('v', 'm') and n.nspname not in ${systemSchemas} and ${notTemporary}`,
  },
  {
    name: 'rules',
    digests: ['rules'],
    names: true,
    query: `
      select r.ev_class, pg_get_ruledef(r.oid)
      from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
      where r.rulename <> '_RETURN' and r.ev_enabled <> 'D' and n.nspname not in ${systemSchemas} and ${notTemporary}`,
  },
  {
    name: 'triggers',
    digests: ['triggers'],
    query: `select tgrelid, tgfoid from pg_trigger where not tgisinternal and tgenabled <> 'D'`,
  },
  {
    name: 'operators',
    digests: ['operators', 'schemas'],
    query: `
      select o.oid, n.nspname, o.oprname, o.oprcode::oid, coalesce(e.extname, '')
      from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
      left join pg_depend d on d.classid = 'pg_operator'::regclass and d.objid = o.oid and d.deptype = 'e'
      left join pg_extension e on e.oid = d.refobjid
      where o.oid >= ${user}`,
  },
  {
    name: 'casts',
    digests: ['casts'],
    query: `select castsource, casttarget, castfunc from pg_cast where oid >= ${user} and castfunc <> 0`,
  },
];

/** Parts whose rows begin with an oid and hold names that definitions may be written with, and where those names stand. */
export const named: Readonly<Partial<Record<PartName, readonly number[]>>> = {
  schemas: [1],
  relations: [1, 2],
  types: [1, 2],
  functions: [1, 12],
  operators: [1, 2],
};
