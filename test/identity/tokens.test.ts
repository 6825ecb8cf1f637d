// Good tokens: every algorithm, claims from wherever they are, what the identity then says, and what is remembered.
import { beforeAll, describe, expect, test } from 'vitest';
import { createIdentity, type Identity } from '../../src/identity/index.ts';
import { goodClaims, identityConfig, keyFolder, makeKey, noon, sign, type TestKey } from './support.ts';

const folder = keyFolder();
const keys = new Map<string, TestKey>();
const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

beforeAll(async () => {
  await Promise.all(algorithms.map(async (alg) => keys.set(alg, await makeKey(alg, `key-${alg}`))));
  await folder.write(
    'all.json',
    [...keys.values()].map((key) => key.jwk),
  );
});

function key(alg: string): TestKey {
  const found = keys.get(alg);
  if (found === undefined) throw new Error(`no key for ${alg}`);
  return found;
}

interface Clock {
  seconds: number;
}

function verifier(issuer: Record<string, unknown> = {}, clock: Clock = { seconds: noon }) {
  const config = identityConfig(folder.path(), [{ issuer: goodClaims.iss, jwks: 'file:all.json', ...issuer }]);
  return createIdentity(config, { now: () => clock.seconds * 1000 });
}

async function identityOf(claims: Record<string, unknown>, issuer: Record<string, unknown> = {}): Promise<Identity> {
  const result = await verifier(issuer).verify(await sign(key('ES256'), claims));
  if (result.kind === 'refused') throw new Error(result.message);
  return result.identity;
}

describe('a good token', () => {
  test.each(algorithms)('signed with %s is verified', async (alg) => {
    expect(await verifier().verify(await sign(key(alg)))).toEqual({
      kind: 'verified',
      identity: {
        issuer: 'https://idp.example.com',
        subject: 'crew-support-7',
        name: 'crew-support-7',
        groups: ['crew-support'],
        expiresAt: noon + 600,
        tokenId: undefined,
        actors: [],
      },
    });
  });

  test('without a kid is verified where only one key of the issuer fits', async () => {
    expect(await verifier().verify(await sign(key('ES384'), {}, { kid: undefined }))).toMatchObject({
      kind: 'verified',
    });
  });

  test.each([undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+jwt'])('may be of type %s', async (typ) => {
    expect(await verifier().verify(await sign(key('ES256'), {}, { typ }))).toMatchObject({ kind: 'verified' });
  });

  test('may name several audiences, and the issuer several that it accepts', async () => {
    expect(await identityOf({ aud: ['billing', 'sallyport'] })).toMatchObject({ subject: 'crew-support-7' });
    expect(await identityOf({ aud: 'db-gate' }, { audience: ['sallyport', 'db-gate'] })).toMatchObject({
      subject: 'crew-support-7',
    });
  });

  test('passes within the clock skew on either side, and not beyond', async () => {
    const at = async (claims: Record<string, unknown>) =>
      (await verifier({ 'clock-skew': '1m' }).verify(await sign(key('ES256'), claims))).kind;
    expect(await at({ exp: noon - 50 })).toBe('verified');
    expect(await at({ exp: noon - 61 })).toBe('refused');
    expect(await at({ nbf: noon + 50 })).toBe('verified');
    expect(await at({ nbf: noon + 61 })).toBe('refused');
    expect(await at({ iat: noon + 50 })).toBe('verified');
    expect(await at({ iat: noon + 61 })).toBe('refused');
  });

  test('may live as long as the issuer is allowed to say', async () => {
    expect(await identityOf({ exp: noon + 30 * 86_400 }, { 'max-lifetime': '90d' })).toMatchObject({
      expiresAt: noon + 30 * 86_400,
    });
  });

  test('of an algorithm the issuer does not use is refused', async () => {
    const result = await verifier({ algorithms: ['ES256'] }).verify(await sign(key('RS256')));
    expect(result).toMatchObject({
      check: 'algorithm',
      message: "the token's algorithm is not accepted; expected ES256",
    });
  });
});

