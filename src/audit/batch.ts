// Records that go to the disk together: their lines in one buffer, one promise for all who wait.
import { hashLine } from './chain.ts';
import type { AuditError } from './errors.ts';
import type { Tip } from './opening.ts';
import type { AuditRecord } from './record.ts';

const INITIAL = 1 << 16;
/** Buffers up to this size are used again. */
const KEEP = 1 << 22;
const spare: Buffer[] = [];

const ignore = () => {};

export class Batch {
  readonly segment: number;
  readonly position: number;
  bytes: Buffer;
  length = 0;
  /** Lines, the journal's own included, and how many of them are refused when the batch is not written. */
  records = 0;
  refusable = 0;
  /** The chain's last line once this batch is written. */
  tip: Tip;
  /** What has happened already and must not be forgotten when the batch cannot be written. */
  readonly facts: AuditRecord[] = [];
  #done: Promise<void> | undefined;
  #resolve: () => void = ignore;
  #reject: (error: AuditError) => void = ignore;

  constructor(tip: Tip) {
    this.segment = tip.segment;
    this.position = tip.end;
    this.tip = tip;
    this.bytes = spare.pop() ?? Buffer.allocUnsafe(INITIAL);
  }

  /** Adds a line, ended by a newline. The chain's hash is taken over the very bytes that go to the disk. */
  put(line: string, sealed: boolean): void {
    const needed = this.length + line.length * 3;
    if (needed > this.bytes.length) this.#grow(needed);
    const start = this.length;
    this.length += this.bytes.write(line, start);
    const end = this.length - 1;
    this.records++;
    const at = this.tip.end;
    this.tip = {
      segment: this.segment,
      start: at,
      end: at + end + 1 - start,
      seq: this.tip.seq + 1,
      hash: hashLine(this.bytes.subarray(start, end)),
      sealed,
    };
  }

  /** Resolves when the batch is written (durable: on the disk). May be left alone: a rejection nobody hears does no harm. */
  get done(): Promise<void> {
    if (this.#done === undefined) {
      this.#done = new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
      this.#done.catch(ignore);
    }
    return this.#done;
  }

  resolve(): void {
    this.#resolve();
    if (this.bytes.length <= KEEP && spare.length < 4) spare.push(this.bytes);
  }

  reject(error: AuditError): void {
    this.#reject(error);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
