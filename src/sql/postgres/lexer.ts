// Our lexical pass over Postgres text, after the rules of the server's scan.l: finds literals, so that statements which differ
// only in literals and comments share one reading. Assumes standard_conforming_strings, which no session may turn off.

/** What stands in a shape for a string and for a number; neither character can stand there in a text that parses. */
export const stringMark = '\u0001';
export const numberMark = '\u0002';

export interface Shape {
  /** The text without its literals and comments. */
  readonly key: string;
  /** UTF-16 offsets of the first token, and after the last one that is no semicolon. */
  readonly start: number;
  readonly end: number;
  /** A semicolon stands between tokens. */
  readonly several: boolean;
  readonly literals: number;
}

const word = 1;
const digit = 2;
const space = 4;
const classes = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const char = String.fromCharCode(code);
  if (/[A-Za-z_]/.test(char)) classes[code] = word;
  else if (/[0-9]/.test(char)) classes[code] = digit;
  else if (/[ \t\n\r\f\v]/.test(char)) classes[code] = space;
}

function classAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (classes[code] ?? 0) : word;
}

let starts = new Int32Array(256);
let ends = new Int32Array(256);
let count = 0;

function addLiteral(start: number, end: number): void {
  if (count === starts.length) {
    const [moreStarts, moreEnds] = [new Int32Array(count * 2), new Int32Array(count * 2)];
    moreStarts.set(starts);
    moreEnds.set(ends);
    [starts, ends] = [moreStarts, moreEnds];
  }
  starts[count] = start;
  ends[count++] = end;
}

/** UTF-16 bounds of a literal of the last scanned text, valid until the next scan. */
export function literalStart(index: number): number {
  return index < count ? (starts[index] ?? -1) : -1;
}
export function literalEnd(index: number): number {
  return index < count ? (ends[index] ?? -1) : -1;
}

/**
 * Reads a text's shape, or undefined where a quote or comment does not end: the parser then words the error.
 * The literals' places are kept until the next scan.
 */
export function scan(text: string): Shape | undefined {
  const length = text.length;
  count = 0;
  let key = '';
  let copied = 0;
  let first = -1;
  let last = 0;
  let several = false;
  let ended = false;
  let at = 0;
  while (at < length) {
    const code = text.charCodeAt(at);
    const kind = code < 128 ? (classes[code] ?? 0) : word;
    if (kind === space) {
      at++;
      continue;
    }
    const start = at;
    if (code === 0x2d && text.charCodeAt(at + 1) === 0x2d) {
      while (at < length && text.charCodeAt(at) !== 10 && text.charCodeAt(at) !== 13) at++;
      key += text.slice(copied, start);
      copied = at;
      continue;
    }
    if (code === 0x2f && text.charCodeAt(at + 1) === 0x2a) {
      at = commentEnd(text, at);
      if (at < 0) return undefined;
      // A comment separates tokens as a blank does; a line that ends in it does not join two strings.
      key += `${text.slice(copied, start)} `;
      copied = at;
      continue;
    }
    if (code === 0x3b) {
      ended = first >= 0;
      at++;
      continue;
    }
    if (first < 0) first = start;
    if (ended) several = true;
    if (kind === word) {
      const next = text.charCodeAt(at + 1);
      const prefix = code | 0x20;
      if (next === 0x27 && (prefix === 0x65 || prefix === 0x62 || prefix === 0x78 || prefix === 0x6e)) {
        at = prefix === 0x65 ? escapedEnd(text, at + 2) : quoteEnd(text, at + 2, 0x27);
        if (at < 0) return undefined;
        addLiteral(start, at);
        key += text.slice(copied, start) + text.charAt(start) + stringMark;
        copied = at;
      } else if (prefix === 0x75 && next === 0x26 && text.charCodeAt(at + 2) === 0x27) {
        at = quoteEnd(text, at + 3, 0x27);
        if (at < 0) return undefined;
        addLiteral(start, at);
        // The text is kept: what U& strings mean depends on a UESCAPE that may follow.
      } else {
        at++;
        while (at < length) {
          const c = text.charCodeAt(at);
          const k = c < 128 ? (classes[c] ?? 0) : word;
          if (k !== word && k !== digit && c !== 0x24) break;
          at++;
        }
      }
    } else if (kind === digit || (code === 0x2e && classAt(text, at + 1) === digit)) {
      at = numberEnd(text, at);
      addLiteral(start, at);
      key += text.slice(copied, start) + numberMark;
      copied = at;
    } else if (code === 0x27) {
      at = quoteEnd(text, at + 1, 0x27);
      if (at < 0) return undefined;
      addLiteral(start, at);
      key += text.slice(copied, start) + stringMark;
      copied = at;
    } else if (code === 0x22) {
      at = quoteEnd(text, at + 1, 0x22);
      if (at < 0) return undefined;
    } else if (code === 0x24) {
      const end = dollarEnd(text, at);
      if (end === -1) return undefined;
      if (end === 0) {
        at++;
        while (classAt(text, at) === digit && at < length) at++;
      } else {
        at = end;
        addLiteral(start, at);
        key += text.slice(copied, start) + stringMark;
        copied = at;
      }
    } else {
      at++;
    }
    last = at;
  }
  key += text.slice(copied);
  return { key, start: Math.max(first, 0), end: first < 0 ? length : last, several, literals: count };
}

