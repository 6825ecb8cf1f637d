// Views by their definitions: each is read once for a catalog.
import { Analysis, type State } from './analysis.ts';
import type { Table } from './catalog.ts';
import { parse } from './grammar.ts';
import { lex } from './lexer.ts';
import { type Dialect, plainDialect } from './modes.ts';
import { query } from './queries.ts';
import { Scope } from './scope.ts';
import type { Tree } from './tree.ts';
import { addSources, chosenBy, columnValue, type Field, type How, noSources, rootless } from './value.ts';

interface View {
  readonly fields: readonly Field[];
  readonly analysis: Analysis;
}

const views = new WeakMap<Table, View>();

/** Definitions and bodies in the catalog are written for these modes, whatever the session's are. */
export function catalogDialect(dialect: Dialect): Dialect {
  return { ...plainDialect, mariadb: dialect.mariadb, version: dialect.version };
}

/** The state that what the server keeps is read in: nothing of the session shows in it. */
export function catalogState(state: State): State {
  return {
    dialect: catalogDialect(state.dialect),
    database: '',
    temporary: new Map(),
    prepared: new Map(),
    variables: new Map(),
    handlers: new Map(),
    last: noSources,
  };
}

/** The columns of a view: the view's own, and what they are made of. Adds what lies below to the reading. */
export function viewFields(analysis: Analysis, table: Table): readonly Field[] {
  if (analysis.running.has(table)) {
    // The server refuses such a view; until it does, its columns stand for themselves.
    return table.columns.map((column) => ({ name: column.name, value: columnValue(column) }));
  }
  let view = views.get(table);
  if (view === undefined) {
    view = readView(analysis, table);
    if (!view.analysis.missed) views.set(table, view);
  }
  analysis.absorbBelow(view.analysis);
  return view.fields;
}

function readView(outer: Analysis, table: Table): View {
  const state = catalogState(outer.state);
  const inner = new Analysis(outer.catalog, state, new Set([...outer.running, table]));
  inner.inside = 1;
  inner.depth = outer.depth;
  inner.database = table.schema;
  let below: readonly Field[] = [];
  const name = `${table.schema}.${table.name}`;
  const tree = parsed(table.definition, state.dialect);
  if (tree === undefined) inner.unread('relation', name, 'the definition of this view cannot be read');
  else {
    const result = query(inner, tree, new Scope(undefined));
    below = result.fields.map((field) => ({ name: field.name, value: chosenBy(field.value, result.rows) }));
    if (below.length !== table.columns.length)
      inner.unread('relation', name, 'the definition of this view does not match its columns');
  }
  const fields = table.columns.map((column, at) => {
    const own = columnValue(column);
    const value = below[at]?.value ?? rootless;
    const sources = new Map<typeof column, How>(own.sources);
    addSources(sources, value.sources);
    return { name: column.name, value: { ...own, sources, pure: value.pure } };
  });
  return { fields, analysis: inner };
}

function parsed(text: string | undefined, dialect: Dialect): Tree | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const result = parse(lex(text, dialect).tokens, dialect);
    if (result.kind !== 'tree') return undefined;
    let at: Tree | undefined = result.tree;
    while (at !== undefined && at.kind !== 'SelectStatement') at = at.kids[0];
    return at;
  } catch {
    return undefined;
  }
}
