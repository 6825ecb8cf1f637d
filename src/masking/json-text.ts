// The strings of JSON as bytes: their characters without escapes, and characters with the escapes they need.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const SHORT = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
  [0x2f, 0x2f],
]);

function hex4(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let code = 0;
  for (let index = at; index < at + 4; index++) {
    const byte = bytes[index] as number;
    const lower = byte | 0x20;
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

/** A JSON string's characters as UTF-8; never longer than the string as it stands. -1 where an escape is none. */
export function unescapeString(from: Buffer, start: number, end: number, to: Buffer): number {
  let out = 0;
  for (let index = start; index < end; index++) {
    const byte = from[index] as number;
    if (byte !== BACKSLASH) {
      to[out++] = byte;
      continue;
    }
    const kind = from[++index] as number;
    if (kind !== 0x75) {
      const plain = SHORT.get(kind);
      if (plain === undefined) return -1;
      to[out++] = plain;
      continue;
    }
    let code = hex4(from, index + 1, end);
    if (code < 0) return -1;
    index += 4;
    if (code >= 0xd800 && code < 0xdc00 && from[index + 1] === BACKSLASH && from[index + 2] === 0x75) {
      const second = hex4(from, index + 3, end);
      if (second >= 0xdc00 && second < 0xe000) {
        code = 0x10000 + (code - 0xd800) * 0x400 + second - 0xdc00;
        index += 6;
      }
    }
    // Half of a pair is no character: U+FFFD stands for it.
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    out = putCharacter(code, to, out);
  }
  return out;
}

/** The first byte of a UTF-8 sequence, by how many follow it. */
const LEADS = [0, 0xc0, 0xe0, 0xf0];

function putCharacter(code: number, to: Buffer, at: number): number {
  if (code < 0x80) {
    to[at] = code;
    return at + 1;
  }
  const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  to[at] = (LEADS[more] as number) | (code >> (6 * more));
  for (let index = 1; index <= more; index++) to[at + index] = 0x80 | ((code >> (6 * (more - index))) & 0x3f);
  return at + more + 1;
}

const DIGITS = Buffer.from('0123456789abcdef');

/** Writes characters as a JSON string. */
export function escapeString(value: Buffer, length: number, to: Buffer, at: number): number {
  let out = at;
  to[out++] = QUOTE;
  for (let index = 0; index < length; index++) {
    const byte = value[index] as number;
    if (byte < 0x20) {
      to[out++] = BACKSLASH;
      to[out++] = 0x75;
      to[out++] = 0x30;
      to[out++] = 0x30;
      to[out++] = DIGITS[byte >> 4] as number;
      to[out++] = DIGITS[byte & 15] as number;
      continue;
    }
    if (byte === QUOTE || byte === BACKSLASH) to[out++] = BACKSLASH;
    to[out++] = byte;
  }
  to[out++] = QUOTE;
  return out;
}
