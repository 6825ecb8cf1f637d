// Finds out where a worker's chain ended and how to go on: after a clean close, after a crash (a torn last line is cut
// off), or where somebody has been at the files (they are left as they are, and the chain goes on in a new segment).
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { GENESIS, hashLine, readLink } from './chain.ts';
import { isMissing } from './errors.ts';
import { type Head, readHead } from './head.ts';
import type { VerifyingKey } from './keys.ts';
import { type Line, readLines } from './lines.ts';
import { listSegments, type SegmentFile } from './segments.ts';

/** The last line of a chain, and where the next one goes. */
export interface Tip {
  readonly segment: number;
  /** Where the last line starts in its segment and where it ends: the next one's start. */
  readonly start: number;
  readonly end: number;
  readonly seq: number;
  readonly hash: string;
  /** Nothing more goes into this segment. */
  readonly sealed: boolean;
}

export interface Opening {
  readonly tip: Tip;
  /** The oldest segment there should be. */
  readonly first: number;
  /** What was found, for the log and for the chain's own record of the opening. */
  readonly note: { readonly message: string; readonly details: Readonly<Record<string, string | number>> };
  readonly damaged: boolean;
  /** When the segment of the tip began, in ms, where that can be read. */
  readonly began?: number | undefined;
}

const UNBORN: Tip = { segment: 0, start: 0, end: 0, seq: 0, hash: GENESIS, sealed: true };

/** Reads a worker's folder. Cuts nothing itself: whoever goes on at `tip.end` truncates the segment there first. */
export async function inspectChain(folder: string, keys: ReadonlyMap<string, VerifyingKey>): Promise<Opening> {
  const opening = await inspect(folder, keys);
  const { tip } = opening;
  const current = tip.sealed ? undefined : (await listSegments(folder)).find(({ number }) => number === tip.segment);
  return { ...opening, began: current === undefined ? undefined : await beginningOf(current) };
}

/** The time of a segment's first line. */
async function beginningOf(segment: SegmentFile): Promise<number | undefined> {
  for await (const lines of readLines(segment.path, segment.compressed)) {
    const time = /"time":"([^"]*)"/.exec(lines[0]?.bytes.toString('latin1', 0, 256) ?? '')?.[1];
    const began = Date.parse(time ?? '');
    return Number.isNaN(began) ? undefined : began;
  }
  return undefined;
}

async function inspect(folder: string, keys: ReadonlyMap<string, VerifyingKey>): Promise<Opening> {
  const reading = await readHead(folder, keys);
  const segments = await listSegments(folder);
  const last = segments.at(-1);
  if (reading.kind !== 'head') {
    if (last === undefined && reading.kind === 'missing') return opened(UNBORN, 1, 'journal begun');
    // A crash before the first head was written leaves at most the first lines of the first segment.
    if (reading.kind === 'missing' && last?.number === 1 && (await sizeOf(last)) < 4096) {
      const scan = await scanFrom([last], { ...UNBORN, segment: 1, sealed: false }, 0);
      if (scan.broken === undefined) return resumed(scan, 1);
    }
    const why = reading.kind === 'missing' ? 'its head file is missing' : `its head file is not valid: ${reading.why}`;
    return damaged(await lastLink(last), last?.number ?? 0, segments[0]?.number ?? 1, why, {});
  }
  const head = reading.head;
  const current = segments.find((segment) => segment.number === head.segment);
  const claimed = { expected_segment: head.segment, expected_seq: head.seq, expected_hash: head.hash };
  const tip: Tip = {
    segment: head.segment,
    start: head.start,
    end: head.end,
    seq: head.seq,
    hash: head.hash,
    sealed: false,
  };
  const lost = (why: string) => damaged(tip, Math.max(last?.number ?? 0, head.segment), head.first, why, claimed);
  if (current === undefined) return lost(`segment ${head.segment}, which its head names, is missing`);
  if (current.compressed) return lost(`segment ${head.segment}, which its head names as open, is sealed`);
  const known = await lineAt(current, head);
  if (known === undefined) return lost('records that its head names are missing or changed');
  const scan = await scanFrom(
    segments.filter((segment) => segment.number >= head.segment),
    { ...tip, sealed: isSeal(known.bytes) },
    head.end,
  );
  if (scan.broken !== undefined) return lost(scan.broken);
  if (head.closed && scan.tip.seq !== head.seq) return lost('lines were added after it was closed');
  return resumed(scan, head.first);
}

