// Verifying tokens: which issuer, which key, is the signature right, is it for us, is it the time. One answer, never an exception.
import { createHash } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import type { IdentityConfig, IssuerConfig } from '../config/types.ts';
import { identityOf } from './claims.ts';
import { type Check, KeysUnavailableError, TokenRefused } from './errors.ts';
import { type KeySet, type KeySource, keySource } from './keys.ts';
import { localKeys } from './local.ts';
import { decodeToken, printable, type UnverifiedToken } from './token.ts';
import type { Identity } from './types.ts';

export type Verification =
  | { readonly kind: 'verified'; readonly identity: Identity }
  | { readonly kind: 'refused'; readonly check: Check; readonly message: string };

export interface IdentityVerifier {
  /**
   * Verifies a token. Never rejects. A refusal's message is meant for the client: it names the check that failed and repeats
   * nothing of the token but its issuer's name, made printable.
   */
  verify(token: string): Promise<Verification>;
}

export interface IdentityOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly fetch?: typeof fetch;
  /** Verified tokens remembered until they expire. */
  readonly cacheSize?: number;
}

interface Issuer {
  readonly config: IssuerConfig;
  readonly source: KeySource;
}

interface Verified {
  readonly identity: Identity;
  readonly issuer: Issuer;
  /** The keys it was verified with: when the issuer withdraws one, the token must be looked at again. */
  readonly keys: KeySet;
  readonly until: number;
}

/** Makes the verifier of a configuration's issuers. Keys are loaded at first use. */
export function createIdentity(config: IdentityConfig, options: IdentityOptions = {}): IdentityVerifier {
  const now = options.now ?? Date.now;
  const get = options.fetch ?? fetch;
  const cacheSize = options.cacheSize ?? 10_000;
  const issuers = new Map<string, Issuer>();
  for (const issuer of config.issuers) {
    const source =
      issuer.kind === 'local' ? localKeys(issuer) : keySource(issuer.keys, issuer.issuer, { now, fetch: get });
    issuers.set(issuer.issuer, { config: issuer, source });
  }
  const cache = new Map<string, Verified>();
  const inFlight = new Map<string, Promise<Verification>>();

  const remembered = async (digest: string): Promise<Verification | undefined> => {
    const entry = cache.get(digest);
    if (entry === undefined) return undefined;
    const keys = entry.issuer.source.fresh() ?? (await entry.issuer.source.keys().catch(() => undefined));
    // Waiting may have let another caller replace the entry; only ours is judged here.
    if (keys === entry.keys && now() < entry.until) {
      cache.delete(digest);
      cache.set(digest, entry);
      return { kind: 'verified', identity: entry.identity };
    }
    if (cache.get(digest) === entry) cache.delete(digest);
    return undefined;
  };

  const verifyAnew = async (token: string, digest: string): Promise<Verification> => {
    try {
      const known = await remembered(digest);
      if (known !== undefined) return known;
      const unverified = decodeToken(token);
      const issuer = issuerOf(unverified);
      const keys = await verifySignature(token, unverified, issuer, now);
      const identity = identityOf(unverified.claims, issuer.config);
      const until = identity.expiresAt * 1000 + issuer.config.clockSkewMs;
      cache.set(digest, { identity, issuer, keys, until });
      if (cache.size > cacheSize) cache.delete(cache.keys().next().value ?? '');
      return { kind: 'verified', identity };
    } catch (cause) {
      if (cause instanceof TokenRefused) return { kind: 'refused', check: cause.check, message: cause.message };
      return { kind: 'refused', check: 'format', message: 'the token cannot be read' };
    }
  };

  const issuerOf = ({ claims }: UnverifiedToken): Issuer => {
    if (typeof claims.iss !== 'string') throw new TokenRefused('issuer', 'the token names no issuer');
    const issuer = issuers.get(claims.iss);
    if (issuer === undefined)
      throw new TokenRefused('issuer', `the issuer "${printable(claims.iss)}" is not trusted here`);
    return issuer;
  };

  return {
    async verify(token) {
      // A token that is too long is not worth hashing.
      const digest = token.length > 65_536 ? '' : createHash('sha256').update(token).digest('base64');
      const running = inFlight.get(digest);
      if (running !== undefined && digest !== '') return running;
      const started = verifyAnew(token, digest);
      inFlight.set(digest, started);
      try {
        return await started;
      } finally {
        if (inFlight.get(digest) === started) inFlight.delete(digest);
      }
    },
  };
}

