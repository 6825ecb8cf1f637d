// Names as records write them, rendered once for a reading and not for each run.

import type { OutputLineage } from '../audit/index.ts';
import { columnPath, type Reading } from '../sql/index.ts';
import { lineageOf } from './lineage.ts';

export interface Names {
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  readonly lineage: readonly OutputLineage[] | undefined;
}

const none: readonly never[] = [];
export const noNames: Names = { tables: none, columns: none, lineage: undefined };
const rendered = new WeakMap<Reading, Names>();

export function namesOf(reading: Reading): Names {
  let names = rendered.get(reading);
  if (names === undefined) {
    const tables = reading.tables.map(({ schema, table }) => (schema === '' ? table : `${schema}.${table}`));
    names = { tables: [...new Set(tables)], columns: reading.columns.map(columnPath), lineage: lineageOf(reading) };
    rendered.set(reading, names);
  }
  return names;
}
