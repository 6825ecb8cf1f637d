// Buffers that masked rows are written to. They are lent to the client's stream and come back when it has taken everything.
import { viewOf } from './copy-run.ts';
import type { Output } from './output.ts';

const roomSize = 256 * 1024;
/** The first room of a session: many never have more than a few rows. */
const firstSize = 8 * 1024;

export class RowRoom {
  private readonly output: Output;
  private free: Buffer[] = [];
  private lent: Buffer[] = [];
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = viewOf(this.bytes);
  private begun = false;
  /** Where the next row begins. */
  at = 0;

  constructor(output: Output) {
    this.output = output;
  }

  /** Makes room for `length` bytes at `at`; what stands before `at` has been forwarded. */
  reserve(length: number): void {
    if (this.bytes.length - this.at >= length) return;
    if (this.bytes.length > 0) this.lent.push(this.bytes);
    if (!this.begun && length <= firstSize) this.use(Buffer.allocUnsafeSlow(firstSize));
    else if (length <= roomSize) this.use(this.free.pop() ?? Buffer.allocUnsafeSlow(roomSize));
    else this.use(Buffer.allocUnsafeSlow(length));
    this.begun = true;
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.at = 0;
  }

  /** Moves the unfinished row `[from, at)` to where `length` more bytes are free; it begins at 0 there. */
  move(from: number, at: number, length: number): void {
    const started = this.bytes.subarray(from, at);
    this.lent.push(this.bytes);
    this.use(Buffer.allocUnsafeSlow(Math.max((at - from + length) * 2, roomSize)));
    started.copy(this.bytes, 0);
  }

  /** Called after each flush: takes buffers back once the stream has let go of them. */
  recycle(): void {
    // The stream still reads from the present buffer, but never beyond what was forwarded: rows go on behind it.
    if (!this.output.settled) return;
    for (const buffer of this.lent) if (buffer.length === roomSize && this.free.length < 4) this.free.push(buffer);
    this.lent.length = 0;
    this.at = 0;
    // A buffer made for one large row is not kept.
    if (this.bytes.length > roomSize) this.use(Buffer.alloc(0));
  }
}
