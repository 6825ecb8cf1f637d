// Plans a mask for a column: from its type, its format and what the configuration asks for, the one mask that does it. Where the two
// do not fit, the mask is the stronger one: the type's constant, or NULL where it has none.
import type { Field } from '../../protocols/gate.ts';
import { binaryArrayMask, binaryCompositeMask, textArrayMask, textCompositeMask } from './containers.ts';
import { redactBytea, redactDate, redactInterval, redactMoney, yearMask, yearOfTextMask } from './dates.ts';
import { fakeMask } from './fake.ts';
import { pathsMask } from './json.ts';
import { parsePath } from './json-path.ts';
import type { MaskKey } from './key.ts';
import { constantMask, nullMask, type PlannedMask, plannedMask, put } from './mask.ts';
import { hashFloatMask, hashNumberMask, keepDigitsMask, roundMask } from './numbers.ts';
import type { MaskSpec } from './spec.ts';
import { emailMask, keepFirstMask, keepLastMask } from './text.ts';
import { mysqlType } from './types-mysql.ts';
import { postgresType, type TypeLookup } from './types-postgres.ts';
import { hashBytesMask, hashJsonMask, hashTextMask, hashUuidMask, keepBytesMask, keepUuidMask } from './values.ts';
import {
  type ArrayType,
  type CompositeType,
  constantOf,
  type Format,
  REDACTED_JSON,
  type TextType,
  textType,
  type ValueType,
} from './valuetype.ts';

/**
 * The mask for one result column. Never throws: what does not fit the column's type is redacted, and what cannot be redacted honestly
 * is NULL.
 */
export function planMask(spec: MaskSpec, field: Field, types: TypeLookup, key: MaskKey): PlannedMask {
  return plan(spec, typeOf(field, types), formatOf(field), key);
}

/** The mask for an output computed from masked columns: one constant, whatever the value is; NULL where the type has none. */
export function redactionFor(field: Field, types: TypeLookup): PlannedMask {
  const type = typeOf(field, types);
  const format = formatOf(field);
  const container = type.family === 'array' || type.family === 'composite';
  return container ? constantMask(constantOf(type, format)) : redaction(type, format);
}

/** A column's type as the masks see it. */
export function typeOf(field: Field, types: TypeLookup): ValueType {
  return field.dialect === 'postgres' ? postgresType(field, types) : mysqlType(field);
}

export function formatOf(field: Field): Format {
  if (!field.binary) return 'text';
  return field.dialect === 'postgres' ? 'postgres-binary' : 'mysql-binary';
}

/** The mask for values of a type in a format, element by element in containers. */
export function plan(spec: MaskSpec, type: ValueType, format: Format, key: MaskKey): PlannedMask {
  if (spec.kind === 'null') return nullMask;
  if (type.family === 'array' || type.family === 'composite') {
    return containerMask(type, format, (part) => plan(spec, part, format, key));
  }
  return fitting(spec, type, format, key) ?? redaction(type, format);
}

/** The mask of a container, from those of its parts. */
export function containerMask(
  type: ArrayType | CompositeType,
  format: Format,
  of: (part: ValueType) => PlannedMask,
): PlannedMask {
  if (type.family === 'array') {
    const element = of(type.element);
    return format === 'text' ? textArrayMask(type, element) : binaryArrayMask(type, element);
  }
  const fields = type.fields.map((field) => of(field.type));
  return format === 'text' ? textCompositeMask(type, fields) : binaryCompositeMask(type, fields);
}

/** The mask the specification asks for, or undefined where the type has no such mask. */
function fitting(spec: MaskSpec, type: ValueType, format: Format, key: MaskKey): PlannedMask | undefined {
  switch (spec.kind) {
    case 'keep-last':
      return keep(spec.count, true, type, format);
    case 'keep-first':
      return keep(spec.count, false, type, format);
    case 'email':
      return isWritable(type) && type.encoding !== 'other' ? emailMask(type) : undefined;
    case 'hash':
      return hashed(type, format, key);
    case 'year':
      return yearOnly(type, format);
    case 'round':
      return type.family === 'integer' || type.family === 'numeric' || type.family === 'float'
        ? roundMask(spec.to, type, format)
        : undefined;
    case 'fake':
      return isWritable(type) ? fakeMask(spec.of, key.hash, type) : undefined;
    case 'paths':
      return documentPaths(spec.paths, spec.inner, type, format, key);
    default:
      return undefined;
  }
}

