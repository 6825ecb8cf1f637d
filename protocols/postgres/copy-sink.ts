// Where masked COPY rows are written: a growing buffer of CopyData messages, one a row, with room to mask a value in.
import type { FieldMask } from '../gate.ts';
import { backend } from './letters.ts';

/** The data is not of the format it was said to be: it must not go on. */
export class MalformedCopy extends Error {
  constructor() {
    super('copy data does not match its format');
    this.name = 'MalformedCopy';
  }
}

/**
 * Reads one row of `bytes[at, end)` and writes it, masked, to the sink. Returns the offset behind it, or -1 when the row is not
 * here whole, with nothing written. Throws MalformedCopy.
 */
export type RowReader = (bytes: Buffer, at: number, end: number, sink: CopySink) => number;

const headerLength = 5;

export class CopySink {
  private bytes: Buffer = Buffer.allocUnsafe(8192);
  /** Where the message being written begins; its header is filled in by `endRow`. */
  private from = 0;
  private at = headerLength;
  private value: Buffer = Buffer.allocUnsafe(256);
  /** Where a masked value stands: `masked[0, maskedLength)`. */
  masked: Buffer = Buffer.allocUnsafe(256);
  maskedLength = 0;

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at] = value;
    this.at += 1;
  }

  int32(value: number): void {
    this.reserve(4);
    this.bytes.writeInt32BE(value, this.at);
    this.at += 4;
  }

  copy(bytes: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    bytes.copy(this.bytes, this.at, start, end);
    this.at += end - start;
  }

  /** Ends the row: it becomes one CopyData message. */
  endRow(): void {
    this.bytes[this.from] = backend.CopyData;
    this.bytes.writeInt32BE(this.at - this.from - 1, this.from + 1);
    this.from = this.at;
    this.at += headerLength;
    this.reserve(0);
  }

  /** A place to decode a value of up to `length` bytes into. */
  scratch(length: number): Buffer {
    if (this.value.length < length) this.value = Buffer.allocUnsafe(length * 2);
    return this.value;
  }

  /** Masks a value into `masked`; false when it becomes NULL. */
  mask(mask: FieldMask, bytes: Buffer, start: number, end: number): boolean {
    const bound = mask.bound(end - start);
    if (this.masked.length < bound) this.masked = Buffer.allocUnsafe(bound * 2);
    this.maskedLength = mask.write(bytes, start, end, this.masked, 0);
    return this.maskedLength >= 0;
  }

  /** Takes the messages finished so far; what is begun stays. */
  take(): Buffer {
    const finished = this.bytes.subarray(0, this.from);
    const started = this.bytes.subarray(this.from, this.at);
    // The messages are handed to the socket, which may keep them: the next ones get a buffer of their own.
    this.bytes = Buffer.allocUnsafe(Math.max(8192, started.length * 2));
    started.copy(this.bytes, 0);
    this.at -= this.from;
    this.from = 0;
    return finished;
  }

  private reserve(length: number): void {
    if (this.at + length + headerLength <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe((this.at + length + headerLength) * 2);
    this.bytes.copy(grown, 0, 0, Math.min(this.at, this.bytes.length));
    this.bytes = grown;
  }
}
