// Masks of the types that have a hash or a part of their own: uuid, bytes, JSON as a whole, and text's keyed hash.
import type { DeferredWrite } from '../../protocols/gate.ts';
import { type KeyedHash, loadLane, SHORT } from './hmac.ts';
import { LANES } from './hmac-lanes.ts';
import { copyRun, type PlannedMask, plannedMask, put } from './mask.ts';
import type { BytesType, Format, PlainType, TextType } from './valuetype.ts';

/** 96 bits of the hash, so that no two of a billion values are likely to meet, and 32 bits of its check. */
export const HASH_DIGITS = 32;
const HASHED = 24;
const QUOTE = 0x22;
const DASH = 0x2d;
const STAR = 0x2a;
const HEX = Buffer.from('0123456789abcdef');

/** Writes the hash just made with its check, in hex. */
function putChecked(hash: KeyedHash, to: Buffer, at: number): number {
  let out = hash.hex(HASHED, to, at);
  const check = hash.check(hash.word(0), hash.word(1), hash.word(2));
  for (let shift = 28; shift >= 0; shift -= 4) to[out++] = HEX[(check >>> shift) & 15] as number;
  return out;
}

/** Puts the check of the first twelve bytes into the last four of sixteen. */
function check(hash: KeyedHash, bytes: Buffer, at: number): number {
  bytes.writeUInt32BE(
    hash.check(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8)),
    at + 12,
  );
  return at + 16;
}

/** Whether sixteen bytes are a hash that one of these masks made with this key. */
export function isChecked(hash: KeyedHash, bytes: Buffer): boolean {
  if (bytes.length !== 16) return false;
  return hash.check(bytes.readUInt32BE(0), bytes.readUInt32BE(4), bytes.readUInt32BE(8)) === bytes.readUInt32BE(12);
}

/** `hash` on text: hex digits, as many as the type has room for. bpchar's padding is no part of the value. */
export function hashTextMask(hash: KeyedHash, type: TextType): PlannedMask {
  const length = Math.min(HASH_DIGITS, type.limit ?? HASH_DIGITS);
  const width = type.padded && type.limit !== undefined ? type.limit : length;
  return plannedMask(
    0,
    width,
    (from, start, end, to, at) => {
      let last = end;
      if (type.padded) while (last > start && from[last - 1] === 0x20) last--;
      hash.update(from, start, last);
      let out = length === HASH_DIGITS ? putChecked(hash, to, at) : hash.hex(length, to, at);
      while (out < at + width) to[out++] = 0x20;
      return out;
    },
    undefined,
    width === HASH_DIGITS && !type.padded ? laneWrite(hash) : undefined,
  );
}

/** The hashes of short values, four at a time: a value's place is kept until its lanes are full, or flushed. */
function laneWrite(hash: KeyedHash): DeferredWrite | undefined {
  const lanes = hash.lanes();
  if (lanes === undefined) return undefined;
  const { digest } = lanes;
  const block = new Int32Array(16 * LANES);
  const places: DataView[] = [];
  const offsets = new Int32Array(LANES);
  const read = new LastView();
  const written = new LastView();
  const flush = (): void => {
    if (places.length === 0) return;
    lanes.block.set(block);
    lanes.run();
    for (let lane = 0; lane < places.length; lane++) {
      const to = places[lane] as DataView;
      const at = offsets[lane] as number;
      const first = digest[lane] as number;
      const second = digest[LANES + lane] as number;
      const third = digest[2 * LANES + lane] as number;
      putDigits(first, to, at);
      putDigits(second, to, at + 8);
      putDigits(third, to, at + 16);
      putDigits(hash.check(first, second, third), to, at + 24);
    }
    places.length = 0;
  };
  return {
    write(from, start, end, to, at) {
      if (end - start > SHORT) {
        hash.update(from, start, end);
        return putChecked(hash, to, at);
      }
      const lane = places.length;
      loadLane(block, lane, from, read.of(from), start, end);
      offsets[lane] = at;
      places.push(written.of(to));
      if (lane + 1 === LANES) flush();
      return at + HASH_DIGITS;
    },
    flush,
  };
}

