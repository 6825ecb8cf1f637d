// Frames cut from the server's byte stream and passed on. Rows come first: consecutive DataRows are handed over as one run, a frame
// that may go on in pieces is never collected, and what has not been touched leaves as a view of the chunk it came in.

import type { Output } from '../shared/output.ts';
import { UpstreamProtocolError } from './backend.ts';
import { int32 } from './frames.ts';
import { backend } from './letters.ts';

/** What becomes of a whole frame: it goes on as it is, or something else (or nothing) has been sent in its place. */
export type Fate = 'keep' | 'drop';

export interface ServerFrameHandler {
  /**
   * DataRows from `bytes[start]` on; at least the first is whole, and those that are not whole are left. Forwards or drops them
   * itself; returns the offset behind the last.
   */
  rows(bytes: Buffer, start: number, end: number): number;
  /** Any other whole frame. */
  frame(type: number, bytes: Buffer, start: number, end: number): Fate;
  /** A frame of `total` bytes that is not here whole: collect it, pass it on in pieces, or drop it in pieces. */
  partial(type: number, total: number): 'whole' | Fate;
}

const headerLength = 5;

export class ServerFrames {
  private readonly handler: ServerFrameHandler;
  private readonly output: Output;
  private carry: Buffer = Buffer.alloc(0);
  private carried = 0;
  /** Bytes still to come of a frame that is passed on or dropped in pieces. */
  private remaining = 0;
  private dropping = false;
  private readonly asides: Buffer[] = [];

  constructor(handler: ServerFrameHandler, output: Output) {
    this.handler = handler;
    this.output = output;
  }

  /** Sends a message of our own to the client as soon as no frame is underway. */
  aside(bytes: Buffer): void {
    if (this.remaining > 0 && !this.dropping) this.asides.push(bytes);
    else this.output.push(bytes);
  }

  /** True while the client has received only part of a frame: nothing of ours can be said any more if the rest does not come. */
  get midFrame(): boolean {
    return this.remaining > 0 && !this.dropping;
  }

  /** Processes `chunk[0, length)`. The chunk may be masked where it lies, and is forwarded as views. */
  push(chunk: Buffer, length: number): void {
    let at = 0;
    if (this.remaining > 0) at = this.passOn(chunk, 0, length);
    while (this.carried > 0 && at < length) at = this.fill(chunk, at, length);
    while (length - at >= headerLength) {
      const type = chunk[at] as number;
      const size = int32(chunk, at + 1);
      if (size < 4) throw new UpstreamProtocolError('a server message has an impossible length');
      const end = at + 1 + size;
      if (end <= length) {
        if (type === backend.DataRow) at = this.handler.rows(chunk, at, length);
        else {
          if (this.handler.frame(type, chunk, at, end) === 'keep') this.output.forward(chunk, at, end);
          at = end;
        }
      } else if (this.begins(type, size + 1)) at = this.passOn(chunk, at, length);
      else {
        this.keep(chunk, at, length, Math.min(size + 1, (length - at) * 2));
        return;
      }
    }
    if (at < length) this.keep(chunk, at, length, 64);
  }

  /** True when the frame goes on, or is dropped, in pieces. */
  private begins(type: number, total: number): boolean {
    const treatment = this.handler.partial(type, total);
    if (treatment === 'whole') return false;
    this.remaining = total;
    this.dropping = treatment === 'drop';
    return true;
  }

  private passOn(chunk: Buffer, at: number, length: number): number {
    const taken = Math.min(this.remaining, length - at);
    if (!this.dropping) this.output.forward(chunk, at, at + taken);
    this.remaining -= taken;
    if (this.remaining === 0) {
      for (const bytes of this.asides) this.output.push(bytes);
      this.asides.length = 0;
    }
    return at + taken;
  }

  private keep(chunk: Buffer, at: number, length: number, room: number): void {
    // Small ones come out of Node's pool; a page of its own for each chunk would be memory that only the collector gives back.
    if (this.carry.length < room || this.carry.length > 1 << 20) this.carry = Buffer.allocUnsafe(Math.max(room, 256));
    chunk.copy(this.carry, 0, at, length);
    this.carried = length - at;
  }

  /** Adds to the frame that began in an earlier chunk, and handles it once it is whole. Returns how far the chunk is used. */
  private fill(chunk: Buffer, at: number, length: number): number {
    let from = at;
    if (this.carried < headerLength) {
      from = this.take(chunk, from, length, headerLength);
      if (this.carried < headerLength) return from;
      const size = int32(this.carry, 1);
      if (size < 4) throw new UpstreamProtocolError('a server message has an impossible length');
      if (size + 1 > headerLength && this.begins(this.carry[0] as number, size + 1)) {
        this.carried = 0;
        this.passOn(Buffer.from(this.carry.subarray(0, headerLength)), 0, headerLength);
        return this.passOn(chunk, from, length);
      }
    }
    const total = 1 + int32(this.carry, 1);
    from = this.take(chunk, from, length, total);
    if (this.carried < total) return from;
    this.carried = 0;
    const { carry } = this;
    const type = carry[0] as number;
    // The frame is forwarded as a view of the carry buffer, so that buffer is not used again.
    this.carry = Buffer.alloc(0);
    if (type === backend.DataRow) this.handler.rows(carry.subarray(0, total), 0, total);
    else if (this.handler.frame(type, carry, 0, total) === 'keep') this.output.forward(carry, 0, total);
    return from;
  }

  private take(chunk: Buffer, at: number, length: number, target: number): number {
    const taken = Math.min(target - this.carried, length - at);
    if (this.carried + taken > this.carry.length) {
      const grown = Buffer.allocUnsafe(Math.min(target, (this.carried + taken) * 2));
      this.carry.copy(grown, 0, 0, this.carried);
      this.carry = grown;
    }
    chunk.copy(this.carry, this.carried, at, at + taken);
    this.carried += taken;
    return at + taken;
  }
}
