// Postgres' built-in types (pg_type.dat) as value types, and the way through domains, arrays, records and ranges to them.
import type { PostgresField } from '../../protocols/gate.ts';
import type { TypeInfo } from '../sql/reader.ts';
import { type PlainType, REDACTED, REDACTED_JSON, textType, unknownType, type ValueType } from './valuetype.ts';

/** What the catalog knows of a type beyond the built-in ones. */
export interface TypeLookup {
  typeInfo(oid: number): TypeInfo | undefined;
}

/** Domains of arrays of records of ... end somewhere; a catalog that says otherwise is not followed further. */
const DEEPEST = 16;

const hex = (digits: string) => Buffer.from(digits, 'hex');
const zeros = (length: number) => Buffer.alloc(length);

function plain(family: PlainType['family'], text: string, binary: Buffer): PlainType {
  return { family, text: Buffer.from(text), binary };
}

function integer(size: 2 | 4 | 8, signed: boolean): ValueType {
  return { family: 'integer', size, signed, text: Buffer.from('0'), binary: zeros(size) };
}

const float = (size: 4 | 8): ValueType => ({ family: 'float', size, text: Buffer.from('0'), binary: zeros(size) });
const registered = plain('plain', '-', zeros(4));
const snapshot = plain('plain', '1:1:', hex('00000000' + '0000000000000001' + '0000000000000001'));

/** 1970-01-01 in microseconds and in days since 2000-01-01, from which Postgres counts. */
const EPOCH_MICROSECONDS = zeros(8);
EPOCH_MICROSECONDS.writeBigInt64BE(-946684800000000n);
const EPOCH_DAYS = zeros(4);
EPOCH_DAYS.writeInt32BE(-10957);

const base = new Map<number, ValueType>([
  [16, plain('plain', 'f', zeros(1))], // bool
  [17, { family: 'bytes', hexText: true, text: Buffer.from('\\x5b72656461637465645d'), binary: REDACTED }],
  [18, { ...textType(1, false), free: false }], // "char"
  [19, textType(63, false)], // name
  [20, integer(8, true)],
  [21, integer(2, true)],
  [23, integer(4, true)],
  [24, registered], // regproc
  [25, textType(undefined, false)],
  [26, integer(4, false)], // oid
  [27, plain('plain', '(0,0)', zeros(6))], // tid
  [28, plain('plain', '0', zeros(4))], // xid
  [29, plain('plain', '0', zeros(4))], // cid
  [114, { family: 'json', text: REDACTED_JSON, binary: REDACTED_JSON }],
  [142, plain('plain', '<redacted/>', Buffer.from('<redacted/>'))], // xml
  [600, plain('plain', '(0,0)', zeros(16))], // point
  [601, plain('plain', '[(0,0),(0,0)]', zeros(32))], // lseg
  [602, plain('plain', '((0,0))', Buffer.concat([hex('0100000001'), zeros(16)]))], // path: closed flag, points
  [603, plain('plain', '(0,0),(0,0)', zeros(32))], // box
  [604, plain('plain', '((0,0))', Buffer.concat([hex('00000001'), zeros(16)]))], // polygon
  // line: Ax + By + C = 0, where A and B may not both be zero.
  [628, plain('plain', '{0,1,0}', Buffer.concat([zeros(8), hex('3ff0000000000000'), zeros(8)]))],
  // cidr and inet: family (2 is IPv4), prefix length, is-cidr, address length, address.
  [650, plain('plain', '0.0.0.0/0', hex('0200010400000000'))],
  [869, plain('plain', '0.0.0.0', hex('0220000400000000'))],
  [700, float(4)],
  [701, float(8)],
  [705, textType(undefined, false)], // unknown
  [718, plain('plain', '<(0,0),0>', zeros(24))], // circle
  [774, plain('plain', '00:00:00:00:00:00:00:00', zeros(8))], // macaddr8
  [790, plain('money', '$0.00', zeros(8))],
  [829, plain('plain', '00:00:00:00:00:00', zeros(6))], // macaddr
  [1042, textType(undefined, true)],
  [1043, textType(undefined, false)],
  [1082, { family: 'date', text: Buffer.from('1970-01-01'), binary: EPOCH_DAYS }],
  [1083, plain('plain', '00:00:00', zeros(8))], // time
  [1114, { family: 'timestamp', text: Buffer.from('1970-01-01 00:00:00'), binary: EPOCH_MICROSECONDS }],
  [1184, { family: 'timestamptz', text: Buffer.from('1970-01-01 00:00:00+00'), binary: EPOCH_MICROSECONDS }],
  [1186, plain('interval', '00:00:00', zeros(16))],
  [1266, plain('plain', '00:00:00+00', zeros(12))], // timetz
  [1560, plain('plain', '0', hex('0000000100'))],
  [1562, plain('plain', '', zeros(4))], // varbit: the empty string of bits
  [1700, { family: 'numeric', precision: undefined, scale: undefined, text: Buffer.from('0'), binary: zeros(8) }],
  [1790, { ...textType(undefined, false), free: false }], // refcursor
  [2202, registered], // regprocedure
  [2203, plain('plain', '0', zeros(4))], // regoper
  [2204, plain('plain', '0', zeros(4))], // regoperator
  [2205, registered], // regclass
  [2206, registered], // regtype
  [2275, textType(undefined, false)], // cstring
  [2278, plain('plain', '', zeros(0))], // void
  [2950, plain('uuid', '00000000-0000-0000-0000-000000000000', zeros(16))],
  [2970, snapshot], // txid_snapshot
  [3220, plain('plain', '0/0', zeros(8))], // pg_lsn
  // tsvector: lexemes, each with a count of positions. tsquery: items; a value has type 1, weight, prefix and its text.
  [3614, plain('plain', "'redacted'", Buffer.concat([hex('00000001'), Buffer.from('redacted\0'), zeros(2)]))],
  [3615, plain('plain', "'redacted'", Buffer.concat([hex('00000001' + '010000'), Buffer.from('redacted\0')]))],
  [3734, registered], // regconfig
  [3769, registered], // regdictionary
  // jsonb and jsonpath: one byte of version, then the text.
  [3802, { family: 'jsonb', text: REDACTED_JSON, binary: Buffer.concat([hex('01'), REDACTED_JSON]) }],
  [4072, plain('plain', '$', Buffer.from('\x01$'))],
  [4089, registered], // regnamespace
  [4096, registered], // regrole
  [4191, registered], // regcollation
  [5038, snapshot], // pg_snapshot
  [5069, plain('plain', '0', zeros(8))], // xid8
]);

