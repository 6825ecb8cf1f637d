// Gives records their place in the chain the moment they are appended, and gathers their lines in batches for the disk.
// Segments begin and end here too: with signed lines that are links of the chain like all others.
import { Batch } from './batch.ts';
import { lineWriter, linkOf, type SegmentHead, type SegmentSeal, signedLine } from './chain.ts';
import type { SigningKey } from './keys.ts';
import type { Tip } from './opening.ts';
import type { AuditRecord } from './record.ts';
import { bodyWriter } from './serialise.ts';
import type { Witness } from './witness.ts';

export interface QueueOptions {
  readonly worker: string;
  readonly key: SigningKey;
  readonly segmentBytes: number;
  /** When the segment that is gone on with began, in ms. Left out: now. */
  readonly began?: number | undefined;
  /** The time for the journal's own lines. */
  readonly time: () => string;
}

export class BatchQueue {
  /** What the next segment's head tells of the other chains. */
  witness: Witness = {};
  readonly #options: QueueOptions;
  readonly #body = bodyWriter();
  readonly #write = lineWriter();
  #tip: Tip;
  #segmentStart: number;
  /** When the segment began, in ms. */
  #began: number;
  /** Oldest first; the last one may still grow unless it is in flight or ends its segment. */
  #batches: Batch[] = [];
  #inFlight: Batch | undefined;
  #waiting = 0;

  constructor(tip: Tip, options: QueueOptions) {
    this.#tip = tip;
    this.#segmentStart = tip.seq;
    this.#began = options.began ?? Date.parse(options.time());
    this.#options = options;
  }

  /** The last line given out. */
  get tip(): Tip {
    return this.#tip;
  }

  get batches(): readonly Batch[] {
    return this.#batches;
  }

  /** Bytes that are not written yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Chains a record and seals the segment behind it where it has grown enough. */
  put(record: AuditRecord): Batch {
    const batch = this.#forming();
    this.#add(batch, this.#body(record) + this.#link(), false);
    if (this.#tip.end >= this.#options.segmentBytes) this.#seal(batch);
    return batch;
  }

  /** Ends the segment where it is older than this and holds records; gives the batch that does it. */
  sealOlder(than: number, now: number): Batch | undefined {
    if (this.#tip.sealed || now - this.#began < than || this.#tip.seq <= this.#segmentStart) return undefined;
    const batch = this.#forming();
    this.#seal(batch);
    return batch;
  }

  #seal(batch: Batch): void {
    const { worker, key, time } = this.#options;
    const { segment, seq } = this.#tip;
    const lines = seq + 1 - this.#segmentStart;
    const seal: SegmentSeal = { event: 'seal', time: time(), worker, segment, key: key.id, lines };
    this.#add(batch, signedLine(this.#write(seal), this.#link(), key), true);
  }

  /** After a seal: begins the next segment now, not only with the next record. */
  beginSegment(): void {
    if (this.#tip.sealed) this.#forming();
  }

  /** The oldest batch, which from now on does not grow. */
  take(): Batch | undefined {
    this.#inFlight = this.#batches[0];
    return this.#inFlight;
  }

  /** The batch in flight is written. */
  written(): void {
    const batch = this.#batches.shift();
    this.#inFlight = undefined;
    if (batch !== undefined) this.#waiting -= batch.length;
  }

  /** The batch in flight is not written; it stays the oldest. */
  putBack(): void {
    this.#inFlight = undefined;
  }

  /** Forgets every batch: the chain goes on behind this line. */
  rollBack(tip: Tip): void {
    this.#batches = [];
    this.#inFlight = undefined;
    this.#waiting = 0;
    this.#tip = tip;
  }

  #link(): string {
    return linkOf(this.#tip.seq + 1, this.#tip.hash);
  }

  #add(batch: Batch, line: string, sealed: boolean): void {
    const before = batch.length;
    batch.put(line, sealed);
    this.#tip = batch.tip;
    this.#waiting += batch.length - before;
  }

  /** The batch that may still grow; a new segment's first one starts with its signed head. */
  #forming(): Batch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last !== this.#inFlight && !last.tip.sealed) return last;
    if (!this.#tip.sealed) return this.#enqueue(new Batch(this.#tip));
    const { worker, key, time } = this.#options;
    const segment = this.#tip.segment + 1;
    const batch = this.#enqueue(new Batch({ ...this.#tip, segment, start: 0, end: 0, sealed: false }));
    this.#segmentStart = this.#tip.seq + 1;
    const began = time();
    this.#began = Date.parse(began);
    const head: SegmentHead = { event: 'segment', time: began, worker, segment, key: key.id, witness: this.witness };
    this.#add(batch, signedLine(this.#write(head), this.#link(), key), false);
    return batch;
  }

  #enqueue(batch: Batch): Batch {
    this.#batches.push(batch);
    return batch;
  }
}
