// Checks a journal against its own chain, its signatures, its signed heads and what the chains tell of each other,
// and names the place of everything that does not fit.
import { join } from 'node:path';
import { hashLine, type Link, readLink, type SegmentHead, verifySignature } from './chain.ts';
import { describe } from './errors.ts';
import { type Head, readHead } from './head.ts';
import { loadVerifyingKeys, type VerifyingKey } from './keys.ts';
import { type Line, readLines } from './lines.ts';
import { isSeal } from './opening.ts';
import { currentForm, listSegments, listWorkers, type SegmentFile } from './segments.ts';
import { checkArchive } from './upkeep.ts';

export interface Problem {
  readonly kind: /** A line is not what was written. */
    | 'changed'
    /** Lines or segments are gone. */
    | 'missing'
    /** A line stands where it was not written, or was added. */
    | 'misplaced'
    | 'signature'
    | 'head'
    | 'archive';
  readonly worker: string;
  readonly segment: number | undefined;
  /** 1-based, in the uncompressed segment. */
  readonly line: number | undefined;
  /** The line's number in its chain. */
  readonly seq: number | undefined;
  readonly message: string;
}

export interface ChainReport {
  readonly worker: string;
  readonly segments: number;
  readonly lines: number;
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  readonly lastHash: string | undefined;
  /** The last line that a signature covers; what follows was written after the last signed head, as after a crash or just now. */
  readonly signedSeq: number | undefined;
  /** Bytes of a line that is being written, or that a crash tore. */
  readonly unfinishedBytes: number;
  readonly closed: boolean;
  /** Ids of the keys that signed. */
  readonly keys: readonly string[];
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly chains: readonly ChainReport[];
}

/** Where to begin: the segment that holds the point. Everything from there on is checked. */
export interface VerifyFrom {
  readonly worker?: string | undefined;
  readonly seq?: number | undefined;
  /** ISO 8601, UTC. */
  readonly time?: string | undefined;
}

export interface VerifyOptions {
  /** Public keys (PEM) to trust. Left out: those in the journal's own `keys` folder, which proves less. */
  readonly publicKeys?: readonly string[] | undefined;
  /** Lines that somebody else has kept, such as an earlier report's `lastSeq` and `lastHash`: they must still be there. */
  readonly anchors?: readonly Anchor[] | undefined;
  /** Stops looking after so many problems in a chain. Left out: 100. */
  readonly limit?: number | undefined;
}

export interface Anchor {
  readonly worker: string;
  readonly seq: number;
  readonly hash: string;
  /** Who says so, for messages. */
  readonly by?: string | undefined;
}

/** Verifies every chain of a journal, or what follows a point. It can run beside the gateway that writes. */
export async function verifyJournal(
  directory: string,
  from: VerifyFrom = {},
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const keys = await loadVerifyingKeys(directory, options.publicKeys);
  const workers = await listWorkers(directory);
  const anchors = [...(options.anchors ?? [])];
  for (const worker of workers) anchors.push(...(await witnessed(directory, worker, keys)));
  const problems: Problem[] = [];
  const chains: ChainReport[] = [];
  const blank = { segment: undefined, line: undefined };
  if (keys.size === 0 && workers.length > 0) {
    const message = 'no public key to verify with: none was given, and the folder "keys" of the journal holds none';
    problems.push({ ...blank, kind: 'signature', worker: workers[0] ?? '', seq: undefined, message });
  }
  for (const worker of workers) {
    if (from.worker !== undefined && from.worker !== worker) continue;
    const check = new ChainCheck(directory, worker, keys, options.limit ?? 100);
    const named = anchors.filter((anchor) => anchor.worker === worker);
    chains.push(await check.run(from, named));
    problems.push(...check.problems);
  }
  for (const anchor of anchors) {
    if (workers.includes(anchor.worker) || (from.worker !== undefined && from.worker !== anchor.worker)) continue;
    const message = `the whole chain is gone, though ${anchor.by ?? 'an anchor'} names its line ${anchor.seq}`;
    if (problems.some((problem) => problem.worker === anchor.worker)) continue;
    problems.push({ ...blank, kind: 'missing', worker: anchor.worker, seq: anchor.seq, message });
  }
  return { ok: problems.length === 0, problems, chains };
}

