// Whatever bytes stand where a value should: no mask throws, writes past its bound, or lets the bytes through.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMask } from '../../src/masking/index.ts';
import type { TypeInfo } from '../../src/sql/reader.ts';
import { apply, key, lookup, mysqlField, postgresField, runs, specs } from './support.ts';

const types: Record<number, TypeInfo> = {
  90001: {
    name: 'address',
    kind: 'composite',
    fields: [
      { name: 'a', type: 25 },
      { name: 'b', type: 23 },
      { name: 'c', type: 90002 },
    ],
  },
  90002: { name: '_address', kind: 'array', of: 1009 },
  90003: { name: 'ssn', kind: 'domain', of: 1700 },
  90004: { name: 'mood', kind: 'enum', labels: ['a'] },
  90005: { name: 'geometry', kind: 'base' },
  90006: { name: 'loop', kind: 'domain', of: 90006 },
  90007: { name: '_citext', kind: 'array', of: 90008 },
  90008: { name: 'citext', kind: 'base' },
};

const oids = [
  16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 142, 600, 603, 650, 700, 701, 790, 869, 1000, 1005, 1007, 1009, 1042, 1043,
  1082, 1083, 1114, 1115, 1182, 1184, 1186, 1231, 1266, 1560, 1562, 1700, 2249, 2277, 2950, 2951, 3614, 3802, 3807,
  3904, 4451, 90001, 90002, 90003, 90004, 90005, 90006, 90007, 99999,
];
const mysqlTypes = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 200, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254,
  255,
];

/** Bytes that look enough like values to get far into the readers. */
const shaped = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc
    .array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '(',
        ')',
        ',',
        '"',
        '\\',
        ':',
        '=',
        'NULL',
        'null',
        'a',
        '1',
        '-',
        '.',
        ' ',
        '@',
        'e',
        '\\u00',
        '$',
        '\\x',
        '1999-12-31',
      ),
      { maxLength: 24 },
    )
    .map((parts) => Buffer.from(parts.join(''))),
  fc
    .array(fc.oneof(fc.constantFrom(-1, 0, 1, 2, 3, 4, 8, 12, 23, 25, 1700, 90002, 65536, 0x7fffffff), fc.integer()), {
      maxLength: 12,
    })
    .map((words) => {
      const bytes = Buffer.alloc(words.length * 4);
      words.forEach((word, index) => {
        bytes.writeInt32BE(word, index * 4);
      });
      return bytes;
    }),
);

/** A value that no mask of the list may show, as letters that stand in none of its constants. */
const SECRET = 'QXZWJKQXZWJK';

describe.each([false, true])('binary: %s', (binary) => {
  test('Postgres masks take any bytes', () => {
    const masks = oids.flatMap((oid) =>
      [-1, 4 + 3, 4 + ((6 << 16) | 2)].flatMap((typmod) =>
        specs.map((spec) => planMask(spec, postgresField(oid, binary, typmod), lookup(types), key)),
      ),
    );
    fc.assert(
      fc.property(shaped, (bytes) => {
        for (const mask of masks) apply(mask, bytes);
      }),
      { ...runs, numRuns: 40 },
    );
  });

  test('MySQL masks take any bytes', () => {
    const masks = mysqlTypes.flatMap((type) =>
      [0, 32].flatMap((flags) =>
        [63, 255, 8].flatMap((charset) =>
          specs.map((spec) =>
            planMask(spec, mysqlField(type, { binary, flags, charset, length: 40, decimals: 2 }), lookup(), key),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(shaped, (bytes) => {
        for (const mask of masks) apply(mask, bytes);
      }),
      { ...runs, numRuns: 40 },
    );
  });

  test('what is no value of the type is not shown', () => {
    const hiding = specs.filter(({ kind }) => kind !== 'keep-last' && kind !== 'keep-first');
    const frames = ['', '{', '{"', '(', '("', '"', '{"a":"', '[0:1]={', '1999-12-31', 'a@', '\\x', '12.'];
    for (const oid of oids) {
      for (const spec of hiding) {
        const mask = planMask(spec, postgresField(oid, binary), lookup(types), key);
        for (const frame of frames) {
          const out = apply(mask, Buffer.from(frame + SECRET));
          expect(out?.toString() ?? '', `${oid} ${JSON.stringify(spec)} ${frame}`).not.toContain(SECRET.slice(0, 4));
        }
      }
    }
  });
});

test('a specification that makes no sense redacts', () => {
  for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(
      apply(
        planMask({ kind: 'keep-last', count }, postgresField(25), lookup(), key),
        Buffer.from('secret'),
      )?.toString(),
    ).toBe('[redacted]');
  }
  for (const to of [-1, 0, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 1 / 3]) {
    expect(
      apply(planMask({ kind: 'round', to }, postgresField(1700), lookup(), key), Buffer.from('12345'))?.toString(),
    ).toBe('0');
  }
  for (const path of ['a', '$.', '$..', '$[', '$.a b', '']) {
    const mask = planMask(
      { kind: 'paths', paths: ['$.ok', path], inner: { kind: 'redact' } },
      postgresField(3802),
      lookup(),
      key,
    );
    expect(apply(mask, Buffer.from('{"a":1}'))?.toString(), path).toBe('"[redacted]"');
  }
});
