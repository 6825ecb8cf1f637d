// docs/configuration.md: its examples are good configuration, and its reference is what the schema says.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/index.ts';
import { withReference } from '../../src/config/reference.ts';
import { builtInRules } from '../../src/config/references.ts';

const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? '');

const rest = {
  listen: { postgres: '127.0.0.1:0' },
  identity: { issuers: [{ local: true }] },
  targets: { shop: { dialect: 'postgres', url: 'postgres://gateway@localhost/shop' } },
};

describe('docs/configuration.md', () => {
  test.each(examples.map((text) => [text.split('\n')[0], text] as const))(
    'the example that begins with %s is good',
    (_first, text) => {
      const parts: unknown = parse(text);
      expect(() => parseConfig(JSON.stringify({ ...rest, ...(parts as object) }), 'example.yaml')).not.toThrow();
    },
  );

  test('has examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
  });

  test('has a reference that is up to date (npm run schema writes it)', () => {
    expect(page).toBe(withReference(page));
  });

  test('names every rule that is built in', () => {
    for (const name of builtInRules.filter((each) => each !== 'second-reader')) expect(page).toContain(`\`${name}\``);
  });
});
