// The second net: finds by content what nobody listed by column. One pass over the bytes looks for what could begin a number, an
// address or a token; only such candidates are looked at closely, and only those become strings for the libraries of their formats.
import { isValidIBAN } from 'ibantools';
import { isValidPhoneNumber } from 'libphonenumber-js/min';
import { type Detector, detectors } from './spec.ts';

// The place of a detector in the list is its bit.
const CARD = 1;
const EMAIL = 2;
const IBAN = 4;
const PHONE = 8;
const SSN = 16;
const TOKEN = 32;
const PRIVATE_KEY = 64;

/** A set of detectors as bits, for `find`. */
export function detectorBits(names: readonly Detector[]): number {
  return names.reduce((bits, name) => bits | (1 << detectors.indexOf(name)), 0);
}

// What a byte is: other, or one of these.
const LETTER = 1;
const DIGIT = 2;
const SIGN = 3;

const CLASS = new Uint8Array(256);
const LOCAL = new Uint8Array(256);
const DOMAIN = new Uint8Array(256);
/** Characters of tokens: base64, base64url, and the dots of JWTs. */
const TOKENS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z]/.test(character) || byte >= 0x80) CLASS[byte] = LETTER;
  if (/[0-9]/.test(character)) CLASS[byte] = DIGIT;
  if (/[@+(-]/.test(character)) CLASS[byte] = SIGN;
  if (/[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]/.test(character)) LOCAL[byte] = 1;
  if (/[A-Za-z0-9.-]/.test(character)) DOMAIN[byte] = 1;
  if (/[A-Za-z0-9._/+=-]/.test(character)) TOKENS[byte] = 1;
}

const AT = 0x40;
const PLUS = 0x2b;
const PARENTHESIS = 0x28;
const DASH = 0x2d;
const BLANK = 0x20;
const DOT = 0x2e;

