// The quick look at a text: its shape, with marks for literals, where nothing in it is out of the ordinary. Texts with one shape
// have the same tokens but for their literals. Comments, several statements, numbers and strings in rare forms are left to the lexer.
import type { Dialect } from './modes.ts';

export interface Shape {
  readonly key: string;
  /** UTF-16 offsets of the first token, and after the last that is no semicolon. */
  readonly start: number;
  readonly end: number;
  /** The value of a literal, by its place among strings and numbers. */
  text(index: number): string | undefined;
}

// None of them begins a token (LexError): where they stand in a text outside of strings, the lexer has the word.
const stringMark = '\u0001';
const doubleMark = '\u0002';
const numberMark = '\u0003';

const name = 1;
const digit = 2;
const space = 3;
const plain = 4;
const classes = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const char = String.fromCharCode(code);
  if (/[A-Za-z_$]/.test(char)) classes[code] = name;
  else if (/[0-9]/.test(char)) classes[code] = digit;
  else if (/[ \t\n\r\f\v]/.test(char)) classes[code] = space;
  else if (/[=<>!+*%^~&|(),.:@?{}]/.test(char)) classes[code] = plain;
}

let starts = new Int32Array(256);
let ends = new Int32Array(256);
let count = 0;

function add(start: number, end: number): void {
  if (count === starts.length) {
    const [moreStarts, moreEnds] = [new Int32Array(count * 2), new Int32Array(count * 2)];
    moreStarts.set(starts);
    moreEnds.set(ends);
    [starts, ends] = [moreStarts, moreEnds];
  }
  starts[count] = start;
  ends[count++] = end;
}

/** The shape of a text, or undefined where the lexer must look. Its literals can be asked for until the next scan. */
export function scan(text: string, dialect: Dialect): Shape | undefined {
  const { length } = text;
  count = 0;
  let key = '';
  let copied = 0;
  let first = -1;
  let last = 0;
  let at = 0;
  while (at < length) {
    const code = text.charCodeAt(at);
    const kind = code < 128 ? (classes[code] ?? 0) : name;
    if (kind === space) {
      at++;
      continue;
    }
    if (code === 0x3b) {
      // Only at the very end.
      for (let rest = at + 1; rest < length; rest++) if (classes[text.charCodeAt(rest)] !== space) return undefined;
      break;
    }
    if (first < 0) first = at;
    const start = at;
    if (kind === name) {
      at = nameEnd(text, at + 1);
      const next = text.charCodeAt(at);
      // x'41', N'a', _utf8'a'.
      if (next === 0x27 || next === 0x22) return undefined;
    } else if (kind === digit) {
      at = numberEnd(text, at);
      if (at < 0) return undefined;
      add(start, at);
      key += text.slice(copied, start) + numberMark;
      copied = at;
    } else if (kind === plain) {
      // A number or a name right behind a dot is read by other rules.
      const next = text.charCodeAt(at + 1);
      if (code === 0x2e && classes[next] === digit) return undefined;
      // The name of a variable may be digits or a text.
      if (code === 0x40 && next !== 0x40 && classes[next] !== name) return undefined;
      at++;
    } else if (code === 0x27 || (code === 0x22 && !dialect.ansiQuotes)) {
      at = stringEnd(text, at, code, !dialect.noBackslashEscapes);
      if (at < 0) return undefined;
      add(start, at);
      key += text.slice(copied, start) + (code === 0x27 ? stringMark : doubleMark);
      copied = at;
    } else if (code === 0x60) {
      const close = text.indexOf('`', at + 1);
      if (close < 0 || text.charCodeAt(close + 1) === 0x60) return undefined;
      at = close + 1;
    } else if (code === 0x2d || code === 0x2f) {
      const next = text.charCodeAt(at + 1);
      if (next === 0x2d || next === 0x2a) return undefined;
      at++;
    } else return undefined;
    last = at;
  }
  if (first < 0) return undefined;
  key += text.slice(copied, last);
  return { key, start: first, end: last, text: (index) => literal(text, index, dialect) };
}

function nameEnd(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 128 && classes[code] !== name && classes[code] !== digit) return at;
  }
  return at;
}

/** The end of `12` or `12.5` with nothing of a name about it; -1 for all other forms. */
function numberEnd(text: string, from: number): number {
  let at = from;
  while (classes[text.charCodeAt(at)] === digit) at++;
  if (text.charCodeAt(at) === 0x2e) {
    const fraction = at + 1;
    at = fraction;
    while (classes[text.charCodeAt(at)] === digit) at++;
    if (at === fraction) return -1;
  }
  const next = text.charCodeAt(at);
  return next === 0x2e || next >= 128 || classes[next] === name ? -1 : at;
}

function stringEnd(text: string, from: number, quote: number, escapes: boolean): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      if (text.charCodeAt(at + 1) !== quote) return at + 1;
      at++;
    } else if (code === 0x5c && escapes) at++;
  }
  return -1;
}

/** Undefined where a backslash must be read by the lexer. */
function literal(text: string, index: number, dialect: Dialect): string | undefined {
  const [start, end] = [starts[index], ends[index]];
  if (index >= count || start === undefined || end === undefined) return undefined;
  const quote = text.charAt(start);
  if (quote !== "'" && quote !== '"') return text.slice(start, end);
  const inner = text.slice(start + 1, end - 1);
  if (!dialect.noBackslashEscapes && inner.includes('\\')) return undefined;
  return inner.replaceAll(quote + quote, quote);
}
