// Our readings against the server's own planner: what EXPLAIN (VERBOSE, FORMAT JSON) shows of tables and columns, the reading says too.
// And against another parser: where pgsql-ast-parser reads a statement, both name the same tables.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import pg from 'pg';
import { astVisitor, parse, type Statement } from 'pgsql-ast-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPostgresReader, type Reading, type SqlReader, type Verb } from '../../../src/sql/index.ts';
import { statements } from '../../adversary/queries.ts';
import { execute, postgresServer } from '../../support/postgres.ts';

const file = (name: string) => readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), 'utf8');
const listed = (name: string) => (JSON.parse(file(name)) as { readonly sql: string }[]).map((entry) => entry.sql);
const golden = (name: string) =>
  file(`sql/postgres/${name}`)
    .split(/\n\s*\n/)
    .map((part) => part.trim());
const corpus = [
  ...listed('ordinary/postgres.json'),
  ...listed('adversary/postgres.json'),
  ...golden('queries.sql'),
  ...golden('writes.sql'),
  ...golden('unbounded.sql'),
]
  .filter((sql) => /^\s*(select|with|values|table|insert|update|delete|merge)\b/i.test(sql))
  // The planner would make the large texts of these and print them.
  .filter((sql) => !/\b[lr]?(pad|repeat)\('/i.test(sql) && sql.length < 2_000);

/** Statements of every kind. */
const everything = [
  ...listed('ordinary/postgres.json'),
  ...listed('adversary/postgres.json'),
  ...['queries.sql', 'writes.sql', 'unbounded.sql', 'definitions.sql', 'session-and-code.sql'].flatMap(golden),
];

interface Plan {
  readonly Schema?: string;
  readonly 'Relation Name'?: string;
  readonly Alias?: string;
  readonly Output?: readonly string[];
  readonly Plans?: readonly Plan[];
  readonly [key: string]: unknown;
}

interface Seen {
  readonly tables: Set<string>;
  readonly columns: Set<string>;
}

const conditions = [
  'Filter',
  'Index Cond',
  'Recheck Cond',
  'Hash Cond',
  'Merge Cond',
  'Join Filter',
  'Sort Key',
  'Group Key',
  'TID Cond',
  'One-Time Filter',
];

describe('readings and the planner', () => {
  const server = postgresServer();
  let reader: SqlReader;
  let client: pg.Client;
  let columns: ReadonlyMap<string, ReadonlySet<string>>;
  let parents: ReadonlyMap<string, string>;
  beforeAll(async () => {
    await execute(server().url(), file('adversary/schema-postgres.sql'));
    reader = await createPostgresReader({
      connect: { connectionString: server().url() },
      trustedFunctions: [],
      refreshIntervalMs: 0,
    });
    client = new pg.Client({ connectionString: server().url() });
    client.on('notice', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ name: string; columns: string[] }>(
      `select attrelid::regclass::text as name, array_agg(attname::text) as columns from pg_attribute where attnum > 0 group by 1`,
    );
    columns = new Map(rows.map((row) => [row.name, new Set(row.columns)]));
    const inherited = await client.query<{ child: string; parent: string }>(
      'select inhrelid::regclass::text as child, inhparent::regclass::text as parent from pg_inherits',
    );
    parents = new Map(inherited.rows.map((row) => [row.child, row.parent]));
  });
  afterAll(async () => {
    await client.end();
    await reader.close();
  });

  async function readingOf(sql: string): Promise<Reading | undefined> {
    const result = await reader.session(new Map([['search_path', '"$user", public']])).read(sql);
    return result.kind === 'read' && result.statements.length === 1 ? result.statements[0]?.reading : undefined;
  }

  async function planOf(sql: string): Promise<Seen | undefined> {
    try {
      const { rows } = await client.query<{ 'QUERY PLAN': readonly { readonly Plan: Plan }[] }>(
        `explain (verbose, format json) ${sql}`,
      );
      const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
      return plan === undefined ? undefined : seenIn(plan);
    } catch {
      return undefined;
    }
  }

  function seenIn(root: Plan): Seen {
    const aliases = new Map<string, string>();
    const all: Plan[] = [];
    const walk = (plan: Plan) => {
      all.push(plan);
      const name = plan['Relation Name'];
      if (name !== undefined && plan.Alias !== undefined) aliases.set(plan.Alias, `${plan.Schema ?? 'public'}.${name}`);
      for (const child of plan.Plans ?? []) walk(child);
    };
    walk(root);
    // Scans below others print every column of a table, needed or not; what the top gives out and what conditions name is needed.
    const texts = [
      ...(root.Output ?? []),
      ...all.flatMap((plan) =>
        conditions.flatMap((key) => (plan[key] as string | readonly string[] | undefined) ?? []),
      ),
    ];
    // Where the planner has done away with a table, its columns stand alone beside those of the one that is left.
    const [only] = aliases.size === 1 && root['Node Type'] !== 'Result' ? [...aliases.values()] : [];
    const named = new Set<string>();
    for (const text of texts) {
      // Texts in quotes and types name nothing.
      const code = text.replace(/'(?:[^']|'')*'/g, "''").replace(/::\w+/g, '');
      for (const [, alias = '', column = ''] of code.matchAll(/\b([a-z_]\w*)\.([a-z_]\w*)\b(?!\()/g)) {
        const table = aliases.get(alias);
        if (table !== undefined && has(table, column)) named.add(`${table}.${column}`);
      }
      if (only === undefined) continue;
      for (const [, column = ''] of code.matchAll(/(?<![.\w"])([a-z_]\w*)\b(?![(.])/g)) {
        if (has(only, column)) named.add(`${only}.${column}`);
      }
    }
    return { tables: new Set(aliases.values()), columns: named };
  }

  function has(table: string, column: string): boolean {
    return columns.get(table.replace(/^public\./, ''))?.has(column) === true;
  }

  /** A partition or child is meant by its parent's name. */
  function known(names: ReadonlySet<string>, table: string): boolean {
    for (let at: string | undefined = table; at !== undefined; ) {
      if (names.has(at)) return true;
      const parent = parents.get(at.replace(/^public\./, ''));
      at = parent === undefined ? undefined : parent.includes('.') ? parent : `public.${parent}`;
    }
    return false;
  }

  function missing(reading: Reading, seen: Seen): string[] {
    const tables = new Set(reading.tables.map((use) => `${use.schema}.${use.table}`));
    const path = (name: { schema: string; table: string; column: string }) =>
      `${name.schema}.${name.table}.${name.column}`;
    const named = new Set([
      ...reading.columns.map(path),
      ...(reading.below ?? []).map(path),
      ...(reading.outputs ?? []).flatMap((output) => output.sources.map(path)),
      ...reading.uses.flatMap((use) => [path(use.column), ...(use.with ?? []).map(path)]),
      ...reading.flows.flatMap((flow) => flow.from.map(path)),
    ]);
    return [
      // The server's own views count as they are named.
      ...[...seen.tables].filter((table) => !table.startsWith('pg_catalog.') && !known(tables, table)),
      ...[...seen.columns].filter((column) => {
        if (column.startsWith('pg_catalog.')) return false;
        const at = column.lastIndexOf('.');
        const own = column.slice(at);
        const holders = new Set(
          [...named].filter((name) => name.endsWith(own)).map((name) => name.slice(0, name.lastIndexOf('.'))),
        );
        return !known(holders, column.slice(0, at));
      }),
    ];
  }

  async function compareAll(texts: readonly string[]): Promise<{ compared: number; found: string[] }> {
    const found: string[] = [];
    let compared = 0;
    for (const sql of texts) {
      const reading = await readingOf(sql);
      if (
        reading === undefined ||
        reading.opaque.some((fact) => fact.kind !== 'function' && fact.kind !== 'dynamic-sql')
      )
        continue;
      const seen = await planOf(sql);
      if (seen === undefined) continue;
      compared++;
      const gaps = missing(reading, seen);
      if (gaps.length > 0) found.push(`${sql}\n    ${gaps.join(', ')}`);
    }
    return { compared, found };
  }

  it('every table and column of the plan is in the reading, for the corpora', async () => {
    const { compared, found } = await compareAll(corpus);
    expect(found.join('\n')).toBe('');
    expect(compared).toBeGreaterThan(400);
  }, 120_000);

  it('every table and column of the plan is in the reading, for random statements', async () => {
    const texts = fc
      .sample(statements, { numRuns: 400, seed: 20_261_125 })
      .filter((sql) => !/^(explain|copy|create)/.test(sql));
    const { compared, found } = await compareAll(texts);
    // Where a join needs no column of a table the planner carries its first one along, which here is the id.
    const carried = /^.*\n\s+public\.\w+\.id$/s;
    expect(found.filter((each) => !carried.test(each)).join('\n')).toBe('');
    expect(compared).toBeGreaterThan(100);
  }, 120_000);

  it('verbs and tables that a statement names are those that another parser sees', async () => {
    let compared = 0;
    const different: string[] = [];
    const excepted = new Set<string>();
    for (const sql of everything) {
      const reading = await readingOf(sql);
      const seen = secondSight(sql);
      if (reading === undefined || seen === undefined) continue;
      const exception = exceptions.find(({ holds }) => holds(sql, reading));
      if (exception !== undefined) {
        excepted.add(exception.why);
        continue;
      }
      compared++;
      const own = new Set(reading.tables.filter((use) => use.direct).map((use) => use.table));
      if ([...own].sort().join() !== [...seen.tables].sort().join())
        different.push(`${sql}: ${[...own].join()} / ${[...seen.tables].join()}`);
      if (!seen.verbs.includes(reading.verbs[0] ?? 'admin'))
        different.push(`${sql}: ${reading.verbs.join()} / ${seen.verbs.join()}`);
    }
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(500);
    // An exception that nothing needs any more is to go.
    expect([...excepted].sort()).toEqual(exceptions.map(({ why }) => why).sort());
  }, 120_000);
});

/** Where the other parser is known to be wrong, or to mean something else. */
const exceptions: readonly {
  readonly why: string;
  readonly holds: (sql: string, reading: Reading) => boolean;
}[] = [
  { why: 'it takes `/* -- */` for a comment to the end of the line', holds: (sql) => sql.includes('/*') },
  { why: 'the body of DO is a text to it, which is not read', holds: (sql) => /^do\b/i.test(sql) },
];

/** What the other parser calls a statement, and the verbs that come first in a reading of it. */
const verbs: Readonly<Record<string, readonly Verb[]>> = {
  select: ['select'],
  union: ['select', 'values'],
  'union all': ['select', 'values'],
  values: ['values'],
  with: ['select', 'insert', 'update', 'delete'],
  'with recursive': ['select'],
  insert: ['insert'],
  update: ['update'],
  delete: ['delete'],
  'truncate table': ['truncate'],
  'create table': ['create'],
  'create index': ['index'],
  'create view': ['create'],
  'create materialized view': ['create'],
  'create schema': ['create'],
  'create extension': ['create'],
  'create sequence': ['create'],
  'create enum': ['create'],
  'create composite type': ['create'],
  'create function': ['create'],
  'drop function': ['drop'],
  'drop table': ['drop'],
  'drop sequence': ['drop'],
  'drop index': ['drop'],
  'drop type': ['drop'],
  'drop trigger': ['drop'],
  'alter table': ['alter', 'rename'],
  'alter index': ['alter', 'rename'],
  'alter sequence': ['alter'],
  'alter enum': ['alter'],
  'start transaction': ['begin'],
  begin: ['begin'],
  commit: ['commit'],
  rollback: ['rollback'],
  set: ['set'],
  'set timezone': ['set'],
  'set names': ['set'],
  show: ['show'],
  prepare: ['prepare'],
  deallocate: ['deallocate'],
  do: ['do'],
  comment: ['comment'],
  raise: [],
  'refresh materialized view': ['refresh'],
};

function secondSight(
  sql: string,
): { readonly verbs: readonly Verb[]; readonly tables: ReadonlySet<string> } | undefined {
  const tables = secondTables(sql);
  if (tables === undefined) return undefined;
  const [statement] = parse(sql);
  if (statement === undefined) return undefined;
  return { tables: new Set([...tables, ...namedBy(statement)]), verbs: verbs[statement.type] ?? [] };
}

/** The tables of statements in which the visitor sees no references. */
function namedBy(statement: Statement): string[] {
  switch (statement.type) {
    case 'create table':
    case 'create materialized view':
    case 'create view':
    case 'create sequence':
    case 'refresh materialized view':
    case 'alter sequence':
      return [statement.name.name];
    case 'create index':
      return [statement.table.name];
    case 'truncate table':
      return statement.tables.map(({ name }) => name);
    case 'drop table':
    case 'drop sequence':
      return statement.names.map(({ name }) => name);
    case 'comment':
      return statement.on.type === 'table' || statement.on.type === 'materialized view' ? [statement.on.name.name] : [];
    default:
      return [];
  }
}

function secondTables(sql: string): ReadonlySet<string> | undefined {
  const tables = new Set<string>();
  const hidden = new Set<string>();
  try {
    const [statement, ...more] = parse(sql);
    if (statement === undefined || more.length > 0) return undefined;
    astVisitor((map) => ({
      tableRef: (reference) => {
        tables.add(reference.name);
        map.super().tableRef(reference);
      },
      with: (clause) => {
        for (const bind of clause.bind) hidden.add(bind.alias.name);
        map.super().with(clause);
      },
      withRecursive: (clause) => {
        hidden.add(clause.alias.name);
        map.super().withRecursive(clause);
      },
    })).statement(statement);
  } catch {
    return undefined;
  }
  for (const name of hidden) tables.delete(name);
  return tables;
}
