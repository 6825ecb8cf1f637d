// Masks put into rows as they stream, text rows and binary rows: in place where the masked value has the same length, else rows are
// copied, with their masked values, into a buffer that is used again. Nothing is allocated for a row.
import type { DeferredWrite, FieldMask, MysqlField } from '../gate.ts';
import { copiedValues, copyRun, overrun, viewOf } from '../shared/copy-run.ts';
import type { Output } from '../shared/output.ts';
import type { RowRoom } from '../shared/row-room.ts';
import { fieldType, maxPayload, nullValue } from './constants.ts';
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

/** Masks the rows of one result. */
export class RowMasker {
  private readonly binary: boolean;
  private readonly masks: readonly (FieldMask | undefined)[];
  /** How each mask writes, and those of them that must be flushed. */
  private readonly writers: readonly (Pick<DeferredWrite, 'write'> | undefined)[];
  private readonly open: readonly DeferredWrite[];
  /** Fixed sizes of binary values by column, -1 where a length comes first. */
  private readonly sizes: Int8Array;
  /** For each column: how many values are still to be copied without a try in place. */
  private readonly copying: Int32Array;
  private readonly count: number;
  /** Columns after this one need not be looked at. */
  private readonly last: number;
  private readonly room: RowRoom;
  /** The bytes that rows came in last, and a view of them. */
  private chunk: Buffer = Buffer.alloc(0);
  private view: DataView = viewOf(this.chunk);

  constructor(
    masks: readonly (FieldMask | undefined)[],
    fields: readonly Pick<MysqlField, 'type'>[],
    binary: boolean,
    room: RowRoom,
  ) {
    if (masks.length !== fields.length) throw new MalformedRow();
    this.masks = [...masks];
    this.writers = this.masks.map((mask) => mask?.deferred ?? mask);
    this.open = this.masks.flatMap((mask) => (mask?.deferred === undefined ? [] : [mask.deferred]));
    this.binary = binary;
    this.room = room;
    this.count = fields.length;
    this.copying = new Int32Array(fields.length);
    this.sizes = Int8Array.from(fields, (field) => (binary ? (fixedSize(field.type) ?? -1) : -1));
    let last = -1;
    for (const [index, mask] of masks.entries()) if (mask !== undefined) last = index;
    this.last = last;
  }

  /** Completes the rows forwarded so far. Called before they are sent. */
  flush(): void {
    for (let index = 0; index < this.open.length; index += 1) (this.open[index] as DeferredWrite).flush();
  }

  /** Nothing of the row has been forwarded; the rows before it are completed. */
  private malformed(): MalformedRow {
    this.flush();
    return new MalformedRow();
  }

  /**
   * One packet `bytes[start, end)`, header included; it is complete after `flush`. Sends the masked row under `sequence`; returns the
   * bytes sent. Throws MalformedRow with nothing forwarded.
   */
  row(bytes: Buffer, start: number, end: number, sequence: number, output: Output): number {
    const from = this.mask(bytes, start, packetHeader, end);
    if (from === -1) {
      bytes[start + 3] = sequence;
      output.forward(bytes, start, end);
      return end - start;
    }
    const { room } = this;
    const length = room.at - from - packetHeader;
    // A row that no longer fits one packet: nobody has masks that grow so much.
    if (length >= maxPayload) throw this.malformed();
    writeHeader(room.bytes, from, length, sequence);
    output.forward(room.bytes, from, room.at);
    return length + packetHeader;
  }

  /** A row of several packets, as its whole payload. Returns the masked row as packets. */
  longRow(payload: Buffer, sequence: number): Buffer {
    const from = this.mask(payload, 0, 0, payload.length);
    this.flush();
    return frame(from === -1 ? payload : this.room.bytes.subarray(from, this.room.at), sequence);
  }

