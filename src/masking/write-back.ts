// Write-back: tells whether a value about to be written to a masked column is what its mask puts out, so that the gateway can refuse
// to store a placeholder, a hash or a part of a value where the value itself stood. Not on the path of rows: it may use strings.
import type { Dialect, Field } from '../../protocols/gate.ts';
import { isFake } from './fake.ts';
import { parsePath, type Step } from './json-path.ts';
import type { MaskKey } from './key.ts';
import { copyRun, plannedMask } from './mask.ts';
import { containerMask, formatOf, plan, typeOf } from './plan.ts';
import type { MaskSpec } from './spec.ts';
import type { TypeLookup } from './types-postgres.ts';
import { isChecked } from './values.ts';
import { type ArrayType, type CompositeType, type Format, REDACTED, textType, type ValueType } from './valuetype.ts';

/** A value as a statement brings it: a literal or parameter for a column. */
export interface WrittenValue {
  readonly dialect: Dialect;
  /** Type oid (Postgres) or type byte (MySQL): the parameter's own where it is binary, else the column's. */
  readonly type: number;
  /** True for a parameter in the binary format. */
  readonly binary: boolean;
  /** Postgres: the column's type modifier, where known. */
  readonly typmod?: number;
}

/**
 * Whether `value` is, as far as can be told, an output of the column's mask. Where a true value may look the same (a zero in a
 * redacted number, January 1 under `year`, a multiple under `round`) the answer is yes. Hashed numbers cannot be told and are not.
 */
export function looksMasked(
  spec: MaskSpec,
  written: WrittenValue,
  types: TypeLookup,
  key: MaskKey,
  value: Buffer | string,
): boolean {
  const field = fieldOf(written, value);
  const type = typeOf(field, types);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return matches(spec, type, formatOf(field), key, bytes);
}

function fieldOf(written: WrittenValue, value: Buffer | string): Field {
  const binary = written.binary && typeof value !== 'string';
  const common = { name: '', binary };
  return written.dialect === 'postgres'
    ? { ...common, dialect: 'postgres', tableOid: 0, attnum: 0, typeOid: written.type, typmod: written.typmod ?? -1 }
    : {
        ...common,
        dialect: 'mysql',
        schema: '',
        table: '',
        orgTable: '',
        orgName: '',
        type: written.type,
        // Literals and parameters of text are UTF-8 to us; the widest column there is.
        charset: 255,
        length: 0,
        flags: 0,
        decimals: 39,
      };
}

function matches(spec: MaskSpec, type: ValueType, format: Format, key: MaskKey, value: Buffer): boolean {
  if (value.includes(REDACTED)) return true;
  if (spec.kind === 'paths') return documentMatches(spec, type, format, key, value);
  const text = format === 'text' || type.family === 'text' ? value.toString().trim() : undefined;
  switch (type.family) {
    case 'text':
      return textMatches(spec, key, text ?? '', type.limit) || isFixed(spec, type, format, key, value);
    case 'integer':
    case 'numeric':
    case 'float':
      return numberMatches(spec, type, format, key, value);
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return text === undefined ? isFixed(spec, type, format, key, trimTime(value, format)) : dateMatches(spec, text);
    case 'uuid':
    case 'bytes':
      if (spec.kind === 'hash') return isChecked(key.hash, rawBytes(value, text));
      return isFixed(spec, type, format, key, value);
    case 'json':
    case 'jsonb':
      if (spec.kind === 'hash') return hashedDocument(spec, key, jsonOf(value, type, format));
      return isFixed(spec, type, format, key, value);
    case 'array':
    case 'composite':
      return anyPart(spec, type, format, key, value);
    default:
      return isFixed(spec, type, format, key, text === undefined ? value : Buffer.from(usual(type, text)));
  }
}

