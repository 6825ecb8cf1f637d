// Turns what an analysis has collected into the reading that the rest of the product sees.
import { columnName, fingerprint, opaqueOf, type Positions, sourceOf, usesOf } from '../facts.ts';
import type { ColumnName, Flow, Output, Reading, Source, StoredValue } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { as, kindOf, type Node, names, type RangeVar } from './tree.ts';
import { type Field, isParameter, type Sources } from './value.ts';

function sourcesOf(sources: Sources): Source[] {
  const found: Source[] = [];
  for (const [column, how] of sources) if (!isParameter(column)) found.push(sourceOf(column, how));
  return found;
}

function columnNames(columns: Iterable<Column>): ColumnName[] {
  const names: ColumnName[] = [];
  for (const column of columns) if (!isParameter(column)) names.push(columnName(column));
  return names;
}

export function readingOf(analysis: Analysis, node: Node | undefined, key: string, position: Positions): Reading {
  const copy = analysis.copy;
  const reading: Reading = {
    dialect: 'postgres',
    verbs: [...analysis.verbs],
    summary: summaryOf(analysis, node),
    fingerprint: fingerprint(key),
    tables: [...analysis.tables.values()],
    columns: columnNames(analysis.columns),
    ...(analysis.below.size === 0 ? undefined : { below: columnNames(analysis.below) }),
    functions: [...analysis.functions],
    unbounded: analysis.unbounded,
    outputs: analysis.outputs?.map(outputOf),
    uses: usesOf(analysis.uses, position, (column) => !isParameter(column)),
    flows: flowsOf(analysis),
    stores: storesOf(analysis),
    opaque: analysis.opaque.map((fact) => opaqueOf(fact, position)),
    sideDoors: analysis.sideDoors,
    settings: analysis.settings,
    ...(copy === undefined ? undefined : { copy }),
  };
  return Object.freeze(reading);
}

function outputOf({ name, value }: Field): Output {
  const sources = sourcesOf(value.sources);
  const mixed = !value.pure && sources.some((entry) => entry.how === 'copied');
  return mixed ? { name, sources, mixed } : { name, sources };
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
  const [verb = ''] = analysis.verbs;
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
      const tables: string[] = [];
      for (const use of analysis.tables.values()) if (use.direct && !tables.includes(use.table)) tables.push(use.table);
      const from = verb === 'select' && tables.length > 0 ? 'FROM ' : '';
      return `${verb.toUpperCase().replace('-', ' ')} ${from}${tables.slice(0, 3).join(', ')}${tables.length > 3 ? ', ...' : ''}`.trim();
    }
  }
}

function objectWord(type: string | undefined): string {
  const word = (type ?? '').replace(/^OBJECT_/, '').replaceAll('_', ' ');
  return word === 'MATVIEW' ? 'MATERIALIZED VIEW' : word;
}
