// Readings by text and by shape, bounded: what was used in the last two rounds of use is kept.
import { Generations } from '../generations.ts';
import type { ReadResult } from '../reader.ts';
import type { StoredLiteral } from './analysis.ts';

/** The reading of a shape: shared as it is, or with the literals of each text put into what it stores. */
export interface Template {
  /** Undefined: texts of this shape must be read one by one. */
  readonly result: Extract<ReadResult, { kind: 'read' }> | undefined;
  /** For each stored literal: which literal of the text it is. */
  readonly literals: readonly number[];
  readonly stored: readonly StoredLiteral[];
}

export class ReadingCache {
  readonly texts = new Generations<Extract<ReadResult, { kind: 'read' }>>(2_000, 4_000_000);
  readonly shapes = new Generations<Template>(4_000, 8_000_000);
  /** Texts whose shape is known: a text that comes again is not scanned again. */
  readonly instances = new Generations<Extract<ReadResult, { kind: 'read' }>>(2_000, 2_000_000);
}
