// Fields, values and calls for the tests of masks.
import fc from 'fast-check';
import { expect } from 'vitest';
import type { FieldMask, MysqlField, PostgresField } from '../../protocols/gate.ts';
import { type MaskSpec, maskKey, type TypeLookup } from '../../src/masking/index.ts';
import type { TypeInfo } from '../../src/sql/reader.ts';

export const key = maskKey('a secret of the tests', 'shop');

/** Printed with every failure by fast-check itself; set SEED to repeat a run. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
export const runs = { numRuns: 300, seed };

export function lookup(types: Readonly<Record<number, TypeInfo>> = {}): TypeLookup {
  return { typeInfo: (oid) => types[oid] };
}

export function postgresField(typeOid: number, binary = false, typmod = -1): PostgresField {
  return { dialect: 'postgres', name: 'c', tableOid: 1, attnum: 1, typeOid, typmod, binary };
}

export function mysqlField(type: number, facts: Partial<MysqlField> = {}): MysqlField {
  return {
    dialect: 'mysql',
    name: 'c',
    schema: 's',
    table: 't',
    orgTable: 't',
    orgName: 'c',
    type,
    charset: 63,
    length: 255,
    flags: 0,
    decimals: 0,
    binary: false,
    ...facts,
  };
}

const GUARD = 0xa5;

/** Applies a mask both ways, with strange bytes around the value, and checks all that FieldMask promises. */
export function apply(mask: FieldMask, value: Buffer): Buffer | null {
  const before = 3;
  const from = Buffer.concat([Buffer.alloc(before, GUARD), value, Buffer.alloc(5, GUARD)]);
  const copy = Buffer.from(from);
  const bound = mask.bound(value.length);
  const to = Buffer.alloc(7 + bound + 9, GUARD);
  const after = mask.write(from, before, before + value.length, to, 7);
  expect(from.equals(copy), 'the source is left alone').toBe(true);
  if (after !== -1) expect(after - 7, 'within the bound').toBeLessThanOrEqual(bound);
  const end = after === -1 ? 7 + bound : Math.max(after, 7 + bound);
  expect(
    to.subarray(0, 7).every((byte) => byte === GUARD) && to.subarray(end).every((byte) => byte === GUARD),
    'nothing is written outside the bound',
  ).toBe(true);
  const masked = after === -1 ? null : Buffer.from(to.subarray(7, after));
  const done = mask.inPlace(from, before, before + value.length);
  if (done) {
    expect(from.subarray(before, before + value.length), 'in place as written').toEqual(masked);
    expect(from.subarray(0, before)).toEqual(copy.subarray(0, before));
    expect(from.subarray(before + value.length)).toEqual(copy.subarray(before + value.length));
  } else {
    expect(from.equals(copy), 'left alone when not in place').toBe(true);
  }
  return masked;
}

export function masked(mask: FieldMask, value: string): string | null {
  return apply(mask, Buffer.from(value))?.toString() ?? null;
}

/** Every mask the configuration can name. */
export const specs: readonly MaskSpec[] = [
  { kind: 'redact' },
  { kind: 'null' },
  { kind: 'keep-last', count: 4 },
  { kind: 'keep-first', count: 2 },
  { kind: 'email' },
  { kind: 'hash' },
  { kind: 'year' },
  { kind: 'round', to: 100 },
  { kind: 'round', to: 0.05 },
  { kind: 'fake', of: 'name' },
  { kind: 'fake', of: 'phone' },
  { kind: 'fake', of: 'address' },
  { kind: 'paths', paths: ['$.a', '$..b', '$.c[*].d'], inner: { kind: 'keep-last', count: 2 } },
];

/** Text of every kind of character, lone surrogates aside (the wire carries well-formed UTF-8, without zero bytes). */
export const text = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((value) => value.replaceAll('\0', ''))
  .filter((value) => Buffer.from(value).toString() === value);