describe('an identity', () => {
  test('takes its name from a claim path and falls back to the subject', async () => {
    expect(await identityOf({ preferred_username: 'seven' }, { claims: { name: 'preferred_username' } })).toMatchObject(
      { name: 'seven' },
    );
    expect(await identityOf({}, { claims: { name: 'preferred_username' } })).toMatchObject({ name: 'crew-support-7' });
  });

  test('has a subject from another claim where a client-credentials token has no sub', async () => {
    const issuer = { claims: { subject: ['sub', 'client_id', 'azp'] } };
    expect(await identityOf({ sub: undefined, client_id: 'agent-7' }, issuer)).toMatchObject({
      subject: 'agent-7',
      name: 'agent-7',
    });
  });

  test.each([
    ['a list', ['a', 'b'], ['a', 'b']],
    ['a text divided by spaces', 'a b', ['a', 'b']],
    ['a text divided by commas', 'a,b, c', ['a', 'b', 'c']],
    ['an empty text', '', []],
    ['nothing', undefined, []],
    ['a list that repeats itself', ['a', 'a'], ['a']],
  ])('has groups from %s', async (_name, groups, expected) => {
    expect((await identityOf({ groups })).groups).toEqual(expected);
  });

  test.each([
    ['a dotted path', 'realm_access.roles', { realm_access: { roles: ['a'] } }],
    ['a name that is a URL', 'https://example.com/groups', { 'https://example.com/groups': ['a'] }],
    [
      'a name with dots inside a path',
      'kubernetes.io.serviceaccount.name',
      { 'kubernetes.io': { serviceaccount: { name: 'a' } } },
    ],
    ['an exact name before a path', 'a.b', { 'a.b': ['a'], a: { b: ['wrong'] } }],
    ['a path where a longer name leads nowhere', 'a.b.c', { 'a.b': 7, a: { b: { c: ['a'] } } }],
  ])('finds groups by %s', async (_name, path, claims) => {
    expect((await identityOf(claims, { claims: { groups: path } })).groups).toEqual(['a']);
  });

  test('does not find claims that objects have by nature', async () => {
    expect((await identityOf({}, { claims: { groups: 'constructor.name' } })).groups).toEqual([]);
    expect((await identityOf({}, { claims: { groups: '__proto__' } })).groups).toEqual([]);
  });

  test('has the groups of its issuer besides', async () => {
    expect((await identityOf({}, { groups: ['machines'] })).groups).toEqual(['crew-support', 'machines']);
  });

  test('carries the token id and the chain of actors, outermost first', async () => {
    const act = { sub: 'crew-boss', act: { sub: 'planner', act: { client_id: 'app' } } };
    expect(await identityOf({ jti: 'id-1', act })).toMatchObject({
      tokenId: 'id-1',
      actors: ['crew-boss', 'planner', 'app'],
    });
  });

  test('cannot be changed', async () => {
    const identity = await identityOf({});
    expect(Object.isFrozen(identity) && Object.isFrozen(identity.groups)).toBe(true);
  });
});

describe('workload tokens by configuration alone', () => {
  test('Kubernetes service accounts', async () => {
    const claims = {
      sub: 'system:serviceaccount:agents:support',
      groups: undefined,
      'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'support', uid: 'u' } },
    };
    expect(
      await identityOf(claims, {
        claims: { name: 'kubernetes.io.serviceaccount.name', groups: 'kubernetes.io.namespace' },
      }),
    ).toMatchObject({
      subject: 'system:serviceaccount:agents:support',
      name: 'support',
      groups: ['agents'],
    });
  });

  test('GitHub Actions', async () => {
    const claims = { sub: 'repo:acme/agents:ref:refs/heads/main', groups: undefined, repository: 'acme/agents' };
    expect(await identityOf(claims, { claims: { name: 'repository', groups: 'repository' } })).toMatchObject({
      name: 'acme/agents',
      groups: ['acme/agents'],
    });
  });
});

describe('workload tokens besides', () => {
  test('GitLab CI', async () => {
    const claims = {
      sub: 'project_path:acme/agents:ref_type:branch:ref:main',
      groups: undefined,
      project_path: 'acme/agents',
      namespace_path: 'acme',
    };
    expect(await identityOf(claims, { claims: { name: 'project_path', groups: 'namespace_path' } })).toMatchObject({
      subject: claims.sub,
      name: 'acme/agents',
      groups: ['acme'],
    });
  });
});

describe('what is remembered', () => {
  test('a token is verified again once it has expired', async () => {
    const clock = { seconds: noon };
    const identity = verifier({}, clock);
    const token = await sign(key('ES256'));
    expect(await identity.verify(token)).toMatchObject({ kind: 'verified' });
    expect(await identity.verify(token)).toMatchObject({ kind: 'verified' });
    clock.seconds = noon + 631;
    expect(await identity.verify(token)).toMatchObject({ kind: 'refused', check: 'expiry' });
  });

  test('the same identity object comes back for the same token', async () => {
    const identity = verifier();
    const token = await sign(key('ES256'));
    const together = await Promise.all([identity.verify(token), identity.verify(token)]);
    const results = [...together, await identity.verify(token)];
    expect(new Set(results.map((result) => result.kind === 'verified' && result.identity)).size).toBe(1);
  });

  test('is bounded', async () => {
    const config = identityConfig(folder.path(), [{ issuer: goodClaims.iss, jwks: 'file:all.json' }]);
    const identity = createIdentity(config, { now: () => noon * 1000, cacheSize: 2 });
    const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => sign(key('ES256'), { sub })));
    const first = await identity.verify(tokens[0] ?? '');
    for (const token of tokens.slice(1)) await identity.verify(token);
    const again = await identity.verify(tokens[0] ?? '');
    expect(again).toEqual(first);
    expect(again.kind === 'verified' && first.kind === 'verified' && again.identity !== first.identity).toBe(true);
  });
});
