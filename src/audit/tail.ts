// `audit tail`: the last records, then what comes, each statement with its settlement.
import { joiner, type Merged } from './join.ts';
import { follow } from './read.ts';

export interface TailOptions {
  /** How many of the last records to begin with. */
  readonly last: number;
  /** False ends after them. */
  readonly follow: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly pollMs?: number | undefined;
  /** A statement that runs longer than this is shown before it is settled, and again when it is. Left out: 2 s. */
  readonly patienceMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

/** Bytes of journal looked at for each record asked for, at least a mebibyte: statements of a few kilobytes are rare. */
const BYTES_PER_RECORD = 4096;

/** The last records in the order they were opened, then, while following, each as soon as it is complete. */
export async function* tailRecords(directory: string, options: TailOptions): AsyncGenerator<Merged> {
  const join = joiner();
  const now = options.now ?? Date.now;
  let backlog = true;
  const looks = follow(directory, {
    backlogBytes: options.last > 0 ? Math.max(1 << 20, options.last * BYTES_PER_RECORD) : 0,
    signal: options.signal,
    pollMs: options.pollMs,
    live: options.follow,
  });
  for await (const entries of looks) {
    const complete = entries.flatMap((entry) => join.push(entry));
    if (backlog) {
      backlog = false;
      if (!options.follow) complete.push(...join.drain());
      complete.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.seq - b.seq));
      yield* options.last > 0 ? complete.slice(-options.last) : [];
    } else yield* complete;
    if (options.follow) yield* join.overdue(new Date(now() - (options.patienceMs ?? 2000)).toISOString());
  }
}
