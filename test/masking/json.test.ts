// The mask `paths`: what it replaces in a document, and that everything else stays as it was.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MaskSpec, parsePath, planMask } from '../../src/masking/index.ts';
import { key, lookup, masked, mysqlField, postgresField, runs } from './support.ts';

const ssn: MaskSpec = { kind: 'keep-last', count: 4 };
const of = (paths: readonly string[], inner: MaskSpec = { kind: 'redact' }, oid = 3802) =>
  planMask({ kind: 'paths', paths, inner }, postgresField(oid), lookup(), key);

describe('replaces', () => {
  test.each([
    ['$.a', '{"a": "x", "b": "y"}', '{"a": "[redacted]", "b": "y"}'],
    ['$.a.b', '{"a": {"b": 17}, "b": 17}', '{"a": {"b": 0}, "b": 17}'],
    ['$.a', '{"a": {"b": [1, {"c": "}"}]}, "z": 1}', '{"a": "[redacted]", "z": 1}'],
    [
      '$.a',
      '{"a": ["x", [1, true, null], {}], "z": 1}',
      '{"a": ["[redacted]", [0, false, null], "[redacted]"], "z": 1}',
    ],
    [
      '$.a[*].b',
      '{"a": [{"b": "x"}, {"b": "y", "c": 1}]}',
      '{"a": [{"b": "[redacted]"}, {"b": "[redacted]", "c": 1}]}',
    ],
    ['$.a.b', '{"a": [{"b": "x"}, [{"b": "y"}]]}', '{"a": [{"b": "[redacted]"}, [{"b": "[redacted]"}]]}'],
    ['$.a[1]', '{"a": ["x", "y", "z"]}', '{"a": ["x", "[redacted]", "z"]}'],
    ['$[0]', '["x", "y"]', '["[redacted]", "y"]'],
    ['$.*', '{"a": "x", "b": {"c": 1}}', '{"a": "[redacted]", "b": "[redacted]"}'],
    [
      '$..ssn',
      '{"ssn": "1", "x": {"ssn": "2", "y": [{"ssn": "3"}]}}',
      '{"ssn": "[redacted]", "x": {"ssn": "[redacted]", "y": [{"ssn": "[redacted]"}]}}',
    ],
    ["$['odd name']", '{"odd name": "x"}', '{"odd name": "[redacted]"}'],
    ['$."odd.name"', '{"odd.name": "x"}', '{"odd.name": "[redacted]"}'],
    ['$', '"x"', '"[redacted]"'],
    ['$.a', '{"\\u0061": "x"}', '{"\\u0061": "[redacted]"}'],
    ['$.a', '{"a":1,"a":2}', '{"a":0,"a":0}'],
    ['$.a', ' { "a" : true , "b" : [ ] } ', ' { "a" : false , "b" : [ ] } '],
    ['$.é', '{"é": "x"}', '{"é": "[redacted]"}'],
  ])('%s in %s', (path, document, expected) => {
    expect(masked(of([path]), document)).toBe(expected);
    expect(masked(of([path], { kind: 'redact' }, 114), document)).toBe(expected);
  });
});

test('masks strings by their characters, not their escapes', () => {
  expect(masked(of(['$.a'], ssn), '{"a": "\\u0031\\u0032345\\"67"}')).toBe('{"a": "****5\\"67"}');
  expect(masked(of(['$.a'], ssn), '{"a": "x\\ud83e\\udda4\\n\\t\\\\"}')).toBe('{"a": "*🦤\\u000a\\u0009\\\\"}');
  expect(masked(of(['$.a'], { kind: 'email' }), '{"a": "jane@example.com"}')).toBe('{"a": "j***@example.com"}');
  expect(masked(of(['$.a'], ssn), '{"a": 123456}')).toBe('{"a": 3456}');
  expect(masked(of(['$.a'], { kind: 'null' }), '{"a": [1, "x", {}]}')).toBe('{"a": [null, null, null]}');
});

test('several paths are masked in one pass', () => {
  expect(masked(of(['$.a', '$.b.c', '$..d']), '{"a": 1, "b": {"c": 2, "d": 3, "e": 4}}')).toBe(
    '{"a": 0, "b": {"c": 0, "d": 0, "e": 4}}',
  );
});

test.each([
  '',
  '{',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,}',
  '{"a" 1}',
  '{a:1}',
  '[1,]',
  '[1 2]',
  '{"a":1}}',
  'nul',
  '01',
  '1.',
  '-',
  '1e',
  '"x',
  '{"a":"\\x"}',
  '[[',
  '2024-05-06',
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
])('redacts %j whole, which is no document', (document) => {
  expect(masked(of(['$.a']), document)).toBe('"[redacted]"');
});

test('in text columns only objects and arrays are documents', () => {
  expect(masked(of(['$.a'], ssn, 25), '{"a": "123-45-6789"}')).toBe('{"a": "*******6789"}');
  expect(masked(of(['$.a'], ssn, 25), '4111111111111111')).toBe('"[redacted]"');
  // MariaDB's JSON is LONGTEXT.
  const field = mysqlField(252, { charset: 45, length: 4294967295 });
  const mask = planMask({ kind: 'paths', paths: ['$.a'], inner: ssn }, field, lookup(), key);
  expect(masked(mask, '{"a": "123-45-6789"}')).toBe('{"a": "*******6789"}');
});

/** Replaces by the plain rules what the mask replaces in bytes. */
function expected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value === 'object' && value !== null) return '[redacted]';
  return typeof value === 'string'
    ? '[redacted]'
    : typeof value === 'number'
      ? 0
      : typeof value === 'boolean'
        ? false
        : value;
}

test('changes nothing but the values at the path, in any document', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()),
      fc.jsonValue(),
      fc.nat(3),
      (rest, secret, indent) => {
        const document = Object.fromEntries([...Object.entries(rest), ['secret', secret]]);
        const out = masked(of(['$.secret']), JSON.stringify(document, undefined, indent));
        expect(JSON.parse(out ?? '')).toEqual(JSON.parse(JSON.stringify({ ...document, secret: expected(secret) })));
      },
    ),
    runs,
  );
});

test('paths are read or refused', () => {
  expect(parsePath('$.a.b[0]["c"].*')?.length).toBe(5);
  for (const path of ['', 'a', '$.', '$..', '$[', '$.a b', '$[-1]', '$.a[?(@.b)]']) {
    expect(parsePath(path), path).toBeUndefined();
  }
});
