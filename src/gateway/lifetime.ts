// How long a session lasts: until its identity expires, nothing runs in it any more, or somebody ends it.
import type { Refusal } from '../../protocols/gate.ts';
import { expired, idle } from './refusals.ts';

/** Timers hold 2^31 ms at most; a longer wait is taken in parts. */
const longestTimer = 2 ** 31 - 1;

export class Lifetime {
  readonly #now: () => number;
  #listener: ((refusal: Refusal) => void) | undefined;
  #ending: Refusal | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #running = 0;
  /** When a statement last began or ended, in ms since the epoch. */
  #active: number;

  /** `now`: the wall clock in ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#active = now();
  }

  /** Called at most once; at once where the end has come already. */
  onEnd(listener: (refusal: Refusal) => void): void {
    this.#listener = listener;
    if (this.#ending !== undefined) listener(this.#ending);
  }

  /** Ends the session, for this reason; the first one counts. */
  end(refusal: Refusal): void {
    if (this.#ending !== undefined) return;
    this.#ending = refusal;
    this.#listener?.(refusal);
  }

  /** Ends the session with its identity: at this time, in ms since the epoch. */
  endAt(time: number): void {
    const wait = Math.max(0, time - this.#now());
    this.#expiry = setTimeout(
      () => (wait > longestTimer ? this.endAt(time) : this.end(expired)),
      Math.min(wait, longestTimer),
    );
    this.#expiry.unref();
  }

  /** Ends the session when nothing has run in it for so long. */
  idleAfter(ms: number): void {
    const quiet = this.#running > 0 ? 0 : this.#now() - this.#active;
    if (quiet >= ms) {
      this.end(idle(ms));
      return;
    }
    this.#idle = setTimeout(() => this.idleAfter(ms), Math.min(ms - quiet, longestTimer));
    this.#idle.unref();
  }

  /** A statement has begun (1) or ended (-1), or waits for people meanwhile. */
  ran(change: 1 | -1): void {
    this.#running += change;
    this.#active = this.#now();
  }

  close(): void {
    clearTimeout(this.#expiry);
    clearTimeout(this.#idle);
  }
}
