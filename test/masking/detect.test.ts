// The second net: what the detectors find, what they let pass, and what becomes of the values.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectorBits, find } from '../../src/masking/detect.ts';
import { type Detector, detectingMask, detectors, Findings, proposeMask } from '../../src/masking/index.ts';
import { apply, lookup, masked, postgresField, runs } from './support.ts';

const all = detectorBits(detectors);

function found(text: string): Detector[] {
  const bytes = Buffer.from(`@+${text}-4`);
  const bits = find(bytes, 2, bytes.length - 2, all);
  return detectors.filter((name) => (bits & detectorBits([name])) !== 0);
}

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLXNvbWUtbGVuZ3Ro';

describe('finds', () => {
  test.each([
    ['card', '4111111111111111'],
    ['card', '4111 1111 1111 1111'],
    ['card', '5500-0000-0000-0004'],
    ['card', 'paid with 378282246310005, thanks'],
    ['card', '{"card":"6011111111111117"}'],
    ['email', 'jane.doe@example.com'],
    ['email', 'write to <jane@example.co.uk>.'],
    ['email', 'mailto:jane+tag@example.org.'],
    ['iban', 'GB33BUKB20201555555555'],
    ['iban', 'DE89 3704 0044 0532 0130 00'],
    ['iban', 'to FR1420041010050500013M02606, today'],
    ['phone', '+49 30 901820'],
    ['phone', '+1 (212) 736-5000'],
    ['phone', 'call (212) 736-5000 now'],
    ['phone', '212-736-5000'],
    ['ssn', '123-45-6789'],
    ['ssn', 'ssn: 078 05 1120.'],
    ['token', 'AKIAIOSFODNN7EXAMPLE'],
    ['token', `ghp_${'a1B2'.repeat(9)}`],
    ['token', `key=${'sk_live_'}${'4eC39HqLyjWDarjt'}`],
    ['token', `Bearer ${jwt}`],
    ['private-key', '-----BEGIN PRIVATE KEY-----\nMIIE'],
    ['private-key', 'x\n-----BEGIN OPENSSH PRIVATE KEY-----'],
  ] as const)('%s in %j', (name, text) => {
    expect(found(text)).toContain(name);
  });
});

describe('finds nothing in', () => {
  test.each([
    '',
    'plain words',
    '4111111111111112',
    '0000000000000000',
    '1700000000000',
    '2024-05-06 12:34:56.789',
    '2024-05-06',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    '192.168.100.200',
    'user@localhost',
    '@handle',
    'a @ b.com',
    'GB33BUKB20201555555556',
    'XX11ABCDEFGHIJKLMNOP',
    '000-12-3456',
    '666-12-3456',
    '123-00-4567',
    '123-45-0000',
    '912-34-5678',
    '+1',
    '1 + 2345678',
    'AKIA',
    'eyJ',
    'skating-is-fun-for-everyone',
    '-----BEGIN CERTIFICATE-----',
    '-----BEGIN PUBLIC KEY-----',
  ])('%j', (text) => {
    expect(found(text)).toEqual([]);
  });
});

/** Completes digits to a number with Luhn's check digit. */
function withCheck(body: readonly number[]): string {
  const sum = [...body].reverse().reduce((total, digit, index) => {
    const doubled = index % 2 === 0 ? digit * 2 : digit;
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return [...body, (10 - (sum % 10)) % 10].join('');
}

test('every card number by the formula is found, wherever it stands, and no other number of its length', () => {
  const body = fc.array(fc.nat(9), { minLength: 14, maxLength: 14 });
  fc.assert(
    fc.property(
      body,
      fc.integer({ min: 2, max: 6 }),
      fc.constantFrom('', 'card ', '"', 'ü('),
      (rest, first, before) => {
        const number = withCheck([first, ...rest]);
        fc.pre(new Set(number).size > 1);
        expect(found(`${before}${number} x`)).toContain('card');
        const wrong = number.slice(0, -1) + ((Number(number.at(-1)) + 1) % 10);
        expect(found(`${before}${wrong} x`)).not.toContain('card');
      },
    ),
    runs,
  );
});

test('every plain address is found', () => {
  fc.assert(
    fc.property(fc.emailAddress(), (address) => {
      fc.pre(/\.[a-z]+$/i.test(address));
      expect(found(`to ${address}, please`)).toContain('email');
    }),
    runs,
  );
});

const names = detectors;

test('report mode counts and lets every value pass as it is', () => {
  const findings = new Findings();
  const mask = detectingMask(postgresField(25), lookup(), names, 'report', findings);
  if (mask === undefined) throw new Error('text is searched');
  const value = Buffer.from('4111111111111111 of jane@example.com');
  const bytes = Buffer.from(value);
  expect(mask.inPlace(bytes, 0, bytes.length)).toBe(true);
  expect(bytes).toEqual(value);
  expect(findings.entries()).toEqual([
    ['card', 1],
    ['email', 1],
  ]);
});

test('mask mode redacts a value with findings whole, counts it once, and leaves others alone', () => {
  const findings = new Findings();
  const mask = detectingMask(postgresField(25), lookup(), ['card'], 'mask', findings);
  if (mask === undefined) throw new Error('text is searched');
  expect(masked(mask, 'pay 4111111111111111 now')).toBe('[redacted]');
  expect(masked(mask, 'jane@example.com')).toBe('jane@example.com');
  expect(findings.entries()).toEqual([['card', 1]]);
});

test('takes any bytes', () => {
  const findings = new Findings();
  const masks = [25, 114, 3802, 1009, 1700].flatMap((oid) =>
    [false, true].flatMap((binary) => {
      const mask = detectingMask(postgresField(oid, binary), lookup(), names, 'mask', findings);
      return mask === undefined ? [] : [mask];
    }),
  );
  expect(masks.length).toBe(9);
  const parts = fc.constantFrom(
    '@',
    '+',
    '-',
    '-----BEGIN ',
    'eyJ',
    'AKIA',
    'GB33',
    '4',
    '111',
    ' ',
    '.',
    '(',
    'x',
    'é',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.array(parts).map((list) => Buffer.from(list.join(''))),
      ),
      (bytes) => {
        for (const mask of masks) apply(mask, Buffer.from(bytes));
      },
    ),
    runs,
  );
});

test('only types that can hold text or card numbers are searched', () => {
  const of = (oid: number, binary = false) =>
    detectingMask(postgresField(oid, binary), lookup(), names, 'mask', new Findings());
  expect([23, 16, 1082, 2950, 701].map((oid) => of(oid))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(of(20)).toBeDefined();
  expect(of(20, true)).toBeUndefined();
});

test('proposes a mask for a column by what is in it', () => {
  const of = (...values: string[]) => {
    const findings = new Findings();
    for (const value of values) findings.add(find(Buffer.from(value), 0, Buffer.byteLength(value), all));
    return proposeMask(findings, values.length);
  };
  expect(of('a@example.com', 'b@example.com')).toEqual({ detector: 'email', spec: { kind: 'email' }, share: 1 });
  expect(of('4111111111111111')?.spec).toEqual({ kind: 'keep-last', count: 4 });
  expect(of('call me', 'at jane@example.com', 'or not')?.spec).toEqual({ kind: 'redact' });
  expect(of('nothing', 'here')).toBeUndefined();
});
