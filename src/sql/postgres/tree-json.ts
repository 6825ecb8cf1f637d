// Reads the JSON of a parse tree where the parser has written it, in its own memory: JSON without blanks, of whole numbers, nearly all
// of whose texts have been there before, which is why this takes half the time of JSON.parse. What is not of that form is an error.

/** Texts of this many bytes at most are remembered, `slots` of them. */
const width = 32;
const slots = 4096;
const texts: string[] = new Array<string>(slots).fill('');
/** How the remembered texts are written: whether a text is the same is compared, never guessed. */
const known = new Uint8Array(slots * width);
const lengths = new Uint8Array(slots);

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const closedObject = 0x7d;
const closedList = 0x5d;

let bytes: Uint8Array = new Uint8Array(0);
let at = 0;

/** The value that starts at `from`. Throws a RangeError where it is nested deeper than the stack goes. */
export function treeAt(memory: Uint8Array, from: number): unknown {
  bytes = memory;
  at = from;
  const tree = value();
  if (bytes[at] !== 0) throw unexpected();
  return tree;
}

function unexpected(): SyntaxError {
  return new SyntaxError('the parser has written what is no parse tree');
}

function value(): unknown {
  const first = bytes[at] ?? 0;
  if (first === quote) {
    at++;
    return text();
  }
  if (first === 0x7b) return object();
  if (first === 0x5b) return list();
  if (first >= 0x30 && first <= 0x39) return number();
  if (first === 0x2d) {
    at++;
    return -number();
  }
  if (first === 0x74) {
    expect('true');
    return true;
  }
  if (first === 0x66) {
    expect('false');
    return false;
  }
  throw unexpected();
}

function object(): unknown {
  const made: Record<string, unknown> = {};
  let byte = bytes[++at];
  if (byte === closedObject) {
    at++;
    return made;
  }
  for (;;) {
    at++;
    if (byte !== quote) throw unexpected();
    const key = text();
    if (bytes[at++] !== 0x3a) throw unexpected();
    made[key] = value();
    byte = bytes[at++];
    if (byte === closedObject) return made;
    if (byte !== comma) throw unexpected();
    byte = bytes[at];
  }
}

function list(): unknown[] {
  const made: unknown[] = [];
  if (bytes[++at] === closedList) {
    at++;
    return made;
  }
  for (;;) {
    made.push(value());
    const byte = bytes[at++];
    if (byte === closedList) return made;
    if (byte !== comma) throw unexpected();
  }
}

function number(): number {
  const b = bytes;
  let found = 0;
  let end = at;
  for (let byte = b[end] ?? 0; byte >= 0x30 && byte <= 0x39; byte = b[++end] ?? 0) found = found * 10 + byte - 0x30;
  at = end;
  return found;
}

function expect(word: string): void {
  for (let index = 0; index < word.length; index++) if (bytes[at++] !== word.charCodeAt(index)) throw unexpected();
}

/** A text whose opening quote has been read. */
function text(): string {
  const b = bytes;
  const from = at;
  let end = from;
  let hash = 0;
  for (let byte = b[end] ?? 0; byte !== quote; byte = b[++end] ?? 0) {
    if (byte === 0) throw unexpected();
    if (byte === backslash) end++;
    hash = (hash << 5) ^ (hash >>> 27) ^ (b[end] ?? 0);
  }
  at = end + 1;
  const length = end - from;
  if (length > width) return decoded(from, end);
  const slot = Math.imul(hash, 0x9e3779b1) >>> 20;
  if (lengths[slot] === length) {
    const start = slot * width;
    let same = 0;
    while (same < length && known[start + same] === b[from + same]) same++;
    if (same === length) return texts[slot] ?? '';
  }
  const made = decoded(from, end);
  known.set(b.subarray(from, end), slot * width);
  lengths[slot] = length;
  texts[slot] = made;
  return made;
}

function decoded(from: number, end: number): string {
  const { buffer, byteOffset } = bytes;
  const written = Buffer.from(buffer, byteOffset + from, end - from);
  for (const byte of written)
    if (byte === backslash || byte >= 0x80) return JSON.parse(`"${written.toString('utf8')}"`) as string;
  return written.toString('latin1');
}
