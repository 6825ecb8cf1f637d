// Roles asked for over HTTP: what an agent with a token and nothing else does, and what a hostile one tries.
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { Hono } from 'hono';
import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { grantEndpoint, type Person } from '../../src/approvals/index.ts';
import type { AuditRecord } from '../../src/audit/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createIdentity } from '../../src/identity/index.ts';
import { house, shopPolicy } from './support.ts';

const at = house({
  listen: '  console: 127.0.0.1:0',
  target: '  other: { dialect: postgres, url: "postgres://gateway@127.0.0.1:1/other", tls: disable }',
  policy: shopPolicy.replace(
    'rules:',
    `  - name: writer
    groups: [writers]
    targets: [shop]
    allow: [read, write]
    tables: ["public.orders"]
    request: { approvers: { groups: [dba] }, max-duration: 30m }
  - name: elsewhere
    groups: [writers]
    targets: [other]
    allow: [read]
    request: { approvers: { groups: [dba] }, max-duration: 30m }
rules:`,
  ),
});

const anna: Person = { kind: 'identity', issuer: 'https://people', subject: 'anna', name: 'anna', groups: ['dba'] };
const wish = { role: 'writer', duration: '10m', reason: 'month end, ticket 4711' };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

type Door = (path: string, init: RequestInit) => Promise<Response>;

/** The gateway's own HTTP port. */
const port: Door = (path, init) => fetch(`${at().gateway.console?.url}/oauth2/grants${path}`, init);

/** The same endpoint without limits: one address is refused thirty times in a row only. */
let unlimited: Door;

beforeAll(async () => {
  const { approvals, folder } = { ...at().gateway, folder: at().folder };
  if (approvals === undefined) throw new Error('the gateway has a store');
  const config = await loadConfig(join(folder, 'sallyport.yaml'));
  const identity = createIdentity(config.identity);
  const plenty = { burst: 10_000, perSecond: 10_000 };
  const app = new Hono().route(
    '/oauth2',
    grantEndpoint({
      current: () => ({ config, identity }),
      approvals,
      audit: { append: (record) => void refused.push(record) },
      log: { error: () => undefined },
      client: () => ({ address: '127.0.0.1', encrypted: false }),
      limits: { all: plenty, refused: plenty },
    }),
  );
  unlimited = async (path, init) => app.request(`http://127.0.0.1/oauth2/grants${path}`, init);
});
const refused: AuditRecord[] = [];

