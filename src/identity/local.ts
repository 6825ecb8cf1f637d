// The local issuer, for development and the demo: an Ed25519 key in the data folder, made by whichever process comes first.
import { join } from 'node:path';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { privateFile } from '../config/index.ts';
import type { Config, LocalIssuerConfig } from '../config/types.ts';
import { KeysUnavailableError, LocalIssuerError } from './errors.ts';
import { type KeySet, type KeySource, keySet } from './keys.ts';

export interface LocalTokenRequest {
  readonly sub: string;
  readonly groups: readonly string[];
  /** Default: 15 minutes. */
  readonly ttlMs?: number;
  /** Further claims. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly now?: number;
}

const defaultLifetime = 15 * 60_000;

/** A token of the configuration's local issuer. Throws LocalIssuerError where the file names none. */
export async function issueLocalToken(config: Pick<Config, 'identity'>, request: LocalTokenRequest): Promise<string> {
  const issuer = config.identity.issuers.find((candidate) => candidate.kind === 'local');
  if (issuer === undefined)
    throw new LocalIssuerError('the configuration has no local issuer (identity.issuers: - local: true)');
  const ttlMs = request.ttlMs ?? defaultLifetime;
  if (!(ttlMs >= 1000 && ttlMs <= issuer.maxLifetimeMs)) {
    throw new LocalIssuerError(
      `a token must live for at least a second and at most ${issuer.maxLifetimeMs / 1000} seconds (max-lifetime)`,
    );
  }
  if (request.sub.trim() === '') throw new LocalIssuerError('a token needs a subject');
  const key = await signingKey(issuer);
  const issuedAt = Math.floor((request.now ?? Date.now()) / 1000);
  const audience = issuer.audience[0] ?? 'sallyport';
  return await new SignJWT({ ...request.claims, [issuer.claims.groups[0] ?? 'groups']: [...request.groups] })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: key.kid })
    .setIssuer(issuer.issuer)
    .setSubject(request.sub)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + Math.floor(ttlMs / 1000))
    .setJti(crypto.randomUUID())
    .sign(key.privateKey);
}

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly kid: string;
  readonly publicJwk: JWK;
}

async function signingKey(issuer: LocalIssuerConfig): Promise<SigningKey> {
  try {
    const bytes = await privateFile(join(issuer.folder, 'signing-key.json'), makeKey);
    const jwk = JSON.parse(bytes.toString('utf8')) as JWK & { kty: 'OKP' };
    const privateKey = await importJWK(jwk, 'EdDSA');
    if (privateKey instanceof Uint8Array || typeof jwk.kid !== 'string') throw new Error('it is no Ed25519 key');
    const publicJwk: JWK = { kty: 'OKP', crv: 'Ed25519', x: jwk.x ?? '', kid: jwk.kid, alg: 'EdDSA', use: 'sig' };
    return { privateKey, kid: jwk.kid, publicJwk };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown error';
    throw new LocalIssuerError(`the key of the local issuer cannot be used: ${why}`);
  }
}

async function makeKey(): Promise<Buffer> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = (await calculateJwkThumbprint(jwk)).slice(0, 16);
  return Buffer.from(`${JSON.stringify({ ...jwk, kid, alg: 'EdDSA', use: 'sig' })}\n`);
}

/** The local issuer's public key. It is read again when a token names another: the data folder may have been made anew. */
export function localKeys(issuer: LocalIssuerConfig): KeySource {
  let current: KeySet | undefined;
  let inFlight: Promise<KeySet> | undefined;
  const load = async (): Promise<KeySet> => {
    const { publicJwk } = await signingKey(issuer).catch((cause: unknown) => {
      throw new KeysUnavailableError(cause instanceof Error ? cause.message : 'the key cannot be read');
    });
    const set = keySet({ keys: [publicJwk] });
    if (set === undefined) throw new KeysUnavailableError('the key cannot be used');
    if (current?.text !== set.text) current = set;
    return current;
  };
  return {
    fresh: () => current,
    async keys() {
      if (current !== undefined) return current;
      inFlight ??= load().finally(() => {
        inFlight = undefined;
      });
      return await inFlight;
    },
    async newerThan(seen) {
      const set = await load().catch(() => undefined);
      return set === seen ? undefined : set;
    },
  };
}