/** Masks leave their own output as it is: what a mask does not change is its output, or cannot be told from it. */
function isFixed(spec: MaskSpec, type: ValueType, format: Format, key: MaskKey, value: Buffer): boolean {
  if (value.length === 0) return type.family !== 'text' && type.text?.length === 0;
  const mask = plan(spec, type, format, key);
  const to = Buffer.alloc(mask.bound(value.length));
  const end = mask.write(value, 0, value.length, to, 0);
  return end >= 0 && to.subarray(0, end).equals(value);
}

/** Looks at each part of a container: the container's own mask takes it apart, with a mask for the parts that only looks at them. */
function anyPart(
  spec: MaskSpec,
  type: ArrayType | CompositeType,
  format: Format,
  key: MaskKey,
  value: Buffer,
): boolean {
  let found = false;
  const mask = containerMask(type, format, (part) =>
    plannedMask(1, 0, (from, start, end, to, at) => {
      found ||= matches(spec, part, format, key, Buffer.from(from.subarray(start, end)));
      return copyRun(from, start, end, to, at);
    }),
  );
  mask.write(value, 0, value.length, Buffer.alloc(mask.bound(value.length)), 0);
  return found;
}

function textMatches(spec: MaskSpec, key: MaskKey, text: string, limit: number | undefined): boolean {
  const characters = [...text];
  const stars = /^\**/.exec(text)?.[0].length ?? 0;
  if (characters.length > 0 && stars === characters.length) return true;
  switch (spec.kind) {
    case 'keep-last':
      return stars > 0 && characters.length - stars <= spec.count;
    case 'keep-first':
      return /\*+$/.test(text) && characters.length - (/\*+$/.exec(text)?.[0].length ?? 0) <= spec.count;
    case 'email':
      return /^.?\*\*\*@/u.test(text);
    case 'hash':
      if (limit !== undefined && limit < 32) return new RegExp(`^[0-9a-f]{${limit}}$`).test(text);
      return /^[0-9a-f]{32}$/.test(text) && isChecked(key.hash, Buffer.from(text, 'hex'));
    case 'fake':
      return isFake(spec.of, text);
    case 'year':
      return /^\d{4}-01-01$/.test(text);
    default:
      return false;
  }
}

function numberMatches(spec: MaskSpec, type: ValueType, format: Format, key: MaskKey, value: Buffer): boolean {
  // Hashes of numbers are numbers like others.
  if (spec.kind === 'hash') return false;
  if (format !== 'text') return isFixed(spec, type, format, key, value) || isKeptNumber(spec, type, format, key, value);
  const text = value.toString().trim();
  const number = Number(text);
  if (text === '' || Number.isNaN(number)) return false;
  const isRound = spec.kind === 'round';
  if (!isRound && spec.kind !== 'keep-last' && spec.kind !== 'keep-first') return number === 0;
  if (isRound) {
    const multiples = number / spec.to;
    return (
      Number.isFinite(multiples) &&
      Math.abs(multiples - Math.round(multiples)) < 1e-9 * Math.max(1, Math.abs(multiples))
    );
  }
  const digits = text.replace(/^[+-]?0*/, '').replace(/\.0*$/, '');
  if (digits === '') return true;
  return spec.kind === 'keep-last'
    ? digits.length <= spec.count
    : digits.length > spec.count && /^0+$/.test(digits.slice(spec.count));
}

/** Binary integers under keep-last: a number of no more digits than the mask keeps. */
function isKeptNumber(spec: MaskSpec, type: ValueType, format: Format, key: MaskKey, value: Buffer): boolean {
  if (spec.kind !== 'keep-last') return false;
  // Such a number is redacted to zero by the mask itself; any other number is not.
  const mask = plan(spec, type, format, key);
  const to = Buffer.alloc(mask.bound(value.length));
  const end = mask.write(value, 0, value.length, to, 0);
  const constant = type.binary;
  return end >= 0 && constant !== undefined && to.subarray(0, end).equals(constant);
}

