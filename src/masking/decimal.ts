// One exact decimal number in scratch memory: read from and written to every integer and numeric format of both wires, with the
// arithmetic the masks need. Masks run one at a time, so a single number is enough and nothing is allocated.

/** Numbers of more digits are not worked on; the masks redact them. */
const MOST_DIGITS = 4096;
const MARGIN = 32;

const digits = new Uint8Array(MOST_DIGITS + 2 * MARGIN);
/** The number is digits[first, first + count), most significant first; the last `scale` of them are the fraction. */
let first = MARGIN;
let count = 0;
let scale = 0;
let negative = false;

const ZERO = 0x30;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const TWO_32 = 4294967296;

function clear(): void {
  first = MARGIN;
  count = 0;
  scale = 0;
  negative = false;
}

/** Drops leading zeros of the integer part; a number below one keeps one of them. */
function trim(): void {
  while (count > scale + 1 && digits[first] === 0) {
    first++;
    count--;
  }
  if (negative && isZero()) negative = false;
}

export function isZero(): boolean {
  for (let index = first; index < first + count; index++) if (digits[index] !== 0) return false;
  return true;
}

export function setZero(): void {
  clear();
  digits[first] = 0;
  count = 1;
}

/** Reads `-123.45`. False where the bytes are anything else (exponents, NaN, Infinity included). */
export function readText(bytes: Buffer, start: number, end: number): boolean {
  clear();
  let at = start;
  if (at < end && (bytes[at] === MINUS || bytes[at] === PLUS)) {
    negative = bytes[at] === MINUS;
    at++;
  }
  if (end - at > MOST_DIGITS) return false;
  let seen = false;
  let point = false;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === POINT) {
      if (point) return false;
      point = true;
      continue;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9) return false;
    seen = true;
    digits[first + count++] = digit;
    if (point) scale++;
  }
  if (!seen) return false;
  if (count === scale) padFront();
  trim();
  return true;
}

function padFront(): void {
  first--;
  digits[first] = 0;
  count++;
}

/** Reads a whole number from its high and low 32 bits (two's complement when signed). */
function readHalves(high: number, low: number, signed: boolean): void {
  clear();
  let h = high >>> 0;
  let l = low >>> 0;
  if (signed && h >= 0x80000000) {
    negative = true;
    l = (~l + 1) >>> 0;
    h = (~h + (l === 0 ? 1 : 0)) >>> 0;
  }
  // At most 20 digits, written from the last; they are moved to the usual place by choosing `first`.
  let at = MARGIN + 20;
  while (h > 0) {
    const top = h % 10;
    h = Math.floor(h / 10);
    const rest = top * TWO_32 + l;
    l = Math.floor(rest / 10);
    digits[--at] = rest - l * 10;
  }
  // Below 2^32 the division is one of machine integers.
  do {
    const rest = l;
    l = (l / 10) >>> 0;
    digits[--at] = rest - l * 10;
  } while (l > 0);
  first = at;
  count = MARGIN + 20 - at;
}

/** Reads a binary integer of 1, 2, 4 or 8 bytes; MySQL's are little-endian. The caller has checked the length. */
export function readInteger(bytes: Buffer, start: number, size: number, little: boolean, signed: boolean): void {
  let high = 0;
  let low = 0;
  for (let index = 0; index < size; index++) {
    const byte = bytes[little ? start + size - 1 - index : start + index] as number;
    high = ((high << 8) | (low >>> 24)) >>> 0;
    low = ((low << 8) | byte) >>> 0;
  }
  if (signed && size < 8) {
    const shift = 32 - size * 8;
    const value = (low << shift) >> shift;
    low = value >>> 0;
    high = value < 0 ? 0xffffffff : 0;
  }
  readHalves(high, low, signed);
}

/** Reads the binary format of Postgres' numeric (numeric_send: ndigits, weight, sign, dscale, base-10000 digits). */
export function readNumeric(bytes: Buffer, start: number, end: number): boolean {
  clear();
  if (end - start < 8) return false;
  const groups = bytes.readInt16BE(start);
  const weight = bytes.readInt16BE(start + 2);
  const sign = bytes.readUInt16BE(start + 4);
  const shown = bytes.readInt16BE(start + 6);
  if (groups < 0 || end - start !== 8 + groups * 2 || shown < 0) return false;
  // 0xC000 is NaN, 0xD000 and 0xF000 are the infinities.
  if (sign !== 0 && sign !== 0x4000) return false;
  const whole = Math.max(weight + 1, 1) * 4;
  if (whole + shown + 4 > MOST_DIGITS) return false;
  negative = sign === 0x4000;
  scale = shown;
  for (let place = Math.max(weight, 0); count < whole + shown; place--) {
    const group = weight - place;
    let value = 0;
    if (group >= 0 && group < groups) {
      value = bytes.readInt16BE(start + 8 + group * 2);
      if (value < 0 || value > 9999) return false;
    }
    digits[first + count++] = Math.floor(value / 1000);
    digits[first + count++] = Math.floor(value / 100) % 10;
    digits[first + count++] = Math.floor(value / 10) % 10;
    digits[first + count++] = value % 10;
  }
  count = whole + shown;
  trim();
  return true;
}

/** Sets the number to a whole one below 2^53. */
export function setWhole(value: number): void {
  readHalves(Math.floor(value / TWO_32), value % TWO_32, false);
}

/** Makes the fraction exactly `places` long, cutting or padding with zeros. */
export function setScale(places: number): void {
  while (scale > places) {
    scale--;
    count--;
  }
  while (scale < places && count < MOST_DIGITS) {
    digits[first + count++] = 0;
    scale++;
  }
  if (negative && isZero()) negative = false;
}