interface Expected {
  seq: number | undefined;
  /** Undefined where the line before could not be read: then the next link is taken as it is. */
  prev: string | undefined;
}

/** A line whose link to the line before does not fit: which of the two was changed shows with the line after. */
interface Suspicion {
  readonly before: Position;
  readonly at: Position;
  readonly hash: string;
}

interface Position {
  readonly segment: number;
  readonly line: number;
  readonly seq: number | undefined;
  /** Its own signature holds, so it was not changed. */
  readonly vouched: boolean;
}

class ChainCheck {
  readonly problems: Problem[] = [];
  readonly #folder: string;
  readonly #worker: string;
  readonly #keys: ReadonlyMap<string, VerifyingKey>;
  readonly #limit: number;
  readonly #used = new Set<string>();
  #expected: Expected = { seq: undefined, prev: undefined };
  #last: Position | undefined;
  #suspicion: Suspicion | undefined;
  #head: Head | undefined;
  #anchors = new Map<number, Anchor[]>();
  #sealed = false;
  #lines = 0;
  #firstSeq: number | undefined;
  #signedSeq: number | undefined;
  #unfinished = 0;

  constructor(directory: string, worker: string, keys: ReadonlyMap<string, VerifyingKey>, limit: number) {
    this.#folder = join(directory, worker);
    this.#worker = worker;
    this.#keys = keys;
    this.#limit = limit;
  }

