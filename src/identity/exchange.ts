// A token or an assertion in, a database credential out (RFC 8693, RFC 7522): the same for the HTTP port and for `sallyport login`.
import type { Address, Config } from '../config/index.ts';
import type { Queries, Store } from '../store/types.ts';
import { type IssuedCredential, issueCredential, issuedChannel } from './credentials.ts';
import type { Check } from './errors.ts';
import { createSamlVerifier, type SamlVerifier } from './saml.ts';
import type { Identity } from './types.ts';
import type { IdentityVerifier, Verification } from './verify.ts';

/** What the exchange needs of the gateway or of the command. */
export interface ExchangeParts {
  readonly config: Config;
  readonly identity: IdentityVerifier;
  readonly store: Store;
  /** Issued by a command, which has no journal: a gateway that shares the store writes the record. */
  readonly unrecorded: boolean;
  /** Whether an identity, or its token, has been revoked. Left out: asked at the login only. */
  readonly revoked?: ((identity: Identity) => boolean) | undefined;
}

export interface ExchangeRequest {
  readonly proof:
    | { readonly kind: 'token'; readonly token: string; readonly actorToken?: string | undefined }
    | { readonly kind: 'assertion'; readonly assertion: string };
  readonly target: string;
}

export type ExchangeAnswer =
  | { readonly kind: 'issued'; readonly credential: IssuedCredential }
  | {
      readonly kind: 'refused';
      readonly check: Check | 'target' | 'actor' | 'saml' | 'revoked';
      readonly message: string;
      /** Who asked, where that was proven. */
      readonly identity: Identity | undefined;
    };

/** Credentials live this long where the file says nothing of them. */
const defaultLifetimeMs = 15 * 60_000;

/** Verifies the proof and issues a credential for the target. Rejects only when the store cannot be used. */
export async function exchange(parts: ExchangeParts, request: ExchangeRequest): Promise<ExchangeAnswer> {
  const { config, store } = parts;
  const verified = await verify(parts, request.proof);
  if (verified.kind === 'refused') return { ...verified, identity: undefined };
  const { identity } = verified;
  if (parts.revoked?.(identity) === true)
    return { kind: 'refused', check: 'revoked', message: 'the identity or its token has been revoked', identity };
  if (!config.targets.has(request.target))
    return { kind: 'refused', check: 'target', message: `there is no target "${request.target}"`, identity };
  const now = Date.now();
  // A token is accepted a little beyond its end, for clocks that differ; a credential that has ended already is of no use.
  if (identity.expiresAt * 1000 <= now)
    return { kind: 'refused', check: 'expiry', message: 'the token has expired', identity };
  const issue = async (queries: Queries) =>
    issueCredential(queries, {
      identity,
      target: request.target,
      maxLifetimeMs: config.credentials?.maxLifetimeMs ?? defaultLifetimeMs,
      now,
      unrecorded: parts.unrecorded,
    });
  const { assertion } = verified;
  const credential =
    assertion === undefined
      ? await issue(store)
      : await store.transaction(async (queries) =>
          (await useUp(queries, identity.issuer, assertion)) ? await issue(queries) : undefined,
        );
  if (credential === undefined)
    return { kind: 'refused', check: 'replay', message: 'the assertion has been used before', identity };
  if (parts.unrecorded) await store.notify(issuedChannel, credential.user);
  return { kind: 'issued', credential };
}

interface UsedOnce {
  readonly id: string;
  readonly usableUntil: number;
}

type Proven =
  | { readonly kind: 'verified'; readonly identity: Identity; readonly assertion?: UsedOnce }
  | { readonly kind: 'refused'; readonly check: Check | 'actor' | 'saml'; readonly message: string };

async function verify(parts: ExchangeParts, proof: ExchangeRequest['proof']): Promise<Proven> {
  if (proof.kind === 'assertion') {
    const saml = samlOf(parts.config);
    if (saml === undefined)
      return { kind: 'refused', check: 'saml', message: 'no SAML provider is trusted here (identity.saml)' };
    return saml.verify(proof.assertion);
  }
  const subject = await parts.identity.verify(proof.token);
  if (subject.kind === 'refused' || proof.actorToken === undefined) return subject;
  return withActor(subject.identity, await parts.identity.verify(proof.actorToken));
}

/** RFC 8693, 4.1: who acts is put in front of those who acted before. */
function withActor(identity: Identity, actor: Verification): Proven {
  if (actor.kind === 'refused') return { ...actor, message: `the actor's token: ${actor.message}` };
  if (identity.actors.length >= 16)
    return { kind: 'refused', check: 'actor', message: 'the token has passed through too many actors' };
  const { subject, actors, expiresAt } = actor.identity;
  return {
    kind: 'verified',
    identity: Object.freeze({
      ...identity,
      actors: Object.freeze([subject, ...actors, ...identity.actors]),
      expiresAt: Math.min(identity.expiresAt, expiresAt),
    }),
  };
}

const samlVerifiers = new WeakMap<Config, SamlVerifier>();

/** One verifier a configuration, so that the certificate is read once. */
function samlOf(config: Config): SamlVerifier | undefined {
  const { saml } = config.identity;
  if (saml === undefined) return undefined;
  let verifier = samlVerifiers.get(config);
  if (verifier === undefined) {
    verifier = createSamlVerifier(saml);
    samlVerifiers.set(config, verifier);
  }
  return verifier;
}

/** False where the assertion was used before: by whatever gateway or command shares the store. */
async function useUp(queries: Queries, issuer: string, { id, usableUntil }: UsedOnce): Promise<boolean> {
  await queries.query('delete from sallyport.used_assertions where expires < now()');
  const rows = await queries.query(
    `insert into sallyport.used_assertions (issuer, id, expires) values ($1, $2, to_timestamp($3::float8 / 1000))
     on conflict do nothing returning id`,
    [issuer, id, usableUntil],
  );
  return rows.length > 0;
}

/** Where clients of a dialect connect; undefined where the gateway does not listen for it. */
export type ListenAddress = Address | undefined;

/**
 * The URL a driver connects with. `host` stands in for addresses that mean every interface. Undefined where the gateway does
 * not listen for the target's dialect, or at a port that is only known to it.
 */
export function connectionUrl(
  config: Config,
  credential: IssuedCredential,
  at: ListenAddress,
  host = '127.0.0.1',
): string | undefined {
  const target = config.targets.get(credential.target);
  if (target === undefined || at === undefined || at.port === 0) return undefined;
  const wild = at.host === '0.0.0.0' || at.host === '::';
  const name = wild ? host : at.host;
  const place = `${name.includes(':') ? `[${name}]` : name}:${at.port}`;
  const scheme = target.dialect === 'postgres' ? 'postgresql' : 'mysql';
  const tls = config.listen.tls === undefined || target.dialect !== 'postgres' ? '' : '?sslmode=require';
  return `${scheme}://${credential.user}:${credential.password}@${place}/${encodeURIComponent(credential.target)}${tls}`;
}
