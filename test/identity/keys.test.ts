// Issuers' keys over HTTP and from files: discovery, rotation without a stampede, withdrawn keys, servers that misbehave.
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createIdentity } from '../../src/identity/index.ts';
import { identityConfig, keyFolder, makeKey, noon, sign, type TestKey } from './support.ts';

const folder = keyFolder();
let a: TestKey;
let b: TestKey;
let c: TestKey;
beforeAll(async () => {
  [a, b, c] = await Promise.all([makeKey('ES256', 'a'), makeKey('ES256', 'b'), makeKey('EdDSA')]);
});

/** An identity provider whose behaviour a test changes as it goes. */
const provider = {
  server: undefined as Server | undefined,
  url: '',
  keys: [] as readonly JWK[],
  requests: [] as string[],
  answer: undefined as ((path: string, response: ServerResponse) => boolean) | undefined,
  wait: 0,
};

beforeEach(async () => {
  Object.assign(provider, { keys: [a.jwk], requests: [], answer: undefined, wait: 0 });
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    provider.requests.push(path);
    setTimeout(() => {
      if (provider.answer?.(path, response) === true) return;
      response.setHeader('content-type', 'application/json');
      const document = path.endsWith('/openid-configuration')
        ? { issuer: provider.url, jwks_uri: `${provider.url}/keys` }
        : { keys: provider.keys };
      response.end(JSON.stringify(document));
    }, provider.wait);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  provider.server = server;
  provider.url = `http://127.0.0.1:${address.port}`;
});

afterEach(async () => {
  provider.server?.closeAllConnections();
  await new Promise((resolve) => provider.server?.close(resolve));
});

interface Clock {
  seconds: number;
}

function verifier(issuer: Record<string, unknown> = {}, clock: Clock = { seconds: noon }) {
  const config = identityConfig(folder.path(), [{ issuer: provider.url, 'jwks-timeout': '500ms', ...issuer }]);
  return createIdentity(config, { now: () => clock.seconds * 1000 });
}

const token = (key: TestKey, sub = 'agent') => sign(key, { iss: provider.url, sub, exp: noon + 80_000 });

describe('keys by discovery', () => {
  test('are found and kept', async () => {
    const identity = verifier();
    expect(await identity.verify(await token(a))).toMatchObject({ kind: 'verified' });
    expect(await identity.verify(await token(a, 'other'))).toMatchObject({ kind: 'verified' });
    expect(provider.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('cost at most two requests for a thousand logins at once, by one token or by many', async () => {
    provider.wait = 30;
    const identity = verifier();
    const shared = await token(a);
    const many = await Promise.all(Array.from({ length: 50 }, (_, at) => token(a, `agent-${at}`)));
    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, at) => identity.verify(at % 2 === 0 ? shared : (many[at % 50] ?? ''))),
    );
    expect(results.filter((result) => result.kind === 'verified').length).toBe(1000);
    expect(provider.requests.length).toBe(2);
  });

  test('of a document that names another issuer are refused', async () => {
    provider.answer = (path, response) => {
      if (!path.endsWith('configuration')) return false;
      response.end(JSON.stringify({ issuer: 'https://evil.example.com', jwks_uri: `${provider.url}/keys` }));
      return true;
    };
    expect(await verifier().verify(await token(a))).toMatchObject({
      check: 'keys-unavailable',
      message: expect.stringContaining('the discovery document names another issuer'),
    });
  });

  test.each(['http://evil.example.com/keys', 'file:///etc/passwd', 'ftp://127.0.0.1/keys', 'keys'])(
    'at %s are refused',
    async (place) => {
      provider.answer = (path, response) => {
        if (!path.endsWith('configuration')) return false;
        response.end(JSON.stringify({ issuer: provider.url, jwks_uri: place }));
        return true;
      };
      expect(await verifier().verify(await token(a))).toMatchObject({ check: 'keys-unavailable' });
      expect(provider.requests.length).toBe(1);
    },
  );
});

