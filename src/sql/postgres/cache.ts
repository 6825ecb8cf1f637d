// Readings by text and by shape, bounded: what was used in the last two rounds of use is kept.
import { Generations } from '../generations.ts';
import type { ReadResult } from '../reader.ts';
import type { StoredLiteral } from './analysis.ts';

/** The reading of a shape: shared as it is, or with the literals of each text put into what it stores. */
export interface Template {
  readonly key: Uint16Array;
  readonly result: ReadTexts;
  /** For each stored literal: which literal of the text it is. */
  readonly literals: readonly number[];
  readonly stored: readonly StoredLiteral[];
}

export type ReadTexts = Extract<ReadResult, { kind: 'read' }>;

export class ReadingCache {
  /** Texts that share their reading with no other. */
  readonly texts = new Generations<ReadTexts>(2_000, 4_000_000);
  /** By the hash of their keys: the later of two that share one stays. */
  readonly shapes = new Generations<Template, number>(4_000, 8_000_000, (_, template) => 2 * template.key.length);
  /** Texts of a known shape that have come twice: they are not scanned again. */
  readonly instances = new Generations<ReadTexts>(2_000, 2_000_000);
  private readonly once = new Int32Array(4_096);

  /** Whether a text of this hash has come lately; most texts of a shape come once, and are not worth a place. */
  again(hash: number): boolean {
    const slot = hash & 4_095;
    if (this.once[slot] === hash) return true;
    this.once[slot] = hash;
    return false;
  }
}
