// The mask `year` for dates and timestamps in every format, and redaction in the shape the session shows dates in.
import { constantMask, type PlannedMask, plannedMask, put } from './mask.ts';
import { type DateType, type Format, REDACTED } from './valuetype.ts';

/** Days from 1970-01-01 to January 1 of a year, in the proleptic Gregorian calendar (as Postgres counts, with a year 0 for 1 BC). */
function daysToYear(year: number): number {
  const before = year - 1;
  return 365 * before + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400) - 719162;
}

/** The year of a day counted from 1970-01-01. */
function yearOfDay(day: number): number {
  let year = Math.floor(day / 365.2425) + 1970;
  while (daysToYear(year) > day) year--;
  while (daysToYear(year + 1) <= day) year++;
  return year;
}

/** Postgres counts from 2000-01-01, and knows no date before 4714-11-24 BC (datetime.h: the day 0 of the Julian calendar). */
const DAYS_TO_2000 = 10957;
const FIRST_DAY = -2451545;

/** The day, counted as Postgres does, of January 1 of the year of a day counted so. */
function firstOfYear(day: number): number {
  return Math.max(daysToYear(yearOfDay(day + DAYS_TO_2000)) - DAYS_TO_2000, FIRST_DAY);
}

/** A day has 86,400,000,000 = 10,546,875 * 2^13 microseconds: both halves stay exact in a double. */
const DAY_UNITS = 10546875;

function postgresBinary(type: DateType): PlannedMask {
  const redacted = type.binary as Buffer;
  if (type.family === 'date') {
    return plannedMask(0, 4, (from, start, end, to, at) => {
      if (end - start !== 4) return put(redacted, to, at);
      const day = from.readInt32BE(start);
      // The extremes stand for infinity (DATEVAL_NOBEGIN, DATEVAL_NOEND), which has no other year.
      const infinite = day === -0x80000000 || day === 0x7fffffff;
      return to.writeInt32BE(infinite ? day : firstOfYear(day), at);
    });
  }
  return plannedMask(0, 8, (from, start, end, to, at) => {
    if (end - start !== 8) return put(redacted, to, at);
    const high = from.readInt32BE(start);
    const low = from.readUInt32BE(start + 4);
    if ((high === 0x7fffffff && low === 0xffffffff) || (high === -0x80000000 && low === 0)) {
      to.writeInt32BE(high, at);
      return to.writeUInt32BE(low, at + 4);
    }
    const day = Math.floor((high * 2 ** 19 + (low >>> 13)) / DAY_UNITS);
    const units = firstOfYear(day) * DAY_UNITS;
    const top = Math.floor(units / 2 ** 19);
    to.writeInt32BE(top, at);
    return to.writeUInt32BE((units - top * 2 ** 19) * 2 ** 13, at + 4);
  });
}

/** MySQL's binary dates: nothing for the zero date, else year, month, day, and the time of day where there is one. */
function mysqlBinary(type: DateType): PlannedMask {
  const redacted = type.binary as Buffer;
  return plannedMask(0, 4, (from, start, end, to, at) => {
    const length = end - start;
    if (length === 0) return at;
    if (length !== 4 && length !== 7 && length !== 11) return put(redacted, to, at);
    to[at] = from[start] as number;
    to[at + 1] = from[start + 1] as number;
    to[at + 2] = 1;
    to[at + 3] = 1;
    return at + 4;
  });
}

const ZERO = 0x30;
const DASH = 0x2d;

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39;
}

function two(bytes: Buffer, at: number): number {
  return isDigit(bytes[at]) && isDigit(bytes[at + 1])
    ? ((bytes[at] as number) - ZERO) * 10 + (bytes[at + 1] as number) - ZERO
    : Number.NaN;
}

const INFINITY = Buffer.from('infinity');
const MINUS_INFINITY = Buffer.from('-infinity');
const BC = Buffer.from(' BC');

function equals(bytes: Buffer, start: number, end: number, word: Buffer): boolean {
  if (end - start !== word.length) return false;
  for (let index = 0; index < word.length; index++) if (bytes[start + index] !== word[index]) return false;
  return true;
}

