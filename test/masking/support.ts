// Fields, values and calls for the tests of masks.
import fc from 'fast-check';
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
const BEFORE = 7;
const AFTER = 9;

/** Throws where a promise of FieldMask is broken: a cheaper `expect`, for calls in the millions. */
function promised(kept: boolean, what: string): void {
  if (!kept) throw new Error(`not kept: ${what}`);
}

function untouched(bytes: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (bytes[index] !== GUARD) return false;
  return true;
}

/** Applies a mask both ways, with strange bytes around the value, and checks all that FieldMask promises. */
export function apply(mask: FieldMask, value: Buffer): Buffer | null {
  const start = 3;
  const end = start + value.length;
  const from = Buffer.alloc(end + 5, GUARD);
  value.copy(from, start);
  const copy = Buffer.from(from);
  const bound = mask.bound(value.length);
  const to = Buffer.alloc(BEFORE + bound + AFTER, GUARD);
  const after = mask.write(from, start, end, to, BEFORE);
  promised(from.equals(copy), 'the source is left alone');
  promised(
    after === -1 || (after >= BEFORE && after - BEFORE <= bound),
    `within the bound: ${after - BEFORE} of ${bound}`,
  );
  promised(
    untouched(to, 0, BEFORE) && untouched(to, BEFORE + bound, to.length),
    'nothing is written outside the bound',
  );
  const masked = after === -1 ? null : Buffer.from(to.subarray(BEFORE, after));
  if (mask.inPlace(from, start, end)) {
    promised(masked?.equals(from.subarray(start, end)) === true, 'in place as written');
    promised(untouched(from, 0, start) && untouched(from, end, from.length), 'nothing around the value is touched');
  } else {
    promised(from.equals(copy), 'left alone when not in place');
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
