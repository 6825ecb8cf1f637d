// A bounded cache that forgets what was not used in the last two rounds of use.

/** Two generations: a lookup in the older one moves the entry to the newer; when that is full it becomes the older. */
export class Generations<V, K = string> {
  private young = new Map<K, V>();
  private old = new Map<K, V>();
  private readonly capacity: number;
  private readonly maxCharacters: number;
  private readonly weigh: (key: K, value: V) => number;
  private characters = 0;

  /** `weigh` says how many characters an entry holds: those of its key where left out. */
  constructor(
    capacity: number,
    maxCharacters: number,
    weigh: (key: K, value: V) => number = (key) => String(key).length,
  ) {
    this.capacity = capacity;
    this.maxCharacters = maxCharacters;
    this.weigh = weigh;
  }

  get(key: K): V | undefined {
    const found = this.young.get(key);
    if (found !== undefined) return found;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    if (this.young.size >= this.capacity || this.characters > this.maxCharacters) {
      this.old = this.young;
      this.young = new Map();
      this.characters = 0;
    }
    this.characters += this.weigh(key, value);
    this.young.set(key, value);
  }

  get size(): number {
    return this.young.size + this.old.size;
  }
}

/** Longer texts are read each time. */
export const maxCachedText = 32 * 1024;
