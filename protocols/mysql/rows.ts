// Masks applied to rows on their way: text rows and binary rows, in place where a masked value has its old length, else copied once
// into a room of our own. Nothing is allocated for a row.
import type { FieldMask, MysqlField } from '../gate.ts';
import { fieldType, maxPayload, nullValue } from './constants.ts';
import type { Output } from './output.ts';
import { frame, packetHeader, writeHeader } from './packets.ts';
import { lenencSize, writeLenenc } from './values.ts';

/** A row that does not match its description, or a mask that does not keep its promises: the row may not go on. */
export class MalformedRow extends Error {
  constructor() {
    super('a row could not be masked');
    this.name = 'MalformedRow';
  }
}

/** Bytes of a value in a binary row; undefined: a length comes first. */
export function fixedSize(type: number): number | undefined {
  switch (type) {
    case fieldType.NULL:
      return 0;
    case fieldType.TINY:
      return 1;
    case fieldType.SHORT:
    case fieldType.YEAR:
      return 2;
    case fieldType.LONG:
    case fieldType.INT24:
    case fieldType.FLOAT:
      return 4;
    case fieldType.LONGLONG:
    case fieldType.DOUBLE:
      return 8;
    default:
      return undefined;
  }
}

const roomSize = 128 * 1024;
/** Rows up to this size that pass untouched between changed ones are copied with them: pieces cost more than bytes. */
const copyAlong = 4096;

/** Where changed rows are written; used again once its bytes have been taken by the kernel. */
export class RowRoom {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  private readonly output: Output;

  constructor(output: Output) {
    this.output = output;
  }

  /** Makes room for `length` more bytes; what stands since `from` moves along. Returns the new place of `from`. */
  ensure(from: number, length: number): number {
    if (this.at + length <= this.bytes.length) return from;
    const kept = this.at - from;
    const larger = Buffer.allocUnsafeSlow(Math.max(roomSize, (kept + length) * 2));
    this.bytes.copy(larger, 0, from, this.at);
    this.bytes = larger;
    this.at = kept;
    return 0;
  }

  /** To be called when a chunk is done and flushed. */
  recycle(): void {
    if (!this.output.settled) this.bytes = Buffer.alloc(0);
    this.at = 0;
  }
}

/** Masks the rows of one result. */
export class RowMasker {
  private readonly masks: readonly (FieldMask | undefined)[];
  private readonly binary: boolean;
  /** Fixed sizes of binary values by column, -1 where a length comes first. */
  private readonly sizes: Int8Array;
  private readonly count: number;
  /** Columns after this one need not be looked at. */
  private readonly last: number;
  private readonly room: RowRoom;
  // Of the row at hand: where the changed row begins in the room (-1: nothing changed), and up to where it has been copied.
  private rowStart = -1;
  private copied = 0;
  /** Of the bitmap of NULLs from `rowStart`: after the header of the packet, where that was copied too. */
  private bitmapOffset = 0;

  constructor(
    masks: readonly (FieldMask | undefined)[],
    fields: readonly Pick<MysqlField, 'type'>[],
    binary: boolean,
    room: RowRoom,
  ) {
    this.masks = masks;
    this.binary = binary;
    this.room = room;
    this.count = fields.length;
    this.sizes = Int8Array.from(fields, (field) => (binary ? (fixedSize(field.type) ?? -1) : -1));
    let last = -1;
    for (const [index, mask] of masks.entries()) if (mask !== undefined) last = index;
    this.last = last;
    if (masks.length !== fields.length) throw new MalformedRow();
  }

  /** One packet `bytes[start, end)`, header included. Sends the masked row under `sequence`; returns the bytes sent. */
  row(bytes: Buffer, start: number, end: number, sequence: number, output: Output): number {
    this.rowStart = -1;
    this.copied = start;
    this.bitmapOffset = packetHeader + 1;
    this.mask(bytes, start + packetHeader, end);
    const { room } = this;
    if (this.rowStart === -1) {
      bytes[start + 3] = sequence;
      if (room.at === 0 || end - start > copyAlong) {
        output.forward(bytes, start, end);
        return end - start;
      }
      this.rowStart = room.ensure(room.at, end - start);
    } else this.rowStart = room.ensure(this.rowStart, end - this.copied);
    room.at += bytes.copy(room.bytes, room.at, this.copied, end);
    const length = room.at - this.rowStart - packetHeader;
    // A row that no longer fits one packet: nobody has masks that grow so much.
    if (length >= maxPayload) throw new MalformedRow();
    writeHeader(room.bytes, this.rowStart, length, sequence);
    output.forward(room.bytes, this.rowStart, room.at);
    return length + packetHeader;
  }

