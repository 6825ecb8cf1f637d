// What an expression's value depends on: the algebra of lineage.
import { chosen, copied, derived, type How } from '../facts.ts';
import { type Column, family } from './catalog.ts';

export { chosen, copied, derived, type How } from '../facts.ts';

export type Sources = ReadonlyMap<Column, How>;

export interface Field {
  readonly name: string;
  readonly value: Value;
}

export interface Value {
  readonly sources: Sources;
  /** Every value that is not NULL is the uncomputed value of one of the sources, and of nothing else. */
  readonly pure: boolean;
  /** Over 0: the same for the whole statement, made of so many constants or parameters (an array holds several). */
  readonly constants: number;
  /** Type oid, or 0. */
  readonly type: number;
  /** For rows whose columns are known. */
  readonly fields?: readonly Field[];
  readonly isNull?: boolean;
  /** For a column of VALUES: all its rows are constants, so many. */
  readonly listed?: number;
  /** A part of a stored document at a fixed place: it is there or not whatever the document's values are. */
  readonly part?: boolean;
}

export const noSources: Sources = new Map();
/** An array parameter or a computed array: as many constants as it likes. */
export const manyConstants = 1_000;

/** A value that depends on no column but is not constant either: random(), a series, a row of VALUES. */
export const rootless: Value = { sources: noSources, pure: false, constants: 0, type: 0 };
export const nullValue: Value = { sources: noSources, pure: false, constants: 1, type: 0, isNull: true };

export function constant(type: number, constants = 1): Value {
  return { sources: noSources, pure: false, constants, type };
}

export function rootlessOf(type: number): Value {
  return type === 0 ? rootless : { sources: noSources, pure: false, constants: 0, type };
}

const columnValues = new WeakMap<Column, Value>();

/** The value of a table's column. */
export function columnValue(column: Column): Value {
  let value = columnValues.get(column);
  if (value === undefined) {
    const sources = new Map<Column, How>();
    for (const member of family(column)) sources.set(member, copied);
    value = { sources, pure: true, constants: 0, type: column.type };
    columnValues.set(column, value);
  }
  return value;
}

export function addSources(into: Map<Column, How>, from: Sources, atLeast: How | undefined): void {
  for (const [column, how] of from) {
    const now = atLeast === undefined ? how : how === chosen ? chosen : atLeast;
    const before = into.get(column);
    if (before === undefined || now > before) into.set(column, now);
  }
}

/** Adds columns that decide which rows or branches there are. */
export function addChosen(into: Map<Column, How>, from: Sources): void {
  for (const column of from.keys()) if (!into.has(column)) into.set(column, chosen);
}

function rowSources(value: Value, into: Map<Column, How>, atLeast: How | undefined): void {
  addSources(into, value.sources, atLeast);
}

/** Something computed from the values. */
export function derive(values: readonly Value[], type = 0, ...rows: readonly Sources[]): Value {
  let some = false;
  for (const value of values) if (value.sources.size > 0) some = true;
  for (const row of rows) if (row.size > 0) some = true;
  if (!some) return rootlessOf(type);
  const sources = new Map<Column, How>();
  for (const value of values) rowSources(value, sources, derived);
  for (const row of rows) addChosen(sources, row);
  return { sources, pure: false, constants: 0, type };
}

/** One of the values, unchanged: COALESCE, CASE, set operations. */
export function either(values: readonly Value[], ...rows: readonly Sources[]): Value {
  const first = values[0];
  if (values.length === 1 && first !== undefined && rows.every((row) => row.size === 0)) return first;
  const sources = new Map<Column, How>();
  let pure = true;
  let type = 0;
  for (const value of values) {
    addSources(sources, value.sources, undefined);
    if (!value.pure && value.isNull !== true) pure = false;
    if (type === 0) type = value.type;
  }
  for (const row of rows) addChosen(sources, row);
  const shape = values.filter((value) => value.isNull !== true);
  const fields =
    shape.length > 0 && shape.every((value) => value.fields?.length === shape[0]?.fields?.length)
      ? mergeFields(shape)
      : undefined;
  const value = { sources, pure: pure && sources.size > 0, constants: 0, type };
  return fields === undefined ? value : { ...value, fields };
}

function mergeFields(values: readonly Value[]): readonly Field[] | undefined {
  const first = values[0]?.fields;
  return first?.map((field, at) => ({
    name: field.name,
    value: either(values.flatMap((value) => (value.fields?.[at] === undefined ? [] : [value.fields[at].value]))),
  }));
}

/** As stored, or a fixed part of what is stored: whether a piece of it is there tells nothing that was computed. */
export function isStored(value: Value): boolean {
  return isPlain(value) || value.part === true || value.sources.size === 0;
}

/** The uncomputed value of a column, and not of a function's parameter, which may be anything. */
export function isPlain(value: Value): boolean {
  if (!value.pure) return false;
  for (const column of value.sources.keys()) if (isParameter(column)) return false;
  return true;
}

/** Parameters stand in sources as columns of a table that nothing else names. */
export const parametersName = '$parameters';

export function isParameter(column: Column): boolean {
  return column.table.schema === '' && column.table.name === parametersName;
}

/** The same value, with further columns that chose its row. */
export function chosenBy(value: Value, rows: Sources): Value {
  let missing = false;
  for (const column of rows.keys()) {
    if (!value.sources.has(column)) {
      missing = true;
      break;
    }
  }
  if (!missing) return value;
  const sources = new Map(value.sources);
  addChosen(sources, rows);
  return { ...value, sources, constants: 0 };
}

/** A row of known columns: as a whole it is computed from all of them. */
export function rowValue(fields: readonly Field[], type = 0): Value {
  const sources = new Map<Column, How>();
  for (const field of fields) addSources(sources, field.value.sources, derived);
  return { sources, pure: false, constants: 0, type, fields };
}

/** A cast or the like: same dependence on the columns, but computed. */
export function computed(value: Value, type: number): Value {
  if (value.constants > 0) return { ...value, type };
  return derive([value], type);
}

export function retyped(value: Value, type: number): Value {
  return value.type === type ? value : { ...value, type };
}

export function sameSources(left: Sources, right: Sources): boolean {
  if (left.size !== right.size) return false;
  for (const [column, how] of left) if (right.get(column) !== how) return false;
  return true;
}

/** A field of a row value by name; undefined where the row's columns are not known or it has none of that name. */
export function fieldOf(value: Value, name: string): Value | undefined {
  if (value.fields === undefined) return undefined;
  for (const field of value.fields) if (field.name === name) return field.value;
  return undefined;
}