/** Drivers write dates back in forms of their own: `1970-01-01T00:00:00.000+02:00`. The date is read by its own clock and by UTC's. */
function dateMatches(spec: MaskSpec, text: string): boolean {
  const parts =
    /^(\d{4,7})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?( BC)?$/i.exec(
      text,
    );
  if (parts === null) return false;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '0', zone] = parts;
  const anyYear = spec.kind === 'year';
  const midnight = Number(hour) === 0 && Number(minute) === 0 && Number(second) === 0 && Number(fraction) === 0;
  if (midnight && month === '01' && day === '01' && (anyYear || year === '1970')) return true;
  if (zone === undefined) return false;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : 'Z';
  const moment = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  if (Number.isNaN(moment.getTime()) || Number(fraction) !== 0) return false;
  return anyYear ? /^\d{4}-01-01T00:00:00/.test(moment.toISOString()) : moment.getTime() === 0;
}

/** MySQL's binary dates with a time of midnight, in the form without it. */
function trimTime(value: Buffer, format: Format): Buffer {
  return format === 'mysql-binary' && value.length > 4 && value.subarray(4).every((byte) => byte === 0)
    ? value.subarray(0, 4)
    : value;
}

/** The bytes of a uuid or byte string from its text. */
function rawBytes(value: Buffer, text: string | undefined): Buffer {
  if (text === undefined) return value;
  return /^(\\x|0x)?[0-9a-f-]+$/i.test(text) ? Buffer.from(text.replace(/^\\x|^0x|-/gi, ''), 'hex') : value;
}

/** The words people and drivers write for a value in the server's own. */
function usual(type: ValueType, text: string): string {
  if (type.text?.toString() === 'f' && /^(f|fa|fal|fals|false|n|no|of|off|0)$/i.test(text)) return 'f';
  return text;
}

function jsonOf(value: Buffer, type: ValueType, format: Format): unknown {
  const text = value.toString('utf8', type.family === 'jsonb' && format !== 'text' ? 1 : 0);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const jsonText = textType(undefined, false);
const jsonNumber: ValueType = {
  family: 'numeric',
  precision: undefined,
  scale: undefined,
  text: Buffer.from('0'),
  binary: undefined,
};

function hashedDocument(spec: MaskSpec, key: MaskKey, document: unknown): boolean {
  return typeof document === 'string' && textMatches(spec, key, document, undefined);
}

/** A value at one of the masked paths of a document. */
function jsonMatches(spec: MaskSpec, key: MaskKey, found: unknown): boolean {
  if (Array.isArray(found)) return found.some((element) => jsonMatches(spec, key, element));
  if (typeof found === 'string') return matches(spec, jsonText, 'text', key, Buffer.from(found));
  if (typeof found === 'number') return matches(spec, jsonNumber, 'text', key, Buffer.from(String(found)));
  return found === false;
}

function documentMatches(
  spec: Extract<MaskSpec, { kind: 'paths' }>,
  type: ValueType,
  format: Format,
  key: MaskKey,
  value: Buffer,
): boolean {
  const document = jsonOf(value, type, format);
  if (document === undefined) return false;
  return spec.paths.some((path) => {
    const steps = parsePath(path);
    return (
      steps?.length !== undefined && valuesAt(document, steps).some((found) => jsonMatches(spec.inner, key, found))
    );
  });
}

/** What stands at a path, as the mask looks for it: members also through arrays. */
function valuesAt(document: unknown, steps: readonly Step[]): unknown[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [document];
  if (typeof document !== 'object' || document === null) return [];
  const children: [string | number, unknown][] = Array.isArray(document)
    ? document.map((child, index) => [index, child])
    : Object.entries(document);
  if (step.kind === 'descend') {
    return [...valuesAt(document, rest), ...children.flatMap(([, child]) => valuesAt(child, steps))];
  }
  return children.flatMap(([at, child]) => {
    if (step.kind === 'any') return valuesAt(child, rest);
    if (step.kind === 'element') return at === step.index ? valuesAt(child, rest) : [];
    if (typeof at === 'number') return valuesAt(child, steps);
    return step.name.toString() === at ? valuesAt(child, rest) : [];
  });
}
