// The local issuer: its key is made once, kept for its owner alone, and its tokens are like any other issuer's.
import { execFile } from 'node:child_process';
import { chmod, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import { createIdentity, issueLocalToken, LocalIssuerError } from '../../src/identity/index.ts';
import { identityConfig, keyFolder } from './support.ts';

const folder = keyFolder();
const local = (more: Record<string, unknown> = {}) => ({
  identity: identityConfig(folder.path(), [{ local: true, ...more }]),
});
const keyFile = () => join(folder.path(), 'data/issuer/signing-key.json');

describe('the local issuer', () => {
  test('issues tokens that its own gateway verifies', async () => {
    const config = local();
    const token = await issueLocalToken(config, {
      sub: 'agent-7',
      groups: ['crew-support', 'crew-fraud'],
      ttlMs: 60_000,
    });
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'EdDSA', typ: 'JWT' });
    expect(decodeJwt(token).exp).toBe((decodeJwt(token).iat ?? 0) + 60);
    expect(await createIdentity(config.identity).verify(token)).toMatchObject({
      kind: 'verified',
      identity: { issuer: 'sallyport:local', subject: 'agent-7', groups: ['crew-support', 'crew-fraud'] },
    });
  });

  test('keeps its key for its owner alone', async () => {
    await issueLocalToken(local(), { sub: 'a', groups: [] });
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder.path(), 'data/issuer'))).mode & 0o077).toBe(0);
  });

  test('does not use a key that others can read', async () => {
    const config = local();
    await issueLocalToken(config, { sub: 'a', groups: [] });
    await chmod(keyFile(), 0o644);
    await expect(issueLocalToken(config, { sub: 'a', groups: [] })).rejects.toThrow(LocalIssuerError);
    await rm(keyFile());
  });

  test('makes one key when several processes start at once', async () => {
    await rm(join(folder.path(), 'data'), { recursive: true, force: true });
    const script = `
      import { issueLocalToken } from ${JSON.stringify(new URL('../../src/identity/index.ts', import.meta.url).href)};
      import { decodeProtectedHeader } from 'jose';
      const issuer = ${JSON.stringify(local().identity.issuers[0])};
      console.log(decodeProtectedHeader(await issueLocalToken({ identity: { issuers: [issuer] } }, { sub: 'a', groups: [] })).kid);
    `;
    const run = () => promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    const outputs = await Promise.all([run(), run(), run(), run()]);
    expect(new Set(outputs.map(({ stdout }) => stdout)).size).toBe(1);
    expect(await readdir(join(folder.path(), 'data/issuer'))).toEqual(['signing-key.json']);
  });

  test('is trusted with its new key when its folder was made anew under a running gateway', async () => {
    const config = local();
    const identity = createIdentity(config.identity);
    const old = await issueLocalToken(config, { sub: 'a', groups: [] });
    expect(await identity.verify(old)).toMatchObject({ kind: 'verified' });
    await rm(keyFile());
    expect(await identity.verify(await issueLocalToken(config, { sub: 'a', groups: [] }))).toMatchObject({
      kind: 'verified',
    });
    expect(await identity.verify(old)).toMatchObject({ check: 'key' });
  });

  test('puts groups where the file says they are', async () => {
    const config = local({ claims: { groups: 'roles' }, audience: ['db', 'x'], issuer: 'dev' });
    const token = await issueLocalToken(config, { sub: 'a', groups: ['g'] });
    expect(decodeJwt(token)).toMatchObject({ iss: 'dev', aud: 'db', roles: ['g'] });
    expect(await createIdentity(config.identity).verify(token)).toMatchObject({ identity: { groups: ['g'] } });
  });

  test('refuses lifetimes that the gateway would refuse', async () => {
    await expect(issueLocalToken(local(), { sub: 'a', groups: [], ttlMs: 25 * 3_600_000 })).rejects.toThrow(
      'at most 86400 seconds',
    );
    await expect(issueLocalToken(local(), { sub: 'a', groups: [], ttlMs: 0 })).rejects.toThrow('at least a second');
    await expect(issueLocalToken(local(), { sub: ' ', groups: [] })).rejects.toThrow('needs a subject');
  });

  test('is only there when the file says so', async () => {
    const config = { identity: identityConfig(folder.path(), [{ issuer: 'https://idp.example.com' }]) };
    await expect(issueLocalToken(config, { sub: 'a', groups: [] })).rejects.toThrow(
      'the configuration has no local issuer',
    );
  });
});
