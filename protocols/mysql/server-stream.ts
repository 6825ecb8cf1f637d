// The server's byte stream cut into rows and other packets. Rows are handed over as many at once as a chunk holds; one that passes
// untouched goes on in the pieces it arrives in; everything else is handed over whole.

import { header, maxPayload } from './constants.ts';
import { UpstreamProtocolError } from './errors.ts';
import { packetHeader, payloadLength } from './packets.ts';

export interface ServerHandler {
  /** Rows may come now. */
  readonly inRows: boolean;
  /** Rows may go on, or be dropped, in pieces: nobody must look inside. */
  readonly piecewise: boolean;
  /** The most bytes of a row that is collected; called with the size of one that is larger, which is then dropped. */
  readonly maxRowBytes: number;
  tooLarge(): void;
  /** Whole rows of one packet each from `start` on; returns the offset after the last one taken. */
  rows(chunk: Buffer, start: number, end: number): number;
  /** A packet of a row that comes in pieces; its header is at `at`. `first`: it begins the row. */
  beginPieces(chunk: Buffer, at: number, first: boolean): void;
  piece(chunk: Buffer, start: number, end: number): void;
  /** A whole row that came in several packets; empty after `tooLarge`. */
  longRow(payload: Buffer): void;
  /** Any other packet, its header included. */
  packet(bytes: Buffer, start: number, end: number): void;
}

/** Is this the first packet of a row, or what ends them? */
export function endsRows(first: number, length: number): boolean {
  // A text row may begin with 0xFE too: a value of 2^24 bytes or more, whose first packet is always full.
  return first === header.ERR || (first === header.EOF && length < maxPayload);
}

export class ServerStream {
  private readonly handler: ServerHandler;
  /** Payload bytes still to come of a packet that goes in pieces. */
  private passing = 0;
  /** The packet that is being gathered, and how much of it is there. */
  private carry: Buffer = Buffer.alloc(0);
  private have = 0;
  private need = 0;
  /** The next packet goes on with the row of the last one. */
  private continued = false;
  private parts: Buffer[] | undefined;
  private partBytes = 0;
  private partSequence = 0;

  constructor(handler: ServerHandler) {
    this.handler = handler;
  }

  /** True between the first and the last byte of a packet that went on in part. */
  get midPacket(): boolean {
    return this.passing > 0 || this.continued;
  }

  /** Takes `chunk[0, end)`. What is kept of it is copied. */
  push(chunk: Buffer, end: number): void {
    const { handler } = this;
    let at = 0;
    while (at < end) {
      if (this.passing > 0) {
        const stop = Math.min(end, at + this.passing);
        handler.piece(chunk, at, stop);
        this.passing -= stop - at;
        at = stop;
      } else if (this.need > 0) at = this.fill(chunk, at, end);
      else {
        if (handler.inRows && !this.continued) {
          const next = handler.rows(chunk, at, end);
          if (next > at) {
            at = next;
            continue;
          }
        }
        at = this.begin(chunk, at, end);
      }
    }
  }

  /** A packet at `at` that the fast way did not take. Returns the offset after what was consumed of it. */
  private begin(chunk: Buffer, at: number, end: number): number {
    const wanted = this.wanted(chunk, at, end - at);
    if (wanted === 'pieces') return this.beginPieces(chunk, at, end);
    if (end - at >= wanted && wanted > packetHeader + 1) {
      this.whole(chunk, at, at + wanted);
      return at + wanted;
    }
    if (end - at >= wanted && this.complete(chunk, at, wanted)) {
      this.whole(chunk, at, at + wanted);
      return at + wanted;
    }
    this.carry = Buffer.allocUnsafe(Math.max(wanted, 64));
    this.have = 0;
    this.need = wanted;
    return this.fill(chunk, at, end);
  }

  private complete(bytes: Buffer, at: number, available: number): boolean {
    return available >= packetHeader && available === packetHeader + payloadLength(bytes, at);
  }

