// Names in sight: FROM items, WITH queries, outer queries; variables inside routines.
import type { Column, Table } from './catalog.ts';
import { addSources, type Field, type How, rootless, type Value } from './value.ts';

export interface Item {
  readonly name: string;
  /** The database a table without an alias may be qualified by. */
  readonly schema: string | undefined;
  readonly table: Table | undefined;
  readonly fields: readonly Field[];
  /** The columns are not all known. */
  readonly open: boolean;
}

export interface Cte {
  readonly fields: readonly Field[];
  readonly open: boolean;
}

export class Scope {
  readonly parent: Scope | undefined;
  items: Item[] = [];
  /** What `*` means after USING and NATURAL joins; undefined where that is just the items in order. */
  joined: readonly Field[] | undefined;
  readonly ctes = new Map<string, Cte>();
  /** Output columns that ORDER BY, GROUP BY and HAVING may name. */
  aliases: readonly Field[] = [];
  /** Local variables and parameters of routines, OLD and NEW of triggers. */
  variables: ((path: readonly string[]) => Value | undefined) | undefined;

  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }

  cte(name: string): Cte | undefined {
    const key = name.toLowerCase();
    for (let at: Scope | undefined = this; at !== undefined; at = at.parent) {
      const found = at.ctes.get(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  variable(path: readonly string[]): Value | undefined {
    for (let at: Scope | undefined = this; at !== undefined; at = at.parent) {
      const found = at.variables?.(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** What a subquery that is not LATERAL sees: the WITH queries of this level and everything further out. */
export function outside(scope: Scope): Scope {
  const outer = new Scope(scope.parent);
  for (const [name, cte] of scope.ctes) outer.ctes.set(name, cte);
  outer.variables = scope.variables;
  return outer;
}

/** Column names are compared without case. */
export function named(fields: readonly Field[], name: string): Value[] {
  const lower = name.toLowerCase();
  const found: Value[] = [];
  for (const field of fields) {
    if (field.name === name || field.name.toLowerCase() === lower) found.push(field.value);
  }
  return found;
}

export function allFields(scope: Scope): readonly Field[] {
  return scope.joined ?? scope.items.flatMap((item) => [...item.fields]);
}

export function itemsNamed(scope: Scope, schema: string | undefined, name: string): Item[] {
  const lower = name.toLowerCase();
  return scope.items.filter(
    (item) =>
      item.name.toLowerCase() === lower &&
      (schema === undefined || item.schema?.toLowerCase() === schema.toLowerCase()),
  );
}

/** All meanings of a name taken together. */
export function anyOf(values: readonly Value[]): Value {
  const [first] = values;
  if (first !== undefined && values.every((value) => value === first)) return first;
  const sources = new Map<Column, How>();
  for (const value of values) addSources(sources, value.sources);
  return { ...rootless, sources };
}

export type Resolution =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'open' }
  | { readonly kind: 'missing' };

/** Resolves `a`, `t.a`, `d.t.a` at the nearest level that knows it; several meanings are all taken. */
export function resolve(scope: Scope, path: readonly string[]): Resolution {
  const name = path[path.length - 1] ?? '';
  let open = false;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const values: Value[] = [];
    const variable = at.variables?.(path);
    if (variable !== undefined) values.push(variable);
    if (path.length === 1) {
      values.push(...named(at.aliases, name));
      const own = at.joined === undefined ? [] : named(at.joined, name);
      if (own.length > 0) values.push(...own);
      else for (const item of at.items) values.push(...named(item.fields, name));
      if (at.items.some((item) => item.open)) open = true;
    } else {
      const schema = path.length > 2 ? path[path.length - 3] : undefined;
      for (const item of itemsNamed(at, schema, path[path.length - 2] ?? '')) {
        values.push(...named(item.fields, name));
        if (item.open) open = true;
      }
    }
    if (values.length > 0) return { kind: 'value', value: anyOf(values) };
  }
  return open ? { kind: 'open' } : { kind: 'missing' };
}
