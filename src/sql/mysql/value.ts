// What an expression's value depends on: the algebra of lineage.
import { chosen, copied, derived, type How } from '../facts.ts';
import { type Column, isText } from './catalog.ts';

export { chosen, copied, derived, type How } from '../facts.ts';
export type Sources = ReadonlyMap<Column, How>;

export interface Value {
  readonly sources: Sources;
  /** Every value that is not NULL is the uncomputed value of one of the sources, and of nothing else. */
  readonly pure: boolean;
  /** Over 0: the same for the whole statement, made of so many constants or parameters. */
  readonly constants: number;
  /** What the server compares and converts it as; dates count as numbers, `any` takes the other side's type. */
  readonly kind: ValueKind;
  readonly isNull: boolean;
  /** Parameters it is made of, whose type the client chooses when it runs the statement. */
  readonly parameters?: readonly number[];
}

export type ValueKind = 'text' | 'number' | 'json' | 'any' | 'unknown';

export interface Field {
  readonly name: string;
  readonly value: Value;
}

export const noSources: Sources = new Map();
/** A value that depends on no column but is not constant either: rand(), a row of VALUES. */
export const rootless: Value = { sources: noSources, pure: false, constants: 0, kind: 'unknown', isNull: false };
export const nullValue: Value = { sources: noSources, pure: false, constants: 1, kind: 'any', isNull: true };

export function constant(kind: ValueKind, constants = 1): Value {
  return { sources: noSources, pure: false, constants, kind, isNull: false };
}

const columnValues = new WeakMap<Column, Value>();

/** The value of a table's column. */
export function columnValue(column: Column): Value {
  let value = columnValues.get(column);
  if (value === undefined) {
    const kind = isText(column.type) ? 'text' : 'number';
    value = { ...rootless, sources: new Map([[column, copied]]), pure: true, kind };
    columnValues.set(column, value);
  }
  return value;
}

export function addSources(into: Map<Column, How>, from: Sources, atLeast?: How): void {
  for (const [column, how] of from) {
    const now = atLeast === undefined || how === chosen ? how : atLeast;
    const before = into.get(column);
    if (before === undefined || now > before) into.set(column, now);
  }
}

/** Adds columns that decide which rows or branches there are. */
export function addChosen(into: Map<Column, How>, from: Sources): void {
  for (const column of from.keys()) if (!into.has(column)) into.set(column, chosen);
}

/** Something computed from the values. */
export function derive(values: readonly Value[], kind: ValueKind = 'unknown', rows: Sources = noSources): Value {
  const sources = new Map<Column, How>();
  for (const value of values) addSources(sources, value.sources, derived);
  addChosen(sources, rows);
  return { ...rootless, sources, kind };
}

/** One of the values, unchanged: COALESCE, CASE, set operations. */
export function either(values: readonly Value[], rows: Sources = noSources): Value {
  const [first] = values;
  if (values.length === 1 && first !== undefined && rows.size === 0) return first;
  const sources = new Map<Column, How>();
  for (const value of values) addSources(sources, value.sources);
  const pure = sources.size > 0 && values.every((value) => value.pure || value.isNull);
  const kinds = new Set(values.filter((value) => !value.isNull).map((value) => value.kind));
  const [kind] = kinds;
  addChosen(sources, rows);
  return { ...rootless, sources, pure, kind: kinds.size === 1 && kind !== undefined ? kind : 'unknown' };
}

/** The same value, with further columns that chose its row. */
export function chosenBy(value: Value, rows: Sources): Value {
  if (rows.size === 0) return value;
  const sources = new Map(value.sources);
  addChosen(sources, rows);
  return { ...value, sources, constants: 0 };
}

export function sameSources(left: Sources, right: Sources): boolean {
  if (left.size !== right.size) return false;
  for (const [column, how] of left) if (right.get(column) !== how) return false;
  return true;
}

/** True where the value can tell of a column, not only be chosen by one. */
export function reveals(sources: Sources): boolean {
  for (const how of sources.values()) if (how !== chosen) return true;
  return false;
}
