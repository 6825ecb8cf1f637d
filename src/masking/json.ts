// The mask `paths`: replaces the values at some paths of a JSON document and copies the rest as it stands, in one pass over the bytes.
// A document that cannot be read is redacted whole.
import type { Step } from './json-path.ts';
import { escapeString, unescapeString } from './json-text.ts';
import { copyRun, NULL, type PlannedMask, plannedMask, put, room, scratch } from './mask.ts';
import { REDACTED_JSON } from './valuetype.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Deeper documents are redacted: they would take the stack. */
const DEEPEST = 256;

/** How values at a path are masked, by what they are in the document. */
export interface ScalarMasks {
  /** Gets a string's characters and gives characters. */
  readonly string: PlannedMask;
  readonly number: PlannedMask;
  /** Stands for true and false, and for whole objects. Undefined: null. */
  readonly constant: Buffer | undefined;
  readonly boolean: Buffer | undefined;
}

const NULL_WORD = Buffer.from('null');
const TRUE_WORD = Buffer.from('true');
const FALSE_WORD = Buffer.from('false');

/** Thrown and caught within this file only; made once, so that it costs no stack trace. */
const misread = new Error('not a JSON document');

/**
 * Masks the values at `paths` (as read by `parsePath`). `version`: jsonb's binary format, with a byte before the text.
 * `containersOnly`: of text columns, where a number or a word is no document.
 */
