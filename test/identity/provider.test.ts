// Tokens of an outside OIDC provider: client credentials found by discovery, rotation without a restart, withdrawn keys.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../src/identity/index.ts';
import { identityConfig } from './support.ts';

let provider: ChildProcess;
let issuer = '';

beforeAll(async () => {
  provider = fork(new URL('./provider.js', import.meta.url), { execArgv: [], stdio: 'ignore' });
  const [message] = await once(provider, 'message');
  issuer = String(message);
});

afterAll(() => {
  provider.kill();
});

async function token(): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('crew-support-7:secret-of-the-test').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'query' }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
  return answer.access_token;
}

async function rotate(): Promise<void> {
  const answer = once(provider, 'message');
  provider.send('rotate');
  expect(await answer).toEqual(['rotated', undefined]);
}

test('a client-credentials token is verified, also after the provider has changed its keys; one of a withdrawn key is not', async () => {
  let now = Date.now();
  const identity = createIdentity(identityConfig('.', [{ issuer }]), { now: () => now });
  const first = await token();
  expect(await identity.verify(first)).toMatchObject({
    kind: 'verified',
    identity: { issuer, subject: 'crew-support-7', groups: ['crew-support'] },
  });
  await rotate();
  now += 11_000;
  expect(await identity.verify(await token())).toMatchObject({ kind: 'verified' });
  expect(await identity.verify(first)).toMatchObject({ kind: 'refused', check: 'key' });
});

test('a token for another audience is refused', async () => {
  const identity = createIdentity(identityConfig('.', [{ issuer, audience: 'elsewhere' }]));
  expect(await identity.verify(await token())).toMatchObject({ kind: 'refused', check: 'audience' });
});