/** array type -> element type, for the built-in types (pg_type.typelem). */
const arrays = new Map<number, number>([
  [199, 114],
  [143, 142],
  [629, 628],
  [651, 650],
  [719, 718],
  [775, 774],
  [791, 790],
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1008, 24],
  [1009, 25],
  [1010, 27],
  [1011, 28],
  [1012, 29],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1017, 600],
  [1018, 601],
  [1019, 602],
  [1020, 603],
  [1021, 700],
  [1022, 701],
  [1027, 604],
  [1028, 26],
  [1040, 829],
  [1041, 869],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1263, 2275],
  [1270, 1266],
  [1561, 1560],
  [1563, 1562],
  [2201, 1790],
  [2207, 2202],
  [2208, 2203],
  [2209, 2204],
  [2210, 2205],
  [2211, 2206],
  [2949, 2970],
  [2951, 2950],
  [3221, 3220],
  [3643, 3614],
  [3645, 3615],
  [3735, 3734],
  [3770, 3769],
  [3807, 3802],
  [4073, 4072],
  [4090, 4089],
  [4097, 4096],
  [4192, 4191],
  [5039, 5038],
  [271, 5069],
]);

/** The empty range has one flag set and no bounds (RANGE_EMPTY); the empty multirange has no ranges. */
const range = plain('plain', 'empty', hex('01'));
const multirange = plain('plain', '{}', zeros(4));
for (const oid of [3904, 3906, 3908, 3910, 3912, 3926]) base.set(oid, range);
for (const oid of [4451, 4532, 4533, 4534, 4535, 4536]) base.set(oid, multirange);
for (const [array, of] of [
  [3905, 3904],
  [3907, 3906],
  [3909, 3908],
  [3911, 3910],
  [3913, 3912],
  [3927, 3926],
  [6150, 4451],
  [6151, 4532],
  [6152, 4533],
  [6153, 4534],
  [6155, 4535],
  [6157, 4536],
] as const) {
  arrays.set(array, of);
}