  /** A row of several packets, as its whole payload. Returns the masked row as packets. */
  longRow(payload: Buffer, sequence: number): Buffer {
    this.rowStart = -1;
    this.copied = 0;
    this.bitmapOffset = 1;
    const { room } = this;
    this.mask(payload, 0, payload.length);
    if (this.rowStart === -1) return frame(payload, sequence);
    const masked = Buffer.concat([room.bytes.subarray(this.rowStart, room.at), payload.subarray(this.copied)]);
    room.at = this.rowStart;
    return frame(masked, sequence);
  }

  private mask(bytes: Buffer, start: number, end: number): void {
    if (this.binary) this.maskBinary(bytes, start, end);
    else this.maskText(bytes, start, end);
  }

  private maskText(bytes: Buffer, start: number, end: number): void {
    const { masks, last } = this;
    let at = start;
    for (let column = 0; column <= last; column++) {
      if (at >= end) throw new MalformedRow();
      if (bytes[at] === nullValue) {
        at += 1;
        continue;
      }
      const length = this.length(bytes, at, end);
      const value = at + this.lengthBytes(bytes, at);
      const next = value + length;
      if (next > end) throw new MalformedRow();
      const mask = masks[column];
      if (mask !== undefined && !mask.inPlace(bytes, value, next)) this.replace(mask, bytes, at, value, next, end, -1);
      at = next;
    }
  }

  private maskBinary(bytes: Buffer, start: number, end: number): void {
    const { masks, last, sizes } = this;
    // Header byte, then a bitmap of NULLs whose first two bits are not used.
    const bitmap = start + 1;
    let at = bitmap + ((this.count + 9) >> 3);
    if (bytes[start] !== 0 || at > end) throw new MalformedRow();
    for (let column = 0; column <= last; column++) {
      const bit = column + 2;
      if ((((bytes[bitmap + (bit >> 3)] as number) >> (bit & 7)) & 1) === 1) continue;
      const size = sizes[column] as number;
      let value = at;
      let length = size;
      if (size === -1) {
        length = this.length(bytes, at, end);
        value = at + this.lengthBytes(bytes, at);
      }
      const next = value + length;
      if (next > end) throw new MalformedRow();
      const mask = masks[column];
      if (mask !== undefined && !mask.inPlace(bytes, value, next)) this.replace(mask, bytes, at, value, next, end, bit);
      at = next;
    }
  }

  /** Writes the row up to `at` and the masked value of `bytes[value, next)` into the room. `bit` is -1 in a text row. */
  private replace(
    mask: FieldMask,
    bytes: Buffer,
    at: number,
    value: number,
    next: number,
    end: number,
    bit: number,
  ): void {
    const { room } = this;
    const from = this.rowStart === -1 ? room.at : this.rowStart;
    const bound = mask.bound(next - value);
    this.rowStart = room.ensure(from, at - this.copied + 9 + bound + (end - next));
    room.at += bytes.copy(room.bytes, room.at, this.copied, at);
    this.copied = next;
    const fixed = at === value && bit !== -1;
    const prefix = fixed ? 0 : lenencSize(bound);
    const to = room.at + prefix;
    const after = mask.write(bytes, value, next, room.bytes, to);
    if (after === -1) {
      if (bit === -1) room.bytes[room.at++] = nullValue;
      else {
        const byte = this.rowStart + this.bitmapOffset + (bit >> 3);
        room.bytes[byte] = (room.bytes[byte] as number) | (1 << (bit & 7));
      }
      return;
    }
    const length = after - to;
    if (length < 0 || length > bound || (fixed && length !== next - value)) throw new MalformedRow();
    if (!fixed) {
      const actual = lenencSize(length);
      if (actual < prefix) room.bytes.copyWithin(room.at + actual, to, after);
      writeLenenc(room.bytes, room.at, length);
      room.at += actual;
    }
    room.at += length;
  }

  private length(bytes: Buffer, at: number, end: number): number {
    const first = bytes[at] as number;
    if (at >= end) throw new MalformedRow();
    if (first < 0xfb) return first;
    if (at + this.lengthBytes(bytes, at) > end) throw new MalformedRow();
    if (first === 0xfc) return bytes.readUInt16LE(at + 1);
    if (first === 0xfd) return bytes.readUIntLE(at + 1, 3);
    if (first === 0xfe) return bytes.readUInt32LE(at + 1) + bytes.readUInt32LE(at + 5) * 0x1_0000_0000;
    throw new MalformedRow();
  }

  private lengthBytes(bytes: Buffer, at: number): number {
    const first = bytes[at] as number;
    return first < 0xfb ? 1 : first === 0xfc ? 3 : first === 0xfd ? 4 : 9;
  }
}