  async run(from: VerifyFrom, anchors: readonly Anchor[]): Promise<ChainReport> {
    // The head first: what it names must be in the segments that are listed after it.
    const reading = await readHead(this.#folder, this.#keys);
    if (reading.kind === 'head') this.#head = reading.head;
    const segments = await listSegments(this.#folder);
    for (const anchor of anchors) {
      this.#anchors.set(anchor.seq, [...(this.#anchors.get(anchor.seq) ?? []), anchor]);
    }
    if (reading.kind === 'invalid') this.#report('head', {}, `head.json cannot be trusted: ${reading.why}`);
    if (reading.kind === 'missing' && (segments.length > 1 || (segments[0]?.number ?? 1) > 1)) {
      this.#report('head', {}, 'head.json is missing');
    }
    this.#checkNumbers(segments);
    const chosen = await this.#choose(segments, from);
    for (const listed of chosen) {
      if (this.problems.length >= this.#limit) break;
      const segment = await currentForm(listed);
      if (segment !== undefined || !(await this.#isRetired(listed))) {
        await this.#segment(segment ?? listed, listed === chosen.at(-1));
      }
    }
    this.#settle(undefined);
    this.#finish(segments);
    const last = this.#last;
    return {
      worker: this.#worker,
      segments: chosen.length,
      lines: this.#lines,
      firstSeq: this.#firstSeq,
      lastSeq: last?.seq,
      lastHash: last === undefined ? undefined : this.#expected.prev,
      signedSeq: this.#signedSeq,
      unfinishedBytes: this.#unfinished,
      closed: this.#head?.closed ?? false,
      keys: [...this.#used],
    };
  }

  #checkNumbers(segments: readonly SegmentFile[]): void {
    const first = segments[0];
    if (first === undefined) return;
    const oldest = this.#head?.first ?? 1;
    if (first.number > oldest) {
      this.#report('missing', { segment: oldest }, `segments ${oldest} to ${first.number - 1} are missing`);
    }
    for (const [index, segment] of segments.entries()) {
      const before = segments[index - 1];
      if (before !== undefined && segment.number !== before.number + 1) {
        const gap = `segments ${before.number + 1} to ${segment.number - 1} are missing`;
        this.#report('missing', { segment: before.number + 1 }, gap);
      }
    }
  }

  async #choose(segments: readonly SegmentFile[], from: VerifyFrom): Promise<readonly SegmentFile[]> {
    if (from.seq === undefined && from.time === undefined) return segments;
    let start = 0;
    for (const [index, segment] of segments.entries()) {
      const first = await firstLine(segment).catch(() => undefined);
      const link = first === undefined ? undefined : readLink(first.bytes);
      if (first === undefined || link === undefined) continue;
      const time = /"time":"([^"]*)"/.exec(first.bytes.toString('latin1', 0, 256))?.[1] ?? '';
      const reached = from.seq === undefined ? time <= (from.time ?? '') : link.seq <= from.seq;
      if (reached) start = index;
    }
    return segments.slice(start);
  }

  /** Whether retention has removed a segment since the chain was listed. */
  async #isRetired(segment: SegmentFile): Promise<boolean> {
    const reading = await readHead(this.#folder, this.#keys);
    return reading.kind === 'head' && reading.head.first > segment.number;
  }

  async #segment(segment: SegmentFile, isLast: boolean): Promise<void> {
    if (segment.compressed) {
      const wrong = await checkArchive(this.#folder, segment, this.#keys);
      if (wrong !== undefined) this.#report('archive', { segment: segment.number }, wrong);
    }
    if (this.#last !== undefined && !this.#sealed) {
      const message = `the segment does not end with its seal, but segment ${segment.number} follows`;
      this.#report('missing', { ...this.#last, segment: segment.number - 1 }, message);
    }
    this.#sealed = false;
    let number = 0;
    try {
      for await (const lines of readLines(segment.path, segment.compressed)) {
        for (const line of lines) {
          number++;
          if (this.problems.length >= this.#limit) return;
          if (line.complete) this.#line(line, segment, number);
          else if (isLast && !segment.compressed && this.#beyondHead()) this.#unfinished = line.end - line.start;
          else this.#report('changed', { segment: segment.number, line: number }, 'the line does not end');
        }
      }
    } catch (error) {
      const place = { segment: segment.number, line: number + 1 };
      this.#report(segment.compressed ? 'archive' : 'changed', place, `it cannot be read on: ${describe(error)}`);
      this.#expected = { seq: undefined, prev: undefined };
      this.#sealed = true;
    }
    if (number === 0 && !isLast) this.#report('missing', { segment: segment.number, line: 1 }, 'the segment is empty');
  }

  #line(line: Line, segment: SegmentFile, number: number): void {
    this.#lines++;
    const hash = hashLine(line.bytes);
    const link = readLink(line.bytes);
    const at: Position = {
      segment: segment.number,
      line: number,
      seq: link?.seq,
      vouched: link?.signed === true && this.#signature(line, segment, number, link.seq),
    };
    if (link === undefined) {
      this.#settle(undefined);
      this.#report('changed', { ...at, seq: this.#expected.seq }, 'the line is not as it was written: it has no link');
      this.#last = at;
      this.#expected = { seq: undefined, prev: undefined };
      return;
    }
    this.#settle(link.prev);
    this.#follow(link, at, hash);
    if (number === 1 && !isSegmentHead(line.bytes)) {
      this.#report('missing', at, 'the segment does not start with its signed head');
    }
    if (this.#sealed) this.#report('misplaced', at, 'a line follows the seal of its segment');
    this.#sealed = isSeal(line.bytes);
    this.#compare(at, hash);
    this.#firstSeq ??= link.seq;
    this.#last = at;
    this.#expected = { seq: link.seq + 1, prev: hash };
  }

  /** Checks number and link of a line against the line before. */
  #follow(link: Link, at: Position, hash: string): void {
    const { seq, prev } = this.#expected;
    if (seq !== undefined && link.seq !== seq) {
      if (link.prev === prev) this.#report('changed', { ...at, seq }, `its number was changed to ${link.seq}`);
      else if (link.seq > seq) {
        const gone =
          link.seq - 1 === seq ? `line ${seq} of the chain is` : `lines ${seq} to ${link.seq - 1} of the chain are`;
        this.#report('missing', { ...at, seq }, `${gone} not here`);
      } else this.#report('misplaced', at, `line ${link.seq} of the chain stands where line ${seq} belongs`);
    } else if (prev !== undefined && link.prev !== prev && this.#last !== undefined) {
      this.#suspicion = { before: this.#last, at, hash };
    }
  }

  /** Decides which of two lines was changed, by whether the line after still links to the second. */
  #settle(nextPrev: string | undefined): void {
    const suspicion = this.#suspicion;
    if (suspicion === undefined) return;
    this.#suspicion = undefined;
    const { before, at, hash } = suspicion;
    const named = this.#head !== undefined && this.#head.seq === at.seq ? this.#head.hash : nextPrev;
    const second = before.vouched || (!at.vouched && named !== undefined && named !== hash);
    if (second) this.#report('changed', at, 'the line was changed: its link does not fit the line before');
    else this.#report('changed', before, 'the line was changed: the next line was written after another');
  }

  #signature(line: Line, segment: SegmentFile, number: number, seq: number): boolean {
    const place = { segment: segment.number, line: number, seq };
    const fields = parse(line.bytes);
    const key = this.#keys.get(String(fields?.key));
    if (key === undefined) {
      this.#report('signature', place, `it is signed by a key that is not known: ${JSON.stringify(fields?.key)}`);
      return false;
    }
    if (!verifySignature(line.bytes, key)) {
      this.#report('changed', place, 'the line was changed: its signature does not hold');
      return false;
    }
    this.#used.add(key.id);
    this.#signedSeq = seq;
    if (fields?.worker !== this.#worker || fields.segment !== segment.number) {
      const message = `it belongs to segment ${String(fields?.segment)} of ${JSON.stringify(fields?.worker)}`;
      this.#report('misplaced', place, message);
    }
    return true;
  }

