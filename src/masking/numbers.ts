// The masks of numbers: round, keep-last, keep-first and hash, for integers, exact numerics and floats in every format.
import * as decimal from './decimal.ts';
import type { KeyedHash } from './hmac.ts';
import { constantMask, type PlannedMask, plannedMask, put } from './mask.ts';
import { constantOf, type FloatType, type Format, type IntegerType, type NumericType } from './valuetype.ts';

type Exact = IntegerType | NumericType;

/** Reads one value of an exact type into the decimal scratch. */
type Read = (bytes: Buffer, start: number, end: number) => boolean;
/** Writes the decimal scratch, or -1 where it does not fit the type or takes more than `most` bytes. */
type Put = (to: Buffer, at: number, most: number) => number;

const MISFIT = -1;
/** No number worked on has a longer text (see MOST_DIGITS of decimal.ts). */
const MOST_BYTES = 4300;

/** The most bytes of a value of the type, or undefined where the type sets no limit. */
function widest(type: Exact, format: Format): number | undefined {
  if (type.family === 'integer') return format === 'text' ? 21 : type.size;
  if (type.precision === undefined || type.scale === undefined) return undefined;
  const digits = type.precision + Math.abs(type.scale);
  return format === 'postgres-binary' ? 16 + digits : digits + 4;
}

function reader(type: Exact, format: Format): Read {
  if (format === 'text' || (type.family === 'numeric' && format === 'mysql-binary')) return decimal.readText;
  if (type.family === 'numeric') return decimal.readNumeric;
  const { size, signed } = type;
  const little = format === 'mysql-binary';
  return (bytes, start, end) => {
    if (end - start !== size) return false;
    decimal.readInteger(bytes, start, size, little, signed);
    return true;
  };
}

function writer(type: Exact, format: Format): Put {
  if (type.family === 'integer') {
    const { size, signed } = type;
    const little = format === 'mysql-binary';
    return (to, at) => {
      decimal.normalise();
      if (!decimal.fitsInteger(size, signed)) return MISFIT;
      return format === 'text' ? decimal.writeText(to, at) : decimal.writeInteger(to, at, size, little);
    };
  }
  const binary = format === 'postgres-binary';
  const { scale, precision } = type;
  return (to, at, most) => {
    if (scale !== undefined && precision !== undefined) {
      if (decimal.wholeDigits() > precision - scale) return MISFIT;
      decimal.setScale(Math.max(scale, 0));
    } else {
      decimal.normalise();
    }
    return binary ? decimal.writeNumeric(to, at, most) : decimal.writeText(to, at);
  };
}

/**
 * A mask that reads an exact number, changes it and writes it back; what cannot be read or written is redacted. `more` is how many
 * digits the change can add.
 */
function exactMask(
  type: Exact,
  format: Format,
  more: number,
  change: () => boolean,
  again: () => boolean,
): PlannedMask {
  const zero = constantOf(type, format) as Buffer;
  const read = reader(type, format);
  const write = writer(type, format);
  const limit = widest(type, format);
  const slope = limit === undefined ? 1 : 0;
  const offset = Math.max(limit ?? more + 12, zero.length);
  return plannedMask(slope, offset, (from, start, end, to, at) => {
    const most = slope * (end - start) + offset;
    if (!read(from, start, end) || !change()) return put(zero, to, at);
    let out = write(to, at, most);
    // A value near the end of its type's range may be rounded out of it: then toward zero.
    if (out === MISFIT && read(from, start, end) && again()) out = write(to, at, most);
    return out === MISFIT ? put(zero, to, at) : out;
  });
}

/** `step` as a whole number over a power of ten, or undefined where it is no such thing or too large to count with. */
function fraction(to: number): { step: number; places: number } | undefined {
  if (!(to > 0) || !Number.isFinite(to)) return undefined;
  for (let places = 0; places <= 12; places++) {
    const step = Math.round(to * 10 ** places);
    if (step > 9e14) return undefined;
    if (Math.abs(step / 10 ** places - to) <= to * 1e-15) return { step, places };
  }
  return undefined;
}

const giveUp = () => false;

/** `round`: the nearest multiple. Halves go away from zero. */
export function roundMask(to: number, type: Exact | FloatType, format: Format): PlannedMask {
  const parts = fraction(to);
  const redacted = constantMask(constantOf(type, format));
  if (parts === undefined) return redacted;
  const { step, places } = parts;
  if (type.family === 'float') return roundFloat(step, places, type, format);
  const finest = type.family === 'integer' ? 0 : type.scale;
  if (finest !== undefined && places > Math.max(finest, 0)) return redacted;
  return exactMask(
    type,
    format,
    16 + places,
    () => decimal.roundTo(step, places, false),
    () => decimal.roundTo(step, places, true),
  );
}

