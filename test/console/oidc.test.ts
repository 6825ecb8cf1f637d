// Login of people through an OpenID provider: a real one in a process of its own, and one that lies in every way it can.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/store/embedded.ts';
import { Visitor } from './browser.ts';
import { consoleHouse, people } from './support.ts';

const client = `${people}  client-id: sallyport-console\n`;

describe('a real provider', () => {
  let provider: ChildProcess;
  const house = consoleHouse(async () => {
    const port = await freePort();
    provider = fork(new URL('./provider.js', import.meta.url), [`http://127.0.0.1:${port}/login/callback`], {
      execArgv: [],
      stdio: 'ignore',
    });
    const [issuer] = (await once(provider, 'message')) as [string];
    return { port, issuers: `    - issuer: ${issuer}`, people: `${client}  issuer: ${issuer}\n` };
  });
  afterAll(() => {
    provider.kill();
  });

  /** Through the provider's own pages: a name, then the consent. */
  async function login(name: string, path = '/') {
    const visitor = new Visitor();
    const start = await visitor.visit(house().url + path);
    const begin = /href="(\/login\/begin[^"]*)"/.exec(start.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const asked = await visitor.visit(house().url + begin);
    const consent = await visitor.submit(asked, { login: name, password: 'any' });
    return { visitor, page: await visitor.submit(consent) };
  }

  test('lets people in with the role their groups give, and leads them where they wanted to go', async () => {
    const { page } = await login('dana', '/search?text=drop');
    expect(page.url).toBe(`${house().url}/search?text=drop`);
    expect(page.text).toMatch(/class="name"[^>]*>dana</);
    expect(page.text).toContain('class="role">approver<');
    expect((await login('amy')).page.text).toContain('class="role">admin<');
    expect((await login('vera')).page.text).toContain('class="role">viewer<');
  });

  test('of whom no group has a role are told so, and it is on record', async () => {
    const { page } = await login('stranger');
    expect(page.status).toBe(403);
    expect(page.text).toContain('none of your groups may look at this console');
    const { items } = (await (await house().ask('/api/records?kind=login-refused')).json()) as {
      items: { message: string; identity: string }[];
    };
    expect(items[0]).toMatchObject({ identity: 'stranger', message: 'stranger has no role in the console' });
  });
});