/** A view of the buffer asked for last: many values come from one chunk and go to one buffer. */
class LastView {
  private bytes: Buffer = Buffer.alloc(0);
  private view: DataView = new DataView(this.bytes.buffer, 0, 0);

  of(bytes: Buffer): DataView {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.view;
  }
}

/** The two hex digits of each byte, the first in the low eight bits. */
const PAIRS = Uint16Array.from({ length: 256 }, (_value, byte) => ((HEX[byte & 15] ?? 0) << 8) | (HEX[byte >> 4] ?? 0));

/** Eight hex digits of 32 bits. */
function putDigits(word: number, to: DataView, at: number): void {
  to.setInt32(at, (PAIRS[word >>> 24] as number) | ((PAIRS[(word >>> 16) & 255] as number) << 16), true);
  to.setInt32(at + 4, (PAIRS[(word >>> 8) & 255] as number) | ((PAIRS[word & 255] as number) << 16), true);
}

/** `hash` on json and jsonb: a string of the hash of the document as the server shows it. */
export function hashJsonMask(hash: KeyedHash, version: boolean): PlannedMask {
  const skip = version ? 1 : 0;
  return plannedMask(0, HASH_DIGITS + 3, (from, start, end, to, at) => {
    hash.update(from, Math.min(start + skip, end), end);
    let out = at;
    if (version) to[out++] = 1;
    to[out++] = QUOTE;
    out = putChecked(hash, to, out);
    to[out++] = QUOTE;
    return out;
  });
}

/** A byte string's own bytes in either output of bytea, or as they are. */
function isHexForm(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= 2 && bytes[start] === 0x5c && bytes[start + 1] === 0x78;
}

/** `hash` on bytes: sixteen bytes. Text and binary format agree in the hex output; the escape output is hashed as it stands. */
export function hashBytesMask(hash: KeyedHash, hexForm: boolean): PlannedMask {
  const raw = HASH_DIGITS / 2;
  if (!hexForm) {
    return plannedMask(0, raw, (from, start, end, to, at) => {
      hash.update(from, start, end);
      hash.raw(raw, to, at);
      return check(hash, to, at);
    });
  }
  // The decoded bytes are hashed in runs of their own scratch, so that a value has one hash in both formats.
  let decoded = Buffer.alloc(1024);
  return plannedMask(0, 2 + HASH_DIGITS, (from, start, end, to, at) => {
    if (!isHexForm(from, start, end)) {
      hash.update(from, start, end);
      return putChecked(hash, to, at);
    }
    const length = (end - start - 2) >> 1;
    if (decoded.length < length) decoded = Buffer.allocUnsafeSlow(length * 2);
    for (let index = 0; index < length; index++) {
      decoded[index] = (nibble(from[start + 2 + 2 * index]) << 4) | nibble(from[start + 3 + 2 * index]);
    }
    hash.update(decoded, 0, length);
    to[at] = 0x5c;
    to[at + 1] = 0x78;
    return putChecked(hash, to, at + 2);
  });
}

function nibble(byte: number | undefined): number {
  const code = byte ?? 0x30;
  return code >= 0x61 ? code - 0x57 : code >= 0x41 ? code - 0x37 : code - 0x30;
}

/** `keep-last` and `keep-first` on bytes: a `*` for every other byte, all of them where there are no more than `kept`. */
export function keepBytesMask(kept: number, last: boolean, type: BytesType, hexForm: boolean): PlannedMask {
  if (!hexForm) {
    return plannedMask(1, 0, (from, start, end, to, at) => {
      const length = end - start;
      const show = length <= kept ? 0 : kept;
      const from0 = last ? 0 : show;
      const to0 = last ? length - show : length;
      for (let index = 0; index < length; index++) {
        to[at + index] = index >= from0 && index < to0 ? STAR : (from[start + index] as number);
      }
      return at + length;
    });
  }
  const redacted = type.text as Buffer;
  return plannedMask(1, redacted.length, (from, start, end, to, at) => {
    // In the escape output it cannot be told cheaply where a byte begins.
    if (!isHexForm(from, start, end) || (end - start) % 2 !== 0) return put(redacted, to, at);
    const length = (end - start - 2) / 2;
    const show = length <= kept ? 0 : kept;
    to[at] = 0x5c;
    to[at + 1] = 0x78;
    for (let index = 0; index < length; index++) {
      const hidden = last ? index < length - show : index >= show;
      to[at + 2 + 2 * index] = hidden ? 0x32 : (from[start + 2 + 2 * index] as number);
      to[at + 3 + 2 * index] = hidden ? 0x61 : (from[start + 3 + 2 * index] as number);
    }
    return at + end - start;
  });
}

