// Tokens of an outside OIDC provider through the gateway: client credentials, rotation, withdrawn keys, and many logins at once.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { createIdentity, exchange } from '../../src/identity/index.ts';
import { openStore } from '../../src/store/index.ts';
import { house } from './support.ts';

/** A slice of the thousand that `npm run bench logins` opens. */
const sessions = 150;

let provider: ChildProcess;
let issuer = '';

beforeAll(async () => {
  provider = fork(new URL('../identity/provider.js', import.meta.url), { execArgv: [], stdio: 'ignore' });
  issuer = String((await once(provider, 'message'))[0]);
});

afterAll(() => {
  provider.kill();
});

const at = house({
  issuers: () => `    - issuer: ${issuer}
      jwks-cooldown: 500ms`,
  extra: 'credentials: {}\n',
  settings: { max_connections: String(sessions + 50) },
});

async function ask(what: string): Promise<unknown> {
  const answer = once(provider, 'message');
  provider.send(what);
  return (await answer)[0];
}

async function token(client = 'crew-support-7'): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client}:secret-of-the-test`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'query' }),
  });
  const { access_token } = (await response.json()) as { access_token?: string };
  if (access_token === undefined) throw new Error('the provider issued no token');
  return access_token;
}

async function logIn(settings: { user?: string; password: string }): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port: at().port, user: 'agent', database: 'shop', ...settings });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function whoIs(password: string): Promise<unknown> {
  const client = await logIn({ password });
  await client.query('select 1 from customers where id = 1');
  await client.end();
  return (await at().records()).findLast(({ event }) => event === 'login');
}

test('two clients of the provider are two identities with roles of their own', async () => {
  expect(await whoIs(await token())).toMatchObject({ identity: 'crew-support-7', issuer, groups: ['crew-support'] });
  expect(await whoIs(await token('crew-agent-1'))).toMatchObject({ identity: 'crew-agent-1', groups: ['crew-agent'] });
  const support = await logIn({ password: await token() });
  const agent = await logIn({ password: await token('crew-agent-1') });
  await expect(support.query('update orders set total = 1 where id = 1')).rejects.toMatchObject({ code: '42501' });
  await agent.query('update orders set total = 1 where id = 1');
  await support.end();
  await agent.end();
});

test('after a rotation new tokens log in without a restart, and those of the withdrawn key no longer', async () => {
  const old = await token();
  await whoIs(old);
  expect(await ask('rotate')).toBe('rotated');
  await sleep(600);
  expect(await whoIs(await token())).toMatchObject({ identity: 'crew-support-7' });
  await expect(logIn({ password: old })).rejects.toMatchObject({ code: '28P01' });
});

test('sessions that come all at once with a new key are all let in, and the keys are fetched twice at most', async () => {
  expect(await ask('rotate')).toBe('rotated');
  const tokens: string[] = [];
  while (tokens.length < sessions)
    tokens.push(
      ...(await Promise.all(Array.from({ length: 10 }, (_, n) => token(n % 2 === 0 ? undefined : 'crew-agent-1')))),
    );
  await sleep(600);
  const before = Number(await ask('fetches'));
  const open = await Promise.all(tokens.map((password) => logIn({ password })));
  expect(Number(await ask('fetches')) - before).toBeLessThanOrEqual(2);
  const answers = await Promise.all(open.map((client) => client.query('select count(*)::int as n from customers')));
  expect(answers.every(({ rows }) => rows[0]?.n === 200)).toBe(true);
  expect(at().gateway.sessions.size).toBe(sessions);
  await Promise.all(open.map((client) => client.end()));
});

test('so are sessions with issued credentials', async () => {
  const config = await loadConfig(join(at().folder, 'sallyport.yaml'));
  const store = await openStore(config, { as: 'visitor' });
  const identity = createIdentity(config.identity);
  const proof = { kind: 'token', token: await token() } as const;
  const issued = await Promise.all(
    Array.from({ length: sessions }, () =>
      exchange({ config, identity, store, unrecorded: true }, { proof, target: 'shop' }),
    ),
  );
  await store.close();
  const open = await Promise.all(
    issued.map((answer) => {
      if (answer.kind === 'refused') throw new Error(answer.message);
      return logIn({ user: answer.credential.user, password: answer.credential.password });
    }),
  );
  expect(at().gateway.sessions.size).toBe(sessions);
  await Promise.all(open.map((client) => client.end()));
  const recorded = async () =>
    new Set(
      (await at().records()).flatMap((record) => (record.event === 'credential' ? [record.details.credential] : [])),
    ).size;
  await expect.poll(recorded, { timeout: 20_000 }).toBe(sessions);
});

test('a token that is exchanged has its key checked like any other', async () => {
  const old = await token();
  expect(await ask('rotate')).toBe('rotated');
  const config = await loadConfig(join(at().folder, 'sallyport.yaml'));
  const store = await openStore(config, { as: 'visitor' });
  const answer = await exchange(
    { config, identity: createIdentity(config.identity), store, unrecorded: true },
    { proof: { kind: 'token', token: old }, target: 'shop' },
  );
  await store.close();
  expect(answer).toMatchObject({ kind: 'refused', check: 'key' });
});
