// How often one client may ask: a bucket of tokens for each address, in bounded memory.

export interface RateLimit {
  /** Requests at once. */
  readonly burst: number;
  /** Requests a second after that. */
  readonly perSecond: number;
}

const mostClients = 10_000;

interface Bucket {
  tokens: number;
  at: number;
}

export class Rate {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Whether the client may ask now; nothing is taken. */
  allows(client: string): boolean {
    return this.#filled(client).tokens >= 1;
  }

  /** Counts one request. */
  take(client: string): void {
    const bucket = this.#filled(client);
    bucket.tokens = Math.max(0, bucket.tokens - 1);
    // The one that asked last stands last: whoever has not asked for longest is forgotten first, when it is whole again anyway.
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    if (this.#buckets.size > mostClients) this.#buckets.delete(this.#buckets.keys().next().value ?? '');
  }

  #filled(client: string): Bucket {
    const { burst, perSecond } = this.#limit;
    const now = this.#now();
    const bucket = this.#buckets.get(client) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    return bucket;
  }
}
