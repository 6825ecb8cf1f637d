// A bounded cache that forgets what was not used in the last two rounds of use.

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

/** Longer texts are read each time. */
export const maxCachedText = 32 * 1024;
