// Searches the journal itself, without a store: every record since a time, each statement with its settlement.
import { type AuditFilter, matcher } from './filter.ts';
import { joiner, type Merged } from './join.ts';
import { type ReadOptions, readRecords } from './read.ts';

export interface SearchOptions {
  /** Told of lines that are no records. */
  readonly onDamage?: ReadOptions['onDamage'];
  /** How many records may wait for an older one's settlement before they are given out ahead of it. */
  readonly window?: number | undefined;
}

const CLOCK_STEP_MS = 60_000;

/**
 * All matching records in the order they were opened. A statement waits for its settlement, and the ones after it wait with
 * it, up to the window; one that runs longer comes out late, when it is settled, so that memory stays bounded.
 */
export async function* searchJournal(
  directory: string,
  filter: AuditFilter = {},
  options: SearchOptions = {},
): AsyncGenerator<Merged> {
  const match = matcher(filter);
  const join = joiner(match.opening);
  const window = options.window ?? 10_000;
  // Insertion order is the order of opening; undefined stands for a statement that is not settled yet.
  const waiting = new Map<string, Merged | undefined>();
  const ready = function* (limit: number): Generator<Merged> {
    for (const [id, record] of waiting) {
      if (record === undefined && waiting.size <= limit) return;
      waiting.delete(id);
      if (record !== undefined) yield record;
    }
  };
  const { sieve } = match;
  // Clocks are set back a little now and then: what is only just too late does not end the search.
  const end = filter.until === undefined ? undefined : shifted(filter.until, CLOCK_STEP_MS);
  const since = filter.since === undefined ? undefined : shifted(filter.since, -CLOCK_STEP_MS);
  for await (const entry of readRecords(directory, { since, sieve, onDamage: options.onDamage })) {
    const { record } = entry;
    // Settlements of what was opened in time come later; openings after the end are not wanted, nor are their settlements.
    if (record.event === 'statement' && match.opening(record)) waiting.set(record.record, undefined);
    for (const merged of join.push(entry)) {
      if (merged.event === 'statement') {
        const inOrder = waiting.has(merged.record);
        if (!match.whole(merged)) waiting.delete(merged.record);
        else if (inOrder) waiting.set(merged.record, merged);
        else yield merged;
      } else if (match.whole(merged)) waiting.set(merged.record, merged);
    }
    yield* ready(window);
    if (end !== undefined && record.time >= end && waiting.size === 0) return;
  }
  for (const merged of join.drain()) {
    if (match.whole(merged)) {
      if (waiting.has(merged.record)) waiting.set(merged.record, merged);
      else yield merged;
    }
  }
  for (const record of waiting.values()) if (record !== undefined) yield record;
}

function shifted(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}
