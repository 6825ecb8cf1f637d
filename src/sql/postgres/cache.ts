// Readings by text and by shape, bounded: what was used in the last two rounds of use is kept.
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

/** Two generations: a lookup in the older one moves the entry to the newer; when that is full it becomes the older. */
export class Generations<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();
  private readonly capacity: number;
  private readonly maxCharacters: number;
  private characters = 0;

  constructor(capacity: number, maxCharacters: number) {
    this.capacity = capacity;
    this.maxCharacters = maxCharacters;
  }

  get(key: string): V | undefined {
    const found = this.young.get(key);
    if (found !== undefined) return found;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: V): void {
    if (this.young.size >= this.capacity || this.characters > this.maxCharacters) {
      this.old = this.young;
      this.young = new Map();
      this.characters = 0;
    }
    this.characters += key.length;
    this.young.set(key, value);
  }

  get size(): number {
    return this.young.size + this.old.size;
  }
}

export const maxCachedText = 32 * 1024;

export class ReadingCache {
  readonly texts = new Generations<Extract<ReadResult, { kind: 'read' }>>(2_000, 4_000_000);
  readonly shapes = new Generations<Template>(4_000, 8_000_000);
  /** Texts whose shape is known: a text that comes again is not scanned again. */
  readonly instances = new Generations<Extract<ReadResult, { kind: 'read' }>>(2_000, 2_000_000);
}
