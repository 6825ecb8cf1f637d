// docs/identity.md: its configurations are good ones, and what it names is there.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/index.ts';
import { credentialType, grantTypes } from '../../src/identity/index.ts';

const page = readFileSync(new URL('../../docs/identity.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text ?? '');
const rest = {
  listen: { postgres: '127.0.0.1:0' },
  identity: { issuers: [{ local: true }] },
  targets: { shop: { dialect: 'postgres', url: 'postgres://gateway@localhost/shop' } },
};

test.each(examples.map((text) => [text.split('\n')[0], text] as const))(
  'the example that begins with %s is good',
  (_, text) => {
    const file = JSON.stringify({ ...rest, ...(parse(text) as object) });
    expect(() => parseConfig(file, 'example.yaml')).not.toThrow();
  },
);

test('the names of the endpoint are those of the page', () => {
  expect(examples).toHaveLength(3);
  for (const name of [...Object.values(grantTypes), credentialType]) expect(page).toContain(name);
});