/** Drops trailing zeros of the fraction, so that equal numbers have equal digits. */
export function normalise(): void {
  while (scale > 0 && digits[first + count - 1] === 0) {
    scale--;
    count--;
  }
}

/** The nearest multiple of `step` / 10^`places`, halves away from zero, or toward zero where `down`. `step` is below 9e14. */
export function roundTo(step: number, places: number, down: boolean): boolean {
  let half = false;
  if (scale > places) {
    half = (digits[first + count - (scale - places)] as number) >= 5;
    count -= scale - places;
    scale = places;
  } else {
    if (count + places - scale > MOST_DIGITS) return false;
    setScale(places);
  }
  let rest = 0;
  for (let index = first; index < first + count; index++) rest = (rest * 10 + (digits[index] as number)) % step;
  const up = !down && (2 * rest >= step || (2 * rest === step - 1 && half));
  if (up) add(step - rest);
  else subtract(rest);
  trim();
  return true;
}

function add(amount: number): void {
  let carry = amount;
  for (let index = first + count - 1; index >= first && carry > 0; index--) {
    const sum = (digits[index] as number) + carry;
    carry = Math.floor(sum / 10);
    digits[index] = sum - carry * 10;
  }
  // Numbers are read at least MARGIN places into the scratch, so the carry always has room before `first`.
  while (carry > 0) {
    first--;
    count++;
    digits[first] = carry % 10;
    carry = Math.floor(carry / 10);
  }
}

/** Takes away what is not more than the number. */
function subtract(amount: number): void {
  let borrow = amount;
  for (let index = first + count - 1; index >= first && borrow > 0; index--) {
    const part = borrow % 10;
    borrow = Math.floor(borrow / 10);
    let left = (digits[index] as number) - part;
    if (left < 0) {
      left += 10;
      borrow++;
    }
    digits[index] = left;
  }
}

/** Keeps the last (or first) `kept` digits of a whole number and puts zeros for the rest; zero where it has no more than that. */
export function keepDigits(kept: number, last: boolean): void {
  normalise();
  if (scale > 0 || count <= kept) {
    setZero();
    return;
  }
  negative = false;
  const from = last ? first : first + kept;
  const to = last ? first + count - kept : first + count;
  for (let index = from; index < to; index++) digits[index] = 0;
  trim();
}

/** How many digits stand before the point; zero has none. */
export function wholeDigits(): number {
  const whole = count - scale;
  return whole === 1 && digits[first] === 0 ? 0 : whole;
}

export function writeText(to: Buffer | Uint8Array, at: number): number {
  let out = at;
  if (negative) to[out++] = MINUS;
  const whole = count - scale;
  for (let index = 0; index < count; index++) {
    if (index === whole) to[out++] = POINT;
    to[out++] = (digits[first + index] as number) + ZERO;
  }
  return out;
}

let high = 0;
let low = 0;

/** The number as 64 bits; false where it does not fit `size` bytes. */
function halves(size: number, signed: boolean): boolean {
  high = 0;
  low = 0;
  if (scale > 0 || count > 20) return false;
  for (let index = first; index < first + count; index++) {
    const next = low * 10 + (digits[index] as number);
    high = high * 10 + Math.floor(next / TWO_32);
    low = next % TWO_32;
    if (high >= TWO_32) return false;
  }
  const bits = signed ? size * 8 - 1 : size * 8;
  const fits =
    bits >= 32
      ? high < 2 ** (bits - 32) || (negative && high === 2 ** (bits - 32) && low === 0)
      : high === 0 && (low < 2 ** bits || (negative && low === 2 ** bits));
  return fits && (signed || !negative);
}

/** Whether the number fits an integer type. */
export function fitsInteger(size: number, signed: boolean): boolean {
  return halves(size, signed);
}

/** Writes a binary integer; the caller has checked that it fits. */
export function writeInteger(to: Buffer, at: number, size: number, little: boolean): number {
  halves(8, false);
  if (negative) {
    low = (~low + 1) >>> 0;
    high = (~high + (low === 0 ? 1 : 0)) >>> 0;
  }
  for (let index = 0; index < size; index++) {
    const byte = index < 4 ? low / 2 ** (8 * index) : high / 2 ** (8 * (index - 4));
    to[little ? at + index : at + size - 1 - index] = Math.floor(byte) & 0xff;
  }
  return at + size;
}

/**
 * Writes the binary format of Postgres' numeric: groups of four digits, without zero groups before and after; -1 where that takes more
 * than `most` bytes.
 */
export function writeNumeric(to: Buffer, at: number, most: number): number {
  const whole = count - scale;
  const wholeGroups = Math.ceil(whole / 4);
  const lead = wholeGroups * 4 - whole;
  let begin = 0;
  while (begin < count && digits[first + begin] === 0) begin++;
  let end = count;
  while (end > begin && digits[first + end - 1] === 0) end--;
  const firstGroup = begin === end ? 0 : Math.floor((begin + lead) / 4);
  const lastGroup = begin === end ? -1 : Math.floor((end - 1 + lead) / 4);
  if (8 + 2 * (lastGroup - firstGroup + 1) > most) return -1;
  let out = at + 8;
  for (let group = firstGroup; group <= lastGroup; group++) {
    let value = 0;
    for (let index = group * 4 - lead; index < group * 4 - lead + 4; index++) {
      value = value * 10 + (index >= 0 && index < count ? (digits[first + index] as number) : 0);
    }
    to[out++] = value >> 8;
    to[out++] = value & 0xff;
  }
  to.writeInt16BE(lastGroup - firstGroup + 1, at);
  to.writeInt16BE(begin === end ? 0 : wholeGroups - 1 - firstGroup, at + 2);
  to.writeUInt16BE(negative && begin !== end ? 0x4000 : 0, at + 4);
  to.writeInt16BE(scale, at + 6);
  return out;
}
