// Our lexical pass over Postgres text, after the rules of the server's scan.l: finds literals, so that statements which differ
// only in literals and comments share one reading. It makes no strings: this is nearly all that a statement of a known shape costs.
// Assumes standard_conforming_strings, which no session may turn off.

/** What stands in a shape for a string and for a number; neither character can stand there in a text that parses. */
export const stringMark = '\u0001';
export const numberMark = '\u0002';

/** What one pass over a text finds. Where its literals stand, and its key, are kept until the next pass. */
export interface Scan {
  /** The same for texts of one key; whether another key has it too, `hasKey` tells. */
  readonly hash: number;
  /** UTF-16 offsets of the first token, and after the last one that is no semicolon. */
  readonly start: number;
  readonly end: number;
  /** A semicolon stands between tokens. */
  readonly several: boolean;
  readonly literals: number;
}

export interface Shape extends Scan {
  /** The text without its literals and comments. */
  readonly key: string;
}

const word = 1;
const digit = 2;
const space = 4;
/** Every character from 128 on may stand in a word. */
const classes = new Uint8Array(65_536).fill(word);
for (let code = 0; code < 128; code++) {
  const char = String.fromCharCode(code);
  classes[code] = /[A-Za-z_]/.test(char) ? word : /[0-9]/.test(char) ? digit : /[ \t\n\r\f\v]/.test(char) ? space : 0;
}

const usual = 4_096;
/** Zeros behind a text, so that looking ahead needs no care. */
const margin = 4;
/** The text's UTF-16 units: reading them here is several times faster than charCodeAt. */
let codes = new Uint16Array(usual);
let bytes = Buffer.from(codes.buffer);
let length = 0;

function load(text: string): void {
  length = text.length;
  const needed = length + margin;
  if (needed > codes.length || (codes.length > usual && needed <= usual)) {
    codes = new Uint16Array(Math.max(usual, needed));
    bytes = Buffer.from(codes.buffer);
  }
  bytes.write(text, 'utf16le');
  for (let at = length; at < needed; at++) codes[at] = 0;
  count = 0;
  pieces = 0;
}

function codeAt(at: number): number {
  return codes[at] ?? 0;
}

function classAt(at: number): number {
  return classes[codeAt(at)] ?? 0;
}

/** Adds a unit to a hash. */
function mixed(hash: number, code: number): number {
  return ((hash << 5) - hash + code) | 0;
}

/** Adds the text's units to a hash. */
function mixedText(before: number, from: number, to: number): number {
  let hash = before;
  for (let at = from; at < to; at++) hash = mixed(hash, codeAt(at));
  return hash;
}

const stringCode = stringMark.charCodeAt(0);
const numberCode = numberMark.charCodeAt(0);
const blank = 0x20;
const nothing = 0;

// Pieces are what a key has in another form than the text: a mark for a literal, a blank for a comment, nothing for the end of a line.
let pieceStarts = new Int32Array(256);
let pieceEnds = new Int32Array(256);
let pieceMarks = new Int32Array(256);
let pieces = 0;

function addPiece(start: number, end: number, mark: number): void {
  if (pieces === pieceStarts.length)
    [pieceStarts, pieceEnds, pieceMarks] = [longer(pieceStarts), longer(pieceEnds), longer(pieceMarks)];
  pieceStarts[pieces] = start;
  pieceEnds[pieces] = end;
  pieceMarks[pieces++] = mark;
}

let starts = new Int32Array(256);
let ends = new Int32Array(256);
let count = 0;

function addLiteral(start: number, end: number): void {
  if (count === starts.length) [starts, ends] = [longer(starts), longer(ends)];
  starts[count] = start;
  ends[count++] = end;
}

function longer(full: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const made = new Int32Array(full.length * 2);
  made.set(full);
  return made;
}

/** UTF-16 bounds of a literal of the last scanned text, valid until the next scan. */
export function literalStart(index: number): number {
  return index < count ? (starts[index] ?? -1) : -1;
}
export function literalEnd(index: number): number {
  return index < count ? (ends[index] ?? -1) : -1;
}

