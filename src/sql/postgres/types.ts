// Type facts the readings need: names in casts, what a cast keeps, which casts cannot fail.
import type { Analysis } from './analysis.ts';
import type { Catalog } from './catalog.ts';
import { as, names, type TypeName } from './tree.ts';
import { type Field, rootlessOf, type Value } from './value.ts';

/** Well-known oids (pg_type.dat). */
export const typeOids = {
  bool: 16,
  name: 19,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  oid: 26,
  json: 114,
  xml: 142,
  float4: 700,
  float8: 701,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  interval: 1186,
  numeric: 1700,
  record: 2249,
  uuid: 2950,
  jsonb: 3802,
} as const;

const { bool, int2, int4, int8, float4, float8, numeric, text, varchar, date, timestamp, timestamptz, json, jsonb } =
  typeOids;

/** Source type -> targets to which every value can be cast. */
const total: ReadonlyMap<number, readonly number[]> = new Map([
  [bool, [int4]],
  [int2, [int4, int8, numeric, float4, float8]],
  [int4, [int8, numeric, float4, float8, bool]],
  [int8, [numeric, float4, float8]],
  [float4, [float8]],
  [date, [timestamp, timestamptz]],
  [timestamp, [date, timestamptz]],
  [timestamptz, [date, timestamp]],
  [json, [jsonb]],
  [jsonb, [json]],
]);

export interface TypeRef {
  readonly oid: number;
  readonly name: string;
  readonly array: boolean;
  readonly limited: boolean;
}

/** The type a TypeName means here. `%TYPE` and unknown names give oid 0. */
export function resolveType(analysis: Analysis, typeName: TypeName | undefined): TypeRef {
  const parts = names(typeName?.names);
  const name = parts[parts.length - 1] ?? '';
  const schema = parts.length > 1 ? parts[parts.length - 2] : undefined;
  const array = (typeName?.arrayBounds?.length ?? 0) > 0;
  const limited = (typeName?.typmods?.length ?? 0) > 0 || name === 'bpchar' || name === 'char' || name === 'name';
  if (typeName?.pct_type === true) return { oid: 0, name, array, limited };
  const { catalog, path } = analysis.around;
  const fact = catalog.type(schema, name, path);
  if (fact === undefined) return { oid: 0, name, array, limited };
  if (!array) return { oid: fact.oid, name, array, limited };
  const arrayType = catalog.type(fact.schema, `_${fact.name}`, path);
  return { oid: arrayType?.element === fact.oid ? arrayType.oid : 0, name, array, limited };
}

const plainText: readonly number[] = [text, varchar];

/** A cast that hands the value on as it is: to its own type, or between text and varchar without a length. */
export function keepsValue(catalog: Catalog, source: number, target: TypeRef): boolean {
  if (source === 0 || target.oid === 0 || target.limited) return false;
  if (source === target.oid) return true;
  const from = catalog.baseType(source);
  return from === target.oid || (plainText.includes(from) && plainText.includes(target.oid));
}

/** A cast that cannot fail whatever the value is, so that its failing tells nothing. */
export function cannotFail(catalog: Catalog, source: number, target: number): boolean {
  const fact = catalog.types.get(target);
  if (fact === undefined) return false;
  if (fact.category === 'S' && fact.kind !== 'd') return true;
  if (source === 0) return false;
  const from = catalog.baseType(source);
  if (from === target) return true;
  return total.get(from)?.includes(target) ?? false;
}

/** Names and types of the columns of a composite type, or undefined for any other. */
export function compositeFields(
  catalog: Catalog,
  type: number,
  of: (name: string, type: number) => Value = (_, t) => rootlessOf(t),
): Field[] | undefined {
  const fact = catalog.types.get(catalog.baseType(type));
  if (fact?.kind !== 'c') return undefined;
  const relation = catalog.relationsByOid.get(fact.relation);
  return relation?.columns.map((column) => ({ name: column.name, value: of(column.name, column.type) }));
}

/** Columns of `AS t(a int, b text)`. */
export function definedColumns(
  analysis: Analysis,
  list: readonly unknown[] | undefined,
): { name: string; type: number }[] {
  return (list ?? []).flatMap((node) => {
    const column = as(node as Parameters<typeof as>[0], 'ColumnDef');
    return column === undefined
      ? []
      : [{ name: column.colname ?? '', type: resolveType(analysis, column.typeName).oid }];
  });
}
