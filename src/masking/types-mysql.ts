// MySQL's and MariaDB's column types (the type byte, flags and character set of a column definition) as value types.
import type { MysqlField } from '../../protocols/gate.ts';
import {
  type Encoding,
  type PlainType,
  REDACTED,
  REDACTED_JSON,
  textType,
  unknownType,
  type ValueType,
} from './valuetype.ts';

const UNSIGNED = 32;
const ENUM = 256;
const SET = 2048;
/** The character set `binary`: the value is bytes, not text. */
const BINARY = 63;

function plain(family: PlainType['family'], text: Buffer | undefined, binary: Buffer | undefined): PlainType {
  return { family, text, binary };
}

function integer(size: 1 | 2 | 4 | 8, flags: number): ValueType {
  const signed = (flags & UNSIGNED) === 0;
  return { family: 'integer', size, signed, text: Buffer.from('0'), binary: Buffer.alloc(size) };
}

const float = (size: 4 | 8): ValueType => ({
  family: 'float',
  size,
  text: Buffer.from('0'),
  binary: Buffer.alloc(size),
});

/** Binary dates: year (2 bytes, little-endian), month, day; the time of day is left out where it is midnight. */
const EPOCH = Buffer.from([0xb2, 0x07, 1, 1]);
const date: ValueType = { family: 'date', text: Buffer.from('1970-01-01'), binary: EPOCH };
const datetime: ValueType = { family: 'timestamp', text: Buffer.from('1970-01-01 00:00:00'), binary: EPOCH };
/** A binary TIME of zero has no bytes at all. */
const time = plain('plain', Buffer.from('00:00:00'), Buffer.alloc(0));
const year = plain('year', Buffer.from('1970'), Buffer.from([0xb2, 0x07]));
const bytes: ValueType = { family: 'bytes', hexText: false, text: REDACTED, binary: REDACTED };
const json = plain('json', REDACTED_JSON, REDACTED_JSON);
/** A SET without members. */
const set = plain('plain', Buffer.alloc(0), Buffer.alloc(0));
/** POINT(0 0): reference system 0, then well-known binary in little-endian. */
const POINT = Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 1, 0, 0, 0]), Buffer.alloc(16)]);
const geometry = plain('plain', POINT, POINT);

/** The value type of a result column. */
export function mysqlType(field: MysqlField): ValueType {
  switch (field.type) {
    case 1:
      return integer(1, field.flags);
    case 2:
      return integer(2, field.flags);
    case 3:
    case 9: // MEDIUMINT stands in four bytes.
      return integer(4, field.flags);
    case 8:
      return integer(8, field.flags);
    case 0:
    case 246:
      return decimal(field);
    case 4:
      return float(4);
    case 5:
      return float(8);
    case 7:
    case 12:
    case 17: // TIMESTAMP2 and DATETIME2 are the storage's types; servers do not send them, but some forks have.
    case 18:
      return datetime;
    case 10:
    case 14:
      return date;
    case 11:
    case 19:
      return time;
    case 13:
      return year;
    case 16:
      return bits(field.length);
    case 245:
      return json;
    case 247:
      return unknownType;
    case 248:
      return set;
    case 255:
      return geometry;
    case 15:
    case 249:
    case 250:
    case 251:
    case 252:
    case 253:
    case 254:
      return stringType(field);
    default:
      return unknownType;
  }
}

function stringType(field: MysqlField): ValueType {
  // The labels of an ENUM are not sent: none of them can honestly stand for "hidden".
  if ((field.flags & ENUM) !== 0) return unknownType;
  if ((field.flags & SET) !== 0) return set;
  if (field.charset === BINARY) return bytes;
  const charset = padded(field.charset);
  const encoding = encodingOf(charset);
  // UTF-16, UTF-32, UCS-2 and what is not known: no constant of ours is sure to be text in it.
  if (encoding === undefined) return unknownType;
  const width = encoding === 'single-byte' ? 1 : utf8mb3(charset) ? 3 : 4;
  // The length of a column is in bytes; long texts have one that no mask reaches.
  const characters = Math.floor(field.length / width);
  const limit = encoding === 'other' || field.length === 0 || characters >= LONG ? undefined : characters;
  return textType(limit, false, encoding);
}

/** DECIMAL's length counts the sign (unless unsigned) and the point (where it has a fraction). */
function decimal(field: MysqlField): ValueType {
  const sign = (field.flags & UNSIGNED) === 0 ? 1 : 0;
  const point = field.decimals > 0 ? 1 : 0;
  const precision = field.length - sign - point;
  const zero = Buffer.from('0');
  const known = field.decimals <= 38 && precision > 0 && precision <= 65;
  return {
    family: 'numeric',
    precision: known ? precision : undefined,
    scale: known ? field.decimals : undefined,
    text: zero,
    binary: zero,
  };
}

function bits(length: number): ValueType {
  const zero = Buffer.alloc(Math.max(1, Math.min(8, Math.ceil(length / 8))));
  return plain('plain', zero, zero);
}

/** TEXT kinds from 64 KB on (MariaDB's JSON among them) count as having no limit. */
const LONG = 16383;

const ranges = (list: readonly (readonly [number, number])[]) => (id: number) =>
  list.some(([from, to]) => id >= from && id <= to);

// Collation ids as in information_schema.COLLATIONS of MySQL 8.4 and MariaDB 10.11.
const utf8mb3 = ranges([
  [33, 33],
  [76, 76],
  [83, 83],
  [192, 223],
  [576, 578],
  [2048, 2303],
]);
const utf8mb4 = ranges([
  [45, 46],
  [224, 247],
  [255, 323],
  [608, 610],
  [2304, 2559],
]);
/** latin1..latin7, ascii, cp850..cp1257, koi8, greek, hebrew, geostd8, armscii8, macroman and so on: one byte a character. */
const singleByte = ranges([
  [2, 11],
  [14, 16],
  [18, 18],
  [20, 23],
  [25, 27],
  [29, 32],
  [34, 34],
  [36, 44],
  [47, 53],
  [57, 59],
  [64, 75],
  [77, 80],
  [81, 82],
  [89, 89],
  [92, 94],
  [99, 99],
]);
/** big5, ujis, sjis, gb2312, gbk, euckr, cp932, eucjpms, gb18030: ASCII stays ASCII, the rest is several bytes. */
const multiByte = ranges([
  [1, 1],
  [12, 13],
  [19, 19],
  [24, 24],
  [28, 28],
  [84, 88],
  [91, 91],
  [95, 98],
  [248, 250],
]);

function encodingOf(charset: number): Encoding | undefined {
  if (utf8mb3(charset) || utf8mb4(charset)) return 'utf8';
  if (multiByte(charset)) return 'other';
  if (singleByte(charset)) return 'single-byte';
  return undefined;
}

/** MariaDB's NOPAD collations are their padding twins plus 1024. */
function padded(charset: number): number {
  return charset >= 1024 && charset < 2048 ? charset - 1024 : charset;
}