/** A hash of the literals of the last scanned text: of their places and their last characters. */
export function literalsHash(): number {
  let hash = length;
  for (let literal = 0; literal < count; literal++) {
    const end = ends[literal] ?? 0;
    hash = mixedText(Math.imul(hash ^ end, 0x01000193), Math.max(starts[literal] ?? 0, end - 8), end);
  }
  return hash;
}

/** The key of the last scanned text. */
export function keyOf(text: string): string {
  let key = '';
  let from = 0;
  for (let piece = 0; piece < pieces; piece++) {
    const mark = pieceMarks[piece] ?? nothing;
    key += text.slice(from, pieceStarts[piece]);
    if (mark !== nothing) key += String.fromCharCode(mark);
    from = pieceEnds[piece] ?? from;
  }
  return key + text.slice(from);
}

/** The units of a key, to be compared with those of other texts. */
export function keyUnits(key: string): Uint16Array {
  const units = new Uint16Array(key.length);
  Buffer.from(units.buffer).write(key, 'utf16le');
  return units;
}

/** Whether the last scanned text has this key. */
export function hasKey(key: Uint16Array): boolean {
  const units = codes;
  let from = 0;
  let at = 0;
  for (let piece = 0; piece <= pieces; piece++) {
    const last = piece === pieces;
    const start = last ? length : (pieceStarts[piece] ?? 0);
    while (from < start) if (units[from++] !== key[at++]) return false;
    if (last) break;
    const mark = pieceMarks[piece] ?? nothing;
    if (mark !== nothing && key[at++] !== mark) return false;
    from = pieceEnds[piece] ?? from;
  }
  return at === key.length;
}

/** A text's shape, or undefined where a quote or comment does not end: the parser then words the error. */
export function shapeOf(text: string): Shape | undefined {
  const found = scan(text);
  return found === undefined ? undefined : { ...found, key: keyOf(text) };
}

/** What `shapeOf` finds, but for the key. */
export function scan(text: string): Scan | undefined {
  load(text);
  const units = codes;
  const end = length;
  let hash = 0;
  let first = -1;
  let last = 0;
  let several = false;
  let ended = false;
  let at = 0;
  while (at < end) {
    const start = at;
    const code = units[at++] ?? 0;
    const kind = classes[code] ?? 0;
    if (kind === space) {
      hash = mixed(hash, code);
      continue;
    }
    if (code === 0x2d && units[at] === 0x2d) {
      while (at < end && units[at] !== 10 && units[at] !== 13) at++;
      addPiece(start, at, nothing);
      continue;
    }
    if (code === 0x2f && units[at] === 0x2a) {
      at = commentEnd(start);
      if (at < 0) return undefined;
      // A comment separates tokens as a blank does; a line that ends in it does not join two strings.
      addPiece(start, at, blank);
      hash = mixed(hash, blank);
      continue;
    }
    if (code === 0x3b) {
      ended = first >= 0;
      hash = mixed(hash, code);
      continue;
    }
    if (first < 0) first = start;
    if (ended) several = true;
    // A piece begins behind the prefix of a string.
    let piece = start;
    let mark = nothing;
    if (kind === word) {
      const prefix = code | 0x20;
      if (units[at] === 0x27 && (prefix === 0x65 || prefix === 0x62 || prefix === 0x78 || prefix === 0x6e)) {
        at = prefix === 0x65 ? escapedEnd(at + 1) : quoteEnd(at + 1, 0x27);
        if (at < 0) return undefined;
        hash = mixed(hash, code);
        piece = start + 1;
        mark = stringCode;
      } else if (prefix === 0x75 && units[at] === 0x26 && units[at + 1] === 0x27) {
        at = quoteEnd(at + 2, 0x27);
        if (at < 0) return undefined;
        addLiteral(start, at);
        // The text is kept: what U& strings mean depends on a UESCAPE that may follow.
        hash = mixedText(hash, start, at);
      } else {
        hash = mixed(hash, code);
        for (; at < end; at++) {
          const other = units[at] ?? 0;
          const otherKind = classes[other] ?? 0;
          if (otherKind !== word && otherKind !== digit && other !== 0x24) break;
          hash = mixed(hash, other);
        }
      }
    } else if (kind === digit || (code === 0x2e && classAt(at) === digit)) {
      at = numberEnd(start);
      mark = numberCode;
    } else if (code === 0x27) {
      at = quoteEnd(at, 0x27);
      if (at < 0) return undefined;
      mark = stringCode;
    } else if (code === 0x22) {
      at = quoteEnd(at, 0x22);
      if (at < 0) return undefined;
      hash = mixedText(hash, start, at);
    } else if (code === 0x24) {
      const behind = dollarEnd(start);
      if (behind === -1) return undefined;
      if (behind > 0) {
        at = behind;
        mark = stringCode;
      } else {
        while (classAt(at) === digit) at++;
        hash = mixedText(hash, start, at);
      }
    } else {
      hash = mixed(hash, code);
    }
    if (mark !== nothing) {
      addLiteral(start, at);
      addPiece(piece, at, mark);
      hash = mixed(hash, mark);
    }
    last = at;
  }
  return { hash, start: Math.max(first, 0), end: first < 0 ? end : last, several, literals: count };
}

