// The second reader: another parser, another walker, verbs and tables only. It decides nothing; it is compared with the first,
// off the statement's path, to show where one of the two is wrong.
import { astVisitor, parse as parseSql, type Statement } from 'pgsql-ast-parser';
import { secondSight } from './mysql/second.ts';
import type { Reading, Verb } from './reading.ts';

export interface Disagreement {
  /** In words for a record; names, no literals. */
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

const verbs: Readonly<Record<string, readonly Verb[]>> = {
  select: ['select'],
  union: ['select'],
  'union all': ['select'],
  values: ['values', 'select'],
  with: ['select', 'insert', 'update', 'delete'],
  'with recursive': ['select'],
  insert: ['insert'],
  update: ['update'],
  delete: ['delete'],
  'truncate table': ['truncate'],
  'create table': ['create'],
  'create index': ['index'],
  'create view': ['create'],
  'drop table': ['drop'],
  'drop index': ['drop'],
  'alter table': ['alter', 'rename'],
  'start transaction': ['begin'],
  begin: ['begin'],
  commit: ['commit'],
  rollback: ['rollback'],
  set: ['set'],
  show: ['show'],
  prepare: ['prepare'],
  deallocate: ['deallocate'],
  do: ['do'],
};

/** Longer texts are not worth the time of a parser that only watches. */
const maxText = 20_000;

interface Seen {
  readonly verb: readonly Verb[];
  readonly tables: ReadonlySet<string>;
}

function read(text: string): Seen | undefined {
  let statements: Statement[];
  try {
    statements = parseSql(text);
  } catch {
    // It reads two thirds of what the server reads: nothing can be said of the rest.
    return undefined;
  }
  const [statement] = statements;
  if (statement === undefined || statements.length !== 1) return undefined;
  const verb = verbs[statement.type];
  if (verb === undefined) return undefined;
  const tables = new Set<string>();
  const hidden = new Set<string>();
  const visitor = astVisitor((map) => ({
    tableRef: (reference) => {
      tables.add(reference.name);
      map.super().tableRef(reference);
    },
    with: (statement) => {
      for (const bind of statement.bind) hidden.add(bind.alias.name);
      map.super().with(statement);
    },
    withRecursive: (statement) => {
      hidden.add(statement.alias.name);
      map.super().withRecursive(statement);
    },
  }));
  visitor.statement(statement);
  for (const name of hidden) tables.delete(name);
  return { verb, tables };
}

/** Compares the reading of one statement with what the second reader sees in its text. Undefined where both agree, or it sees nothing. */
export function compare(text: string, reading: Reading): Disagreement | undefined {
  if (text.length > maxText) return undefined;
  const seen = reading.dialect === 'mysql' ? secondSight(text) : read(text);
  if (seen === undefined) return undefined;
  const outermost = reading.verbs[0];
  if (outermost !== undefined && !seen.verb.some((verb) => reading.verbs.includes(verb))) {
    return {
      message: 'the second reader sees another verb',
      details: { first: reading.verbs.join(', '), second: seen.verb.join(', ') },
    };
  }
  // Names of MySQL tables may be written in another case than the catalog has them.
  const folded = (name: string) => (reading.dialect === 'mysql' ? name.toLowerCase() : name);
  const known = new Set(reading.tables.map((use) => folded(use.table)));
  const missing = [...seen.tables].filter((name) => !known.has(folded(name)));
  if (missing.length > 0) {
    return {
      message: 'the second reader sees tables that the first does not',
      details: { first: [...known].join(', '), second: missing.join(', ') },
    };
  }
  return undefined;
}