  /** How many bytes of the packet at `at` must be there before anything can be done with it; or that it goes in pieces. */
  private wanted(bytes: Buffer, at: number, available: number): number | 'pieces' {
    const { handler } = this;
    if (available < packetHeader) return packetHeader;
    const length = payloadLength(bytes, at);
    if (this.continued) return this.parts === undefined ? 'pieces' : packetHeader + length;
    if (length === 0) throw new UpstreamProtocolError('an empty packet');
    if (!handler.inRows) {
      if (length === maxPayload) throw new UpstreamProtocolError('a packet that is too long');
      return packetHeader + length;
    }
    if (available < packetHeader + 1) return packetHeader + 1;
    const row = !endsRows(bytes[at + packetHeader] as number, length);
    return row && handler.piecewise ? 'pieces' : packetHeader + length;
  }

  private fill(chunk: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.have < this.need) {
      const part = Math.min(this.need - this.have, end - at);
      chunk.copy(this.carry, this.have, at, at + part);
      this.have += part;
      at += part;
      if (this.have < this.need) return at;
      const wanted = this.wanted(this.carry, 0, this.have);
      if (wanted === 'pieces') {
        const { carry, have } = this;
        this.have = 0;
        this.need = 0;
        this.beginPieces(carry, 0, have);
        return at;
      }
      if (wanted > this.have) {
        if (wanted > this.carry.length) {
          const larger = Buffer.allocUnsafe(wanted);
          this.carry.copy(larger, 0, 0, this.have);
          this.carry = larger;
        }
        this.need = wanted;
      }
    }
    if (this.need > 0 && this.have === this.need) {
      const { carry, need } = this;
      this.have = 0;
      this.need = 0;
      this.whole(carry, 0, need);
    }
    return at;
  }

  /** Returns the offset after the bytes of this packet that `chunk` holds. */
  private beginPieces(chunk: Buffer, at: number, end: number): number {
    const length = payloadLength(chunk, at);
    this.handler.beginPieces(chunk, at, !this.continued);
    this.continued = length === maxPayload;
    const stop = Math.min(end, at + packetHeader + length);
    this.handler.piece(chunk, at, stop);
    this.passing = at + packetHeader + length - stop;
    return stop;
  }

  private whole(bytes: Buffer, start: number, end: number): void {
    const { handler } = this;
    const length = end - start - packetHeader;
    const sequence = bytes[start + 3] as number;
    const row = this.continued || (handler.inRows && !endsRows(bytes[start + packetHeader] as number, length));
    if (!row) {
      handler.packet(bytes, start, end);
      return;
    }
    if (!this.continued && length < maxPayload) {
      if (handler.rows(bytes, start, end) !== end) throw new UpstreamProtocolError('a row that cannot be read');
      return;
    }
    this.longPart(bytes, start, end, length, sequence);
  }

  private longPart(bytes: Buffer, start: number, end: number, length: number, sequence: number): void {
    const { handler } = this;
    if (this.parts === undefined) {
      this.parts = [];
      this.partBytes = 0;
      this.partSequence = sequence;
    } else if (sequence !== ((this.partSequence + this.parts.length) & 0xff)) {
      throw new UpstreamProtocolError('packets out of order');
    }
    this.partBytes += length;
    // What is too large is still counted, so that the row's end is found, but no longer kept.
    const tooLarge = this.partBytes > handler.maxRowBytes;
    if (tooLarge) for (let index = 0; index < this.parts.length; index++) this.parts[index] = Buffer.alloc(0);
    this.parts.push(tooLarge ? Buffer.alloc(0) : Buffer.from(bytes.subarray(start + packetHeader, end)));
    this.continued = length === maxPayload;
    if (this.continued) return;
    const { parts } = this;
    this.parts = undefined;
    if (tooLarge) handler.tooLarge();
    handler.longRow(tooLarge ? Buffer.alloc(0) : Buffer.concat(parts, this.partBytes));
  }
}
