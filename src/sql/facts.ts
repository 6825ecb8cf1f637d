// What both dialects' walkers collect, turned into the parts of a reading: names, sources, uses, and a shape's short name.
import type { ColumnName, ColumnUse, Dependence, Opaque, Source, UseKind } from './reading.ts';

/** A column of a dialect's catalog, as far as names go. */
export interface NamedColumn {
  readonly name: string;
  readonly table: { readonly schema: string; readonly name: string };
}

/** Only which row or branch; the value itself; something computed. The larger one holds where several do. */
export const chosen = 0;
export const copied = 1;
export const derived = 2;
export type How = typeof chosen | typeof copied | typeof derived;

/** Turns an offset as the dialect's parser counts into a 1-based character; undefined where none was known. */
export type Positions = (offset: number | undefined) => number | undefined;

const dependence: Record<How, Dependence> = { 0: 'chosen', 1: 'copied', 2: 'derived' };
const columnNames = new WeakMap<NamedColumn, ColumnName>();
const sourceNames: readonly WeakMap<NamedColumn, Source>[] = [new WeakMap(), new WeakMap(), new WeakMap()];

/** The same object for the same column. */
export function columnName(column: NamedColumn): ColumnName {
  let name = columnNames.get(column);
  if (name === undefined) {
    name = { schema: column.table.schema, table: column.table.name, column: column.name };
    columnNames.set(column, name);
  }
  return name;
}

/** The same object for the same column and dependence. */
export function sourceOf(column: NamedColumn, how: How): Source {
  const known = sourceNames[how];
  let found = known?.get(column);
  if (found === undefined) {
    found = { ...columnName(column), how: dependence[how] };
    known?.set(column, found);
  }
  return found;
}

/** A use of a column as a walker notes it. */
export interface UseNote<C extends NamedColumn> {
  readonly column: C;
  readonly how: UseKind;
  readonly with?: readonly C[];
  readonly constants?: number;
  readonly textParameters?: readonly number[];
  readonly offset: number | undefined;
}

/** Uses without repeats, in order. What `real` denies is no column of a table (a function's parameter) and is left out. */
export function usesOf<C extends NamedColumn>(
  notes: readonly UseNote<C>[],
  position: Positions,
  real: (column: C) => boolean,
): ColumnUse[] {
  const seen = new Map<C, UseNote<C>[]>();
  const uses: ColumnUse[] = [];
  for (const note of notes) {
    if (!real(note.column)) continue;
    const before = seen.get(note.column);
    if (before?.some((known) => sameUse(known, note)) === true) continue;
    if (before === undefined) seen.set(note.column, [note]);
    else before.push(note);
    const use: { -readonly [K in keyof ColumnUse]: ColumnUse[K] } = { column: columnName(note.column), how: note.how };
    if (note.with !== undefined) use.with = note.with.filter(real).map(columnName);
    if (note.constants !== undefined) use.constants = note.constants;
    if (note.textParameters !== undefined) use.textParameters = note.textParameters;
    const at = position(note.offset);
    if (at !== undefined) use.position = at;
    uses.push(use);
  }
  return uses;
}

function sameUse<C extends NamedColumn>(one: UseNote<C>, other: UseNote<C>): boolean {
  if (one.how !== other.how || one.offset !== other.offset || one.constants !== other.constants) return false;
  if (one.textParameters?.join() !== other.textParameters?.join()) return false;
  return (
    one.with === other.with ||
    (one.with?.length === other.with?.length && (one.with ?? []).every((column, at) => column === other.with?.[at]))
  );
}

/** What could not be seen through, with its place in the text. */
export function opaqueOf(note: Omit<Opaque, 'position' | 'missing'> & OpaquePlace, position: Positions): Opaque {
  const at = position(note.offset);
  return {
    kind: note.kind,
    name: note.name,
    why: note.why,
    ...(at === undefined ? {} : { position: at }),
    ...(note.missing === undefined ? {} : { missing: note.missing }),
  };
}

interface OpaquePlace {
  readonly offset: number | undefined;
  readonly missing?: Opaque['missing'] | undefined;
}

/** A short name for a shape: 64 bits that mix every character. It identifies, it does not protect. */
export function fingerprint(key: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}
