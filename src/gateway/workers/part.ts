// What one process is of a gateway: all of it, the primary that other processes work for, or one of these workers. Plain types.
import type { Address } from '../../config/index.ts';
import type { Health } from '../../metrics/index.ts';

export interface Part {
  /** Its journal chain, and what its log lines are marked with. */
  readonly chain: string;
  /** Its name in the store. Left out: one of its own. */
  readonly gateway?: string;
  /** Takes database clients. */
  readonly listens: boolean;
  /** Does what one process does for all: console and HTTP port, copying records to the store, exporting them. */
  readonly hub: boolean;
  /** So many processes share the clients, and so the limits of the gateway. */
  readonly shares: number;
  /** A worker: what it asks of the others. */
  readonly others?: Others;
  /** The primary: its workers. */
  readonly crew?: Crew;
}

/** The other workers, as one of them sees them. */
export interface Others {
  /** Names of theirs in the store begin so. */
  readonly prefix: string;
  /** Where clients reach the HTTP port, if there is one. */
  readonly http: string | undefined;
  /** Carries out a CancelRequest whose session is with one of them. */
  cancel(processId: number, secret: Buffer): void;
  /** Ends the session of this owner that has this thread number at one of them. */
  kill(threadId: number, owner: string): Promise<boolean>;
}

/** The workers, as the primary sees them. */
export interface Crew {
  /** Where they listen, once the first is ready. */
  readonly addresses: Addresses;
  /** What each has counted, those that have ended included. */
  numbers(): Promise<readonly string[]>;
  readiness(): Promise<Health>;
  /** Has them read the file again. */
  reload(): Promise<void>;
  /** Resolves when all of them have ended. */
  drain(graceMs: number): Promise<void>;
}

export interface Addresses {
  readonly postgres: Address | undefined;
  readonly mysql: Address | undefined;
}

/** The gateway as one process. */
export const whole: Part = { chain: 'main', listens: true, hub: true, shares: 1 };
