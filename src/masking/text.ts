// The masks that look into text: keep-last, keep-first and e-mail, over UTF-8 or single-byte characters, without making strings.
import { copyRun, type PlannedMask, plannedMask, put } from './mask.ts';
import type { TextType } from './valuetype.ts';

const STAR = 0x2a;
const BLANK = 0x20;
const AT = 0x40;
const DOT = 0x2e;

/**
 * The length of the character at `at`, never past `end`. What is not well-formed UTF-8 (RFC 3629) counts byte by byte, so that broken
 * text never passes for fewer characters than it has.
 */
export function characterLength(bytes: Buffer, at: number, end: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return 1;
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 1;
  if (at + length > end) return 1;
  for (let index = at + 1; index < at + length; index++) if (((bytes[index] as number) & 0xc0) !== 0x80) return 1;
  return length;
}

/** Where the character before `at` begins, not before `start`; counts broken text as `characterLength` does. */
function characterBefore(bytes: Buffer, start: number, at: number): number {
  let back = at - 1;
  if ((bytes[back] as number) < 0x80) return back;
  while (back > start && at - back < 4 && ((bytes[back] as number) & 0xc0) === 0x80) back--;
  return back + characterLength(bytes, back, at) === at ? back : at - 1;
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  let all = 0;
  let index = start;
  for (; index + 4 <= end; index += 4) {
    all |=
      (bytes[index] as number) |
      (bytes[index + 1] as number) |
      (bytes[index + 2] as number) |
      (bytes[index + 3] as number);
  }
  for (; index < end; index++) all |= bytes[index] as number;
  return all < 0x80;
}

/** bpchar's padding is no part of the value: char(20) holds 'abcd' and sixteen blanks. */
function contentEnd(bytes: Buffer, start: number, end: number): number {
  let last = end;
  while (last > start && bytes[last - 1] === BLANK) last--;
  return last;
}

/** Puts a `*` for each character and answers the offset after them. */
function stars(from: Buffer, start: number, end: number, utf8: boolean, to: Buffer, at: number): number {
  let out = at;
  for (let index = start; index < end; ) {
    index += !utf8 || (from[index] as number) < 0x80 ? 1 : characterLength(from, index, end);
    to[out++] = STAR;
  }
  return out;
}

function fill(bytes: Buffer, start: number, end: number): true {
  let index = start;
  for (; index + 4 <= end; index += 4) {
    bytes[index] = STAR;
    bytes[index + 1] = STAR;
    bytes[index + 2] = STAR;
    bytes[index + 3] = STAR;
  }
  for (; index < end; index++) bytes[index] = STAR;
  return true;
}

/** `keep-last`: a `*` for every character but the last `kept`; all of them where there are no more than that. */
export function keepLastMask(kept: number, type: TextType): PlannedMask {
  const utf8 = type.encoding === 'utf8';
  const padded = type.padded;
  /** Where what is kept begins. */
  const split = (bytes: Buffer, start: number, end: number): number => {
    if (end - start <= kept) return end;
    let at = end;
    if (!utf8) return end - kept;
    for (let left = kept; left > 0; left--) {
      if (at <= start) return end;
      at = characterBefore(bytes, start, at);
    }
    return at > start ? at : end;
  };
  return plannedMask(
    1,
    0,
    (from, start, end, to, at) => {
      const last = padded ? contentEnd(from, start, end) : end;
      const cut = split(from, start, last);
      return copyRun(from, cut, end, to, stars(from, start, cut, utf8, to, at));
    },
    (bytes, start, end) => {
      const last = padded ? contentEnd(bytes, start, end) : end;
      const cut = split(bytes, start, last);
      return utf8 && !isAscii(bytes, start, cut) ? false : fill(bytes, start, cut);
    },
  );
}