/** Where the four or more digits of an ISO date's year end, or -1 where no ISO date begins here. */
function yearEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isDigit(bytes[at])) at++;
  const month = two(bytes, at + 1);
  const day = two(bytes, at + 4);
  const shaped = at - start >= 4 && at - start <= 7 && at + 6 <= end && bytes[at] === DASH && bytes[at + 3] === DASH;
  return shaped && month <= 12 && day <= 31 ? at : -1;
}

/**
 * How many seconds the zone at the end of an ISO timestamp is ahead of UTC; NaN where the value ends otherwise.
 * Postgres writes +02, +05:30 or, for times before standard zones, +00:19:32.
 */
function zoneSeconds(bytes: Buffer, timeEnd: number, end: number): number {
  const sign = bytes[timeEnd];
  if (sign !== 0x2b && sign !== DASH) return Number.NaN;
  let seconds = two(bytes, timeEnd + 1) * 3600;
  let at = timeEnd + 3;
  for (let unit = 60; at < end && unit >= 1; unit /= 60) {
    seconds += two(bytes, at + 1) * unit;
    at += 3;
  }
  return at === end ? (sign === DASH ? -seconds : seconds) : Number.NaN;
}

/**
 * `year` in the text format: ISO dates become January 1 of their year, at midnight (of UTC where the type has a zone; the year is
 * then that of the moment in UTC, as in the binary format). Other date styles are redacted: which number is the day cannot be told.
 */
function textMask(type: DateType): PlannedMask {
  const redact = redactDate(type);
  const first = Buffer.from(
    type.family === 'date'
      ? '4714-11-24 BC'
      : type.family === 'timestamp'
        ? '4714-11-24 00:00:00 BC'
        : '4714-11-24 00:00:00+00 BC',
  );
  const tail = Buffer.from(
    type.family === 'date' ? '-01-01' : type.family === 'timestamp' ? '-01-01 00:00:00' : '-01-01 00:00:00+00',
  );
  return plannedMask(0, Math.max(32, redact.offset), (from, start, end, to, at) => {
    if (equals(from, start, end, INFINITY)) return put(INFINITY, to, at);
    if (equals(from, start, end, MINUS_INFINITY)) return put(MINUS_INFINITY, to, at);
    const bc = end - start > 3 && equals(from, end - 3, end, BC);
    const last = bc ? end - 3 : end;
    const dash = yearEnd(from, start, last);
    if (dash < 0) return redact.write(from, start, end, to, at);
    let year = 0;
    for (let index = start; index < dash; index++) year = year * 10 + (from[index] as number) - ZERO;
    if (year === 0 && two(from, dash + 1) === 0) return putZeroDate(type, to, at);
    let era = bc ? 1 - year : year;
    if (type.family === 'timestamptz') era = utcYear(from, dash, last, era);
    // January of the calendar's first year, 4714 BC, is before its first day.
    if (era === -4713) return put(first, to, at);
    if (Number.isNaN(era) || era < -4713) return redact.write(from, start, end, to, at);
    const shown = era > 0 || !bc ? era : 1 - era;
    let out = putYear(shown, to, at);
    out = put(tail, to, out);
    return era <= 0 && bc ? put(BC, to, out) : out;
  });
}

/** The year in UTC of a timestamp whose local date and zone stand in the text. */
function utcYear(bytes: Buffer, dash: number, end: number, year: number): number {
  const month = two(bytes, dash + 1);
  const day = two(bytes, dash + 4);
  const second = two(bytes, dash + 7) * 3600 + two(bytes, dash + 10) * 60 + two(bytes, dash + 13);
  let at = dash + 15;
  if (bytes[at] === 0x2e) {
    at++;
    while (at < end && isDigit(bytes[at])) at++;
  }
  const zone = zoneSeconds(bytes, at, end);
  if (Number.isNaN(zone) || Number.isNaN(second)) return Number.NaN;
  if (month === 1 && day === 1 && second - zone < 0) return year - 1;
  if (month === 12 && day === 31 && second - zone >= 86400) return year + 1;
  return year;
}

function putYear(year: number, to: Buffer, at: number): number {
  let width = 4;
  while (year >= 10 ** width) width++;
  let left = year;
  for (let index = at + width - 1; index >= at; index--) {
    to[index] = (left % 10) + ZERO;
    left = Math.floor(left / 10);
  }
  return at + width;
}

const ZERO_DATE = Buffer.from('0000-00-00');
const ZERO_DATETIME = Buffer.from('0000-00-00 00:00:00');

