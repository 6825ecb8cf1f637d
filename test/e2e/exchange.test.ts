// Token exchange at the HTTP port: the forms of RFC 8693, the errors of RFC 6749, and credentials that log in.
import { join } from 'node:path';
import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import type { EventRecord } from '../../src/audit/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { credentialType, issueLocalToken } from '../../src/identity/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { type TokenServer, tokenServer } from './http.ts';
import { house } from './support.ts';

const at = house({ listen: '  console: 127.0.0.1:0', extra: 'credentials: {}\n' });
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const plenty = { burst: 10_000, perSecond: 10_000 };

let store: Store;
let config: Config;
let server: TokenServer;
const audited: EventRecord[] = [];
let journal: 'works' | 'fails' = 'works';

function start(limits = { all: plenty, refused: plenty }): Promise<TokenServer> {
  return tokenServer(config, {
    store,
    limits,
    audit: {
      append(record) {
        if (journal === 'fails') throw new Error('the disk is full');
        audited.push(record as EventRecord);
      },
    },
    addresses: () => ({ postgres: { host: '127.0.0.1', port: at().port }, mysql: undefined }),
  });
}

beforeAll(async () => {
  config = await loadConfig(join(at().folder, 'sallyport.yaml'));
  store = await openStore(config, { as: 'visitor' });
  server = await start();
  return async () => {
    await server.close();
    await store.close();
  };
});

async function form(more: Record<string, string | undefined> = {}): Promise<Record<string, string>> {
  const all = {
    grant_type: exchangeGrant,
    subject_token: await at().token(),
    subject_token_type: jwt,
    audience: 'shop',
    ...more,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

test('a token is exchanged for a credential whose URL logs in', async () => {
  const { status, headers, body } = await server.post(await form());
  expect(status).toBe(200);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(body).toMatchObject({
    issued_token_type: credentialType,
    token_type: 'N_A',
    access_token: body.password,
    target: 'shop',
    dialect: 'postgres',
    user: expect.stringMatching(/^sp-/),
  });
  expect(body.expires_in).toBeGreaterThan(880);
  expect(body.expires_in).toBeLessThanOrEqual(900);
  const client = new pg.Client({ connectionString: String(body.url) });
  await client.connect();
  expect((await client.query('select count(*)::int as n from orders')).rows).toEqual([{ n: 1000 }]);
  await client.end();
  expect(audited.at(-1)).toMatchObject({
    event: 'credential',
    identity: 'crew-support-7',
    target: 'shop',
    details: { credential: body.user, subject: 'crew-support-7' },
  });
  expect(JSON.stringify(audited)).not.toContain(String(body.password));
});

test("the gateway's own HTTP port has the endpoint", async () => {
  const url = `${at().gateway.console?.url}/oauth2/token`;
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(await form()) });
  expect(response.status).toBe(200);
  const body = (await response.json()) as { url: string; user: string };
  const client = new pg.Client({ connectionString: body.url });
  await client.connect();
  await client.end();
  const records = await at().records();
  expect(records.findLast(({ event }) => event === 'credential')).toMatchObject({
    client: '127.0.0.1',
    details: { credential: body.user },
  });
  const refused = await fetch(url, { method: 'POST', body: new URLSearchParams(await form({ subject_token: 'x' })) });
  expect(refused.status).toBe(400);
});

test('a revoked credential ends its session and logs in no more; a revoked identity gets none', async () => {
  const url = `${at().gateway.console?.url}/oauth2/token`;
  const ask = async (subject: string) =>
    fetch(url, {
      method: 'POST',
      body: new URLSearchParams(await form({ subject_token: await at().token(['crew-support'], subject) })),
    });
  const body = (await (await ask('agent-r')).json()) as { url: string; user: string };
  const client = new pg.Client({ connectionString: body.url });
  const ended = new Promise<Error>((resolve) => client.on('error', resolve));
  await client.connect();
  const revocations = at().gateway.approvals?.revocations;
  const operator = { kind: 'operator', name: 'test' } as const;
  await revocations?.add({ kind: 'credential', user: body.user }, operator);
  expect((await ended).message).toContain('revoked');
  await expect(new pg.Client({ connectionString: body.url }).connect()).rejects.toThrow('has been revoked');
  const { issuer } = config.identity.issuers[0] ?? { issuer: '' };
  await revocations?.add({ kind: 'identity', issuer, subject: 'agent-r' }, operator);
  const refused = await ask('agent-r');
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ error_description: expect.stringMatching(/^revoked: /) });
});

test.each(['shop', 'urn:sallyport:shop', 'https://db.example.com/targets/shop', 'postgres://127.0.0.1:6432/shop'])(
  'the target may be the resource %s',
  async (resource) => {
    const { status, body } = await server.post(await form({ audience: undefined, resource }));
    expect(status).toBe(200);
    expect(body.target).toBe('shop');
  },
);

test('access tokens and id tokens are taken by their types', async () => {
  for (const type of ['access_token', 'id_token'])
    expect(
      (await server.post(await form({ subject_token_type: `urn:ietf:params:oauth:token-type:${type}` }))).status,
    ).toBe(200);
});

