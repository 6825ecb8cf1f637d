// The loop breaker: an agent that sends or fails with the same statement shape again and again is paused, on every gateway that shares
// the store, with a message it can act on.
import type { LoopBreakerConfig } from '../../config/index.ts';
import type { Store } from '../../store/index.ts';

export interface Pause {
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** `the same statement came 50 times in 10 s`. */
  readonly why: string;
}

/** The last times of one shape, in a ring as long as the limit. */
interface Shape {
  readonly times: Float64Array;
  next: number;
}

interface Watched {
  /** By shape, the one seen last at the end. */
  readonly shapes: Map<string, Shape>;
  pause: Pause | undefined;
}

/** Shapes remembered for one identity: a loop comes back to the same few. */
const mostShapes = 64;
const mostIdentities = 50_000;
const channel = 'sallyport_pauses';

export class LoopBreaker {
  readonly #watched = new Map<string, Watched>();
  readonly #config: () => LoopBreakerConfig | undefined;
  readonly #store: Store | undefined;
  readonly #now: () => number;
  readonly #paused: (key: string, pause: Pause) => void;
  readonly #log: (message: string, cause: unknown) => void;
  readonly #unlisten: (() => void) | undefined;

  constructor(options: {
    /** Asked each time, since a reload may change it. */
    readonly config: () => LoopBreakerConfig | undefined;
    readonly store: Store | undefined;
    readonly now?: () => number;
    /** Called once for each pause that begins here. */
    readonly paused?: (key: string, pause: Pause) => void;
    readonly log?: (message: string, cause: unknown) => void;
  }) {
    this.#config = options.config;
    this.#store = options.store;
    this.#now = options.now ?? Date.now;
    this.#paused = options.paused ?? (() => undefined);
    this.#log = options.log ?? (() => undefined);
    this.#unlisten = this.#store?.listen(channel, () => void this.refresh());
  }

  /** Whether the identity is paused now. */
  pause(key: string): Pause | undefined {
    const pause = this.#watched.get(key)?.pause;
    return pause !== undefined && pause.until > this.#now() ? pause : undefined;
  }

  /** Notes one run (or refusal) of a shape; the one too many begins a pause. */
  note(key: string, shape: string): void {
    const config = this.#config();
    if (config === undefined) return;
    const watched = this.#of(key);
    let known = watched.shapes.get(shape);
    if (known === undefined || known.times.length !== config.repeats) {
      known = { times: new Float64Array(config.repeats).fill(Number.NEGATIVE_INFINITY), next: 0 };
    }
    // Set anew, so that the shape seen longest ago is the first.
    watched.shapes.delete(shape);
    watched.shapes.set(shape, known);
    if (watched.shapes.size > mostShapes) {
      for (const oldest of watched.shapes.keys()) {
        watched.shapes.delete(oldest);
        break;
      }
    }
    const now = this.#now();
    known.times[known.next] = now;
    known.next = (known.next + 1) % known.times.length;
    // What the ring comes to next is the oldest of the last `repeats`.
    const oldest = known.times[known.next] ?? Number.NEGATIVE_INFINITY;
    if (now - oldest > config.withinMs) return;
    watched.shapes.delete(shape);
    const seconds = Math.max(1, Math.round(config.withinMs / 1000));
    this.#begin(key, watched, {
      until: now + config.pauseMs,
      why: `the same statement came ${config.repeats} times in ${seconds} s`,
    });
  }

  #begin(key: string, watched: Watched, pause: Pause): void {
    watched.pause = pause;
    this.#paused(key, pause);
    const store = this.#store;
    if (store === undefined) return;
    store
      .query(
        `insert into sallyport.pauses (key, until, why) values ($1, to_timestamp($2::float8 / 1000), $3)
         on conflict (key) do update set until = greatest(sallyport.pauses.until, excluded.until), why = excluded.why`,
        [key, pause.until, pause.why],
      )
      .then(() => store.notify(channel, ''))
      .catch((cause: unknown) => this.#log('a pause could not be shared; it holds on this gateway alone', cause));
  }

  /** Reads the pauses of all gateways. Never rejects. */
  async refresh(): Promise<void> {
    try {
      const rows = await this.#store?.query<{ key: string; until: Date; why: string }>(
        'select key, until, why from sallyport.pauses where until > now()',
      );
      for (const { key, until, why } of rows ?? []) {
        const watched = this.#of(key);
        if ((watched.pause?.until ?? 0) < until.getTime()) watched.pause = { until: until.getTime(), why };
      }
    } catch (cause) {
      this.#log('pauses of other gateways could not be read', cause);
    }
  }

  #of(key: string): Watched {
    const known = this.#watched.get(key);
    if (known !== undefined) return known;
    if (this.#watched.size >= mostIdentities) this.#watched.clear();
    const watched: Watched = { shapes: new Map(), pause: undefined };
    this.#watched.set(key, watched);
    return watched;
  }

  close(): void {
    this.#unlisten?.();
  }
}
