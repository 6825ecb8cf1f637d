// MySQL's types in text and binary rows: the masked bytes decode in mysql2 to a value of the type, and both formats say the same.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MysqlField } from '../../protocols/gate.ts';
import { type MaskSpec, planMask, redactionFor } from '../../src/masking/index.ts';
import { apply, key, lookup, mysqlField, runs, specs } from './support.ts';

// The driver's own row parsers, which its package does not export.
const require = createRequire(import.meta.url);
const mysql2 = (path: string) => require(join(dirname(require.resolve('mysql2/package.json')), 'lib', path));
const Packet = mysql2('packets/packet.js');
const parsers = { text: mysql2('parsers/static_text_parser.js'), binary: mysql2('parsers/static_binary_parser.js') };

const fixed = new Set([1, 2, 3, 4, 5, 8, 9, 13]);

/** What mysql2 makes of a row of one value. */
function decode(field: MysqlField, value: Buffer | null): unknown {
  const column = {
    ...field,
    columnType: field.type,
    characterSet: field.charset,
    encoding: 'utf8',
    columnLength: field.length,
  };
  const prefixed =
    value === null || (field.binary && fixed.has(field.type))
      ? value
      : Buffer.concat([Buffer.from([value.length]), value]);
  const row = field.binary
    ? Buffer.concat([Buffer.from([0, value === null ? 4 : 0]), prefixed ?? Buffer.alloc(0)])
    : (prefixed ?? Buffer.from([0xfb]));
  const bytes = Buffer.concat([Buffer.alloc(4), row]);
  const parser = (field.binary ? parsers.binary : parsers.text)(
    [column],
    { dateStrings: true, supportBigNumbers: true },
    {},
  );
  const instance = typeof parser === 'function' ? new parser([column]) : parser;
  return instance.next(new Packet(0, bytes, 0, bytes.length), [column], { dateStrings: true, supportBigNumbers: true })
    .c;
}

const bytes = (...values: readonly number[]) => Buffer.from(values);
function number(write: (buffer: Buffer) => void, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
}

/** A type, a value in text, the same in binary, and what the decoded value must be of. */
const samples: readonly (readonly [
  name: string,
  facts: Partial<MysqlField>,
  type: number,
  text: string,
  binary: Buffer,
  is: string,
])[] = [
  ['TINYINT', {}, 1, '-123', bytes(0x85), 'number'],
  ['TINYINT UNSIGNED', { flags: 32 }, 1, '253', bytes(253), 'number'],
  ['SMALLINT', {}, 2, '-32768', bytes(0, 0x80), 'number'],
  ['MEDIUMINT', {}, 9, '8388607', bytes(0xff, 0xff, 0x7f, 0), 'number'],
  ['INT', {}, 3, '123456', bytes(0x40, 0xe2, 0x01, 0), 'number'],
  ['INT UNSIGNED', { flags: 32 }, 3, '4294967295', bytes(255, 255, 255, 255), 'number'],
  ['BIGINT', {}, 8, '-9223372036854775808', bytes(0, 0, 0, 0, 0, 0, 0, 0x80), 'number'],
  [
    'BIGINT UNSIGNED',
    { flags: 32 },
    8,
    '18446744073709551615',
    bytes(255, 255, 255, 255, 255, 255, 255, 255),
    'number',
  ],
  ['FLOAT', { decimals: 31 }, 4, '1234.5', number((to) => to.writeFloatLE(1234.5), 4), 'number'],
  ['DOUBLE', { decimals: 31 }, 5, '-1234.5678', number((to) => to.writeDoubleLE(-1234.5678), 8), 'number'],
  ['DECIMAL(10,2)', { length: 12, decimals: 2 }, 246, '1234.56', Buffer.from('1234.56'), 'string'],
  ['DECIMAL(4,2)', { length: 6, decimals: 2 }, 246, '99.99', Buffer.from('99.99'), 'string'],
  ['YEAR', { length: 4 }, 13, '2024', bytes(0xe8, 0x07), 'number'],
  ['BIT(9)', { length: 9 }, 16, '\x01\x55', bytes(1, 0x55), 'object'],
  ['DATE', {}, 10, '2024-05-06', bytes(0xe8, 7, 5, 6), 'string'],
  ['DATETIME', {}, 12, '2024-05-06 07:08:09', bytes(0xe8, 7, 5, 6, 7, 8, 9), 'string'],
  [
    'DATETIME(6)',
    { decimals: 6 },
    12,
    '2024-05-06 07:08:09.000010',
    bytes(0xe8, 7, 5, 6, 7, 8, 9, 10, 0, 0, 0),
    'string',
  ],
  ['TIMESTAMP', {}, 7, '2024-05-06 07:08:09', bytes(0xe8, 7, 5, 6, 7, 8, 9), 'string'],
  ['the zero date', {}, 10, '0000-00-00', bytes(), 'string'],
  ['TIME', {}, 11, '-12:34:56', bytes(1, 0, 0, 0, 0, 12, 34, 56), 'string'],
  ['VARCHAR(20)', { charset: 255, length: 80 }, 253, 'jane@example.com', Buffer.from('jane@example.com'), 'string'],
  ['CHAR(3)', { charset: 255, length: 12 }, 254, 'abc', Buffer.from('abc'), 'string'],
  ['TEXT', { charset: 255, length: 262140 }, 252, '2024-05-06', Buffer.from('2024-05-06'), 'string'],
  ['BLOB', { length: 65535 }, 252, 'plain bytes', Buffer.from('plain bytes'), 'object'],
  ['ENUM', { charset: 255, flags: 256, length: 40 }, 254, 'happy', Buffer.from('happy'), 'string'],
  ['SET', { charset: 255, flags: 2048, length: 40 }, 254, 'a,b', Buffer.from('a,b'), 'string'],
  ['JSON', {}, 245, '{"a": "secret", "b": [1]}', Buffer.from('{"a": "secret", "b": [1]}'), 'json'],
  [
    'GEOMETRY',
    {},
    255,
    '\0\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0',
    Buffer.from('0000000001010000000000000000000000000000000000000000'.slice(0, 50), 'hex'),
    'object',
  ],
];