async function verifySignature(
  token: string,
  unverified: UnverifiedToken,
  issuer: Issuer,
  now: () => number,
): Promise<KeySet> {
  const { config, source } = issuer;
  const { alg, kid } = unverified.header;
  if (!config.algorithms.some((allowed) => allowed === alg || (allowed === 'EdDSA' && alg === 'Ed25519'))) {
    throw new TokenRefused(
      'algorithm',
      `the token's algorithm is not accepted; expected ${config.algorithms.join(', ')}`,
    );
  }
  let keys = await source.keys().catch((cause: unknown) => {
    throw unavailable(cause, config.issuer);
  });
  for (let turn = 0; ; turn += 1) {
    try {
      await verifyWith(token, keys, config, now);
      checkTimes(unverified.claims, config, now());
      return keys;
    } catch (cause) {
      const refusal = refusalOf(cause);
      // An issuer that has changed its keys: a key we do not hold, or, where keys have no names, a signature by another one.
      const mayBeNewKey = refusal.check === 'key' || (refusal.check === 'signature' && kid === undefined);
      const newer = turn === 0 && mayBeNewKey ? await source.newerThan(keys) : undefined;
      if (newer === undefined) throw refusal;
      keys = newer;
    }
  }
}

async function verifyWith(token: string, keys: KeySet, config: IssuerConfig, now: () => number): Promise<void> {
  await jwtVerify(token, keys.find, {
    issuer: config.issuer,
    audience: [...config.audience],
    algorithms: config.algorithms.flatMap((name) => (name === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [name])),
    clockTolerance: config.clockSkewMs / 1000,
    currentDate: new Date(now()),
    requiredClaims: ['exp'],
  });
}

function checkTimes(claims: UnverifiedToken['claims'], config: IssuerConfig, now: number): void {
  const { exp, iat, cnf } = claims;
  if (typeof exp !== 'number' || !Number.isFinite(exp))
    throw new TokenRefused('expiry', 'the token says no time at which it expires');
  if (exp * 1000 - now > config.maxLifetimeMs + config.clockSkewMs) {
    throw new TokenRefused('lifetime', 'the token stays valid for longer than this gateway accepts');
  }
  if (iat !== undefined && (typeof iat !== 'number' || iat * 1000 > now + config.clockSkewMs)) {
    throw new TokenRefused('issued-at', 'the token says that it was issued in the future');
  }
  // RFC 7800: such a token is only good together with a proof of a key, which a password cannot carry.
  if (cnf !== undefined)
    throw new TokenRefused(
      'binding',
      'the token is bound to a key of its holder (cnf) and cannot be used as a password',
    );
}

function unavailable(cause: unknown, issuer: string): TokenRefused {
  const why = cause instanceof KeysUnavailableError ? cause.message : 'they cannot be read';
  return new TokenRefused('keys-unavailable', `the keys of issuer "${printable(issuer)}" are not available: ${why}`);
}

function refusalOf(cause: unknown): TokenRefused {
  if (cause instanceof TokenRefused) return cause;
  if (cause instanceof errors.JWKSNoMatchingKey)
    return new TokenRefused('key', 'the issuer has no key that fits this token');
  if (cause instanceof errors.JWKSMultipleMatchingKeys) {
    return new TokenRefused('key', "the token does not say which of the issuer's keys signed it (no kid)");
  }
  if (cause instanceof errors.JWSSignatureVerificationFailed)
    return new TokenRefused('signature', 'the signature of the token is wrong');
  if (cause instanceof errors.JOSEAlgNotAllowed)
    return new TokenRefused('algorithm', "the token's algorithm is not accepted");
  if (cause instanceof errors.JWTExpired) return new TokenRefused('expiry', 'the token has expired');
  if (cause instanceof errors.JWTClaimValidationFailed) return refusalOfClaim(cause.claim);
  if (cause instanceof errors.JOSEError) return new TokenRefused('format', 'the token cannot be read');
  // Keys that cannot be used at all, such as RSA below 2048 bits, make the platform throw.
  return new TokenRefused('key', "the issuer's key for this token cannot be used");
}

function refusalOfClaim(claim: string): TokenRefused {
  switch (claim) {
    case 'nbf':
      return new TokenRefused('not-before', 'the token is not valid yet');
    case 'exp':
      return new TokenRefused('expiry', 'the token says no time at which it expires');
    case 'iat':
      return new TokenRefused('issued-at', 'the token does not say properly when it was issued');
    case 'aud':
      return new TokenRefused('audience', 'the token is for another audience');
    case 'iss':
      return new TokenRefused('issuer', 'the issuer of the token is not trusted here');
    default:
      return new TokenRefused('claims', 'a claim of the token is not as it must be');
  }
}