test('the chain of actors is kept: of the token, and of the token of who acts', async () => {
  const token = await issueLocalToken(config, {
    sub: 'user-1',
    groups: ['crew-support'],
    claims: { act: { sub: 'planner', act: { sub: 'router' } } },
  });
  const actor = await issueLocalToken(config, { sub: 'worker-9', groups: [] });
  const { status, body } = await server.post(
    await form({ subject_token: token, actor_token: actor, actor_token_type: jwt }),
  );
  expect(status).toBe(200);
  expect(audited.at(-1)?.details.actors).toBe('worker-9 <- planner <- router');
  const client = new pg.Client({ connectionString: String(body.url) });
  await client.connect();
  await client.end();
  const login = (await at().records()).findLast((record) => record.event === 'login');
  expect(login).toMatchObject({ identity: 'user-1', details: { actors: 'worker-9 <- planner <- router' } });
});

const refusals: readonly [string, Record<string, string | undefined>, string, string][] = [
  ['no grant type', { grant_type: undefined }, 'invalid_request', 'grant_type'],
  ['a grant type that is not supported', { grant_type: 'password' }, 'unsupported_grant_type', 'token-exchange'],
  ['no token', { subject_token: undefined }, 'invalid_request', 'subject_token'],
  ['no token type', { subject_token_type: undefined }, 'invalid_request', 'subject_token_type'],
  ['a token type that is not supported', { subject_token_type: 'urn:x' }, 'invalid_request', 'subject_token_type'],
  ['another kind of token wanted', { requested_token_type: jwt }, 'invalid_request', 'requested_token_type'],
  ['a token that is none', { subject_token: 'hunter2' }, 'invalid_request', 'format:'],
  ['an actor without its type', { actor_token: 'x' }, 'invalid_request', 'actor_token_type'],
  ['an actor that is none', { actor_token: 'x', actor_token_type: jwt }, 'invalid_request', "the actor's token"],
  ['no target', { audience: undefined }, 'invalid_target', 'audience'],
  ['a target that is not there', { audience: 'nowhere' }, 'invalid_target', 'nowhere'],
  ['two targets', { resource: 'urn:sallyport:crm' }, 'invalid_target', 'different'],
  [
    'an assertion where no provider is trusted',
    { grant_type: 'urn:ietf:params:oauth:grant-type:saml2-bearer', assertion: 'PHg+' },
    'invalid_grant',
    'identity.saml',
  ],
];

test.each(refusals)('%s is refused', async (_, more, error, words) => {
  const { status, body } = await server.post(await form(more));
  expect(status).toBe(400);
  expect(body.error).toBe(error);
  expect(body.error_description).toContain(words);
  expect(body.error_description).toMatch(/^[\x20-\x7e]+$/);
  expect(body.error_description).not.toMatch(/["\\]/);
});

test('a parameter given twice and another body type are refused', async () => {
  const twice = `${new URLSearchParams(await form())}&audience=shop`;
  expect(await server.post(twice)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  const json = await fetch(server.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  expect(json.status).toBe(415);
  expect((await fetch(server.url)).status).toBe(404);
});

test('a huge body is refused unread', async () => {
  // On a server of its own: the connection ends behind the answer.
  const other = await start();
  expect(await other.post(await form({ subject_token: 'x'.repeat(600_000) }))).toMatchObject({ status: 413 });
  await other.close();
});

test('a refused token is on record by its check, and not by its text', async () => {
  const token = `${(await at().token()).slice(0, -8)}AAAAAAAA`;
  await server.post(await form({ subject_token: token }));
  expect(audited.at(-1)).toMatchObject({ event: 'login-refused', details: { rule: 'signature' } });
  expect(JSON.stringify(audited)).not.toContain(token.slice(0, 30));
});

test('a credential that cannot be recorded is not handed out', async () => {
  const [before] = await store.query<{ n: number }>(
    'select count(*)::int as n from sallyport.credentials where revoked is null',
  );
  journal = 'fails';
  const { status, body } = await server.post(await form());
  journal = 'works';
  expect(status).toBe(503);
  expect(body.error).toBe('temporarily_unavailable');
  expect(await store.query('select count(*)::int as n from sallyport.credentials where revoked is null')).toEqual([
    before,
  ]);
});

test('a revoked identity gets no credential', async () => {
  const strict = await tokenServer(config, {
    store,
    audit: { append: () => undefined },
    addresses: () => ({ postgres: undefined, mysql: undefined }),
    revoked: ({ subject }) => subject === 'crew-support-7',
  });
  const { status, body } = await strict.post(await form());
  expect(status).toBe(400);
  expect(body.error_description).toMatch(/^revoked: /);
  await strict.close();
});

test('whoever is refused too often waits', async () => {
  const strict = await start({ all: plenty, refused: { burst: 3, perSecond: 0.001 } });
  const statuses: number[] = [];
  for (let turn = 0; turn < 5; turn++) statuses.push((await strict.post(await form({ subject_token: 'x' }))).status);
  expect(statuses).toEqual([400, 400, 400, 429, 429]);
  const good = await strict.post(await form());
  expect(good.status).toBe(429);
  expect(good.headers.get('retry-after')).toBe('1');
  await strict.close();
});

test('from another machine a token is taken over TLS only', async () => {
  const far = await tokenServer(config, {
    store,
    audit: { append: () => undefined },
    addresses: () => ({ postgres: undefined, mysql: undefined }),
    client: () => ({ address: '192.0.2.7', encrypted: false }),
  });
  expect(await far.post(await form())).toMatchObject({ status: 403, body: { error: 'invalid_request' } });
  await far.close();
});
