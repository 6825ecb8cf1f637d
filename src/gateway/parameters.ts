// Parameters of a held statement in words, for the person who decides, and as values, for the target's EXPLAIN.
import { createHash } from 'node:crypto';
import type { BoundParameters, Dialect } from '../../protocols/gate.ts';

/** One parameter, copied from the wire. Undefined: NULL. */
export interface KeptParameter {
  readonly type: number;
  readonly binary: boolean;
  readonly value: Buffer | undefined;
}

/** Copies parameters, whose bytes are only good during the call that passes them. */
export function keepParameters(parameters: BoundParameters | undefined): readonly KeptParameter[] {
  const kept: KeptParameter[] = [];
  for (let index = 0; index < (parameters?.count ?? 0); index++) {
    const value = parameters?.value(index);
    kept.push({
      type: parameters?.type(index) ?? 0,
      binary: parameters?.binary(index) === true,
      value: value === undefined ? undefined : Buffer.from(value),
    });
  }
  return kept;
}

/** A copy of parameters, for after the call that passed them. */
export function copyOf(parameters: BoundParameters): BoundParameters {
  const indexes = Array.from({ length: parameters.count }, (_value, index) => index);
  const values = indexes.map((index) => {
    const value = parameters.value(index);
    return value === undefined ? undefined : Buffer.from(value);
  });
  const types = indexes.map((index) => parameters.type(index));
  const binary = indexes.map((index) => parameters.binary(index));
  return {
    count: parameters.count,
    type: (index) => types[index] ?? 0,
    binary: (index) => binary[index] ?? false,
    value: (index) => values[index],
  };
}

const mostShown = 1000;

/** As a person reads it. What is too long to be shown whole is named by its length and its hash, so that two can be told apart. */
export function parameterText({ type, binary, value }: KeptParameter, dialect: Dialect): string | null {
  if (value === undefined) return null;
  const text = binary
    ? ((dialect === 'postgres' ? postgresText(type, value) : mysqlText(type, value)) ?? `\\x${value.toString('hex')}`)
    : value.toString('utf8');
  if (text.length <= mostShown) return text;
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 16);
  return `${text.slice(0, mostShown)} … (${value.length} bytes, sha256 ${digest}…)`;
}

// Type oids of pg_type.dat, formats of the types' *send functions.
function postgresText(type: number, value: Buffer): string | undefined {
  switch (type) {
    case 16:
      return value.length === 1 ? String(value[0] === 1) : undefined;
    case 20:
      return value.length === 8 ? value.readBigInt64BE().toString() : undefined;
    case 21:
      return value.length === 2 ? value.readInt16BE().toString() : undefined;
    case 23:
      return value.length === 4 ? value.readInt32BE().toString() : undefined;
    case 26:
      return value.length === 4 ? value.readUInt32BE().toString() : undefined;
    case 700:
      return value.length === 4 ? value.readFloatBE().toString() : undefined;
    case 701:
      return value.length === 8 ? value.readDoubleBE().toString() : undefined;
    case 18:
    case 19:
    case 25:
    case 114:
    case 1042:
    case 1043:
      return value.toString('utf8');
    case 3802:
      return value[0] === 1 ? value.toString('utf8', 1) : undefined;
    case 2950:
      return value.length === 16
        ? value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
        : undefined;
    case 1082:
      return value.length === 4 ? isoDay(value.readInt32BE()) : undefined;
    case 1114:
    case 1184:
      return value.length === 8 ? isoMoment(value.readBigInt64BE()) : undefined;
    default:
      return undefined;
  }
}

// Dates count from 2000-01-01; infinity stands at the ends of the integer.
const epoch2000 = Date.UTC(2000, 0, 1);

function isoDay(days: number): string | undefined {
  const date = new Date(epoch2000 + days * 86_400_000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().slice(0, 10);
}

function isoMoment(microseconds: bigint): string | undefined {
  const date = new Date(epoch2000 + Number(microseconds / 1000n));
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

// Type bytes and values of the binary protocol (COM_STMT_EXECUTE), little-endian; whether unsigned is not known here.
function mysqlText(type: number, value: Buffer): string | undefined {
  switch (type & 0xff) {
    case 1:
      return value.length === 1 ? value.readInt8().toString() : undefined;
    case 2:
    case 13:
      return value.length === 2 ? value.readInt16LE().toString() : undefined;
    case 3:
    case 9:
      return value.length === 4 ? value.readInt32LE().toString() : undefined;
    case 8:
      return value.length === 8 ? value.readBigInt64LE().toString() : undefined;
    case 4:
      return value.length === 4 ? value.readFloatLE().toString() : undefined;
    case 5:
      return value.length === 8 ? value.readDoubleLE().toString() : undefined;
    case 0:
    case 15:
    case 245:
    case 246:
    case 253:
    case 254:
      return value.toString('utf8');
    default:
      return undefined;
  }
}
