// docs/console.md: its configuration loads, and its API is there.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, parseConfig } from '../../src/config/index.ts';
import { consoleHouse } from './support.ts';

const page = await readFile(new URL('../../docs/console.md', import.meta.url), 'utf8');
const example = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
const targets = { shop: { dialect: 'postgres', url: 'postgres://gateway@localhost/shop' } };
const file = (changes: object = {}) => JSON.stringify({ ...(parse(example) as object), targets, ...changes });

test('the configuration it shows loads', () => {
  expect(parseConfig(file(), 'file.yaml').console).toMatchObject({ clientId: 'sallyport-console', approvers: ['dba'] });
});

test.each([
  [
    'an address that others reach, without TLS',
    { listen: { postgres: '127.0.0.1:1', console: '0.0.0.0:8090' } },
    'loopback',
  ],
  [
    'an issuer that is none of the file',
    { console: { issuer: 'https://other', 'client-id': 'x' } },
    'identity.issuers',
  ],
  ['an issuer without a client', { console: { issuer: 'https://idp.example.com' } }, 'issuer and client-id together'],
  ['a client without an issuer', { console: { 'client-id': 'x' } }, 'issuer and client-id together'],
])('%s is refused', (_what, changes, said) => {
  expect(() => parseConfig(file(changes), 'file.yaml')).toThrow(ConfigError);
  expect(() => parseConfig(file(changes), 'file.yaml')).toThrow(said);
});

test('an address that others reach is taken where the file says insecure', () => {
  const listen = { postgres: '127.0.0.1:1', console: '0.0.0.0:8090', insecure: true };
  expect(parseConfig(file({ listen }), 'file.yaml').listen.console).toMatchObject({ host: '0.0.0.0' });
});

describe('the API it lists', () => {
  const house = consoleHouse();
  const gets = [...page.matchAll(/^\| (`GET [^|]*)\|/gm)]
    .flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(?:GET )?(\/[^`]*)`|, `(\/[^`]*)`/g)].map(([, a, b]) => a ?? b ?? ''),
    )
    .map((path) => (path.startsWith('/api') ? path : `/api${path}`))
    .filter((path) => !path.includes('ID') && !path.includes('live'));

  test('names a dozen requests', () => {
    expect(gets.length).toBeGreaterThanOrEqual(11);
  });
  test.each(gets)('answers GET %s', async (path) => {
    const answer = await house().ask(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('application/json');
    await answer.text();
  });
  test.each(['/healthz', '/readyz', '/metrics'])('answers anybody at %s', async (path) => {
    const answer = await fetch(house().url + path);
    expect(answer.status).toBe(200);
    await answer.text();
  });
});