/** MySQL's zero date has no year to keep. */
function putZeroDate(type: DateType, to: Buffer, at: number): number {
  return put(type.family === 'date' ? ZERO_DATE : ZERO_DATETIME, to, at);
}

/** `year` for a date kind. */
export function yearMask(type: DateType, format: Format): PlannedMask {
  if (format === 'text') return textMask(type);
  return format === 'mysql-binary' ? mysqlBinary(type) : postgresBinary(type);
}

/** `year` for text: a value that begins with an ISO date is cut to its year; other text is redacted. */
export function yearOfTextMask(limit: number | undefined, redacted: Buffer): PlannedMask {
  const tail = Buffer.from('-01-01');
  return plannedMask(0, Math.max(16, redacted.length), (from, start, end, to, at) => {
    const dash = yearEnd(from, start, end);
    const after = from[dash + 6];
    const alone = dash + 6 === end || after === 0x20 || after === 0x54;
    if (dash !== start + 4 || !alone || (limit !== undefined && limit < 10)) return put(redacted, to, at);
    let out = at;
    for (let index = start; index < dash; index++) to[out++] = from[index] as number;
    return put(tail, to, out);
  });
}

const styles = {
  date: ['01/01/1970', '01.01.1970', '01-01-1970', ''],
  timestamp: ['01/01/1970 00:00:00', '01.01.1970 00:00:00', '', 'Thu Jan 01 00:00:00 1970'],
  timestamptz: ['01/01/1970 00:00:00 UTC', '01.01.1970 00:00:00 UTC', '', 'Thu Jan 01 00:00:00 1970 UTC'],
} as const;

/**
 * Redaction in the text format. The session's DateStyle shows in the value: 12/31/1999 (SQL), 31.12.1999 (German), 12-31-1999 and
 * Fri Dec 31 ... (Postgres). A client that asked for a style gets the constant in that style.
 */
export function redactDate(type: DateType): PlannedMask {
  const iso = type.text as Buffer;
  const [sql, german, dashes, words] = styles[type.family].map((text) => (text === '' ? iso : Buffer.from(text))) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const choose = (bytes: Buffer, start: number, end: number): Buffer => {
    if (end - start < 8) return iso;
    const third = bytes[start + 2];
    if (third === 0x2f) return sql;
    if (third === 0x2e) return german;
    if (third === DASH) return dashes;
    return (bytes[start] as number) >= 0x41 && (bytes[start] as number) <= 0x5a ? words : iso;
  };
  const longest = Math.max(iso.length, sql.length, german.length, dashes.length, words.length);
  return plannedMask(
    0,
    longest,
    (from, start, end, to, at) => put(choose(from, start, end), to, at),
    (bytes, start, end) => {
      const constant = choose(bytes, start, end);
      if (constant.length !== end - start) return false;
      put(constant, bytes, start);
      return true;
    },
  );
}

/** Interval's zero in the session's IntervalStyle: `@ 0`, `PT0S`, or 00:00:00. */
export function redactInterval(): PlannedMask {
  const plain = constantMask(Buffer.from('00:00:00'));
  const verbose = Buffer.from('@ 0');
  const iso = Buffer.from('PT0S');
  return plannedMask(0, plain.offset, (from, start, end, to, at) => {
    const first = start < end ? from[start] : 0;
    if (first === 0x40) return put(verbose, to, at);
    return first === 0x50 ? put(iso, to, at) : plain.write(from, start, end, to, at);
  });
}

/** Money's zero: with the dollar sign where the value has one, else bare, which every locale reads. */
export function redactMoney(): PlannedMask {
  const dollars = Buffer.from('$0.00');
  const bare = Buffer.from('0.00');
  return plannedMask(0, dollars.length, (from, start, end, to, at) => {
    const signed = end - start > 1 && from[start] === DASH ? start + 1 : start;
    return put(end > start && from[signed] === 0x24 ? dollars : bare, to, at);
  });
}

/** Redacted bytes in the session's bytea_output: hex after `\x`, else the escape format, in which plain text stands for itself. */
export function redactBytea(hex: Buffer): PlannedMask {
  return plannedMask(0, hex.length, (from, start, end, to, at) => {
    const isHex = end - start >= 2 && from[start] === 0x5c && from[start + 1] === 0x78;
    return put(isHex ? hex : REDACTED, to, at);
  });
}
