// Arrays and composite values, masked element by element in their text and binary formats. What cannot be read as the type's own
// output is redacted whole; a container is never passed on in part.
import { NULL, type PlannedMask, plannedMask, put, room, type Scratch, scratch } from './mask.ts';
import type { ArrayType, CompositeType } from './valuetype.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const NULL_WORD = Buffer.from('NULL');

/** What array_out and record_out put in quotes; quoting more than they do is read the same. */
function plainBytes(...special: readonly number[]): Uint8Array {
  const plain = new Uint8Array(256).fill(1);
  for (const byte of [QUOTE, BACKSLASH, 0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, ...special]) plain[byte] = 0;
  return plain;
}

function isNullWord(bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== 4) return false;
  for (let index = 0; index < 4; index++) {
    if (((bytes[start + index] as number) & 0xdf) !== NULL_WORD[index]) return false;
  }
  return true;
}

/** Writes an element, in quotes where it needs them. array_out puts `\` before quotes and backslashes, record_out doubles both. */
function putQuoted(value: Buffer, length: number, plain: Uint8Array, doubled: boolean, to: Buffer, at: number): number {
  let quote = length === 0 || isNullWord(value, 0, length);
  for (let index = 0; index < length && !quote; index++) quote = plain[value[index] as number] === 0;
  let out = at;
  if (quote) to[out++] = QUOTE;
  for (let index = 0; index < length; index++) {
    const byte = value[index] as number;
    if (byte === QUOTE || byte === BACKSLASH) to[out++] = doubled ? byte : BACKSLASH;
    to[out++] = byte;
  }
  if (quote) to[out++] = QUOTE;
  return out;
}

/** One element of a text array or record as read: its bytes stand unescaped in `value.bytes[0, length)`. */
interface Element {
  readonly value: Scratch;
  length: number;
  quoted: boolean;
}

/**
 * Reads the element at `at` and answers the offset after it, or -1 where it has no end. `ends` marks the bytes that end one;
 * `doubled` allows a quote to be written twice within quotes (record_out).
 */
function readElement(from: Buffer, at: number, end: number, ends: Uint8Array, doubled: boolean, into: Element): number {
  const value = into.value.bytes;
  let length = 0;
  let index = at;
  into.quoted = false;
  while (index < end && ends[from[index] as number] === 0) {
    const byte = from[index] as number;
    if (byte === BACKSLASH) {
      if (++index >= end) return -1;
      value[length++] = from[index++] as number;
    } else if (byte === QUOTE) {
      into.quoted = true;
      index++;
      for (;;) {
        if (index >= end) return -1;
        const inner = from[index++] as number;
        if (inner === QUOTE) {
          if (!doubled || from[index] !== QUOTE || index >= end) break;
          value[length++] = QUOTE;
          index++;
        } else if (inner === BACKSLASH) {
          if (index >= end) return -1;
          value[length++] = from[index++] as number;
        } else {
          value[length++] = inner;
        }
      }
    } else {
      value[length++] = byte;
      index++;
    }
  }
  into.length = length;
  return index;
}

function marks(...bytes: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of bytes) table[byte] = 1;
  return table;
}

/** `[0:2][1:3]=` before arrays whose indexes do not begin at 1. */
const BOUNDS = marks(...Buffer.from('0123456789:-+[]'));