const UUID_BYTES = 16;
const UUID_TEXT = 36;
const isDash = (index: number) => index === 8 || index === 13 || index === 18 || index === 23;

/** Reads either format of a uuid into `into`; false for anything else. */
function readUuid(from: Buffer, start: number, end: number, binary: boolean, into: Buffer): boolean {
  if (binary) {
    if (end - start !== UUID_BYTES) return false;
    copyRun(from, start, end, into, 0);
    return true;
  }
  if (end - start !== UUID_TEXT) return false;
  let digits = 0;
  for (let index = 0; index < UUID_TEXT; index++) {
    const byte = from[start + index] as number;
    if (isDash(index)) {
      if (byte !== DASH) return false;
      continue;
    }
    const digit =
      byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66
          ? (byte | 0x20) - 0x57
          : -1;
    if (digit < 0) return false;
    into[digits >> 1] = (digits & 1) === 0 ? digit << 4 : (into[digits >> 1] as number) | digit;
    digits++;
  }
  return true;
}

function writeUuid(value: Buffer, binary: boolean, to: Buffer, at: number): number {
  if (binary) return copyRun(value, 0, UUID_BYTES, to, at);
  let digits = 0;
  for (let index = 0; index < UUID_TEXT; index++) {
    if (isDash(index)) {
      to[at + index] = DASH;
      continue;
    }
    const byte = value[digits >> 1] as number;
    to[at + index] = HEX[(digits & 1) === 0 ? byte >> 4 : byte & 15] as number;
    digits++;
  }
  return at + UUID_TEXT;
}

const uuid = Buffer.alloc(UUID_BYTES);

/** A mask of uuids; they all have one length, so that what is well-formed is rewritten where it stands. */
function uuidMask(type: PlainType, format: Format, change: () => void): PlannedMask {
  const binary = format !== 'text';
  const redacted = (binary ? type.binary : type.text) as Buffer;
  const length = redacted.length;
  return plannedMask(
    0,
    length,
    (from, start, end, to, at) => {
      if (!readUuid(from, start, end, binary, uuid)) return put(redacted, to, at);
      change();
      return writeUuid(uuid, binary, to, at);
    },
    (bytes, start, end) => {
      if (end - start !== length) return false;
      if (readUuid(bytes, start, end, binary, uuid)) {
        change();
        writeUuid(uuid, binary, bytes, start);
      } else {
        put(redacted, bytes, start);
      }
      return true;
    },
  );
}

/** `hash` on uuids: a uuid of version 8, the one RFC 9562 leaves to applications, from 90 bits of the hash and its check. */
export function hashUuidMask(hash: KeyedHash, type: PlainType, format: Format): PlannedMask {
  return uuidMask(type, format, () => {
    hash.update(uuid, 0, UUID_BYTES);
    hash.raw(UUID_BYTES, uuid, 0);
    uuid[6] = ((uuid[6] as number) & 0x0f) | 0x80;
    uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80;
    check(hash, uuid, 0);
  });
}

/** `keep-last` and `keep-first` on uuids: the other hex digits become zeros. */
export function keepUuidMask(kept: number, last: boolean, type: PlainType, format: Format): PlannedMask {
  const digits = UUID_BYTES * 2;
  const show = kept >= digits ? 0 : kept;
  return uuidMask(type, format, () => {
    for (let index = 0; index < digits; index++) {
      const shown = last ? index >= digits - show : index < show;
      if (!shown) uuid[index >> 1] = (uuid[index >> 1] as number) & ((index & 1) === 0 ? 0x0f : 0xf0);
    }
  });
}
