// Which names a place in a statement can see, and what they stand for: the rules of parse_relation.c and parse_expr.c.
import type { Analysis } from './analysis.ts';
import type { Relation } from './catalog.ts';
import { type Field, noSources, rootless, rootlessOf, rowValue, type Sources, type Value } from './value.ts';

/** One entry of FROM as names see it. */
export interface Item {
  readonly name: string;
  /** Only for a table without an alias: `schema.table.column` may name it. */
  readonly schema: string | undefined;
  readonly relation: Relation | undefined;
  readonly fields: readonly Field[];
  /** Columns answer to their bare names and `*`. */
  readonly bare: boolean;
  /** Columns answer to `name.column`. */
  readonly qualified: boolean;
  /** The columns are not all known. */
  readonly open: boolean;
  /** The value of the whole row; for functions that return no row it is the value itself. */
  readonly whole?: Value;
}

/** A WITH query as later references see it. */
export interface Cte {
  readonly fields: readonly Field[];
  readonly open: boolean;
}

/** Names that stand for something other than a column: parameters and variables of functions. */
export type Variables = (names: readonly string[]) => Value | undefined;

export class Scope {
  readonly parent: Scope | undefined;
  items: Item[] = [];
  ctes: Map<string, Cte> | undefined;
  variables: Variables | undefined;
  /** Values of $1, $2... inside a function. */
  parameters: ((index: number) => Value) | undefined;
  /** The one setting that `name` stands for, where the only rows are those of pg_settings with that name. */
  setting: string | undefined;
  /** Output columns that ORDER BY and GROUP BY may name. */
  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }

  cte(name: string): Cte | undefined {
    for (let at: Scope | undefined = this; at !== undefined; at = at.parent) {
      const found = at.ctes?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  parameter(index: number): Value | undefined {
    for (let at: Scope | undefined = this; at !== undefined; at = at.parent) {
      if (at.parameters !== undefined) return at.parameters(index);
    }
    return undefined;
  }

  variable(names: readonly string[]): Value | undefined {
    for (let at: Scope | undefined = this; at !== undefined; at = at.parent) {
      const found = at.variables?.(names);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Columns every table has (heap.c, SysAtt). */
const systemColumns: ReadonlyMap<string, number> = new Map([
  ['tableoid', 26],
  ['ctid', 27],
  ['xmin', 28],
  ['cmin', 29],
  ['xmax', 28],
  ['cmax', 29],
]);

export function fieldNamed(fields: readonly Field[], name: string): Value | undefined {
  for (const field of fields) if (field.name === name) return field.value;
  return undefined;
}

/** All matches of a bare column name at the nearest level that has one; several where the name is ambiguous. */
export function bareColumn(scope: Scope, name: string, localOnly = false): Value[] {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found: Value[] = [];
    for (const item of at.items) {
      if (!item.bare) continue;
      for (const field of item.fields) if (field.name === name) found.push(field.value);
    }
    if (found.length > 0 || localOnly) return found;
  }
  return [];
}

/** A table or alias by name at the nearest level that has one. */
export function itemNamed(scope: Scope, schema: string | undefined, name: string): Item | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    for (const item of at.items) {
      if (item.qualified && item.name === name && (schema === undefined || item.schema === schema)) return item;
    }
  }
  return undefined;
}

/** The value of a whole row of an item, as in `row_to_json(t)`. */
export function wholeRow(item: Item): Value {
  return item.whole ?? rowValue(item.fields, item.relation?.rowType ?? 0);
}

/** A column of an item, or undefined where it has none of that name. */
export function itemColumn(item: Item, name: string): Value | undefined {
  const found = fieldNamed(item.fields, name);
  if (found !== undefined) return found;
  if (item.relation !== undefined) {
    const type = systemColumns.get(name);
    if (type !== undefined) return rootlessOf(type);
  }
  return undefined;
}

export type Resolution =
  | { readonly kind: 'value'; readonly value: Value }
  /** `t.f` where t has no column f: f(t), or nothing. */
  | { readonly kind: 'method'; readonly item: Item; readonly name: string }
  | { readonly kind: 'missing' };

function resolved(value: Value): Resolution {
  return { kind: 'value', value };
}

/** Resolves `a`, `a.b`, `a.b.c`. */
export function resolve(scope: Scope, path: readonly string[]): Resolution {
  if (path.length === 1) {
    const name = path[0] ?? '';
    const found = bareColumn(scope, name);
    const variable = scope.variable(path);
    if (variable !== undefined) found.push(variable);
    if (found.length === 1 && found[0] !== undefined) return resolved(found[0]);
    if (found.length > 1) return resolved(union(found));
    const item = itemNamed(scope, undefined, name);
    if (item !== undefined) return resolved(wholeRow(item));
    const type = systemColumns.get(name);
    if (type !== undefined && anyRelation(scope)) return resolved(rootlessOf(type));
    return { kind: 'missing' };
  }
  const last = path[path.length - 1] ?? '';
  const item =
    path.length === 2
      ? itemNamed(scope, undefined, path[0] ?? '')
      : itemNamed(scope, path[path.length - 3], path[path.length - 2] ?? '');
  const variable = scope.variable(path);
  if (item !== undefined) {
    const found = itemColumn(item, last);
    if (found !== undefined) return resolved(variable === undefined ? found : union([found, variable]));
    if (item.open) return resolved(rootless);
    if (variable !== undefined) return resolved(variable);
    return { kind: 'method', item, name: last };
  }
  return variable === undefined ? { kind: 'missing' } : resolved(variable);
}

function union(values: readonly Value[]): Value {
  const sources = new Map(values[0]?.sources ?? noSources);
  for (const value of values)
    for (const [column, how] of value.sources) if ((sources.get(column) ?? -1) < how) sources.set(column, how);
  return { sources, pure: false, constants: 0, type: values[0]?.type ?? 0 };
}

function anyRelation(scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.items.some((item) => item.relation !== undefined)) return true;
  }
  return false;
}

/** True where some item in sight has columns that are not known. */
export function anyOpen(scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.items.some((item) => item.open)) return true;
  }
  return false;
}

/** Records the columns an expression names. */
export function noteColumns(analysis: Analysis, sources: Sources): void {
  for (const column of sources.keys()) analysis.columns.add(column);
}
