// Masks of text: what they keep, at characters, within the type's length.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MaskSpec, planMask, redactionFor } from '../../src/masking/index.ts';
import { apply, key, lookup, masked, mysqlField, postgresField, runs, text } from './support.ts';

const TEXT = 25;
const BPCHAR = 1042;
const VARCHAR = 1043;

const of = (spec: MaskSpec, oid = TEXT, typmod = -1) =>
  planMask(spec, postgresField(oid, false, typmod), lookup(), key);

describe('keep-last', () => {
  test('shows the last characters and a star for each of the others', () => {
    expect(masked(of({ kind: 'keep-last', count: 4 }), '123-45-6789')).toBe('*******6789');
    expect(masked(of({ kind: 'keep-last', count: 2 }), 'ñandú🦤é')).toBe('*****🦤é');
    expect(masked(of({ kind: 'keep-last', count: 0 }), 'abc')).toBe('***');
  });

  test('hides values that have no more characters than it shows', () => {
    expect(masked(of({ kind: 'keep-last', count: 4 }), '1234')).toBe('****');
    expect(masked(of({ kind: 'keep-last', count: 4 }), 'é🦤')).toBe('**');
    expect(masked(of({ kind: 'keep-last', count: 4 }), '')).toBe('');
  });

  test("does not count char(n)'s padding", () => {
    expect(masked(of({ kind: 'keep-last', count: 4 }, BPCHAR, 24), '4111111111111111    ')).toBe(
      '************1111    ',
    );
  });

  test('shares only the last characters with any value', () => {
    fc.assert(
      fc.property(text, fc.nat(6), (value, count) => {
        const characters = [...value];
        const out = [...(masked(of({ kind: 'keep-last', count }), value) ?? '')];
        const shown = characters.length > count ? count : 0;
        expect(out.length).toBe(characters.length);
        expect(out.slice(0, out.length - shown)).toEqual(out.slice(0, out.length - shown).map(() => '*'));
        expect(out.slice(out.length - shown)).toEqual(characters.slice(characters.length - shown));
      }),
      runs,
    );
  });

  test('counts broken UTF-8 byte by byte, so that it never shows more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), fc.integer({ min: 1, max: 4 }), (bytes, count) => {
        const out = apply(of({ kind: 'keep-last', count }), Buffer.from(bytes));
        const shown = (out ?? Buffer.alloc(0)).toString('latin1').replace(/^\**/, '');
        expect(shown.length).toBeLessThanOrEqual(count * 4);
        if (bytes.every((byte) => byte >= 0x80 && byte < 0xc0)) expect(shown.length).toBeLessThanOrEqual(count);
      }),
      runs,
    );
  });
});

test('keep-first shows the first characters only', () => {
  expect(masked(of({ kind: 'keep-first', count: 2 }), 'Zürich')).toBe('Zü****');
  expect(masked(of({ kind: 'keep-first', count: 2 }), 'ab')).toBe('**');
  fc.assert(
    fc.property(text, fc.nat(6), (value, count) => {
      const characters = [...value];
      const out = [...(masked(of({ kind: 'keep-first', count }), value) ?? '')];
      const shown = characters.length > count ? count : 0;
      expect(out).toEqual(characters.map((character, index) => (index < shown ? character : '*')));
    }),
    runs,
  );
});