describe('rotation', () => {
  test('a token of a new key is verified without a restart', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    await identity.verify(await token(a));
    provider.keys = [a.jwk, b.jwk];
    clock.seconds += 11;
    expect(await identity.verify(await token(b))).toMatchObject({ kind: 'verified' });
    expect(await identity.verify(await token(a, 'again'))).toMatchObject({ kind: 'verified' });
  });

  test('a thousand tokens of a new key at once cost one fetch', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    await identity.verify(await token(a));
    provider.keys = [b.jwk];
    provider.requests = [];
    provider.wait = 30;
    clock.seconds += 11;
    const many = await Promise.all(Array.from({ length: 200 }, (_, at) => token(b, `agent-${at}`)));
    const results = await Promise.all(many.map((each) => identity.verify(each)));
    expect(results.every((result) => result.kind === 'verified')).toBe(true);
    expect(provider.requests).toEqual(['/keys']);
  });

  test('unknown keys cannot make the gateway fetch more than once in the cooldown', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    await identity.verify(await token(a));
    provider.requests = [];
    for (let turn = 0; turn < 20; turn += 1) {
      clock.seconds += 1;
      expect(await identity.verify(await sign(b, { iss: provider.url }, { kid: `guess-${turn}` }))).toMatchObject({
        check: 'key',
      });
    }
    expect(provider.requests.length).toBeLessThanOrEqual(2);
  });

  test('a withdrawn key is refused once the keys have aged, even for a token that was verified before', async () => {
    const clock = { seconds: noon };
    const identity = verifier({ 'jwks-max-age': '5m' }, clock);
    const old = await token(a);
    expect(await identity.verify(old)).toMatchObject({ kind: 'verified' });
    provider.keys = [b.jwk];
    clock.seconds += 301;
    expect(await identity.verify(old)).toMatchObject({ kind: 'refused', check: 'key' });
  });

  test('a withdrawn key is refused at once when another token has made the keys new', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    const old = await token(a);
    await identity.verify(old);
    provider.keys = [b.jwk];
    clock.seconds += 11;
    expect(await identity.verify(await token(b))).toMatchObject({ kind: 'verified' });
    expect(await identity.verify(old)).toMatchObject({ kind: 'refused', check: 'key' });
  });

  test('keys without names may change too', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    const d = await makeKey('EdDSA');
    provider.keys = [c.jwk];
    expect(await identity.verify(await token(c))).toMatchObject({ kind: 'verified' });
    provider.keys = [d.jwk];
    clock.seconds += 11;
    expect(await identity.verify(await token(d))).toMatchObject({ kind: 'verified' });
  });
});

