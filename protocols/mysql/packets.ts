// Packets: three bytes of length, one of sequence, then the payload. A payload of 2^24 - 1 bytes goes on in the next packet.
import { maxPayload } from './constants.ts';

export const packetHeader = 4;

/** The payload length a packet header claims; the caller has checked the bounds. */
export function payloadLength(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
}

export function writeHeader(bytes: Buffer, at: number, length: number, sequence: number): void {
  bytes[at] = length & 0xff;
  bytes[at + 1] = (length >> 8) & 0xff;
  bytes[at + 2] = (length >> 16) & 0xff;
  bytes[at + 3] = sequence & 0xff;
}

/** How many packets a payload takes. */
export function packetCount(length: number): number {
  return Math.floor(length / maxPayload) + 1;
}

/** One payload as packets, the first with this sequence number. */
export function frame(payload: Buffer, sequence: number): Buffer {
  const count = packetCount(payload.length);
  const bytes = Buffer.allocUnsafe(payload.length + count * packetHeader);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const start = index * maxPayload;
    const length = Math.min(maxPayload, payload.length - start);
    writeHeader(bytes, at, length, sequence + index);
    payload.copy(bytes, at + packetHeader, start, start + length);
    at += packetHeader + length;
  }
  return bytes;
}

/** The sender numbered its packets wrongly. */
export class OutOfOrder extends Error {
  constructor() {
    super('packets out of order');
    this.name = 'OutOfOrder';
  }
}

/** A payload longer than its receiver takes. */
export class PayloadTooLarge extends Error {
  readonly limit: number;
  constructor(limit: number) {
    super(`a payload of more than ${limit} bytes`);
    this.name = 'PayloadTooLarge';
    this.limit = limit;
  }
}

/** One payload with the sequence number of its last packet. */
export interface Payload {
  /** A view: valid until the next call that pushes or takes. */
  readonly bytes: Buffer;
  readonly sequence: number;
  /** The packet as it stood on the wire, where it was one packet in one chunk: it can be passed on as it is. */
  readonly framed: Buffer | undefined;
}

/**
 * Cuts whole payloads from a stream. A payload within one chunk is a view of it; one that crosses chunks is copied once.
 * Bytes beyond the payload that is being gathered are kept as they came.
 */
export class PayloadCutter {
  private chunks: Buffer[] = [];
  private chunk: Buffer = Buffer.alloc(0);
  private at = 0;
  private size = 0;
  private readonly limit: () => number;

  /** `limit` is asked at every packet: the most bytes of one payload. */
  constructor(limit: () => number) {
    this.limit = limit;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.size += chunk.length;
  }

  /** Bytes that no payload has been cut from yet. */
  get backlog(): number {
    return this.size;
  }

  /** Everything that no payload has been cut from; the cutter is empty afterwards. */
  rest(): Buffer {
    const rest = Buffer.concat([this.chunk.subarray(this.at), ...this.chunks]);
    this.chunks = [];
    this.chunk = Buffer.alloc(0);
    this.at = 0;
    this.size = 0;
    return rest;
  }

  /**
   * The next payload, or undefined until more bytes have come. `expected` is the sequence number its first packet must have.
   * Throws OutOfOrder and PayloadTooLarge; nothing can be cut after that.
   */
  take(expected: number): Payload | undefined {
    this.advance();
    let total = 0;
    let packets = 0;
    let length: number;
    let offset = 0;
    do {
      if (this.size < offset + packetHeader) return undefined;
      length = this.byteAt(offset) | (this.byteAt(offset + 1) << 8) | (this.byteAt(offset + 2) << 16);
      if (this.byteAt(offset + 3) !== ((expected + packets) & 0xff)) throw new OutOfOrder();
      total += length;
      if (total > this.limit()) throw new PayloadTooLarge(this.limit());
      offset += packetHeader + length;
      packets += 1;
    } while (length === maxPayload);
    if (this.size < offset) return undefined;
    const sequence = (expected + packets - 1) & 0xff;
    if (packets === 1) {
      const framed = this.consume(offset);
      return { bytes: framed.subarray(packetHeader), sequence, framed };
    }
    const bytes = Buffer.allocUnsafe(total);
    let to = 0;
    for (let index = 0; index < packets; index++) {
      const part = index < packets - 1 ? maxPayload : total - maxPayload * (packets - 1);
      this.consume(packetHeader);
      to += this.consume(part).copy(bytes, to);
    }
    return { bytes, sequence, framed: undefined };
  }

  /** Makes `chunk` the first one with bytes left. */
  private advance(): void {
    while (this.at >= this.chunk.length) {
      const next = this.chunks.shift();
      if (next === undefined) return;
      this.chunk = next;
      this.at = 0;
    }
  }

  private byteAt(offset: number): number {
    let at = this.at + offset;
    if (at < this.chunk.length) return this.chunk[at] as number;
    at -= this.chunk.length;
    for (const chunk of this.chunks) {
      if (at < chunk.length) return chunk[at] as number;
      at -= chunk.length;
    }
    return 0;
  }

  private consume(length: number): Buffer {
    this.advance();
    this.size -= length;
    if (this.chunk.length - this.at >= length) {
      const view = this.chunk.subarray(this.at, this.at + length);
      this.at += length;
      return view;
    }
    const bytes = Buffer.allocUnsafe(length);
    let to = 0;
    while (to < length) {
      this.advance();
      const part = Math.min(length - to, this.chunk.length - this.at);
      this.chunk.copy(bytes, to, this.at, this.at + part);
      this.at += part;
      to += part;
    }
    return bytes;
  }
}