export function pathsMask(
  paths: readonly (readonly Step[])[],
  masks: ScalarMasks,
  version: boolean,
  containersOnly = false,
): PlannedMask {
  // A state is a path and how many of its steps are taken; `ended` are those with all taken.
  const steps: (Step | undefined)[] = paths.flatMap((path) => [...path, undefined]);
  const starts: number[] = [];
  let next = 0;
  for (const path of paths) {
    starts.push(next);
    next += path.length + 1;
  }
  const states = steps.length;
  const active = new Uint8Array(states * (DEEPEST + 2));
  const key = scratch();
  const plain = scratch();
  const masked = scratch();
  let from: Buffer = key.bytes;
  let to: Buffer = key.bytes;
  let index = 0;
  let end = 0;
  let out = 0;
  /** Where the bytes begin that were passed over and not put out yet. */
  let run = 0;
  let keyLength = 0;

  const blank = (): void => {
    while (index < end) {
      const byte = from[index] as number;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      index++;
    }
  };
  /** Where the string that begins at `index` ends, after its quote. */
  const stringEnd = (): number => {
    for (let at = index + 1; at < end; at++) {
      const byte = from[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) at++;
    }
    throw misread;
  };
  /** Where the number or word at `index` ends. */
  const wordEnd = (): number => {
    let at = index;
    while (at < end && isWord(from[at] as number)) at++;
    if (at === index) throw misread;
    return at;
  };
  /** Puts out what was passed over since the last masked value. */
  const flush = (): void => {
    out = copyRun(from, run, index, to, out);
  };
  /** Whether state `state` of level `depth` is one that masks the value it stands for. */
  const hit = (depth: number): boolean => {
    for (let state = 0; state < states; state++) {
      if (active[depth * states + state] === 1 && steps[state] === undefined) return true;
    }
    return false;
  };
  /** Sets the states of a child from those of its container. `position` is its index in an array, -1 for a member. */
  const enter = (depth: number, position: number): void => {
    const parent = depth * states;
    const child = parent + states;
    for (let state = child; state < child + states; state++) active[state] = 0;
    for (let state = 0; state < states; state++) {
      if (active[parent + state] !== 1) continue;
      let step = steps[state];
      let after = state + 1;
      if (step?.kind === 'descend') {
        active[child + state] = 1;
        step = steps[state + 1];
        after = state + 2;
      }
      if (step === undefined) continue;
      if (step.kind === 'any' || (step.kind === 'element' && step.index === position)) {
        active[child + after] = 1;
      } else if (step.kind === 'member' && position >= 0) {
        // As in the lax mode of SQL/JSON, a member is looked for in each element of an array.
        active[child + after - 1] = 1;
      } else if (step.kind === 'member' && sameName(step.name, key.bytes, keyLength)) {
        active[child + after] = 1;
      }
    }
  };
  const value = (depth: number): void => {
    if (depth > DEEPEST) throw misread;
    blank();
    if (hit(depth)) {
      mask(depth);
    } else {
      const byte = from[index];
      if (byte === OPEN_OBJECT) object(depth);
      else if (byte === OPEN_ARRAY) array(depth, false);
      else copyScalar();
    }
    blank();
  };
  const copyScalar = (): void => {
    if (index >= end) throw misread;
    if (from[index] === QUOTE) {
      index = stringEnd();
      return;
    }
    const until = wordEnd();
    if (!isNumber(from, index, until) && !isName(from, index, until)) throw misread;
    index = until;
  };
  const object = (depth: number): void => {
    index++;
    blank();
    if (from[index] === CLOSE_OBJECT && index < end) {
      index++;
      return;
    }
    for (;;) {
      blank();
      if (index >= end || from[index] !== QUOTE) throw misread;
      const until = stringEnd();
      keyLength = unescapeString(from, index + 1, until - 1, room(key, until - index));
      if (keyLength < 0) throw misread;
      index = until;
      blank();
      if (index >= end || from[index] !== COLON) throw misread;
      index++;
      enter(depth, -1);
      value(depth + 1);
      if (index >= end) throw misread;
      const byte = from[index];
      if (byte !== COMMA && byte !== CLOSE_OBJECT) throw misread;
      index++;
      if (byte === CLOSE_OBJECT) return;
    }
  };
  /** An array: of a masked one, every element is masked. */
  const array = (depth: number, all: boolean): void => {
    index++;
    blank();
    if (from[index] === CLOSE_ARRAY && index < end) {
      index++;
      return;
    }
    for (let position = 0; ; position++) {
      if (all) {
        if (depth > DEEPEST) throw misread;
        blank();
        mask(depth + 1);
        blank();
      } else {
        enter(depth, position);
        value(depth + 1);
      }
      if (index >= end) throw misread;
      const byte = from[index];
      if (byte !== COMMA && byte !== CLOSE_ARRAY) throw misread;
      index++;
      if (byte === CLOSE_ARRAY) return;
    }
  };
  const mask = (depth: number): void => {
    const byte = from[index];
    if (index >= end) throw misread;
    if (byte === OPEN_ARRAY) {
      array(depth, true);
      return;
    }
    flush();
    if (byte === OPEN_OBJECT) {
      skipObject();
      out = put(masks.constant ?? NULL_WORD, to, out);
    } else if (byte === QUOTE) {
      const until = stringEnd();
      const length = unescapeString(from, index + 1, until - 1, room(plain, until - index));
      if (length < 0) throw misread;
      const after = masks.string.write(plain.bytes, 0, length, room(masked, masks.string.bound(length)), 0);
      out = after === NULL ? put(NULL_WORD, to, out) : escapeString(masked.bytes, after, to, out);
      index = until;
    } else {
      const until = wordEnd();
      if (isNumber(from, index, until)) {
        const after = masks.number.write(from, index, until, to, out);
        out = after === NULL ? put(NULL_WORD, to, out) : after;
      } else if (sameName(NULL_WORD, from, until - index, index)) {
        out = put(NULL_WORD, to, out);
      } else if (isName(from, index, until)) {
        out = put(masks.boolean ?? NULL_WORD, to, out);
      } else {
        throw misread;
      }
      index = until;
    }
    run = index;
  };
  /** Passes over an object without looking into it further than its strings and brackets. */
  const skipObject = (): void => {
    let open = 0;
    while (index < end) {
      const byte = from[index];
      if (byte === QUOTE) {
        index = stringEnd();
        continue;
      }
      index++;
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) open++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        open--;
        if (open === 0) return;
      }
    }
    throw misread;
  };

  const skip = version ? 1 : 0;
  // A value and what parts it from the next take two bytes at least, three where it is a string or an object. A character may be escaped
  // to six bytes, but what a mask puts in by itself needs no escapes.
  const constant = Math.max(masks.constant?.length ?? 0, masks.string.offset + 2) + 4;
  const perByte = Math.max(constant / 3, masks.number.offset / 2, 2);
  const slope = 1 + Math.max(6 * masks.string.slope, masks.number.slope) + perByte;
  return plannedMask(
    slope,
    constant + masks.number.offset + REDACTED_JSON.length + skip,
    (source, start, stop, target, at) => {
      from = source;
      to = target;
      index = start + skip;
      end = stop;
      out = at;
      try {
        if (version) {
          if (stop <= start || source[start] !== 1) throw misread;
          to[out++] = 1;
        }
        run = index;
        if (containersOnly) {
          blank();
          if (from[index] !== OPEN_OBJECT && from[index] !== OPEN_ARRAY) throw misread;
        }
        active.fill(0, 0, states);
        for (const first of starts) active[first] = 1;
        value(0);
        if (index !== end) throw misread;
        flush();
        return out;
      } catch (error) {
        if (error !== misread) throw error;
        out = at;
        if (version) to[out++] = 1;
        return put(REDACTED_JSON, to, out);
      } finally {
        from = key.bytes;
        to = key.bytes;
      }
    },
  );
}

function isWord(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  );
}

/** A number by JSON's grammar (RFC 8259, section 6). */
function isNumber(bytes: Buffer, start: number, end: number): boolean {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const whole = digitsEnd(bytes, at, end);
  if (whole === at || (bytes[at] === 0x30 && whole > at + 1)) return false;
  at = whole;
  if (at < end && bytes[at] === 0x2e) {
    const fraction = digitsEnd(bytes, at + 1, end);
    if (fraction === at + 1) return false;
    at = fraction;
  }
  if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
    at++;
    if (at < end && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++;
    const exponent = digitsEnd(bytes, at, end);
    if (exponent === at) return false;
    at = exponent;
  }
  return at === end;
}

function digitsEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++;
  return at;
}

/** true, false or null. */
function isName(bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  return (
    sameName(NULL_WORD, bytes, length, start) ||
    sameName(TRUE_WORD, bytes, length, start) ||
    sameName(FALSE_WORD, bytes, length, start)
  );
}

function sameName(name: Buffer, bytes: Buffer, length: number, at = 0): boolean {
  if (length !== name.length) return false;
  for (let index = 0; index < length; index++) if (name[index] !== bytes[at + index]) return false;
  return true;
}