describe('a provider that misbehaves', () => {
  const misbehaviours: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ['answers 500', (response) => response.writeHead(500).end()],
    ['answers HTML', (response) => response.end('<html>')],
    ['answers an empty set', (response) => response.end('{"keys":[]}')],
    ['answers only shared keys', (response) => response.end('{"keys":[{"kty":"oct","k":"AAAA"}]}')],
    ['answers a list', (response) => response.end('[]')],
    ['redirects elsewhere', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/keys' }).end()],
    ['never answers', () => undefined],
    [
      'never ends',
      (response) => {
        response.write('{"keys":[');
        const timer = setInterval(() => response.write(' '.repeat(256 * 1024)), 1);
        response.on('close', () => clearInterval(timer));
      },
    ],
    ['hangs up', (response) => response.destroy()],
  ];
  test.each(misbehaviours)(
    '%s: logins are refused with the reason, and work again afterwards',
    async (_name, answer) => {
      const clock = { seconds: noon };
      const identity = verifier({}, clock);
      provider.answer = (path, response) => {
        if (!path.endsWith('/keys')) return false;
        answer(response);
        return true;
      };
      const login = await token(a);
      expect(await identity.verify(login)).toMatchObject({
        check: 'keys-unavailable',
        message: expect.stringContaining(`the keys of issuer "${provider.url}" are not available`),
      });
      const tried = provider.requests.length;
      expect(await identity.verify(login)).toMatchObject({ check: 'keys-unavailable' });
      expect(provider.requests.length).toBe(tried);
      provider.answer = undefined;
      clock.seconds += 11;
      expect(await identity.verify(login)).toMatchObject({ kind: 'verified' });
    },
  );

  test('that is down leaves the last keys in use for a while, and no longer', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    await identity.verify(await token(a));
    provider.answer = (_path, response) => {
      response.writeHead(503).end();
      return true;
    };
    clock.seconds += 301;
    expect(await identity.verify(await token(a, 'later'))).toMatchObject({ kind: 'verified' });
    clock.seconds += 1200;
    expect(await identity.verify(await token(a, 'much later'))).toMatchObject({ check: 'keys-unavailable' });
  });

  test('that moves its keys is asked where they are again', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    await identity.verify(await token(a));
    provider.answer = (path, response) => {
      if (path.endsWith('configuration'))
        response.end(JSON.stringify({ issuer: provider.url, jwks_uri: `${provider.url}/moved` }));
      else if (path === '/moved') response.end(JSON.stringify({ keys: [b.jwk] }));
      else response.writeHead(404).end();
      return true;
    };
    clock.seconds += 301;
    await identity.verify(await token(b));
    clock.seconds += 11;
    expect(await identity.verify(await token(b, 'again'))).toMatchObject({ kind: 'verified' });
  });
});

describe('keys from a file', () => {
  const file = () => ({ jwks: 'file:rotating.json' });

  test('are read again when the file changes', async () => {
    const clock = { seconds: noon };
    await folder.write('rotating.json', [a.jwk]);
    const identity = verifier(file(), clock);
    const old = await token(a);
    expect(await identity.verify(old)).toMatchObject({ kind: 'verified' });
    await folder.write('rotating.json', [b.jwk]);
    clock.seconds += 2;
    expect(await identity.verify(await token(b))).toMatchObject({ kind: 'verified' });
    expect(await identity.verify(old)).toMatchObject({ check: 'key' });
  });

  test('of a file that is written at this moment are waited for', async () => {
    const path = join(folder.path(), 'rotating.json');
    await writeFile(path, '{"keys":[');
    setTimeout(() => void writeFile(path, JSON.stringify({ keys: [a.jwk] })), 10);
    expect(await verifier(file()).verify(await token(a))).toMatchObject({ kind: 'verified' });
  });

  test('of a file that is gone are no longer used', async () => {
    const clock = { seconds: noon };
    await folder.write('rotating.json', [a.jwk]);
    const identity = verifier(file(), clock);
    const login = await token(a);
    await identity.verify(login);
    await rm(join(folder.path(), 'rotating.json'));
    clock.seconds += 2;
    expect(await identity.verify(login)).toMatchObject({
      check: 'keys-unavailable',
      message: expect.stringContaining('the key file cannot be read'),
    });
  });

  test('work for a file that holds private keys, of which only the public part is used', async () => {
    const { exportJWK } = await import('jose');
    const whole = { ...(await exportJWK(a.privateKey)), kid: 'a', key_ops: ['sign'] };
    await folder.write('rotating.json', [whole]);
    expect(await verifier(file()).verify(await token(a))).toMatchObject({ kind: 'verified' });
  });

  test('that are too short for their algorithm are refused', async () => {
    const { generateKeyPairSync, sign: cryptoSign } = await import('node:crypto');
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    await folder.write('rotating.json', [{ ...publicKey.export({ format: 'jwk' }), kid: 'short' } as JWK]);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${part({ alg: 'RS256', kid: 'short' })}.${part({ iss: provider.url, aud: 'sallyport', sub: 'x', exp: noon + 60 })}`;
    const signature = cryptoSign('sha256', Buffer.from(input), privateKey).toString('base64url');
    expect(await verifier(file()).verify(`${input}.${signature}`)).toMatchObject({ check: 'key' });
  });
});
