// Turns what an analysis has collected into the reading that the rest of the product sees.
import type { ColumnName, ColumnUse, Dependence, Flow, Opaque, Output, Reading, Source } from '../reading.ts';
import type { Analysis, UseFact } from './analysis.ts';
import type { Column } from './catalog.ts';
import type { Token } from './lexer.ts';
import type { How, Sources } from './value.ts';

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

function sourceOf(column: Column, how: How): Source {
  const known = sourceNames[how];
  let found = known?.get(column);
  if (found === undefined) {
    found = { ...columnName(column), how: dependence[how] };
    known?.set(column, found);
  }
  return found;
}

function sourcesOf(sources: Sources): Source[] {
  return [...sources].map(([column, how]) => sourceOf(column, how));
}

/** Turns an offset of the text into a 1-based character. */
export type Positions = (offset: number | undefined) => number | undefined;

export function readingOf(analysis: Analysis, tokens: readonly Token[], key: string, position: Positions): Reading {
  const reading: Reading = {
    dialect: 'mysql',
    verbs: analysis.verbs.size === 0 ? ['select'] : [...analysis.verbs],
    summary: summaryOf(analysis, tokens),
    fingerprint: fingerprint(key),
    tables: [...analysis.tables.values()],
    columns: [...analysis.columns].map(columnName),
    functions: [...analysis.functions],
    unbounded: analysis.unbounded,
    outputs: analysis.outputs?.map(
      (field): Output => ({
        name: field.name,
        sources: sourcesOf(field.value.sources),
        ...(analysis.anyColumns ? { everyColumn: true } : {}),
      }),
    ),
    uses: usesOf(analysis.uses, position),
    flows: flowsOf(analysis),
    stores: analysis.stores.map((fact) => ({ column: columnName(fact.column), value: fact.value })),
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
  };
  return Object.freeze(reading);
}

function usesOf(facts: readonly UseFact[], position: Positions): ColumnUse[] {
  const seen = new Map<Column, UseFact[]>();
  const uses: ColumnUse[] = [];
  for (const fact of facts) {
    const before = seen.get(fact.column);
    if (before?.some((known) => sameUse(known, fact)) === true) continue;
    if (before === undefined) seen.set(fact.column, [fact]);
    else before.push(fact);
    const at = position(fact.offset);
    uses.push({
      column: columnName(fact.column),
      how: fact.how,
      ...(fact.with === undefined ? {} : { with: fact.with.map(columnName) }),
      ...(fact.constants === undefined ? {} : { constants: fact.constants }),
      ...(fact.textParameters === undefined ? {} : { textParameters: fact.textParameters }),
      ...(at === undefined ? {} : { position: at }),
    });
  }
  return uses;
}

function sameUse(one: UseFact, other: UseFact): boolean {
  if (one.how !== other.how || one.offset !== other.offset || one.constants !== other.constants) return false;
  if (one.textParameters?.join() !== other.textParameters?.join()) return false;
  return (
    one.with === other.with ||
    (one.with?.length === other.with?.length && (one.with ?? []).every((column, at) => column === other.with?.[at]))
  );
}

function flowsOf(analysis: Analysis): Flow[] {
  return analysis.flows.map((fact) => ({
    from: sourcesOf(fact.from),
    into: fact.into.kind === 'place' ? fact.into : { kind: 'column', ...columnName(fact.into.column) },
  }));
}

const objectWords =
  /^(temporary|table|view|index|unique|fulltext|spatial|database|schema|function|procedure|trigger|event|user|role|sequence|server|tablespace|replace|or|if|not|exists)$/i;

/** A few words for messages; no literals. */
function summaryOf(analysis: Analysis, tokens: readonly Token[]): string {
  if (analysis.summary !== '') return analysis.summary;
  const verb = [...analysis.verbs][0] ?? '';
  const direct = [...new Set([...analysis.tables.values()].filter((use) => use.direct).map((use) => use.table))];
  const names = `${direct.slice(0, 3).join(', ')}${direct.length > 3 ? ', ...' : ''}`;
  switch (verb) {
    case 'insert':
    case 'replace':
      return `${verb.toUpperCase()} INTO ${writtenName(analysis) ?? names}`;
    case 'update':
      return `UPDATE ${writtenName(analysis) ?? names}`;
    case 'delete':
      return `DELETE FROM ${writtenName(analysis) ?? names}`;
    case 'create':
    case 'alter':
    case 'drop':
    case 'rename':
    case 'index': {
      const words: string[] = [];
      for (const token of tokens.slice(0, 8)) {
        if (token.kind !== 'word' || (words.length > 0 && !objectWords.test(token.text))) break;
        if (!/^(or|replace|if|not|exists)$/i.test(token.text)) words.push(token.text.toUpperCase());
      }
      return `${words.join(' ')} ${names}`.trim();
    }
    case 'set':
      return `SET ${analysis.settings
        .map(({ name }) => name)
        .slice(0, 3)
        .join(', ')}`.trim();
    case 'select':
      return `SELECT ${names === '' ? '' : `FROM ${names}`}`.trim();
    default:
      return `${verb.toUpperCase().replace('-', ' ')} ${names}`.trim();
  }
}

function writtenName(analysis: Analysis): string | undefined {
  for (const use of analysis.tables.values()) if (use.direct && use.access === 'write') return use.table;
  return undefined;
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