/** The text format: `{a,"b c",NULL,{...}}`. */
export function textArrayMask(type: ArrayType, element: PlannedMask): PlannedMask {
  const redacted = type.text as Buffer;
  const delimiter = type.delimiter;
  const plain = plainBytes(OPEN, CLOSE, delimiter);
  const ends = marks(OPEN, CLOSE, delimiter);
  const read: Element = { value: scratch(), length: 0, quoted: false };
  const masked = scratch();
  const write = (from: Buffer, start: number, end: number, to: Buffer, at: number): number => {
    room(read.value, end - start);
    room(masked, element.bound(end - start));
    let index = start;
    let out = at;
    if (from[index] === 0x5b && index < end) {
      while (index < end && BOUNDS[from[index] as number] === 1) to[out++] = from[index++] as number;
      if (index >= end || from[index] !== 0x3d) return -2;
      to[out++] = from[index++] as number;
    }
    let depth = 0;
    let expects = true;
    while (index < end) {
      const byte = from[index] as number;
      if (byte === OPEN && expects) {
        depth++;
        to[out++] = byte;
        index++;
        if (from[index] === CLOSE && index < end) expects = false;
      } else if (byte === CLOSE && !expects) {
        depth--;
        to[out++] = byte;
        index++;
        if (depth === 0) return index === end ? out : -2;
      } else if (byte === delimiter && !expects) {
        to[out++] = byte;
        index++;
        expects = true;
      } else if (expects && depth > 0) {
        index = readElement(from, index, end, ends, false, read);
        if (index < 0 || (read.length === 0 && !read.quoted)) return -2;
        const value = read.value.bytes;
        if (!read.quoted && isNullWord(value, 0, read.length)) {
          out = put(NULL_WORD, to, out);
        } else {
          const length = element.write(value, 0, read.length, masked.bytes, 0);
          out = length === NULL ? put(NULL_WORD, to, out) : putQuoted(masked.bytes, length, plain, false, to, out);
        }
        expects = false;
      } else {
        return -2;
      }
    }
    return -2;
  };
  // An element takes at least two bytes of the text; it may be escaped to twice its length, in quotes, and NULL has four.
  const slope = 1 + 2 * element.slope + (2 * element.offset + 6) / 2;
  return plannedMask(slope, redacted.length + 2 * element.offset + 8, (from, start, end, to, at) => {
    const out = write(from, start, end, to, at);
    return out < 0 ? put(redacted, to, at) : out;
  });
}

/** The most elements array_recv accepts (MaxArraySize), and its most dimensions. */
const MOST_DIMENSIONS = 6;

/** The binary format: dimensions, has-null flag, element type, then length and lower bound of each dimension, then the elements. */
export function binaryArrayMask(type: ArrayType, element: PlannedMask): PlannedMask {
  const redacted = type.binary as Buffer;
  const write = (from: Buffer, start: number, end: number, to: Buffer, at: number): number => {
    if (end - start < 12) return -2;
    const dimensions = from.readInt32BE(start);
    if (dimensions < 0 || dimensions > MOST_DIMENSIONS || from.readUInt32BE(start + 8) !== type.elementOid) return -2;
    let index = start + 12 + 8 * dimensions;
    if (index > end) return -2;
    let count = dimensions === 0 ? 0 : 1;
    for (let dimension = 0; dimension < dimensions; dimension++) {
      const size = from.readInt32BE(start + 12 + 8 * dimension);
      if (size < 0) return -2;
      count *= size;
    }
    // Each element has at least its length.
    if (count > (end - index) / 4) return -2;
    let out = at;
    for (let header = start; header < index; header++) to[out++] = from[header] as number;
    let nulls = false;
    for (; count > 0; count--) {
      if (index + 4 > end) return -2;
      const length = from.readInt32BE(index);
      index += 4;
      if (length < -1 || index + Math.max(length, 0) > end) return -2;
      const after = length === -1 ? NULL : element.write(from, index, index + length, to, out + 4);
      if (after === NULL) nulls = true;
      to.writeInt32BE(after === NULL ? -1 : after - out - 4, out);
      out = after === NULL ? out + 4 : after;
      index += Math.max(length, 0);
    }
    if (index !== end) return -2;
    to.writeInt32BE(nulls ? 1 : 0, at + 4);
    return out;
  };
  // Every element has four bytes of length before it.
  const slope = 1 + element.slope + element.offset / 4;
  return plannedMask(slope, redacted.length + element.offset, (from, start, end, to, at) => {
    const out = write(from, start, end, to, at);
    return out < 0 ? put(redacted, to, at) : out;
  });
}