function isWritable(type: ValueType): type is TextType {
  return type.family === 'text' && type.free;
}

function keep(count: number, last: boolean, type: ValueType, format: Format): PlannedMask | undefined {
  if (!Number.isSafeInteger(count) || count < 0) return undefined;
  switch (type.family) {
    case 'text':
      // Encodings that are not UTF-8 and have characters of several bytes cannot be cut without their tables.
      if (!type.free || type.encoding === 'other') return undefined;
      return last ? keepLastMask(count, type) : keepFirstMask(count, type);
    case 'integer':
    case 'numeric':
      return keepDigitsMask(count, last, type, format);
    case 'bytes':
      return keepBytesMask(count, last, type, type.hexText && format === 'text');
    case 'uuid':
      return keepUuidMask(count, last, type, format);
    default:
      return undefined;
  }
}

function hashed(type: ValueType, format: Format, key: MaskKey): PlannedMask | undefined {
  switch (type.family) {
    case 'text':
      return type.free ? hashTextMask(key.hash, type) : undefined;
    case 'integer':
    case 'numeric':
      return hashNumberMask(key.hash, type, format);
    case 'float':
      return hashFloatMask(key.hash, type, format);
    case 'uuid':
      return hashUuidMask(key.hash, type, format);
    case 'bytes':
      return hashBytesMask(key.hash, type.hexText && format === 'text');
    case 'json':
      return hashJsonMask(key.hash, false);
    case 'jsonb':
      return hashJsonMask(key.hash, format === 'postgres-binary');
    default:
      return undefined;
  }
}

function yearOnly(type: ValueType, format: Format): PlannedMask | undefined {
  switch (type.family) {
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return yearMask(type, format);
    case 'text':
      return type.free && type.encoding !== 'other' ? yearOfTextMask(type.limit, redactedOf(type)) : undefined;
    case 'year': {
      // A YEAR is no more than its year: it passes.
      const length = constantOf(type, format)?.length ?? 0;
      return plannedMask(
        0,
        length,
        (from, start, end, to, at) => {
          if (end - start !== length) return put(constantOf(type, format) ?? Buffer.alloc(0), to, at);
          for (let index = 0; index < length; index++) to[at + index] = from[start + index] as number;
          return at + length;
        },
        (_bytes, start, end) => end - start === length,
      );
    }
    default:
      return undefined;
  }
}

function redactedOf(type: TextType): Buffer {
  return type.text ?? Buffer.alloc(0);
}

const jsonText = textType(undefined, false);
const jsonNumber: ValueType = {
  family: 'numeric',
  precision: undefined,
  scale: undefined,
  text: Buffer.from('0'),
  binary: undefined,
};

function documentPaths(
  paths: readonly string[],
  inner: MaskSpec,
  type: ValueType,
  format: Format,
  key: MaskKey,
): PlannedMask | undefined {
  if (inner.kind === 'paths') return undefined;
  const parsed = paths.map(parsePath);
  const usable = parsed.filter((path) => path !== undefined);
  if (usable.length === 0 || usable.length !== parsed.length) return undefined;
  const toNull = inner.kind === 'null';
  const masks = {
    string: plan(inner, jsonText, 'text', key),
    number: plan(inner, jsonNumber, 'text', key),
    constant: toNull ? undefined : REDACTED_JSON,
    boolean: toNull ? undefined : Buffer.from('false'),
  };
  if (type.family === 'json') return pathsMask(usable, masks, false);
  if (type.family === 'jsonb') return pathsMask(usable, masks, format === 'postgres-binary');
  // Text that holds a document is treated as one; the masked document may be longer than the column allows.
  if (!isWritable(type) || type.encoding !== 'utf8' || type.limit !== undefined) return undefined;
  return pathsMask(usable, masks, false, true);
}

/** The type's constant, in the shape the session's settings give its values where those show. */
function redaction(type: ValueType, format: Format): PlannedMask {
  if (format === 'text') {
    switch (type.family) {
      case 'date':
      case 'timestamp':
      case 'timestamptz':
        return redactDate(type);
      case 'interval':
        return redactInterval();
      case 'money':
        return redactMoney();
      case 'bytes':
        return type.hexText && type.text !== undefined ? redactBytea(type.text) : constantMask(type.text);
      default:
        return constantMask(type.text);
    }
  }
  return constantMask(type.binary);
}
