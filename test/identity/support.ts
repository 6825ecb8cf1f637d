// Keys and tokens for the tests: an issuer whose key file we write ourselves, and tokens good or bad in one place.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import type { IdentityConfig } from '../../src/config/types.ts';

/** The time at which the tests' tokens are looked at, in seconds. */
export const noon = 1_800_000_000;

export interface TestKey {
  readonly kid: string | undefined;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export async function makeKey(alg: string, kid?: string): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), ...(kid === undefined ? {} : { kid }), alg, use: 'sig' };
  return { kid, alg, privateKey, publicKey, jwk };
}

export const goodClaims = {
  iss: 'https://idp.example.com',
  aud: 'sallyport',
  sub: 'crew-support-7',
  groups: ['crew-support'],
  iat: noon - 10,
  exp: noon + 600,
};

/** Signs claims; `undefined` takes a claim away. */
export async function sign(
  key: TestKey,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const payload = Object.fromEntries(
    Object.entries({ ...goodClaims, ...claims }).filter(([, value]) => value !== undefined),
  );
  const protectedHeader = { alg: key.alg, typ: 'JWT', ...(key.kid === undefined ? {} : { kid: key.kid }), ...header };
  const entries = Object.entries(protectedHeader).filter(([, value]) => value !== undefined);
  return await new SignJWT(payload as JWTPayload)
    .setProtectedHeader({ alg: key.alg, ...Object.fromEntries(entries) })
    .sign(key.privateKey);
}

/** A token of any header and claims as texts, with any signature. */
export function raw(header: string | object, claims: string | object, signature = 'AAAA'): string {
  const part = (value: string | object) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** The identity part of a configuration file with these issuers. */
export function identityConfig(
  folder: string,
  issuers: readonly Record<string, unknown>[],
  more: Record<string, unknown> = {},
): IdentityConfig {
  const file = {
    listen: { postgres: '127.0.0.1:0' },
    identity: { issuers, ...more },
    targets: { shop: { dialect: 'postgres', url: 'postgres://gateway@localhost/shop' } },
  };
  return parseConfig(JSON.stringify(file), join(folder, 'sallyport.yaml')).identity;
}

/** A scratch folder for the tests of a file, with a way to write key files into it. */
export function keyFolder(): {
  readonly path: () => string;
  readonly write: (name: string, keys: readonly JWK[]) => Promise<void>;
} {
  let path = '';
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'sallyport-identity-'));
  });
  afterAll(async () => {
    await rm(path, { recursive: true, force: true });
  });
  return { path: () => path, write: (name, keys) => writeFile(join(path, name), JSON.stringify({ keys })) };
}