/** `keep-first`: a `*` for every character after the first `kept`; all of them where there are no more than that. */
export function keepFirstMask(kept: number, type: TextType): PlannedMask {
  const utf8 = type.encoding === 'utf8';
  const padded = type.padded;
  /** Where what is kept ends. */
  const split = (bytes: Buffer, start: number, end: number): number => {
    if (end - start <= kept) return start;
    if (!utf8) return start + kept;
    let at = start;
    for (let left = kept; left > 0 && at < end; left--) at += characterLength(bytes, at, end);
    return at < end ? at : start;
  };
  return plannedMask(
    1,
    0,
    (from, start, end, to, at) => {
      const last = padded ? contentEnd(from, start, end) : end;
      const cut = split(from, start, last);
      return copyRun(from, last, end, to, stars(from, cut, last, utf8, to, copyRun(from, start, cut, to, at)));
    },
    (bytes, start, end) => {
      const last = padded ? contentEnd(bytes, start, end) : end;
      const cut = split(bytes, start, last);
      return utf8 && !isAscii(bytes, cut, last) ? false : fill(bytes, cut, last);
    },
  );
}

/** What may stand before the @ (RFC 5322 dot-atom, and UTF-8 as in RFC 6531). */
const LOCAL = new Uint8Array(256);
/** What may stand after it: letters, digits, `-`, `.`, and UTF-8. */
const DOMAIN = new Uint8Array(256);
const ALPHABETIC = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte);
  const letter = byte >= 0x80 || /[A-Za-z]/.test(character);
  if (letter) ALPHABETIC[byte] = 1;
  if (letter || /[0-9.-]/.test(character)) DOMAIN[byte] = 1;
  if (letter || /[0-9.!#$%&'*+/=?^_`{|}~-]/.test(character)) LOCAL[byte] = 1;
}
/** RFC 5321: 64 bytes before the @, 255 after it. */
const LONGEST = 320;

/** Where the @ after a local part stands, or -1. */
function localEnd(bytes: Buffer, start: number, end: number): number {
  if (end - start > LONGEST) return -1;
  let at = start;
  while (at < end && LOCAL[bytes[at] as number] === 1) at++;
  return at === start || at >= end - 3 || bytes[at] !== AT ? -1 : at;
}

/**
 * Copies the domain `bytes[start, end)` while it looks at it: labels, none empty, the last a name of two letters or more, so that a
 * version or an address of numbers is no domain. Answers the offset after it, or -1.
 */
function copyDomain(bytes: Buffer, start: number, end: number, to: Buffer, at: number): number {
  let dot = -1;
  let out = at;
  for (let index = start; index < end; index++) {
    const byte = bytes[index] as number;
    if (DOMAIN[byte] !== 1) return -1;
    if (byte === DOT) {
      if (index === start || dot === index - 1) return -1;
      dot = index;
    }
    to[out++] = byte;
  }
  if (dot < 0 || end - dot < 3) return -1;
  return ALPHABETIC[bytes[dot + 1] as number] === 1 && ALPHABETIC[bytes[dot + 2] as number] === 1 ? out : -1;
}

/**
 * `email`: the first character, `***`, the @ and the domain. The stars are always three, so that they do not tell the length; a
 * local part of one character is not shown at all. What is no address is redacted.
 */
export function emailMask(type: TextType): PlannedMask {
  const redacted = type.text as Buffer;
  const utf8 = type.encoding === 'utf8';
  const padded = type.padded;
  const bounded = type.limit !== undefined;
  const most = type.limit ?? Number.POSITIVE_INFINITY;
  const shown = (bytes: Buffer, start: number, at: number): number => {
    const length = utf8 ? characterLength(bytes, start, at) : 1;
    return length < at - start ? length : 0;
  };
  return plannedMask(
    1,
    Math.max(3, redacted.length),
    (from, start, end, to, at) => {
      const last = padded ? contentEnd(from, start, end) : end;
      const sign = localEnd(from, start, last);
      if (sign < 0) return put(redacted, to, at);
      const kept = shown(from, start, sign);
      const length = kept + 3 + last - sign;
      if (length > most) return put(redacted, to, at);
      let out = at;
      for (let index = start; index < start + kept; index++) to[out++] = from[index] as number;
      to[out++] = STAR;
      to[out++] = STAR;
      to[out++] = STAR;
      to[out++] = AT;
      out = copyDomain(from, sign + 1, last, to, out);
      if (out < 0) return put(redacted, to, at);
      // Padding goes back to the type's own length.
      if (padded && bounded) while (out - at < most) to[out++] = BLANK;
      return out;
    },
    // Looking for the @ twice would cost more than copying the value: it is never rewritten where it stands.
  );
}