  /** Lines that a head or another chain has named must still be what they were. */
  #compare(at: Position, hash: string): void {
    const head = this.#head;
    if (at.seq === undefined) return;
    if (head !== undefined && head.seq === at.seq) {
      this.#signedSeq = at.seq;
      if (head.hash !== hash) this.#report('changed', at, 'the line is not the one that the signed head names');
    }
    for (const anchor of this.#anchors.get(at.seq) ?? []) {
      if (anchor.hash === hash) continue;
      this.#report('changed', at, `the line is not the one that ${anchor.by ?? 'an anchor'} names`);
    }
  }

  #beyondHead(): boolean {
    return this.#head === undefined || (this.#last?.seq ?? 0) >= this.#head.seq;
  }

  /** What should be there behind the last line. */
  #finish(segments: readonly SegmentFile[]): void {
    if (this.problems.length >= this.#limit) return;
    const lastSeq = this.#last?.seq ?? 0;
    const place = { segment: this.#last?.segment, line: (this.#last?.line ?? 0) + 1, seq: lastSeq + 1 };
    const head = this.#head;
    if (head !== undefined && lastSeq < head.seq && (this.#last?.seq !== undefined || segments.length === 0)) {
      this.#report(
        'missing',
        place,
        `the end was cut: the signed head names line ${head.seq}, the chain ends at ${lastSeq}`,
      );
    } else if (head?.closed && lastSeq > head.seq) {
      this.#report('misplaced', { ...place, seq: head.seq + 1 }, 'lines were added after the journal was closed');
    }
    for (const [seq, [anchor]] of this.#anchors) {
      if (seq <= lastSeq || (head !== undefined && lastSeq < head.seq)) continue;
      this.#report(
        'missing',
        place,
        `the end was cut: ${anchor?.by ?? 'an anchor'} names line ${seq}, the chain ends at ${lastSeq}`,
      );
      break;
    }
  }

  #report(
    kind: Problem['kind'],
    place: {
      readonly segment?: number | undefined;
      readonly line?: number | undefined;
      readonly seq?: number | undefined;
    },
    message: string,
  ): void {
    const { segment, line, seq } = place;
    this.problems.push({ kind, worker: this.#worker, segment, line, seq, message });
  }
}

/** What the heads of a chain's segments say about the other chains. */
async function witnessed(
  directory: string,
  worker: string,
  keys: ReadonlyMap<string, VerifyingKey>,
): Promise<Anchor[]> {
  const anchors: Anchor[] = [];
  for (const segment of await listSegments(join(directory, worker))) {
    // A segment that cannot be read is reported where its chain is checked.
    const first = await firstLine(segment).catch(() => undefined);
    const fields = first === undefined ? undefined : parse(first.bytes);
    const key = keys.get(String(fields?.key));
    if (first === undefined || key === undefined || !verifySignature(first.bytes, key)) continue;
    for (const [other, [seq, hash]] of Object.entries((fields as unknown as SegmentHead).witness ?? {})) {
      anchors.push({ worker: other, seq, hash, by: `segment ${segment.number} of "${worker}"` });
    }
  }
  return anchors;
}

async function firstLine(segment: SegmentFile): Promise<Line | undefined> {
  for await (const lines of readLines(segment.path, segment.compressed)) return lines[0];
  return undefined;
}

function isSegmentHead(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 26).startsWith('{"v":1,"event":"segment"');
}

function parse(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
