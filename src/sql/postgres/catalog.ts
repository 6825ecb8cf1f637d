// The target's catalog as plain objects with fast lookups: relations, columns, functions, types, operators, casts.

export interface Column {
  readonly table: Relation;
  readonly name: string;
  readonly attnum: number;
  /** Type oid; 0 where not known. */
  readonly type: number;
  /** Length or precision is limited, so that a cast to the plain type is still the same value but not the other way. */
  readonly notNull: boolean;
  /** An expression the server computes the column from, where it is generated. */
  readonly generated: boolean;
  /** It is part of a unique index: writing a value tells whether it is there already. */
  readonly unique?: boolean;
  /** Its type's length, precision or scale, as the server encodes it; left out where there is none. */
  readonly limit?: number;
}

/** r table, p partitioned, v view, m materialized view, f foreign, S sequence, c composite type, i temporary or virtual. */
export type RelationKind = 'r' | 'p' | 'v' | 'm' | 'f' | 'S' | 'c' | 't';

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly rowType: number;
  readonly columns: Column[];
  readonly parents: Relation[];
  readonly children: Relation[];
  /** Views and materialized views: the query, with qualified names. */
  definition: string | undefined;
  /** CREATE RULE texts other than a view's own. */
  readonly rules: string[];
  readonly triggers: FunctionFact[];
}

export interface FunctionFact {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly language: string;
  /** f function, p procedure, a aggregate, w window. */
  readonly kind: 'f' | 'p' | 'a' | 'w';
  readonly volatility: 'i' | 's' | 'v';
  readonly returnsSet: boolean;
  readonly returnType: number;
  /** Input arguments; the last may be variadic. */
  readonly argTypes: readonly number[];
  readonly argNames: readonly string[];
  readonly defaults: number;
  readonly variadic: boolean;
  /** OUT, INOUT and TABLE columns, in order. */
  readonly outNames: readonly string[];
  readonly outTypes: readonly number[];
  /** Body text of SQL and PL/pgSQL functions, else undefined. */
  readonly body: string | undefined;
  /** PL/pgSQL needs the whole CREATE statement. */
  readonly definition: string | undefined;
  /** Settings attached to the function (`search_path=...`). */
  readonly settings: readonly string[];
  /** The extension it came with, if any. */
  readonly extension: string;
  /** For aggregates: the functions they are made of, by oid. */
  readonly support: readonly number[];
}

export interface TypeFact {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'b' | 'c' | 'd' | 'e' | 'p' | 'r' | 'm';
  readonly element: number;
  readonly base: number;
  /** Oid of the relation that describes a composite type. */
  readonly relation: number;
  readonly category: string;
  readonly notNull: boolean;
  readonly labels: string[];
}

export interface OperatorFact {
  readonly schema: string;
  readonly name: string;
  readonly function: number;
  readonly extension: string;
}

export interface CastFact {
  readonly source: number;
  readonly target: number;
  readonly function: number;
}

export class Catalog {
  readonly relations = new Map<string, Map<string, Relation>>();
  readonly relationsByOid = new Map<number, Relation>();
  readonly functions = new Map<string, FunctionFact[]>();
  readonly functionsByOid = new Map<number, FunctionFact>();
  readonly types = new Map<number, TypeFact>();
  readonly typeNames = new Map<string, TypeFact[]>();
  /** Operators that are not the server's own. */
  readonly operators = new Map<string, OperatorFact[]>();
  /** Casts by functions that are not the server's own. */
  readonly casts: CastFact[] = [];
  readonly schemas = new Set<string>();
  /** What the gateway's own connection would have as search_path and user. */
  searchPath = '"$user", public';
  user = '';
  serverVersion = 0;
  /** Changes with the catalog's content. */
  digest = '';

  addRelation(relation: Relation): void {
    let schema = this.relations.get(relation.schema);
    if (schema === undefined) {
      schema = new Map();
      this.relations.set(relation.schema, schema);
    }
    schema.set(relation.name, relation);
    if (relation.oid !== 0) this.relationsByOid.set(relation.oid, relation);
  }

  addFunction(fact: FunctionFact): void {
    const named = this.functions.get(fact.name);
    if (named === undefined) this.functions.set(fact.name, [fact]);
    else named.push(fact);
    this.functionsByOid.set(fact.oid, fact);
  }

  addType(fact: TypeFact): void {
    this.types.set(fact.oid, fact);
    const named = this.typeNames.get(fact.name);
    if (named === undefined) this.typeNames.set(fact.name, [fact]);
    else named.push(fact);
  }

  /** A relation by its name: in the schema if one is given, else along the path. */
  relation(schema: string | undefined, name: string, path: readonly string[]): Relation | undefined {
    if (schema !== undefined) return this.relations.get(schema)?.get(name);
    for (const place of path) {
      const found = this.relations.get(place)?.get(name);
      if (found !== undefined && found.kind !== 'c') return found;
    }
    return undefined;
  }

  type(schema: string | undefined, name: string, path: readonly string[]): TypeFact | undefined {
    const named = this.typeNames.get(name);
    if (named === undefined) return undefined;
    for (const place of schema === undefined ? path : [schema]) {
      const found = named.find((fact) => fact.schema === place);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The type below domains. */
  baseType(oid: number): number {
    for (let depth = 0, at = oid; depth < 32; depth++) {
      const fact = this.types.get(at);
      if (fact?.kind !== 'd') return at;
      at = fact.base;
    }
    return oid;
  }

  column(table: number, attnum: number): Column | undefined {
    const columns = this.relationsByOid.get(table)?.columns;
    const likely = columns?.[attnum - 1];
    return likely?.attnum === attnum ? likely : columns?.find((column) => column.attnum === attnum);
  }
}

const families = new WeakMap<Column, readonly Column[]>();

/**
 * A column with its namesakes in all ancestors and descendants of its table: partitions and inheritance children show the
 * parent's data and the other way round.
 */
export function family(column: Column): readonly Column[] {
  const known = families.get(column);
  if (known !== undefined) return known;
  const found: Column[] = [column];
  const { table } = column;
  if (table.parents.length > 0 || table.children.length > 0) {
    const seen = new Set<Relation>([table]);
    for (const next of ['parents', 'children'] as const) {
      const queue = [...table[next]];
      for (let relation = queue.pop(); relation !== undefined; relation = queue.pop()) {
        if (seen.has(relation)) continue;
        seen.add(relation);
        const same = relation.columns.find((candidate) => candidate.name === column.name);
        if (same !== undefined) found.push(same);
        queue.push(...relation[next]);
      }
    }
  }
  families.set(column, found);
  return found;
}

/** Splits a search_path setting into schema names, as the server's SplitIdentifierString does. */
export function splitSearchPath(setting: string, user: string): string[] {
  const found: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,"\s]+))\s*(?:,|$)/gy;
  for (let match = pattern.exec(setting); match !== null; match = pattern.exec(setting)) {
    const name = match[1] === undefined ? (match[2] ?? '').toLowerCase() : match[1].replaceAll('""', '"');
    found.push(name === '$user' ? user : name);
    if (pattern.lastIndex >= setting.length) break;
  }
  return found;
}

/** The order in which the server looks: pg_temp and pg_catalog come first unless they are named (namespace.c). */
export function effectivePath(schemas: readonly string[]): string[] {
  const path = [...schemas];
  if (!path.includes('pg_catalog')) path.unshift('pg_catalog');
  if (!path.includes('pg_temp')) path.unshift('pg_temp');
  return path;
}