interface Scan {
  readonly tip: Tip;
  /** Bytes behind the last good line. */
  readonly torn: number;
  readonly tornHash: string;
  readonly broken: string | undefined;
}

/** Follows the links from a tip to the end. Only the end of the last segment may be torn. */
async function scanFrom(segments: readonly SegmentFile[], from: Tip, position: number): Promise<Scan> {
  let tip = from;
  let torn = 0;
  let tornHash = '';
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    const before = tip;
    if (index > 0) {
      if (!tip.sealed || segment.number !== tip.segment + 1) {
        return { tip, torn, tornHash, broken: `segment ${segment.number} does not follow a sealed segment` };
      }
      tip = { ...tip, segment: segment.number, start: 0, end: 0, sealed: false };
    }
    const digest = createHash('sha256');
    for await (const lines of readLines(segment.path, segment.compressed, index === 0 ? position : 0)) {
      for (const line of lines) {
        if (torn === 0 && follows(line, tip)) {
          tip = tipAfter(line, tip);
          continue;
        }
        torn += line.end - line.start;
        digest.update(line.bytes);
      }
    }
    // Nothing, or nothing but a torn head: the segment is begun again.
    if (tip.end === 0) tip = index > 0 ? before : UNBORN;
    if (torn > 0) tornHash = digest.digest('hex');
    if (torn > 0 && !isLast)
      return { tip, torn, tornHash, broken: `segment ${segment.number} is broken before its end` };
  }
  return { tip, torn, tornHash, broken: undefined };
}

function follows(line: Line, tip: Tip): boolean {
  if (!line.complete || tip.sealed) return false;
  const link = readLink(line.bytes);
  return link !== undefined && link.seq === tip.seq + 1 && link.prev === tip.hash;
}

function tipAfter(line: Line, tip: Tip): Tip {
  return {
    segment: tip.segment,
    start: line.start,
    end: line.end,
    seq: tip.seq + 1,
    hash: hashLine(line.bytes),
    sealed: isSeal(line.bytes),
  };
}

/** Seals are the journal's own lines; a record cannot start like one, since its `event` is another. */
export function isSeal(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 23).startsWith('{"v":1,"event":"seal"');
}

async function lineAt(segment: SegmentFile, head: Head): Promise<Line | undefined> {
  if ((await sizeOf(segment)) < head.end) return undefined;
  for await (const lines of readLines(segment.path, false, head.start, head.end)) {
    const line = lines[0];
    return line?.complete && line.end === head.end && hashLine(line.bytes) === head.hash ? line : undefined;
  }
  return undefined;
}

/** The last readable link of a segment nobody vouches for. */
async function lastLink(segment: SegmentFile | undefined): Promise<Tip> {
  let tip = UNBORN;
  if (segment === undefined) return tip;
  try {
    for await (const lines of readLines(segment.path, segment.compressed)) {
      for (const line of lines) {
        const link = line.complete ? readLink(line.bytes) : undefined;
        if (link === undefined) continue;
        tip = { ...tip, seq: Math.max(tip.seq, link.seq), hash: hashLine(line.bytes) };
      }
    }
  } catch {
    // A damaged archive: go on after what could be read.
  }
  return tip;
}

function opened(tip: Tip, first: number, message: string, details: Record<string, string | number> = {}): Opening {
  return { tip, first, note: { message, details }, damaged: false };
}

function resumed(scan: Scan, first: number): Opening {
  if (scan.torn === 0) return opened(scan.tip, first, 'journal opened');
  return opened(scan.tip, first, 'journal opened; a torn end was cut off', {
    segment: scan.tip.sealed ? scan.tip.segment + 1 : scan.tip.segment,
    cut_bytes: scan.torn,
    cut_sha256: scan.tornHash,
  });
}

function damaged(
  tip: Tip,
  lastSegment: number,
  first: number,
  why: string,
  details: Record<string, string | number>,
): Opening {
  return {
    tip: { ...tip, segment: lastSegment, start: 0, end: 0, sealed: true },
    first,
    note: { message: `journal damaged: ${why}; it goes on in a new segment`, details },
    damaged: true,
  };
}

async function sizeOf(segment: SegmentFile): Promise<number> {
  try {
    return (await stat(segment.path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