describe.each(samples)('%s', (_name, facts, type, text, binary, is) => {
  const planned: readonly (readonly [string, MaskSpec | undefined])[] = [
    ...specs.map((spec) => [JSON.stringify(spec), spec] as const),
    ['derived', undefined],
  ];

  test.each(planned)('decodes under %s in both formats to the same', (_spec, spec) => {
    const masked = [false, true].map((inBinary) => {
      const field = mysqlField(type, { ...facts, binary: inBinary });
      const mask = spec === undefined ? redactionFor(field, lookup()) : planMask(spec, field, lookup(), key);
      const value = inBinary ? binary : Buffer.from(text, 'latin1');
      const out = apply(mask, value);
      expect(out === null || !out.equals(value) || allowed(spec, text, type), 'is changed').toBe(true);
      const decoded = decode(field, out);
      // Integers beyond 2^53 come as strings.
      const kinds = type === 8 ? ['number', 'string'] : [is];
      if (out !== null && is !== 'json') expect(kinds).toContain(typeof decoded);
      return decoded;
    });
    expect(normal(masked[1], type)).toEqual(normal(masked[0], type));
  });
});

/** Values that a mask may leave as they are: a year has no more than its year; the zero date and the point at the origin hold nothing. */
function allowed(spec: MaskSpec | undefined, text: string, type: number): boolean {
  if (type === 255) return true;
  if (spec?.kind === 'year') return type === 13 || text.startsWith('0000');
  return (spec?.kind === 'round' && spec.to < 1) || (spec?.kind === 'paths' && type === 252);
}

/** A binary DATETIME of midnight may be shown without its time; floats of four bytes have fewer digits. */
function normal(value: unknown, type: number): unknown {
  if (typeof value === 'string' && [7, 12].includes(type)) return value.replace(/ 00:00:00(\.0+)?$/, '');
  return type === 4 && typeof value === 'number' ? Math.fround(value) : value;
}

test('binary integers of every size keep their size and order of bytes', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64LE(value);
      const out = apply(planMask({ kind: 'round', to: 1000 }, mysqlField(8, { binary: true }), lookup(), key), buffer);
      const rounded = out?.readBigInt64LE() ?? 0n;
      expect(rounded % 1000n).toBe(0n);
      const distance = rounded > value ? rounded - value : value - rounded;
      expect(distance <= 500n || (distance < 1000n && 2n ** 63n - (value < 0n ? -value : value) < 1000n)).toBe(true);
    }),
    runs,
  );
});
