// Turns what an analysis has collected into the reading that the rest of the product sees.
import { columnName, fingerprint, opaqueOf, type Positions, sourceOf, usesOf } from '../facts.ts';
import type { Flow, Output, Reading, Source } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import type { Token } from './lexer.ts';
import type { Sources } from './value.ts';

function sourcesOf(sources: Sources): Source[] {
  return [...sources].map(([column, how]) => sourceOf(column, how));
}

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
    uses: usesOf(analysis.uses, position, () => true),
    flows: flowsOf(analysis),
    stores: analysis.stores.map((fact) => ({ column: columnName(fact.column), value: fact.value })),
    opaque: analysis.opaque.map((fact) => opaqueOf(fact, position)),
    sideDoors: analysis.sideDoors,
    settings: analysis.settings,
  };
  return Object.freeze(reading);
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
