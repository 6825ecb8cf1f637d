// Readings by text and by shape, bounded: what was used in the last two rounds of use is kept.
import { columnName } from '../facts.ts';
import { Generations } from '../generations.ts';
import type { ReadResult } from '../reader.ts';
import type { Reading, StoredValue } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import type { Token } from './lexer.ts';
import { type Read, sameChanges } from './read.ts';

type ReadTexts = Extract<ReadResult, { kind: 'read' }>;

/** The reading of a shape: shared as it is, or with the literals of each text put into what it stores. */
interface Template {
  readonly reading: Reading;
  readonly barrier: boolean;
  readonly stored: readonly { readonly column: StoredValue['column']; readonly literal: number }[];
}

/** A text that is one statement: its shape and its tokens. */
export interface Single {
  readonly key: string;
  readonly tokens: readonly Token[];
}

const isLiteral = (token: Token): boolean =>
  token.kind === 'string' || token.kind === 'nchar' || token.kind === 'number';

/** Where a text begins and ends, and the literals of its tokens. */
export interface Literals {
  readonly start: number;
  readonly end: number;
  text(index: number): string | undefined;
}

export function literalsOf(tokens: readonly Token[]): Literals {
  const literals = tokens.filter(isLiteral);
  return {
    start: tokens[0]?.start ?? 0,
    end: tokens[tokens.length - 1]?.end ?? 0,
    text: (index) => literals[index]?.text,
  };
}

/** Readings of texts in one setting of modes and database. */
export class ReadingCache {
  private readonly texts = new Generations<ReadTexts>(2_000, 4_000_000);
  private readonly shapes = new Generations<Template>(4_000, 8_000_000);
  /** By the quick look's shape, which keeps blanks. */
  private readonly quick = new Generations<Template>(4_000, 8_000_000);

  text(text: string): ReadTexts | undefined {
    return this.texts.get(text);
  }

  shape(key: string, literals: Literals): ReadTexts | undefined {
    const template = this.shapes.get(key);
    return template === undefined ? undefined : instantiate(template, literals);
  }

  quickly(key: string, literals: Literals): ReadTexts | undefined {
    const template = this.quick.get(key);
    return template === undefined ? undefined : instantiate(template, literals);
  }

  /** A reading found by its tokens is found by the quick look from now on. */
  promote(key: string, quickKey: string): void {
    const template = this.shapes.get(key);
    if (template !== undefined) this.quick.set(quickKey, template);
  }

  /** Keeps a fresh reading where it may be shared. `single` is the shape of a text that is one statement. */
  keep(text: string, single: Single | undefined, fresh: Read): void {
    const { result, analyses } = fresh;
    if (result.kind !== 'read' || analyses.some((analysis) => analysis.missed || analysis.stateful)) return;
    const [analysis] = analyses;
    const [statement] = result.statements;
    const template =
      single === undefined || analyses.length !== 1 || analysis === undefined || statement === undefined
        ? undefined
        : templateOf(analysis, statement.reading, statement.barrier, single.tokens);
    if (template === undefined || single === undefined) this.texts.set(text, result);
    else this.shapes.set(single.key, template);
  }
}

function templateOf(
  analysis: Analysis,
  reading: Reading,
  barrier: boolean,
  tokens: readonly Token[],
): Template | undefined {
  const bounds = analysis.boundSensitive && (analysis.verbs.has('update') || analysis.verbs.has('delete'));
  if (analysis.literalSensitive || bounds || reading.opaque.length > 0) return undefined;
  const literals = tokens.filter(isLiteral);
  const stored: { column: StoredValue['column']; literal: number }[] = [];
  for (const fact of analysis.stores) {
    if (fact.value.kind !== 'text') continue;
    const literal = literals.findIndex((token) => token.start === fact.token.start);
    if (literal < 0) return undefined;
    stored.push({ column: columnName(fact.column), literal });
  }
  const unpositioned = reading.uses.map(({ position: _, ...rest }) => rest);
  const shared: Reading = Object.freeze({
    ...reading,
    uses: unpositioned,
    stores: reading.stores.filter((store) => store.value.kind !== 'text'),
  });
  sameChanges(shared, reading);
  return { reading: shared, barrier, stored };
}

function instantiate(template: Template, literals: Literals): ReadTexts | undefined {
  let { reading } = template;
  if (template.stored.length > 0) {
    const stores: StoredValue[] = [...reading.stores];
    for (const { column, literal } of template.stored) {
      const text = literals.text(literal);
      if (text === undefined) return undefined;
      stores.push({ column, value: { kind: 'text', text } });
    }
    const model = reading;
    reading = Object.freeze({ ...model, stores });
    sameChanges(reading, model);
  }
  return {
    kind: 'read',
    statements: [{ reading, start: literals.start, end: literals.end, barrier: template.barrier }],
  };
}
