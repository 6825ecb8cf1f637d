// What the masks need to know of a column's type, the same for both databases: a family with its facts, and the constant that
// stands for a redacted value in the text and in the binary format.

/** How a value stands on the wire. MySQL's text rows are like Postgres' text format; its binary rows are little-endian. */
export type Format = 'text' | 'postgres-binary' | 'mysql-binary';

interface Common {
  /** The redacted value, or undefined where only NULL is honest. */
  readonly text: Buffer | undefined;
  readonly binary: Buffer | undefined;
}

/** How characters stand in the bytes. `other` is any multi-byte encoding that is not UTF-8: it is never cut. */
export type Encoding = 'utf8' | 'single-byte' | 'other';

export interface TextType extends Common {
  readonly family: 'text';
  /** The most characters a value of the declared type has. */
  readonly limit: number | undefined;
  /** bpchar: values are padded with blanks to the limit. */
  readonly padded: boolean;
  readonly encoding: Encoding;
  /** Hash and fake values may be put in; false for types whose text has a form of its own ("char", a refcursor). */
  readonly free: boolean;
}

export interface IntegerType extends Common {
  readonly family: 'integer';
  readonly size: 1 | 2 | 4 | 8;
  readonly signed: boolean;
}

export interface NumericType extends Common {
  readonly family: 'numeric';
  readonly precision: number | undefined;
  readonly scale: number | undefined;
}

export interface FloatType extends Common {
  readonly family: 'float';
  readonly size: 4 | 8;
}

export interface DateType extends Common {
  readonly family: 'date' | 'timestamp' | 'timestamptz';
}

export interface ArrayType extends Common {
  readonly family: 'array';
  readonly element: ValueType;
  readonly elementOid: number;
  /** `,` for all types but box, which has `;` (pg_type.typdelim). */
  readonly delimiter: number;
}

export interface CompositeType extends Common {
  readonly family: 'composite';
  readonly fields: readonly { readonly oid: number; readonly type: ValueType }[];
}

export interface BytesType extends Common {
  readonly family: 'bytes';
  /** bytea's text format is hex digits after `\\x` (or, by a setting, the older escape form); MySQL's bytes are bytes in every row. */
  readonly hexText: boolean;
}

/** The other types: each has its constant, and few masks besides. */
export interface PlainType extends Common {
  readonly family: 'plain' | 'money' | 'interval' | 'uuid' | 'json' | 'jsonb' | 'year';
}

export type ValueType =
  | TextType
  | IntegerType
  | NumericType
  | FloatType
  | DateType
  | ArrayType
  | CompositeType
  | BytesType
  | PlainType;

export const REDACTED = Buffer.from('[redacted]');
export const REDACTED_JSON = Buffer.from('"[redacted]"');

/** A type of which nothing is known: NULL. */
export const unknownType: PlainType = { family: 'plain', text: undefined, binary: undefined };

/** The redacted text for a type of at most `limit` characters. */
export function redactedText(limit: number | undefined, padded: boolean): Buffer {
  if (limit === undefined) return REDACTED;
  const word = limit >= REDACTED.length ? REDACTED.toString() : '*'.repeat(Math.max(limit, 0));
  return Buffer.from(padded ? word.padEnd(limit) : word);
}

/** A text kind with its limit. */
export function textType(limit: number | undefined, padded: boolean, encoding: Encoding = 'utf8'): TextType {
  const redacted = redactedText(limit, padded);
  return { family: 'text', limit, padded, encoding, free: true, text: redacted, binary: redacted };
}

/** The redacted value in a format; undefined is NULL. */
export function constantOf(type: ValueType, format: Format): Buffer | undefined {
  return format === 'text' ? type.text : type.binary;
}