function quoteEnd(from: number, quote: number): number {
  const units = codes;
  const end = length;
  for (let at = from; at < end; at++) {
    if (units[at] !== quote) continue;
    if (units[at + 1] !== quote) return at + 1;
    at++;
  }
  return -1;
}

function escapedEnd(from: number): number {
  for (let at = from; at < length; at++) {
    const code = codeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x27) {
      if (codeAt(at + 1) !== 0x27) return at + 1;
      at++;
    }
  }
  return -1;
}

/** Comments nest (scan.l, xcinside). */
function commentEnd(from: number): number {
  let depth = 0;
  for (let at = from; at < length; at++) {
    const code = codeAt(at);
    if (code === 0x2f && codeAt(at + 1) === 0x2a) {
      depth++;
      at++;
    } else if (code === 0x2a && codeAt(at + 1) === 0x2f) {
      at++;
      if (--depth === 0) return at + 1;
    }
  }
  return -1;
}

/** The end of a dollar-quoted string; 0 where there is none (a parameter), -1 where it does not end. */
function dollarEnd(from: number): number {
  let tagEnd = from + 1;
  while (tagEnd < length) {
    const code = codeAt(tagEnd);
    if (code === 0x24) break;
    const kind = classes[code] ?? 0;
    if (kind !== word && (kind !== digit || tagEnd === from + 1)) return 0;
    tagEnd++;
  }
  if (tagEnd >= length) return 0;
  const size = tagEnd + 1 - from;
  for (let at = tagEnd + 1; at + size <= length; at++) {
    let same = 0;
    while (same < size && codes[at + same] === codes[from + same]) same++;
    if (same === size) return at + size;
  }
  return -1;
}

function digitsEnd(from: number): number {
  let at = from;
  // An underscore may stand between digits.
  while (classAt(at) === digit || (codeAt(at) === 0x5f && classAt(at + 1) === digit)) at++;
  return at;
}

function numberEnd(from: number): number {
  let at = from;
  const second = codeAt(at + 1) | 0x20;
  // 0x1F, 0o17, 0b1: letters and digits to the end; the grammar refuses what is none of them.
  if (codeAt(at) === 0x30 && (second === 0x78 || second === 0x6f || second === 0x62)) {
    at += 2;
    while (at < length && classAt(at) !== 0 && classAt(at) !== space) at++;
    return at;
  }
  at = digitsEnd(at);
  // `1..10` is a range of PL/pgSQL, not a decimal point.
  if (codeAt(at) === 0x2e && codeAt(at + 1) !== 0x2e) {
    at = digitsEnd(at + 1);
  }
  if ((codeAt(at) | 0x20) === 0x65) {
    const sign = codeAt(at + 1);
    const exponent = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
    if (classAt(exponent) === digit) at = digitsEnd(exponent);
  }
  return at;
}

/** The value of a literal of the last scanned text; undefined where only the parser can say (escapes, U&, bit strings). */
export function literalText(text: string, index: number): string | undefined {
  const from = literalStart(index);
  const to = literalEnd(index);
  const code = text.charCodeAt(from);
  if (code === 0x27) return text.slice(from + 1, to - 1).replaceAll("''", "'");
  if (code === 0x24) {
    const tag = text.indexOf('$', from + 1) + 1 - from;
    return text.slice(from + tag, to - tag);
  }
  if (classes[code] === digit || code === 0x2e) return text.slice(from, to);
  return undefined;
}