describe('a provider that lies', () => {
  let server: Server;
  let issuer = '';
  /** What the token endpoint puts into the next ID token, and what the answer to the browser says. */
  let lie: {
    claims?: Record<string, unknown>;
    key?: 'wrong';
    iss?: string;
    state?: string;
    error?: string;
    status?: number;
    answer?: string;
  } = {};
  let asked: URLSearchParams;
  let exchanged: URLSearchParams;

  const house = consoleHouse(async () => {
    const keys = { right: await generateKeyPair('ES256'), wrong: await generateKeyPair('ES256') };
    const jwk = { ...(await exportJWK(keys.right.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' };
    server = createServer(async (request, response) => {
      const url = new URL(request.url ?? '/', issuer);
      const json = (value: unknown, status = 200) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      if (url.pathname === '/.well-known/openid-configuration') {
        return json({
          issuer,
          jwks_uri: `${issuer}/jwks`,
          authorization_endpoint: `${issuer}/auth`,
          token_endpoint: `${issuer}/token`,
          authorization_response_iss_parameter_supported: true,
        });
      }
      if (url.pathname === '/jwks') return json({ keys: [jwk] });
      if (url.pathname === '/auth') {
        asked = url.searchParams;
        const back = new URL(asked.get('redirect_uri') ?? '');
        const state = lie.state ?? asked.get('state') ?? '';
        const answer =
          lie.error === undefined ? { code: 'the-code' } : { error: lie.error, error_description: '<b>x</b>' };
        back.search = new URLSearchParams({ ...answer, state, iss: lie.iss ?? issuer }).toString();
        return response.writeHead(302, { location: back.href }).end();
      }
      const parts: Uint8Array[] = [];
      for await (const part of request) parts.push(part as Uint8Array);
      exchanged = new URLSearchParams(Buffer.concat(parts).toString());
      if (lie.answer !== undefined) return response.writeHead(lie.status ?? 200).end(lie.answer);
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: issuer,
        aud: 'sallyport-console',
        sub: 'dana',
        groups: ['dba'],
        nonce: asked.get('nonce'),
        iat: now,
        exp: now + 300,
        ...lie.claims,
      };
      const idToken = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .sign(lie.key === 'wrong' ? keys.wrong.privateKey : keys.right.privateKey);
      json({ id_token: idToken, access_token: 'x', token_type: 'Bearer' }, lie.status);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    return { issuers: `    - issuer: ${issuer}`, people: `${client}  issuer: ${issuer}\n` };
  });
  beforeAll(() => {
    lie = {};
  });
  afterAll(() => {
    server.close();
  });

  async function login(how: typeof lie = {}) {
    lie = how;
    const visitor = new Visitor();
    const page = await visitor.visit(`${house().url}/login/begin`);
    return { visitor, page };
  }

  test('lets people in while it tells the truth, with PKCE, state and nonce', async () => {
    const { page } = await login();
    expect(page.text).toMatch(/class="name"[^>]*>dana</);
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      client_id: 'sallyport-console',
      redirect_uri: `${house().url}/login/callback`,
      code_challenge_method: 'S256',
    });
    const { createHash } = await import('node:crypto');
    expect(
      createHash('sha256')
        .update(exchanged.get('code_verifier') ?? '')
        .digest('base64url'),
    ).toBe(asked.get('code_challenge'));
    expect(exchanged.has('client_secret')).toBe(false);
  });

  test.each<[string, typeof lie, string]>([
    ['another nonce', { claims: { nonce: 'other' } }, 'nonce'],
    ['no nonce', { claims: { nonce: undefined } }, 'nonce'],
    ['another audience', { claims: { aud: 'other' } }, 'audience'],
    ['two audiences and no party', { claims: { aud: ['sallyport-console', 'other'] } }, 'azp'],
    ['another party', { claims: { azp: 'other' } }, 'azp'],
    ['an ID token that has expired', { claims: { exp: 1 } }, 'expired'],
    ['another issuer in the ID token', { claims: { iss: 'https://evil.example' } }, 'not trusted'],
    ['an ID token signed by another key', { key: 'wrong' }, 'signature'],
    ['another issuer in the answer', { iss: 'https://evil.example' }, 'another identity provider'],
    ['another state', { state: 'x' }, 'not begun in this browser'],
    ['an error', { error: 'access_denied' }, 'did not let you in'],
    ['no JSON', { answer: '<html>' }, 'cannot be read'],
    ['no ID token', { answer: '{}' }, 'no ID token'],
    ['an endless answer', { answer: `{"x":"${'x'.repeat(400_000)}"}` }, 'too long'],
    ['a failure', { answer: '{}', status: 500 }, 'answered 500'],
  ])('lets nobody in with %s', async (_what, how, said) => {
    const { page, visitor } = await login(how);
    expect(page.status).toBe(403);
    expect(page.text).toContain(said);
    expect(page.text).not.toContain('<b>x</b>');
    expect((await visitor.visit(`${house().url}/`)).url).toContain('/login');
  });

  test('cannot have its answer used in another browser, or twice', async () => {
    lie = {};
    const victim = new Visitor();
    const begun = await victim.once(`${house().url}/login/begin`);
    const answer = await fetch(begun.headers.get('location') ?? '', { redirect: 'manual' });
    const callback = answer.headers.get('location') ?? '';
    const other = new Visitor();
    expect((await other.visit(callback)).status).toBe(403);
    // The attempt in the other browser has not used it up for this one.
    expect((await victim.visit(callback)).text).toContain('Overview');
    expect((await victim.visit(callback)).status).toBe(403);
  });
});