const PARENTHESIS = 0x28;
const END_PARENTHESIS = 0x29;
const COMMA = 0x2c;

/** The text format of a composite value: `(a,"b c",)`; a field of no bytes and no quotes is NULL. */
export function textCompositeMask(type: CompositeType, masks: readonly PlannedMask[]): PlannedMask {
  const redacted = type.text as Buffer;
  const plain = plainBytes(PARENTHESIS, END_PARENTHESIS, COMMA);
  const ends = marks(COMMA, END_PARENTHESIS);
  const read: Element = { value: scratch(), length: 0, quoted: false };
  const masked = scratch();
  const most = Math.max(0, ...masks.map(({ offset }) => offset));
  const steepest = Math.max(0, ...masks.map(({ slope }) => slope));
  const write = (from: Buffer, start: number, end: number, to: Buffer, at: number): number => {
    if (end - start < 2 || from[start] !== PARENTHESIS || from[end - 1] !== END_PARENTHESIS) return -2;
    room(read.value, end - start);
    room(masked, Math.ceil(steepest * (end - start)) + most);
    let index = start + 1;
    let out = at;
    to[out++] = PARENTHESIS;
    for (let field = 0; field < masks.length; field++) {
      const mask = masks[field] as PlannedMask;
      index = readElement(from, index, end, ends, true, read);
      if (index < 0 || index >= end) return -2;
      if (from[index] !== (field === masks.length - 1 ? END_PARENTHESIS : COMMA)) return -2;
      if (read.quoted || read.length > 0) {
        const length = mask.write(read.value.bytes, 0, read.length, masked.bytes, 0);
        if (length !== NULL) out = putQuoted(masked.bytes, length, plain, true, to, out);
      }
      to[out++] = from[index++] as number;
    }
    if (masks.length === 0) to[out++] = from[index++] as number;
    return index === end ? out : -2;
  };
  const offset = redacted.length + 2 + masks.length * (2 * most + 3);
  return plannedMask(2 * steepest, offset, (from, start, end, to, at) => {
    const out = write(from, start, end, to, at);
    return out < 0 ? put(redacted, to, at) : out;
  });
}

/** The binary format of a composite value: a count, then type, length and bytes of each field. */
export function binaryCompositeMask(type: CompositeType, masks: readonly PlannedMask[]): PlannedMask {
  const redacted = type.binary as Buffer;
  const most = Math.max(0, ...masks.map(({ offset }) => offset));
  const steepest = Math.max(0, ...masks.map(({ slope }) => slope));
  const write = (from: Buffer, start: number, end: number, to: Buffer, at: number): number => {
    if (end - start < 4 || from.readInt32BE(start) !== masks.length) return -2;
    let index = start + 4;
    let out = to.writeInt32BE(masks.length, at);
    for (let field = 0; field < masks.length; field++) {
      if (index + 8 > end || from.readUInt32BE(index) !== type.fields[field]?.oid) return -2;
      const length = from.readInt32BE(index + 4);
      out = to.writeUInt32BE(from.readUInt32BE(index), out);
      index += 8;
      if (length < -1 || index + Math.max(length, 0) > end) return -2;
      const mask = masks[field] as PlannedMask;
      const after = length === -1 ? NULL : mask.write(from, index, index + length, to, out + 4);
      to.writeInt32BE(after === NULL ? -1 : after - out - 4, out);
      out = after === NULL ? out + 4 : after;
      index += Math.max(length, 0);
    }
    return index === end ? out : -2;
  };
  return plannedMask(steepest, redacted.length + 4 + masks.length * (8 + most), (from, start, end, to, at) => {
    const out = write(from, start, end, to, at);
    return out < 0 ? put(redacted, to, at) : out;
  });
}
