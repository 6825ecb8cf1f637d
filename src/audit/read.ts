// Reads the journal back: all of it in the order of time, or its end and what is added from then on.
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLink } from './chain.ts';
import { isMissing } from './errors.ts';
import { type Line, readLines } from './lines.ts';
import type { AuditRecord } from './record.ts';
import { listSegments, listWorkers, type SegmentFile } from './segments.ts';

/** A record and where it stands. */
export interface JournalEntry {
  readonly worker: string;
  readonly segment: number;
  readonly seq: number;
  readonly record: AuditRecord;
}

export interface ReadOptions {
  /** Segments that end before this time (ISO 8601, UTC) are not opened. */
  readonly since?: string | undefined;
  /** Looks at a line's bytes before they are parsed; false skips it. */
  readonly sieve?: ((line: Buffer) => boolean) | undefined;
  /** Told of each line that is no record; `verifyJournal` says what is wrong with it. */
  readonly onDamage?: ((worker: string, segment: number, offset: number) => void) | undefined;
}

/** All records of all workers, oldest first. Memory stays constant: a chunk of each worker's chain at a time. */
export async function* readRecords(directory: string, options: ReadOptions = {}): AsyncGenerator<JournalEntry> {
  const heads: { chunk: JournalEntry[]; at: number; rest: AsyncGenerator<JournalEntry[]> }[] = [];
  for (const worker of await listWorkers(directory)) {
    const rest = readChain(directory, worker, options);
    const first = await rest.next();
    if (!first.done) heads.push({ chunk: first.value, at: 0, rest });
  }
  for (;;) {
    let oldest = heads[0];
    if (oldest === undefined) return;
    for (const head of heads) if (timeAt(head) < timeAt(oldest)) oldest = head;
    const entry = oldest.chunk[oldest.at++];
    if (entry !== undefined) yield entry;
    if (oldest.at < oldest.chunk.length) continue;
    const more = await oldest.rest.next();
    if (more.done) heads.splice(heads.indexOf(oldest), 1);
    else {
      oldest.chunk = more.value;
      oldest.at = 0;
    }
  }
}

function timeAt(head: { chunk: JournalEntry[]; at: number }): string {
  return head.chunk[head.at]?.record.time ?? '';
}

async function* readChain(directory: string, worker: string, options: ReadOptions): AsyncGenerator<JournalEntry[]> {
  const segments = await listSegments(join(directory, worker));
  let skip = 0;
  if (options.since !== undefined) {
    for (let index = 1; index < segments.length; index++) {
      const segment = segments[index];
      const began = segment === undefined ? undefined : await beginOf(segment);
      if (began === undefined || began > options.since) break;
      skip = index;
    }
  }
  for (const segment of segments.slice(skip)) {
    for await (const lines of readSegment(segment)) {
      const entries = entriesOf(lines, worker, segment.number, options);
      if (entries.length > 0) yield entries;
    }
  }
}

/** A segment's lines; none where retention has removed it since it was listed. */
async function* readSegment(segment: SegmentFile, from = 0): AsyncGenerator<Line[]> {
  try {
    yield* readLines(segment.path, segment.compressed, from);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function beginOf(segment: SegmentFile): Promise<string | undefined> {
  for await (const lines of readSegment(segment)) {
    const first = lines[0];
    const time = first === undefined ? undefined : /"time":"([^"]*)"/.exec(first.bytes.toString('latin1', 0, 256));
    return time?.[1];
  }
  return undefined;
}

