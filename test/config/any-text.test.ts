// Whatever text stands in the file: a configuration or faults with their places, never another error, and no secret in them.
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Config, ConfigError, parseConfig } from '../../src/config/index.ts';

const sample = await readFile(new URL('../../examples/sallyport.yaml', import.meta.url), 'utf8');

function outcome(text: string): Config | ConfigError {
  try {
    return parseConfig(text, 'file.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function expectSound(text: string): void {
  const result = outcome(text);
  if (!(result instanceof ConfigError)) return;
  expect(result.faults.length).toBeGreaterThan(0);
  const lines = text.split('\n');
  for (const { line, column, expected } of result.faults) {
    expect(line).toBeGreaterThanOrEqual(1);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(expected).not.toBe('');
  }
}

const junk = fc.constantFrom(
  '',
  ' ',
  '\n',
  ':',
  '-',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '#',
  '&a',
  '*a',
  '!t',
  '|',
  '>',
  '?',
  '0',
  'null',
  '\t',
  '\u0000',
  'é',
);

test('a good file with anything cut out, put in or doubled', () => {
  const edit = fc.tuple(fc.nat(sample.length), fc.nat(12), junk);
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let text = sample;
      for (const [at, length, put] of edits) text = text.slice(0, at) + put + text.slice(at + length);
      expectSound(text);
    }),
    { numRuns: 150 },
  );
});

test('any text at all', () => {
  fc.assert(fc.property(fc.string({ maxLength: 200, unit: 'binary' }), expectSound), { numRuns: 150 });
});

test('any JSON at all, and any JSON in place of a part', () => {
  const parts = ['listen', 'identity', 'targets', 'roles', 'rules', 'masks', 'audit', 'limits', 'mask-key', 'store'];
  const good = {
    listen: { postgres: 0 },
    identity: { issuers: [{ local: true }] },
    targets: { shop: { dialect: 'postgres', url: 'postgres://gateway@localhost/shop' } },
  };
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...parts), (value, part) => {
      expectSound(JSON.stringify(value));
      expectSound(JSON.stringify({ ...good, [part]: value }));
    }),
    { numRuns: 150 },
  );
});

test.each([
  ['a password in the place of its name', (secret: string) => `    password: ${secret}\n`],
  ['a password as a list', (secret: string) => `    password: [${secret}]\n`],
  ['a password with a wrong key', (secret: string) => `    password: { value: ${secret} }\n`],
  ['a URL with a password and a wrong scheme', (secret: string) => `    url: http://u:${secret}@localhost/shop\n`],
  ['a URL with a password and nothing else', (secret: string) => `    url: postgres://u:${secret}@\n`],
])('%s is a fault that does not repeat it', (_name, line) => {
  const secret = 'hunter2-canary';
  const added = line(secret);
  const text = added.includes('url:')
    ? sample.replace(/ {4}url: .*\n/, added)
    : sample.replace(/ {4}password: .*\n/, added);
  const result = outcome(text);
  expect(result).toBeInstanceOf(ConfigError);
  expect((result as ConfigError).message).not.toContain(secret);
});