/** Extensions' types that are text in all but name, in both formats. */
const textLike = new Set(['citext']);

/** The value type of a result column. */
export function postgresType(field: PostgresField, types: TypeLookup): ValueType {
  return resolve(field.typeOid, field.typmod, types, 0);
}

function resolve(oid: number, typmod: number, types: TypeLookup, depth: number): ValueType {
  if (depth > DEEPEST) return unknownType;
  const known = base.get(oid);
  if (known !== undefined) return withTypmod(oid, known, typmod);
  const element = arrays.get(oid);
  if (element !== undefined) return arrayOf(element, typmod, types, depth);
  const info = types.typeInfo(oid);
  switch (info?.kind) {
    case 'domain':
      return info.of === undefined ? unknownType : resolve(info.of, typmod, types, depth + 1);
    case 'array':
      return info.of === undefined ? unknownType : arrayOf(info.of, typmod, types, depth);
    case 'range':
      return range;
    case 'multirange':
      return multirange;
    case 'composite':
      return compositeOf(info, types, depth);
    case 'base':
      return textLike.has(info.name) ? textType(undefined, false) : unknownType;
    default:
      return unknownType;
  }
}

/** The facts of `varchar(20)`, `char(3)`, `bit(4)`, `numeric(10,2)`. An array's modifier is that of its elements. */
function withTypmod(oid: number, type: ValueType, typmod: number): ValueType {
  if (oid === 1560) return typmod > 0 ? bitType(typmod) : type;
  // The modifiers of the others hold VARHDRSZ, 4, besides (varchar.c, numeric.c).
  if (typmod < 4) return type;
  if (oid === 1042 || oid === 1043) return textType(typmod - 4, oid === 1042);
  if (type.family === 'numeric') {
    const precision = ((typmod - 4) >> 16) & 0xffff;
    // Eleven bits, signed, since PostgreSQL 15: numeric(3,-2) has a scale below zero.
    const scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    const shown = Math.max(scale, 0);
    const binary = zeros(8);
    binary.writeInt16BE(shown, 6);
    return { ...type, precision, scale, text: Buffer.from(shown === 0 ? '0' : `0.${'0'.repeat(shown)}`), binary };
  }
  return type;
}

function bitType(bits: number): ValueType {
  const binary = zeros(4 + Math.ceil(bits / 8));
  binary.writeInt32BE(bits);
  return { family: 'plain', text: Buffer.from('0'.repeat(bits)), binary };
}

function arrayOf(elementOid: number, typmod: number, types: TypeLookup, depth: number): ValueType {
  const element = resolve(elementOid, typmod, types, depth + 1);
  const binary = zeros(12);
  binary.writeUInt32BE(elementOid, 8);
  const delimiter = (elementOid === 603 ? ';' : ',').charCodeAt(0);
  return { family: 'array', element, elementOid, delimiter, text: Buffer.from('{}'), binary };
}

function compositeOf(info: TypeInfo, types: TypeLookup, depth: number): ValueType {
  if (info.fields === undefined) return unknownType;
  const fields = info.fields.map(({ type }) => ({ oid: type, type: resolve(type, -1, types, depth + 1) }));
  const texts = fields.map(({ type }) => (type.text === undefined ? '' : quoteField(type.text)));
  const header = zeros(4);
  header.writeInt32BE(fields.length);
  const parts = fields.map(({ oid, type }) => {
    const head = zeros(8);
    head.writeUInt32BE(oid);
    head.writeInt32BE(type.binary?.length ?? -1, 4);
    return type.binary === undefined ? head : Buffer.concat([head, type.binary]);
  });
  return {
    family: 'composite',
    fields,
    text: Buffer.from(`(${texts.join(',')})`),
    binary: Buffer.concat([header, ...parts]),
  };
}

function quoteField(text: Buffer): string {
  return `"${text.toString().replace(/["\\]/g, '$&$&')}"`;
}