function roundFloat(step: number, places: number, type: FloatType, format: Format): PlannedMask {
  const zero = constantOf(type, format) as Buffer;
  const single = type.size === 4;
  const unit = 10 ** places;
  const nearest = (value: number): number => {
    if (!Number.isFinite(value)) return value;
    const multiples = Math.round((Math.abs(value) * unit) / step);
    const rounded = (multiples * step) / unit;
    const size = single ? Math.fround(rounded) : rounded;
    // Beyond the type's range, and where the step is finer than the value's own precision: zero.
    if (!Number.isFinite(size) || multiples > Number.MAX_SAFE_INTEGER) return 0;
    return value < 0 && rounded > 0 ? -rounded : rounded;
  };
  if (format === 'text') {
    return plannedMask(0, 32, (from, start, end, to, at) => {
      if (end - start > 400) return put(zero, to, at);
      const text = from.toString('latin1', start, end);
      const value = /^[+-]?[0-9.]+(e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : infinite(text);
      if (value === undefined) return put(zero, to, at);
      const out = Number.isFinite(value) ? String(nearest(value)) : text;
      return at + to.write(out, at, 'latin1');
    });
  }
  const size = type.size;
  const little = format === 'mysql-binary';
  return plannedMask(0, size, (from, start, end, to, at) => {
    if (end - start !== size) return put(zero, to, at);
    const value = single
      ? little
        ? from.readFloatLE(start)
        : from.readFloatBE(start)
      : little
        ? from.readDoubleLE(start)
        : from.readDoubleBE(start);
    const rounded = nearest(value);
    if (single) return little ? to.writeFloatLE(rounded, at) : to.writeFloatBE(rounded, at);
    return little ? to.writeDoubleLE(rounded, at) : to.writeDoubleBE(rounded, at);
  });
}

/** The names Postgres has for values that are no finite number; they stay, being no number that could be rounded. */
function infinite(text: string): number | undefined {
  return text === 'Infinity' || text === '-Infinity' || text === 'NaN' ? Number(text) : undefined;
}

/** `keep-last` and `keep-first` on whole numbers: the other digits become zeros. Numbers with a fraction are redacted. */
export function keepDigitsMask(kept: number, last: boolean, type: Exact, format: Format): PlannedMask {
  const change = () => {
    decimal.keepDigits(kept, last);
    return true;
  };
  return exactMask(type, format, 16, change, giveUp);
}

const canonical = Buffer.alloc(MOST_BYTES);

/**
 * `hash` on numbers: a whole number from the keyed hash of the value's shortest decimal text, at most 2^53 - 1 so that every client
 * can hold it exactly, and within the type. Equal numbers of any exact type of enough room have equal hashes.
 */
export function hashNumberMask(hash: KeyedHash, type: Exact, format: Format): PlannedMask {
  const most = largest(type);
  if (most < 1) return constantMask(constantOf(type, format));
  const change = () => {
    decimal.normalise();
    hash.update(canonical, 0, decimal.writeText(canonical, 0));
    decimal.setWhole(hash.whole(most));
    return true;
  };
  return exactMask(type, format, 16, change, giveUp);
}

/** The largest hash of the type. */
function largest(type: Exact): number {
  if (type.family === 'integer')
    return type.size === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (type.size * 8 - (type.signed ? 1 : 0)) - 1;
  if (type.precision === undefined || type.scale === undefined) return Number.MAX_SAFE_INTEGER;
  // numeric(3,-2) holds multiples of a hundred only.
  if (type.scale < 0) return 0;
  return Math.min(10 ** Math.min(type.precision - type.scale, 16) - 1, Number.MAX_SAFE_INTEGER);
}

const eight = Buffer.alloc(8);

/** `hash` on floats: a whole number of as many bits as the type holds exactly, from the eight bytes of the value as a double. */
export function hashFloatMask(hash: KeyedHash, type: FloatType, format: Format): PlannedMask {
  const zero = constantOf(type, format) as Buffer;
  const most = type.size === 4 ? 2 ** 24 - 1 : Number.MAX_SAFE_INTEGER;
  const size = type.size;
  const little = format === 'mysql-binary';
  const single = size === 4;
  return plannedMask(0, 24, (from, start, end, to, at) => {
    let value: number;
    if (format === 'text') {
      if (end - start > 400) return put(zero, to, at);
      value = Number(from.toString('latin1', start, end));
      // What is no finite number has one hash, that of NaN.
      if (single) value = Math.fround(value);
    } else {
      if (end - start !== size) return put(zero, to, at);
      if (single) value = little ? from.readFloatLE(start) : from.readFloatBE(start);
      else value = little ? from.readDoubleLE(start) : from.readDoubleBE(start);
    }
    eight.writeDoubleBE(Number.isFinite(value) ? value + 0 : Number.NaN, 0);
    hash.update(eight, 0, 8);
    const whole = hash.whole(most);
    if (format === 'text') {
      decimal.setWhole(whole);
      return decimal.writeText(to, at);
    }
    if (single) return little ? to.writeFloatLE(whole, at) : to.writeFloatBE(whole, at);
    return little ? to.writeDoubleLE(whole, at) : to.writeDoubleBE(whole, at);
  });
}