  /**
   * Masks the row whose payload is `bytes[start + header, end)`. Returns -1 where all of it was masked in place; else the row stands
   * in the room, with its `header` bytes, from the place returned to `room.at`.
   */
  private mask(bytes: Buffer, start: number, header: number, end: number): number {
    if (bytes !== this.chunk) {
      this.chunk = bytes;
      this.view = viewOf(bytes);
    }
    const { view, masks, sizes, last, copying, room } = this;
    let at = start + header;
    // Header byte, then a bitmap of NULLs whose first two bits are not used.
    const bitmap = this.binary ? at + 1 : -1;
    if (this.binary) {
      if (bytes[at] !== 0) throw this.malformed();
      at += 1 + ((this.count + 9) >> 3);
    }
    /** Everything in [pending, at) goes out as it came. */
    let pending = start;
    let out = room.bytes;
    let outView = room.view;
    /** Where the row goes to, and how far it is written; -1 while every mask fits in place. */
    let from = -1;
    let to = -1;
    for (let column = 0; column <= last; column += 1) {
      if (bitmap !== -1) {
        const bit = column + 2;
        if ((((bytes[bitmap + (bit >> 3)] as number) >> (bit & 7)) & 1) === 1) continue;
      }
      const size = sizes[column] as number;
      let value = at;
      let next = at + size;
      if (size === -1) {
        if (at >= end) throw this.malformed();
        const first = bytes[at] as number;
        if (first < nullValue) {
          value = at + 1;
          next = value + first;
        } else if (first === nullValue && bitmap === -1) {
          at += 1;
          continue;
        } else {
          const length = longLength(bytes, at, end);
          if (length < 0) throw this.malformed();
          value = at + (first === 0xfc ? 3 : first === 0xfd ? 4 : 9);
          next = value + length;
        }
      }
      if (next > end) throw this.malformed();
      const mask = masks[column];
      if (mask === undefined) {
        at = next;
        continue;
      }
      const left = copying[column] as number;
      if (left === 0) {
        if (mask.inPlace(bytes, value, next)) {
          at = next;
          continue;
        }
        copying[column] = copiedValues;
      } else copying[column] = left - 1;
      if (from === -1) {
        room.reserve((end - start) * 2 + 256);
        out = room.bytes;
        outView = room.view;
        from = room.at;
        to = from;
      }
      // Room for this value and for what follows unmasked.
      const bound = mask.bound(next - value);
      const needed = at - pending + 9 + bound + (end - next) + overrun;
      if (out.length - to < needed) {
        this.flush();
        room.move(from, to, needed);
        to -= from;
        from = 0;
        out = room.bytes;
        outView = room.view;
      }
      to = copyRun(bytes, view, pending, at, out, outView, to);
      pending = next;
      at = next;
      const prefix = size === -1 ? lenencSize(bound) : 0;
      const written = (this.writers[column] as DeferredWrite).write(bytes, value, next, out, to + prefix);
      if (written === -1) {
        if (bitmap === -1) out[to++] = nullValue;
        else {
          const byte = from + bitmap - start + ((column + 2) >> 3);
          out[byte] = (out[byte] as number) | (1 << ((column + 2) & 7));
        }
        continue;
      }
      const length = written - to - prefix;
      if (length < 0 || length > bound || (prefix === 0 && length !== next - value)) throw this.malformed();
      if (prefix === 1) {
        out[to] = length;
        to = written;
      } else if (prefix === 0) to = written;
      else to = this.long(out, to, prefix, length);
    }
    if (at > end) throw this.malformed();
    if (from === -1) return -1;
    // What is left fits: the last value's room was reserved with all that follows it.
    room.at = copyRun(bytes, view, pending, end, out, outView, to);
    return from;
  }

  /** A value whose length was given more bytes than it needs, perhaps. Returns the offset after it. */
  private long(out: Buffer, to: number, prefix: number, length: number): number {
    const actual = lenencSize(length);
    if (actual < prefix) {
      this.flush();
      out.copyWithin(to + actual, to + prefix, to + prefix + length);
    }
    writeLenenc(out, to, length);
    return to + actual + length;
  }
}

/** A length of more than one byte; -1 where it is none or does not end in time. */
function longLength(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first === 0xfc && at + 3 <= end) return bytes.readUInt16LE(at + 1);
  if (first === 0xfd && at + 4 <= end) return bytes.readUIntLE(at + 1, 3);
  if (first === 0xfe && at + 9 <= end) return bytes.readUInt32LE(at + 1) + bytes.readUInt32LE(at + 5) * 0x1_0000_0000;
  return -1;
}