describe('email', () => {
  const email = of({ kind: 'email' });

  test('shows the first character and the domain', () => {
    expect(masked(email, 'jane.doe@example.com')).toBe('j***@example.com');
    expect(masked(email, 'joe1@example.com')).toBe('j***@example.com');
    expect(masked(email, 'é.b@exämple.de')).toBe('é***@exämple.de');
    expect(masked(email, 'j@example.com')).toBe('***@example.com');
  });

  test.each([
    '',
    '@',
    'jane',
    'jane@',
    '@example.com',
    'jane@host',
    'a b@example.com',
    'jane@example.com, joe@example.com',
    'Jane <jane@example.com>',
    'jane@1.2',
    'jane@example..com',
    'jane@.example.com',
    'a@b@example.com',
    'jane@example.com ',
  ])('redacts %j, which is no address', (value) => {
    expect(masked(email, value)).toBe('[redacted]');
  });

  test('stays within the length of the type', () => {
    expect(masked(of({ kind: 'email' }, VARCHAR, 4 + 8), 'ab@cd.ef')).toBe('********');
    expect(masked(of({ kind: 'email' }, BPCHAR, 4 + 16), 'jane@example.com')).toBe('j***@example.com');
    expect(masked(of({ kind: 'email' }, BPCHAR, 4 + 18), 'jo@example.com    ')).toBe('j***@example.com  ');
  });

  test('never shows more of the local part than its first character', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        const out = masked(email, address) ?? '';
        const at = address.lastIndexOf('@');
        const local = [...address.slice(0, at)];
        const shown = local.length > 1 ? local[0] : '';
        expect([`${shown}***${address.slice(at)}`, '[redacted]']).toContain(out);
      }),
      runs,
    );
  });
});

describe('redact', () => {
  test('puts a constant that the type has room for', () => {
    expect(masked(of({ kind: 'redact' }), 'secret')).toBe('[redacted]');
    expect(masked(of({ kind: 'redact' }, VARCHAR, 4 + 10), 'secret')).toBe('[redacted]');
    expect(masked(of({ kind: 'redact' }, VARCHAR, 4 + 4), 'secret')).toBe('****');
    expect(masked(of({ kind: 'redact' }, BPCHAR, 4 + 12), 'secret      ')).toBe('[redacted]  ');
    expect(masked(of({ kind: 'redact' }, BPCHAR, 4 + 3), 'abc')).toBe('***');
    expect(masked(of({ kind: 'redact' }, 18), 'x')).toBe('*');
    expect(masked(redactionFor(postgresField(TEXT), lookup()), 'secret')).toBe('[redacted]');
  });
});

test('null is NULL for every value', () => {
  expect(masked(of({ kind: 'null' }), 'secret')).toBeNull();
});

describe('MySQL text', () => {
  const utf8 = { charset: 255, length: 80 };
  const latin1 = { charset: 8, length: 20 };

  test('is cut at the characters of its character set', () => {
    const spec: MaskSpec = { kind: 'keep-last', count: 2 };
    expect(masked(planMask(spec, mysqlField(253, utf8), lookup(), key), 'aéüö')).toBe('**üö');
    const single = planMask(spec, mysqlField(253, latin1), lookup(), key);
    expect(apply(single, Buffer.from('aÃ©ÿ', 'latin1'))?.toString('latin1')).toBe('**©ÿ');
  });

  test('is redacted where the character set cannot be cut, and NULL where it cannot be written', () => {
    const spec: MaskSpec = { kind: 'keep-last', count: 2 };
    expect(masked(planMask(spec, mysqlField(253, { charset: 28 }), lookup(), key), 'abcdef')).toBe('[redacted]');
    expect(masked(planMask(spec, mysqlField(253, { charset: 54 }), lookup(), key), 'abcdef')).toBeNull();
  });

  test('has a length in bytes that counts the widest characters', () => {
    expect(
      masked(planMask({ kind: 'redact' }, mysqlField(253, { charset: 255, length: 16 }), lookup(), key), 'abc'),
    ).toBe('****');
  });

  test('of an ENUM is NULL and of a SET is empty', () => {
    expect(
      masked(planMask({ kind: 'redact' }, mysqlField(254, { ...utf8, flags: 256 }), lookup(), key), 'abc'),
    ).toBeNull();
    expect(masked(planMask({ kind: 'redact' }, mysqlField(254, { ...utf8, flags: 2048 }), lookup(), key), 'a,b')).toBe(
      '',
    );
  });
});
