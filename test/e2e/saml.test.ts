// A SAML assertion in, a credential out: at the HTTP port and by `sallyport login`, each assertion once, whoever shares the store.
import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { type Config, loadConfig, parseConfig } from '../../src/config/index.ts';
import { createIdentity, exchange } from '../../src/identity/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { audience, base64, fixture, provider, response, signedAssertion } from '../identity/saml-support.ts';
import { type TokenServer, tokenServer } from './http.ts';
import { house } from './support.ts';

const run = promisify(execFile);
const sallyport = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
const bearer = 'urn:ietf:params:oauth:grant-type:saml2-bearer';

const at = house({ extra: 'credentials: {}\n' });
let config: Config;
let store: Store;
let server: TokenServer;

beforeAll(async () => {
  const { folder, port, server: database } = at();
  await copyFile(fixture('idp.pem'), join(folder, 'idp.pem'));
  const running = await loadConfig(join(folder, 'sallyport.yaml'));
  // The gateway of the house issues nothing itself: what it must know is in the store.
  const file = {
    listen: { postgres: `127.0.0.1:${port}` },
    data: running.data,
    identity: {
      issuers: [{ local: true }],
      saml: { issuer: provider, audience, certificate: 'idp.pem' },
    },
    targets: {
      shop: { dialect: 'postgres', url: `postgres://gateway@127.0.0.1:${database.port}/postgres`, tls: 'disable' },
    },
  };
  await writeFile(join(folder, 'saml.yaml'), JSON.stringify(file));
  config = parseConfig(JSON.stringify(file), join(folder, 'saml.yaml'));
  store = await openStore(config, { as: 'visitor' });
  server = await tokenServer(config, {
    store,
    audit: { append: () => undefined },
    addresses: () => ({ postgres: { host: '127.0.0.1', port }, mysql: undefined }),
  });
  return async () => {
    await server.close();
    await store.close();
  };
});

async function whoIs(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select count(*)::int as n from customers');
  await client.end();
  expect(rows).toEqual([{ n: 200 }]);
  const login = (await at().records()).findLast((record) => record.event === 'login');
  return login;
}

test('an assertion is exchanged once, and the credential logs in as its subject', async () => {
  const assertion = base64(signedAssertion({ nameId: 'analyst-3' }));
  const { status, body } = await server.post({ grant_type: bearer, assertion, audience: 'shop' });
  expect(status).toBe(200);
  // The assertion of the test is good for five minutes.
  expect(body.expires_in).toBeLessThanOrEqual(300);
  expect(await whoIs(String(body.url))).toMatchObject({
    identity: 'analyst-3',
    issuer: provider,
    groups: ['crew-support'],
  });
  const again = await server.post({ grant_type: bearer, assertion, audience: 'shop' });
  expect(again).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(again.body.error_description).toBe('replay: the assertion has been used before');
});

test('an assertion is the subject token of a token exchange too', async () => {
  const { status } = await server.post({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: Buffer.from(response(signedAssertion())).toString('base64url'),
    subject_token_type: 'urn:ietf:params:oauth:token-type:saml2',
    resource: 'urn:sallyport:shop',
  });
  expect(status).toBe(200);
});

test('a forged assertion is refused by its check', async () => {
  const assertion = base64(signedAssertion({}, { key: 'other' }));
  const { status, body } = await server.post({ grant_type: bearer, assertion, audience: 'shop' });
  expect(status).toBe(400);
  expect(body.error_description).toBe('signature: the signature of the assertion is wrong');
});

test('of twenty who bring the same assertion at once, one gets a credential', async () => {
  const assertion = signedAssertion();
  const identity = createIdentity(config.identity);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      exchange(
        { config, identity, store, unrecorded: false },
        { proof: { kind: 'assertion', assertion }, target: 'shop' },
      ),
    ),
  );
  expect(answers.filter(({ kind }) => kind === 'issued')).toHaveLength(1);
  expect(answers.filter((answer) => answer.kind === 'refused' && answer.check === 'replay')).toHaveLength(19);
});

test('an assertion that was not exchanged, for want of a target, is not used up', async () => {
  const assertion = base64(signedAssertion());
  expect(await server.post({ grant_type: bearer, assertion, audience: 'nowhere' })).toMatchObject({ status: 400 });
  expect(await server.post({ grant_type: bearer, assertion, audience: 'shop' })).toMatchObject({ status: 200 });
});

test('sallyport login takes an assertion from a file', async () => {
  const { folder } = at();
  const file = join(folder, 'assertion.xml');
  await writeFile(file, signedAssertion({ nameId: 'analyst-4' }));
  const login = ['login', '-c', join(folder, 'saml.yaml'), '--saml-file', file, '--target', 'shop'];
  const { stdout } = await run(process.execPath, [sallyport, ...login]);
  expect(stdout).toMatch(/^postgresql:\/\/sp-[a-z2-7]{12}:[A-Za-z0-9]{32}@127\.0\.0\.1:\d+\/shop\n$/);
  expect(await whoIs(stdout.trim())).toMatchObject({ identity: 'analyst-4' });
  await expect(run(process.execPath, [sallyport, ...login])).rejects.toMatchObject({
    code: 1,
    stderr: 'login refused by rule "replay": the assertion has been used before\n',
  });
}, 240_000);
