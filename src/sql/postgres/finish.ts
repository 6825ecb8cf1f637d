// Turns what an analysis has collected into the reading that the rest of the product sees.
import type {
  ColumnName,
  ColumnUse,
  Dependence,
  Flow,
  Opaque,
  Output,
  Reading,
  Source,
  StoredValue,
  UseKind,
} from '../reading.ts';
import type { Analysis, UseFact } from './analysis.ts';
import type { Column } from './catalog.ts';
import { as, kindOf, type Node, names, type RangeVar } from './tree.ts';
import { type Field, type How, isParameter, type Sources } from './value.ts';

const dependence: Record<How, Dependence> = { 0: 'chosen', 1: 'copied', 2: 'derived' };
const columnNames = new WeakMap<Column, ColumnName>();

export function columnName(column: Column): ColumnName {
  let name = columnNames.get(column);
  if (name === undefined) {
    name = { schema: column.table.schema, table: column.table.name, column: column.name };
    columnNames.set(column, name);
  }
  return name;
}

const sourceNames: readonly WeakMap<Column, Source>[] = [new WeakMap(), new WeakMap(), new WeakMap()];

function source(column: Column, how: How): Source {
  const known = sourceNames[how];
  let found = known?.get(column);
  if (found === undefined) {
    found = { ...columnName(column), how: dependence[how] };
    known?.set(column, found);
  }
  return found;
}

function sourcesOf(sources: Sources): Source[] {
  const found: Source[] = [];
  for (const [column, how] of sources) if (!isParameter(column)) found.push(source(column, how));
  return found;
}

/** Turns byte offsets of the parser into 1-based characters; undefined where none was known. */
export type Positions = (offset: number | undefined) => number | undefined;

export function readingOf(analysis: Analysis, node: Node | undefined, key: string, position: Positions): Reading {
  const copy = analysis.copy;
  const reading: Reading = {
    dialect: 'postgres',
    verbs: [...analysis.verbs],
    summary: summaryOf(analysis, node),
    fingerprint: fingerprint(key),
    tables: [...analysis.tables.values()],
    columns: [...analysis.columns].filter((column) => !isParameter(column)).map(columnName),
    ...(analysis.below.size === 0
      ? {}
      : { below: [...analysis.below].filter((column) => !isParameter(column)).map(columnName) }),
    functions: [...analysis.functions],
    unbounded: analysis.unbounded,
    outputs: analysis.outputs?.map(outputOf),
    uses: usesOf(analysis.uses, position),
    flows: flowsOf(analysis),
    stores: storesOf(analysis),
    opaque: analysis.opaque.map((fact): Opaque => {
      const at = position(fact.offset);
      return {
        kind: fact.kind,
        name: fact.name,
        why: fact.why,
        ...(at === undefined ? {} : { position: at }),
        ...(fact.missing === undefined ? {} : { missing: fact.missing }),
      };
    }),
    sideDoors: analysis.sideDoors,
    settings: analysis.settings,
    ...(copy === undefined ? {} : { copy }),
  };
  return Object.freeze(reading);
}

function outputOf({ name, value }: Field): Output {
  const sources = sourcesOf(value.sources);
  const mixed = !value.pure && sources.some((entry) => entry.how === 'copied');
  return mixed ? { name, sources, mixed } : { name, sources };
}

function usesOf(facts: readonly UseFact[], position: Positions): ColumnUse[] {
  const seen = new Map<Column, UseFact[]>();
  const uses: ColumnUse[] = [];
  for (const fact of facts) {
    if (isParameter(fact.column)) continue;
    const before = seen.get(fact.column);
    if (before?.some((known) => sameUse(known, fact)) === true) continue;
    if (before === undefined) seen.set(fact.column, [fact]);
    else before.push(fact);
    const at = position(fact.offset);
    uses.push({
      column: columnName(fact.column),
      how: fact.how,
      ...(fact.with === undefined ? {} : { with: fact.with.filter((column) => !isParameter(column)).map(columnName) }),
      ...(fact.constants === undefined ? {} : { constants: fact.constants }),
      ...(at === undefined ? {} : { position: at }),
    });
  }
  return uses;
}