async function ask(
  path: string,
  init: RequestInit & { token?: string | undefined } = {},
  through = unlimited,
): Promise<Answer> {
  const headers = new Headers(init.headers);
  if (init.token !== undefined) headers.set('authorization', `Bearer ${init.token}`);
  const response = await through(path, { ...init, headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const post = (token: string | undefined, form: Record<string, string> | string = wish, through = unlimited) =>
  ask('', { method: 'POST', token, body: new URLSearchParams(form) }, through);

const agent = (sub: string): Promise<string> => at().token(['crew-support'], sub);

test('an agent reads in the refusal where to ask, asks, sees the state, writes once it is agreed to, and gives it back', async () => {
  const token = await agent('crew-1');
  const client = new pg.Client({ ...(await at().client()), password: token });
  await client.connect();
  const insert = () => client.query('insert into orders values (7001, 1, 1) on conflict do nothing');
  const refusal = await insert().then(
    () => undefined,
    (cause: unknown) => cause as pg.DatabaseError,
  );
  const url = /POST role, duration and reason with your token to (\S+)\)/.exec(refusal?.hint ?? '')?.[1];
  expect(url).toBe(`${at().gateway.console?.url}/oauth2/grants`);

  const asked = await post(token, wish, port);
  expect(asked).toMatchObject({
    status: 201,
    body: {
      state: 'pending',
      role: 'writer',
      duration: '10m',
      reason: wish.reason,
      approvers: { count: 1, agreed: 0 },
    },
  });
  const id = String(asked.body.id);
  expect(id).toMatch(/^g-/);
  expect(asked.headers.get('location')).toBe(`/oauth2/grants/${id}`);
  expect(asked.headers.get('cache-control')).toBe('no-store');
  // The same again while it waits is the same request.
  expect((await post(token)).body.id).toBe(id);

  const decided = await at().gateway.approvals?.grants.decide(id, { verdict: 'approve', by: anna });
  expect(decided?.kind).toBe('taken');
  const state = await ask(`/${id}`, { token }, port);
  expect(state).toMatchObject({ status: 200, body: { id, state: 'active', ends: expect.any(String) } });
  await insert();

  expect(await ask(`/${id}`, { method: 'DELETE', token }, port)).toMatchObject({
    status: 200,
    body: { state: 'revoked' },
  });
  await expect(insert()).rejects.toThrow('no-role');
  expect(await ask(`/${id}`, { method: 'DELETE', token }, port)).toMatchObject({ status: 409 });
  expect(await ask('', { token })).toMatchObject({ status: 200, body: { grants: [{ id, state: 'revoked' }] } });
  await client.end();
  const steps = (await at().records()).flatMap((each) => (each.event === 'grant' ? [each.details?.step] : []));
  expect(steps).toEqual(expect.arrayContaining(['requested', 'approved', 'revoked']));
});

test('a JSON body is as good as a form, and the role must be for the target that is named', async () => {
  const token = await agent('crew-2');
  const json = (value: unknown) =>
    ask('', {
      method: 'POST',
      token,
      body: typeof value === 'string' ? value : JSON.stringify(value),
      headers: { 'content-type': 'application/json' },
    });
  expect(await json({ ...wish, target: 'shop' })).toMatchObject({ status: 201, body: { role: 'writer' } });
  expect(await json({ ...wish, target: 'moon' })).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
  expect(await json({ ...wish, duration: 600 })).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  for (const body of [
    '',
    '[]',
    'null',
    '"x"',
    '{',
    '{"role":"writer","r\\u006fle":"owner","duration":"1m","reason":"x"}',
  ])
    expect(await json(body)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
});

test('nobody sees or ends the requests of another', async () => {
  const { body } = await post(await agent('crew-3'));
  const token = await agent('crew-4');
  const none = { status: 404, body: { error: 'invalid_request' } };
  expect(await ask(`/${body.id}`, { token })).toMatchObject(none);
  expect(await ask(`/${body.id}`, { method: 'DELETE', token })).toMatchObject(none);
  expect(await ask('', { token })).toMatchObject({ status: 200, body: { grants: [] } });
  expect(await ask(`/${body.id}`, { token: await agent('crew-3') })).toMatchObject({ status: 200 });
});

test('without a good token nothing is asked for, and the refusal is in the form of RFC 6750', async () => {
  const bare = await post(undefined);
  expect(bare).toMatchObject({ status: 401, body: { error: 'invalid_request' } });
  expect(bare.headers.get('www-authenticate')).toBe('Bearer realm="sallyport"');

  const good = await agent('crew-5');
  const [header = '', claims = ''] = good.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const hmac = Buffer.from('{"alg":"HS256"}').toString('base64url');
  const forged = createHmac('sha256', 'key').update(`${hmac}.${claims}`).digest('base64url');
  for (const [token, check] of [
    ['hunter2', 'format'],
    [`${header}.${claims}.AAAA`, 'signature'],
    [`${none}.${claims}.`, 'algorithm'],
    [`${hmac}.${claims}.${forged}`, 'algorithm'],
    ['x'.repeat(20_000), 'size'],
  ] as const) {
    const answer = await post(token);
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_token' } });
    expect(answer.body.error_description).toContain(`${check}: `);
    expect(answer.headers.get('www-authenticate')).toMatch(
      /^Bearer realm="sallyport", error="invalid_token", error_description="[^"]+"$/,
    );
  }
  for (const authorization of ['Basic YTpi', 'Bearer', `Bearer ${good} ${good}`, `Bearer ${good}, ${good}`])
    expect([400, 401]).toContain((await ask('', { headers: { authorization } })).status);
  expect(refused.map((record) => 'details' in record && record.details?.rule)).toEqual(
    expect.arrayContaining(['format', 'signature', 'algorithm', 'size']),
  );
  expect(JSON.stringify(refused)).not.toContain(claims);
});

test('a revoked identity asks for nothing', async () => {
  const token = await agent('crew-6');
  await at().gateway.approvals?.revocations.add(
    { kind: 'identity', issuer: 'sallyport:local', subject: 'crew-6' },
    anna,
  );
  expect(await post(token)).toMatchObject({ status: 401, body: { error: 'invalid_token' } });
});

test('hostile fields are refused, or kept as the plain text they are', async () => {
  const token = await agent('crew-7');
  const cases: readonly (readonly [Record<string, string> | string, number, string])[] = [
    [{}, 400, 'invalid_request'],
    [{ ...wish, role: '' }, 400, 'invalid_request'],
    [{ ...wish, role: 'nothing' }, 400, 'invalid_scope'],
    [{ ...wish, role: 'owner' }, 400, 'invalid_scope'],
    [{ ...wish, role: '__proto__' }, 400, 'invalid_scope'],
    [{ ...wish, role: 'x'.repeat(9000) }, 400, 'invalid_scope'],
    [{ ...wish, role: "writer'; drop table sallyport.grants; --" }, 400, 'invalid_scope'],
    [{ ...wish, role: 'wri\0ter' }, 400, 'invalid_scope'],
    [{ ...wish, duration: '31m' }, 400, 'invalid_request'],
    [{ ...wish, duration: '0s' }, 400, 'invalid_request'],
    [{ ...wish, duration: '-5m' }, 400, 'invalid_request'],
    [{ ...wish, duration: '1e9s' }, 400, 'invalid_request'],
    [{ ...wish, duration: 'NaN' }, 400, 'invalid_request'],
    [{ ...wish, duration: `${'9'.repeat(400)}w` }, 400, 'invalid_request'],
    [{ ...wish, reason: '  ' }, 400, 'invalid_request'],
    [{ ...wish, reason: 'x'.repeat(2001) }, 400, 'invalid_request'],
    [{ ...wish, subject: 'anna' }, 400, 'invalid_request'],
    [{ ...wish, approvers: 'crew-support' }, 400, 'invalid_request'],
    ['role=writer&role=owner&duration=1m&reason=x', 400, 'invalid_request'],
    [{ ...wish, role: 'elsewhere', target: 'shop' }, 400, 'invalid_target'],
    [{ ...wish, reason: 'x'.repeat(40_000) }, 413, 'invalid_request'],
  ];
  for (const [form, status, error] of cases) {
    const answer = await post(token, form);
    expect(answer, JSON.stringify(form).slice(0, 80)).toMatchObject({ status, body: { error } });
    expect(String(answer.body.error_description)).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,500}$/);
  }
  expect(await ask('', { method: 'POST', token, body: 'role=writer' })).toMatchObject({ status: 415 });
  for (const id of ['g-', 'g-0000000000', '..%2f..%2fapi', "g-'%20or%201=1", '%00', 'h-0000000000', 'x'.repeat(5000)])
    expect((await ask(`/${id}`, { token })).status).toBe(404);

  const strange = 'why \u202e<script>alert(1)</script> \u001b[31mred\0';
  const kept = await post(token, { ...wish, reason: strange });
  expect(kept.status).toBe(201);
  expect(kept.body.reason).toBe(strange.replace('\0', ' '));
});

test('an identity that asks again and again waits, and so does an address that is refused again and again', async () => {
  const token = await agent('crew-8');
  let last: Answer | undefined;
  for (let turn = 0; turn < 11; turn += 1) last = await post(token, wish, port);
  expect(last).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } });
  expect(last?.headers.get('retry-after')).toBe('10');
  // Looking is still allowed, and so is another identity.
  expect((await ask('', { token }, port)).status).toBe(200);
  expect((await post(await agent('crew-9'), wish, port)).status).toBe(201);

  for (let turn = 0; turn < 40; turn += 1) last = await post('hunter2', wish, port);
  expect(last).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } });
  expect(last?.headers.get('retry-after')).toBe('1');
});