/** Which of the detectors in `wanted` find something in `bytes[start, end)`, as bits. */
export function find(bytes: Buffer, start: number, end: number, wanted: number): number {
  let found = 0;
  let before = 0;
  for (let index = start; index < end; index++) {
    const byte = bytes[index] as number;
    const kind = CLASS[byte] as number;
    if (kind === SIGN) {
      if (byte === AT) found |= emailAround(bytes, start, index, end);
      else if (byte === DASH) found |= before === DASH ? privateKeyAt(bytes, index - 1, end) : 0;
      else if (before === 0) found |= phoneAt(bytes, index, end);
    } else if (kind !== 0 && before !== LETTER && before !== DIGIT) {
      found |= kind === DIGIT ? numberAt(bytes, start, index, end) : wordAt(bytes, index, end);
    }
    before = kind === SIGN ? (byte === DASH ? DASH : 0) : kind;
  }
  return found & wanted;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** An address around the @ at `at`: a local part before it, and after it labels of which the last is letters. */
function emailAround(bytes: Buffer, start: number, at: number, end: number): number {
  if (at === start || LOCAL[bytes[at - 1] as number] !== 1) return 0;
  let dot = -1;
  let index = at + 1;
  for (; index < end && DOMAIN[bytes[index] as number] === 1; index++) if (bytes[index] === DOT) dot = index;
  // A dot at the very end is the sentence's.
  if (dot === index - 1) {
    index = dot;
    dot = -1;
    for (let back = index - 1; back > at + 1 && dot < 0; back--) if (bytes[back] === DOT) dot = back;
  }
  if (dot <= at + 1 || index - dot < 3) return 0;
  for (let label = dot + 1; label < index; label++) if (CLASS[bytes[label] as number] !== LETTER) return 0;
  return EMAIL;
}

const digits = new Uint8Array(24);

/** The number that begins at `at`: its digits may be parted by single blanks, dashes or dots. */
function numberAt(bytes: Buffer, start: number, at: number, end: number): number {
  let count = 0;
  let index = at;
  let groups = 0;
  let shape = 0;
  let run = 0;
  while (index < end) {
    const byte = bytes[index] as number;
    if (isDigit(byte)) {
      if (count === digits.length) return 0;
      digits[count++] = byte - 0x30;
      run++;
    } else if ((byte === BLANK || byte === DASH || byte === DOT) && isDigit(bytes[index + 1]) && index + 1 < end) {
      shape = shape * 10 + Math.min(run, 9);
      groups++;
      run = 0;
    } else {
      break;
    }
    index++;
  }
  if (index < end && CLASS[bytes[index] as number] === LETTER) return 0;
  shape = shape * 10 + Math.min(run, 9);
  let found = 0;
  if (count >= 13 && count <= 19 && isCard(count)) found |= CARD;
  if (count === 9 && shape === 324 && isSocialSecurity(bytes, at)) found |= SSN;
  // 212-555-0123 and its like, in groups of three, three and four.
  if (count === 10 && groups === 2 && shape === 334) found |= isPhone(bytes, at, index);
  // The rest of a number with a sign or a bracket before it was looked at from there.
  return at > start && bytes[at - 1] === PLUS ? found & ~PHONE : found;
}

/** ISO/IEC 7812: the first digit of payment cards is 2 to 6, the last a check by Luhn's formula. */
function isCard(count: number): boolean {
  const industry = digits[0] as number;
  if (industry < 2 || industry > 6) return false;
  let sum = 0;
  let same = true;
  for (let index = 0; index < count; index++) {
    const digit = digits[count - 1 - index] as number;
    const doubled = index % 2 === 0 ? digit : digit * 2;
    sum += doubled > 9 ? doubled - 9 : doubled;
    if (digit !== industry) same = false;
  }
  return !same && sum % 10 === 0;
}

/** US social security numbers never have area 000, 666 or 900 to 999, group 00 or serial 0000. */
function isSocialSecurity(bytes: Buffer, at: number): boolean {
  if (bytes[at + 3] !== bytes[at + 6] || bytes[at + 3] === DOT) return false;
  const area = (digits[0] as number) * 100 + (digits[1] as number) * 10 + (digits[2] as number);
  const group = (digits[3] as number) * 10 + (digits[4] as number);
  const serial = (digits[5] as number) + (digits[6] as number) + (digits[7] as number) + (digits[8] as number);
  return area !== 0 && area !== 666 && area < 900 && group !== 0 && serial !== 0;
}

/** A phone number that begins with + or with a bracket. */
function phoneAt(bytes: Buffer, at: number, end: number): number {
  let count = 0;
  let index = at + 1;
  if (!isDigit(bytes[index])) return 0;
  for (; index < end && index < at + 26; index++) {
    const byte = bytes[index] as number;
    if (isDigit(byte)) count++;
    else if (byte !== BLANK && byte !== DASH && byte !== DOT && byte !== PARENTHESIS && byte !== 0x29) break;
  }
  // E.164: at most fifteen digits.
  return count >= 7 && count <= 15 ? isPhone(bytes, at, index) : 0;
}

function isPhone(bytes: Buffer, at: number, end: number): number {
  return isValidPhoneNumber(bytes.toString('latin1', at, end).trim(), 'US') ? PHONE : 0;
}

/** The words tokens begin with, and how many characters of a token's own follow at the least. */
const prefixes: readonly (readonly [prefix: string, more: number])[] = [
  ['AKIA', 16],
  ['ASIA', 16],
  ['AIza', 35],
  ['ghp_', 36],
  ['gho_', 36],
  ['ghu_', 36],
  ['ghs_', 36],
  ['ghr_', 36],
  ['github_pat_', 22],
  ['glpat-', 20],
  ['xoxb-', 20],
  ['xoxp-', 20],
  ['xoxa-', 20],
  ['xapp-', 20],
  ['sk_live_', 16],
  ['rk_live_', 16],
  ['sk-', 20],
  ['npm_', 36],
  ['pypi-', 50],
  ['SG.', 40],
  ['hvs.', 24],
  ['dop_v1_', 64],
  ['shpat_', 32],
  // A JSON Web Token begins with the base64 of `{"`.
  ['eyJ', 40],
];
const byFirst: (readonly (readonly [Buffer, number])[] | undefined)[] = Array.from({ length: 256 });
for (const [prefix, more] of prefixes) {
  const first = prefix.charCodeAt(0);
  byFirst[first] = [...(byFirst[first] ?? []), [Buffer.from(prefix), more]];
}

/** A token or an account number that begins as a word at `at`. */
function wordAt(bytes: Buffer, at: number, end: number): number {
  const second = bytes[at + 1] as number;
  // GB33 BUKB ...: a country in two capitals, two check digits, then at least eleven more.
  if (second >= 0x41 && second <= 0x5a && end - at >= 15 && isDigit(bytes[at + 2]) && isDigit(bytes[at + 3])) {
    return isAccount(bytes, at, end);
  }
  const candidates = byFirst[bytes[at] as number];
  if (candidates === undefined) return 0;
  for (let index = 0; index < candidates.length; index++) {
    const [prefix, more] = candidates[index] as readonly [Buffer, number];
    if (end - at < prefix.length + more || second !== prefix[1]) continue;
    if (beginsWith(bytes, at, prefix) && isRun(bytes, at + prefix.length, more)) return TOKEN;
  }
  return 0;
}

function beginsWith(bytes: Buffer, at: number, word: Buffer): boolean {
  for (let index = 0; index < word.length; index++) if (bytes[at + index] !== word[index]) return false;
  return true;
}

function isRun(bytes: Buffer, at: number, length: number): boolean {
  for (let index = at; index < at + length; index++) if (TOKENS[bytes[index] as number] !== 1) return false;
  return true;
}

/** An IBAN, in one piece or in groups of four; the longest has 34 characters. */
function isAccount(bytes: Buffer, at: number, end: number): number {
  let text = '';
  for (let index = at; index < end && text.length < 35; index++) {
    const byte = bytes[index] as number;
    if (byte === BLANK && text.length % 4 === 0) continue;
    if (!isDigit(byte) && (byte < 0x41 || byte > 0x5a)) break;
    text += String.fromCharCode(byte);
  }
  // What follows may be a word of capitals: the country decides the length, so all are tried from the longest on.
  for (let length = text.length; length >= 15; length--) if (isValidIBAN(text.slice(0, length))) return IBAN;
  return 0;
}

const BEGIN = Buffer.from('-----BEGIN ');
const KEY = Buffer.from('PRIVATE KEY');

/** RFC 7468: -----BEGIN PRIVATE KEY-----, with words for the kind of key before. */
function privateKeyAt(bytes: Buffer, at: number, end: number): number {
  if (end - at < BEGIN.length + KEY.length || !beginsWith(bytes, at, BEGIN)) return 0;
  const last = Math.min(end - KEY.length, at + 48);
  for (let index = at + BEGIN.length; index <= last; index++) if (beginsWith(bytes, index, KEY)) return PRIVATE_KEY;
  return 0;
}