function sameUse(one: UseFact, other: UseFact): boolean {
  const kind: UseKind = one.how;
  if (kind !== other.how || one.offset !== other.offset || one.constants !== other.constants) return false;
  return (
    one.with === other.with ||
    (one.with?.length === other.with?.length && (one.with ?? []).every((column, at) => column === other.with?.[at]))
  );
}

function flowsOf(analysis: Analysis): Flow[] {
  const flows: Flow[] = [];
  for (const fact of analysis.flows) {
    const from = sourcesOf(fact.from);
    if (!from.some((entry) => entry.how !== 'chosen')) continue;
    flows.push({
      from,
      into: fact.into.kind === 'place' ? fact.into : { kind: 'column', ...columnName(fact.into.column) },
    });
  }
  return flows;
}

function storesOf(analysis: Analysis): StoredValue[] {
  const literals = analysis.storedLiterals.map(
    (entry): StoredValue => ({ column: entry.column, value: { kind: 'text', text: entry.text } }),
  );
  return literals.length === 0 ? analysis.stores : [...analysis.stores, ...literals];
}

function rangeName(range: RangeVar | undefined): string {
  if (range?.relname === undefined) return '';
  return range.schemaname === undefined ? range.relname : `${range.schemaname}.${range.relname}`;
}

/** A few words for messages; no literals. */
function summaryOf(analysis: Analysis, node: Node | undefined): string {
  if (node === undefined) return 'nothing';
  const verb = [...analysis.verbs][0] ?? '';
  const kind = kindOf(node);
  switch (kind) {
    case 'InsertStmt':
      return `INSERT INTO ${rangeName(as(node, kind)?.relation)}`;
    case 'UpdateStmt':
      return `UPDATE ${rangeName(as(node, kind)?.relation)}`;
    case 'DeleteStmt':
      return `DELETE FROM ${rangeName(as(node, kind)?.relation)}`;
    case 'MergeStmt':
      return `MERGE INTO ${rangeName(as(node, kind)?.relation)}`;
    case 'TruncateStmt':
      return `TRUNCATE ${(as(node, kind)?.relations ?? []).map((range) => rangeName(as(range, 'RangeVar'))).join(', ')}`;
    case 'DropStmt': {
      const body = as(node, kind);
      const objects = (body?.objects ?? []).map((object) => {
        const parts =
          as(object, 'List')?.items ?? as(object, 'ObjectWithArgs')?.objname ?? as(object, 'TypeName')?.names;
        return parts === undefined ? (as(object, 'String')?.sval ?? '') : names(parts).join('.');
      });
      return `DROP ${objectWord(body?.removeType)} ${objects.join(', ')}`.trim();
    }
    case 'CopyStmt': {
      const body = as(node, kind);
      return `COPY ${body?.query === undefined ? rangeName(body?.relation) : '(query)'} ${body?.is_from === true ? 'FROM' : 'TO'}`;
    }
    case 'VariableSetStmt':
      return `SET ${as(node, kind)?.name ?? ''}`.trim();
    case 'AlterTableStmt':
      return `ALTER ${objectWord(as(node, kind)?.objtype)} ${rangeName(as(node, kind)?.relation)}`;
    case 'RenameStmt':
      return `ALTER ${objectWord(as(node, kind)?.renameType)} ${rangeName(as(node, kind)?.relation)} RENAME`;
    default: {
      const tables = [...new Set([...analysis.tables.values()].filter((use) => use.direct).map((use) => use.table))];
      const from = verb === 'select' && tables.length > 0 ? 'FROM ' : '';
      return `${verb.toUpperCase().replace('-', ' ')} ${from}${tables.slice(0, 3).join(', ')}${tables.length > 3 ? ', ...' : ''}`.trim();
    }
  }
}

function objectWord(type: string | undefined): string {
  const word = (type ?? '').replace(/^OBJECT_/, '').replaceAll('_', ' ');
  return word === 'MATVIEW' ? 'MATERIALIZED VIEW' : word;
}

/** A short name for a shape: 64 bits that mix every character. It identifies, it does not protect. */
function fingerprint(key: string): string {
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