function entriesOf(lines: readonly Line[], worker: string, segment: number, options: ReadOptions): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const line of lines) {
    if (!line.complete || (options.sieve !== undefined && !options.sieve(line.bytes))) continue;
    const entry = parseEntry(line.bytes, worker, segment);
    if (entry === 'damaged') options.onDamage?.(worker, segment, line.start);
    else if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** The record of a line; undefined for the journal's own lines. */
export function parseEntry(bytes: Buffer, worker: string, segment: number): JournalEntry | 'damaged' | undefined {
  const link = readLink(bytes);
  if (link === undefined) return 'damaged';
  if (link.signed) return undefined;
  try {
    const { v, seq, prev, ...record } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    if (v !== 1 || typeof seq !== 'number' || typeof prev !== 'string') return 'damaged';
    if (typeof record.event !== 'string' || typeof record.time !== 'string') return 'damaged';
    return { worker, segment, seq, record: record as unknown as AuditRecord };
  } catch {
    return 'damaged';
  }
}

export interface FollowOptions {
  /** About how many bytes of each chain's end to begin with. Left out: none, only what is new. */
  readonly backlogBytes?: number | undefined;
  /** Ends the following. */
  readonly signal?: AbortSignal | undefined;
  readonly pollMs?: number | undefined;
  /** False: the backlog only. */
  readonly live?: boolean | undefined;
}

/** Where a follower stands in a chain. */
interface Place {
  segment: number;
  offset: number;
}

/**
 * The end of every chain, then what is added, through rotation and compression, with chains of new workers as they appear.
 * Yields what came since the last look, in the order of time; an empty list when nothing did.
 */
export async function* follow(directory: string, options: FollowOptions = {}): AsyncGenerator<JournalEntry[]> {
  const places = new Map<string, Place>();
  for (const worker of await listWorkers(directory)) {
    const place = await placeBefore(join(directory, worker), options.backlogBytes ?? 0);
    if (place !== undefined) places.set(worker, place);
  }
  const signal = options.signal;
  for (;;) {
    const entries: JournalEntry[] = [];
    for (const worker of await listWorkers(directory)) {
      const place = places.get(worker) ?? { segment: 0, offset: 0 };
      places.set(worker, place);
      await advance(directory, worker, place, entries);
    }
    entries.sort((a, b) => (a.record.time < b.record.time ? -1 : a.record.time > b.record.time ? 1 : 0));
    yield entries;
    if (options.live === false || signal?.aborted) return;
    try {
      await sleep(options.pollMs ?? 200, undefined, { ...(signal === undefined ? {} : { signal }) });
    } catch {
      return;
    }
  }
}

async function advance(directory: string, worker: string, place: Place, entries: JournalEntry[]): Promise<void> {
  for (const segment of await listSegments(join(directory, worker))) {
    if (segment.number < place.segment) continue;
    if (segment.number > place.segment) {
      place.segment = segment.number;
      place.offset = 0;
    }
    // Records nobody had been promised may have been taken back: what follows stands there anew.
    if (!segment.compressed) {
      const size = await sizeOf(segment.path);
      if (size >= 0) place.offset = Math.min(place.offset, size);
    }
    for await (const lines of readSegment(segment, place.offset)) {
      for (const line of lines) if (line.complete) place.offset = line.end;
      entries.push(...entriesOf(lines, worker, segment.number, {}));
    }
  }
}

/** The start of a line, at most so many bytes before a chain's end. */
async function placeBefore(folder: string, bytes: number): Promise<Place | undefined> {
  const segments = await listSegments(folder);
  let left = bytes;
  for (const segment of [...segments].reverse()) {
    if (segment.compressed) return { segment: segment.number, offset: left > 0 ? 0 : Number.MAX_SAFE_INTEGER };
    const size = await sizeOf(segment.path);
    if (left < size || segment === segments[0]) {
      return { segment: segment.number, offset: await lineStart(segment.path, Math.max(0, size - left)) };
    }
    left -= size;
  }
  return undefined;
}

/** The start of the first line at or behind a position. */
async function lineStart(path: string, position: number): Promise<number> {
  if (position === 0) return 0;
  const handle = await open(path, 'r');
  try {
    const chunk = Buffer.alloc(1 << 16);
    let at = position - 1;
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
      const newline = chunk.subarray(0, bytesRead).indexOf(0x0a);
      if (newline >= 0) return at + newline + 1;
      if (bytesRead === 0) return at;
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

/** -1 where the file is not there. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return -1;
    throw error;
  }
}