function quoteEnd(text: string, from: number, quote: number): number {
  const char = quote === 0x27 ? "'" : '"';
  let at = from;
  for (;;) {
    at = text.indexOf(char, at);
    if (at < 0) return -1;
    if (text.charCodeAt(at + 1) !== quote) return at + 1;
    at += 2;
  }
}

function escapedEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x27) {
      if (text.charCodeAt(at + 1) !== 0x27) return at + 1;
      at++;
    }
  }
  return -1;
}

/** Comments nest (scan.l, xcinside). */
function commentEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2f && text.charCodeAt(at + 1) === 0x2a) {
      depth++;
      at++;
    } else if (code === 0x2a && text.charCodeAt(at + 1) === 0x2f) {
      at++;
      if (--depth === 0) return at + 1;
    }
  }
  return -1;
}

/** The end of a dollar-quoted string; 0 where there is none (a parameter), -1 where it does not end. */
function dollarEnd(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x24) break;
    const kind = classAt(text, at);
    if (kind !== word && (kind !== digit || at === from + 1)) return 0;
    at++;
  }
  if (at >= text.length) return 0;
  const tag = text.slice(from, at + 1);
  const end = text.indexOf(tag, at + 1);
  return end < 0 ? -1 : end + tag.length;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  // An underscore may stand between digits.
  while (
    at < text.length &&
    (classAt(text, at) === digit || (text.charCodeAt(at) === 0x5f && classAt(text, at + 1) === digit))
  )
    at++;
  return at;
}

function numberEnd(text: string, from: number): number {
  let at = from;
  const second = text.charCodeAt(at + 1) | 0x20;
  // 0x1F, 0o17, 0b1: letters and digits to the end; the grammar refuses what is none of them.
  if (text.charCodeAt(at) === 0x30 && (second === 0x78 || second === 0x6f || second === 0x62)) {
    at += 2;
    while (at < text.length && classAt(text, at) !== 0 && classAt(text, at) !== space) at++;
    return at;
  }
  at = digitsEnd(text, at);
  // `1..10` is a range of PL/pgSQL, not a decimal point.
  if (text.charCodeAt(at) === 0x2e && text.charCodeAt(at + 1) !== 0x2e) {
    at = digitsEnd(text, at + 1);
  }
  if ((text.charCodeAt(at) | 0x20) === 0x65) {
    const sign = text.charCodeAt(at + 1);
    const exponent = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
    if (classAt(text, exponent) === digit && exponent < text.length) {
      at = digitsEnd(text, exponent);
    }
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
  if (classAt(text, from) === digit || code === 0x2e) return text.slice(from, to);
  return undefined;
}
