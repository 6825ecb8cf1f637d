// Where an issuer's public keys come from: a file (read anew when it changes) or the web (cached, fetched by one request at a time).
import { readFile, stat } from 'node:fs/promises';
import { createLocalJWKSet, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose';
import { isLoopback } from '../config/index.ts';
import type { KeySourceConfig } from '../config/types.ts';
import { KeysUnavailableError } from './errors.ts';

/** One state of an issuer's keys. A new object stands for other keys, so holders compare by identity. */
export interface KeySet {
  readonly find: JWTVerifyGetKey;
  /** To tell whether a newly fetched set holds other keys. */
  readonly text: string;
}

export interface KeySource {
  /** The keys to verify with now. Rejects with KeysUnavailableError where there are none that may still be used. */
  keys(): Promise<KeySet>;
  /** The keys if they need no waiting: held, and fresh enough. */
  fresh(): KeySet | undefined;
  /** A token names a key that `seen` does not hold: other keys where there are some by now or by asking again, else undefined. */
  newerThan(seen: KeySet): Promise<KeySet | undefined>;
}

export interface KeySourceOptions {
  readonly now: () => number;
  readonly fetch: typeof fetch;
}

/** Public members only: a file that holds private keys must verify all the same, and never keep them in memory. */
const publicMembers = ['kty', 'kid', 'use', 'key_ops', 'alg', 'n', 'e', 'crv', 'x', 'y'] as const;

/** Makes a set of a JWKS document; undefined where it is none. Shared keys (oct) are left out. */
export function keySet(document: unknown): KeySet | undefined {
  if (typeof document !== 'object' || document === null || !('keys' in document) || !Array.isArray(document.keys))
    return undefined;
  const keys = document.keys.slice(0, 200).flatMap((key: unknown): JWK[] => {
    if (typeof key !== 'object' || key === null) return [];
    const given = key as Readonly<Record<string, unknown>>;
    if (given.kty !== 'RSA' && given.kty !== 'EC' && given.kty !== 'OKP') return [];
    const entries = publicMembers.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]);
    const jwk = Object.fromEntries(entries) as Record<string, unknown>;
    // A private key lists what the private half may do.
    if ('d' in given) delete jwk.key_ops;
    return [jwk as unknown as JWK];
  });
  if (keys.length === 0) return undefined;
  const set: JSONWebKeySet = { keys };
  return { find: createLocalJWKSet(set), text: JSON.stringify(set) };
}

export function keySource(config: KeySourceConfig, issuer: string, options: KeySourceOptions): KeySource {
  return config.kind === 'file' ? fileKeys(config.path, options) : webKeys(config, issuer, options);
}

/** Between two looks at a file whose keys are in use already. */
const fileInterval = 1000;

function fileKeys(path: string, { now }: KeySourceOptions): KeySource {
  let current: { readonly set: KeySet; readonly stamp: string } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  const load = async (): Promise<KeySet> => {
    const at = now();
    const stamp = await fileStamp(path);
    if (current === undefined || current.stamp !== stamp) {
      const set = await readKeys(path);
      current = { set: current?.set.text === set.text ? current.set : set, stamp };
    }
    lookedAt = at;
    return current.set;
  };
  return {
    keys: load,
    fresh: () => (now() - lookedAt < fileInterval ? current?.set : undefined),
    async newerThan(seen) {
      const set = await load();
      return set === seen ? undefined : set;
    },
  };
}

async function fileStamp(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    throw new KeysUnavailableError('the key file cannot be read');
  }
}

async function readKeys(path: string): Promise<KeySet> {
  // Whoever replaces the file may be in the middle of writing it: one more look after a moment.
  for (const wait of [0, 50]) {
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const text = await readFile(path, 'utf8').catch(() => '');
    const set = keySet(parseJson(text));
    if (set !== undefined) return set;
  }
  throw new KeysUnavailableError('the key file holds no JSON Web Key Set with public keys');
}

/** A server that fails keeps its last keys in use for this long after they should have been fetched anew. */
const longestStale = 15 * 60_000;
const longestResponse = 1024 * 1024;

function webKeys(
  config: Exclude<KeySourceConfig, { kind: 'file' }>,
  issuer: string,
  options: KeySourceOptions,
): KeySource {
  const { now } = options;
  let current: KeySet | undefined;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let inFlight: Promise<KeySet> | undefined;
  let jwksUrl = config.kind === 'url' ? config.url : undefined;

  const download = async (): Promise<KeySet> => {
    triedAt = now();
    try {
      jwksUrl ??= await discover(config.url, issuer, config.timeoutMs, options.fetch);
      const set = keySet(await fetchJson(jwksUrl, config.timeoutMs, options.fetch));
      if (set === undefined) throw new KeysUnavailableError('the answer is no JSON Web Key Set with public keys');
      // The same keys again: what was verified with them stays verified.
      if (current?.text !== set.text) current = set;
      fetchedAt = now();
      return current ?? set;
    } catch (cause) {
      // The issuer may have moved its keys: the next try asks discovery again.
      if (config.kind === 'discovery') jwksUrl = undefined;
      throw cause instanceof KeysUnavailableError ? cause : new KeysUnavailableError('the keys cannot be fetched');
    }
  };
  const single = (): Promise<KeySet> => {
    inFlight ??= download().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  };
  const cooling = () => now() - triedAt < config.cooldownMs;
  const fresh = () => (now() - fetchedAt < config.maxAgeMs ? current : undefined);
  const stale = () => (now() - fetchedAt < config.maxAgeMs + longestStale ? current : undefined);
  return {
    fresh,
    async keys() {
      const ready = fresh();
      if (ready !== undefined) return ready;
      if (inFlight === undefined && cooling()) {
        const old = stale();
        if (old !== undefined) return old;
        throw new KeysUnavailableError('the keys could not be fetched a moment ago');
      }
      try {
        return await single();
      } catch (cause) {
        const old = stale();
        if (old !== undefined) return old;
        throw cause;
      }
    },
    async newerThan(seen) {
      if (current !== undefined && current !== seen) return current;
      if (inFlight === undefined && cooling()) return undefined;
      const set = await single().catch(() => undefined);
      return set === seen ? undefined : set;
    },
  };
}

/** OpenID Connect Discovery 1.0, section 4: the document must name the very issuer it was asked for. */
async function discover(url: string, issuer: string, timeoutMs: number, get: typeof fetch): Promise<string> {
  const document = await fetchJson(url, timeoutMs, get);
  if (typeof document !== 'object' || document === null || !('issuer' in document) || !('jwks_uri' in document)) {
    throw new KeysUnavailableError('the discovery document lacks issuer or jwks_uri');
  }
  if (document.issuer !== issuer) throw new KeysUnavailableError('the discovery document names another issuer');
  const place =
    typeof document.jwks_uri === 'string' && URL.canParse(document.jwks_uri) ? new URL(document.jwks_uri) : undefined;
  if (place?.protocol === 'https:' || (place?.protocol === 'http:' && isLoopback(place.hostname))) return place.href;
  throw new KeysUnavailableError('the jwks_uri of the discovery document is not https');
}

async function fetchJson(url: string, timeoutMs: number, get: typeof fetch): Promise<unknown> {
  const response = await get(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new KeysUnavailableError(`the server answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (response.body === null) throw new KeysUnavailableError('the answer is empty');
  // Leaving the loop cancels the body, so that an endless answer costs no more than this much.
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > longestResponse) throw new KeysUnavailableError('the answer is longer than 1 MiB');
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString('utf8'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
