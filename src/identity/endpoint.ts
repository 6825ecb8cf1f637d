// The token endpoint of the HTTP port: token exchange (RFC 8693) and SAML assertions (RFC 7522) for a database credential, with the
// errors of OAuth 2.0 (RFC 6749, 5.2).
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { AuditSink } from '../audit/index.ts';
import type { Address, Config } from '../config/index.ts';
import type { Store } from '../store/types.ts';
import { revokeCredential } from './credentials.ts';
import { type Client, type DoorParts, door, type Failure, invalid, plain, tooLong } from './door.ts';
import { connectionUrl, type ExchangeAnswer, type ExchangeRequest, exchange } from './exchange.ts';
import { issuedRecord, refusedRecord } from './records.ts';
import type { Identity } from './types.ts';
import type { IdentityVerifier } from './verify.ts';

export interface TokenEndpointParts extends Pick<DoorParts, 'log' | 'client'> {
  /** Asked for each request, since a reload replaces both. */
  readonly current: () => { readonly config: Config; readonly identity: IdentityVerifier };
  readonly store: Store;
  readonly audit: AuditSink;
  /** Where the gateway listens, ports of 0 resolved. */
  readonly addresses: () => { readonly postgres: Address | undefined; readonly mysql: Address | undefined };
  /** Whether an identity, or its token, has been revoked. */
  readonly revoked?: (identity: Identity) => boolean;
  readonly limits?: DoorParts['limits'];
}

export const grantTypes = {
  exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  saml: 'urn:ietf:params:oauth:grant-type:saml2-bearer',
} as const;

const tokenTypes = new Set(
  ['jwt', 'access_token', 'id_token'].map((name) => `urn:ietf:params:oauth:token-type:${name}`),
);
const samlTokenType = 'urn:ietf:params:oauth:token-type:saml2';
/** What is issued is no OAuth token: it logs in to a database. */
export const credentialType = 'urn:sallyport:token-type:database-credential';

const longestBody = 512 * 1024;
const defaultLimits = { all: { burst: 500, perSecond: 100 }, refused: { burst: 30, perSecond: 1 } };

/** `POST /token`; mount it at `/oauth2`. */
export function tokenEndpoint(parts: TokenEndpointParts): Hono {
  const limits = parts.limits ?? defaultLimits;
  const enter = door({ ...parts, limits }, 'the gateway could not issue a credential; its log says why');
  return new Hono().post(
    '/token',
    bodyLimit({ maxSize: longestBody, onError: tooLong }),
    enter((context, client) => answerOf(parts, context, client)),
  );
}

async function answerOf(parts: TokenEndpointParts, context: Context, client: Client): Promise<Response | Failure> {
  const contentType = context.req.header('content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType))
    return {
      status: 415,
      error: 'invalid_request',
      description: 'expected a body of type application/x-www-form-urlencoded',
    };
  const request = readRequest(new URLSearchParams(await context.req.text()));
  if ('error' in request) return request;
  const { config, identity } = parts.current();
  const answer = await exchange(
    { config, identity, store: parts.store, unrecorded: false, revoked: parts.revoked },
    request,
  );
  if (answer.kind === 'refused') {
    await parts.audit.append(refusedRecord('token exchange', answer, request.target, client));
    return failureOf(answer, request.proof.kind);
  }
  const { credential } = answer;
  try {
    await parts.audit.append(issuedRecord(credential, client.address));
  } catch (cause) {
    // What is not on record is not handed out.
    await revokeCredential(parts.store, credential.user);
    throw cause;
  }
  const dialect = config.targets.get(credential.target)?.dialect ?? 'postgres';
  const host = new URL(context.req.url).hostname.replace(/^\[|\]$/g, '');
  const at = parts.addresses()[dialect];
  // RFC 8693, 2.2.1, and what a database driver needs.
  return context.json({
    access_token: credential.password,
    issued_token_type: credentialType,
    token_type: 'N_A',
    expires_in: Math.max(0, Math.floor((credential.expiresAt - Date.now()) / 1000)),
    expires_at: new Date(credential.expiresAt).toISOString(),
    user: credential.user,
    password: credential.password,
    target: credential.target,
    dialect,
    url: connectionUrl(config, credential, at, host),
  });
}

/** The request as RFC 8693, 2.1 and RFC 7522, 2.1 write it. */
function readRequest(form: URLSearchParams): ExchangeRequest | Failure {
  for (const name of new Set(form.keys()))
    if (form.getAll(name).length > 1) return invalid(`the parameter ${plain(name)} is given more than once`);
  const target = targetOf(form.get('audience'), form.get('resource'));
  if (typeof target !== 'string') return target;
  switch (form.get('grant_type')) {
    case grantTypes.saml: {
      const assertion = form.get('assertion');
      return assertion === null || assertion === ''
        ? invalid('the parameter assertion is missing')
        : { proof: { kind: 'assertion', assertion }, target };
    }
    case grantTypes.exchange:
      return readExchange(form, target);
    case null:
    case '':
      return invalid('the parameter grant_type is missing');
    default:
      return {
        status: 400,
        error: 'unsupported_grant_type',
        description: `expected ${grantTypes.exchange} or ${grantTypes.saml}`,
      };
  }
}

function readExchange(form: URLSearchParams, target: string): ExchangeRequest | Failure {
  const token = form.get('subject_token');
  if (token === null || token === '') return invalid('the parameter subject_token is missing');
  const wanted = form.get('requested_token_type');
  if (wanted !== null && wanted !== credentialType)
    return invalid(`expected the requested_token_type ${credentialType}`);
  const type = form.get('subject_token_type');
  if (type === null) return invalid('the parameter subject_token_type is missing');
  const actorToken = form.get('actor_token') ?? undefined;
  const actorType = form.get('actor_token_type');
  if ((actorToken === undefined) !== (actorType === null))
    return invalid('actor_token and actor_token_type go together');
  if (actorType !== null && !tokenTypes.has(actorType)) return invalid('the actor_token_type is not supported');
  if (type === samlTokenType) {
    if (actorToken !== undefined) return invalid('an assertion cannot be exchanged together with an actor_token');
    return { proof: { kind: 'assertion', assertion: token }, target };
  }
  if (!tokenTypes.has(type)) return invalid('the subject_token_type is not supported');
  return { proof: { kind: 'token', token, actorToken }, target };
}

/** `audience` names the target; `resource` is a URI whose last part does (RFC 8693, 2.1). */
function targetOf(audience: string | null, resource: string | null): string | Failure {
  const named = resource === null ? undefined : lastPart(resource);
  if (audience !== null && audience !== '') {
    if (named !== undefined && named !== audience) return invalidTarget('audience and resource name different targets');
    return audience;
  }
  return named === undefined || named === '' ? invalidTarget('expected the name of a target as audience') : named;
}

function lastPart(resource: string): string {
  const part = /([^/:]*)\/?$/.exec(resource)?.[1] ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function invalidTarget(description: string): Failure {
  return { status: 400, error: 'invalid_target', description };
}

/** RFC 8693, 2.2.2 says invalid_request of a bad subject token, RFC 7521, 4.1.1 invalid_grant of a bad assertion. */
function failureOf(answer: Extract<ExchangeAnswer, { kind: 'refused' }>, proof: 'token' | 'assertion'): Failure {
  const description = `${answer.check}: ${answer.message}`;
  if (answer.check === 'target') return { status: 400, error: 'invalid_target', description };
  if (answer.check === 'keys-unavailable') return { status: 503, error: 'temporarily_unavailable', description };
  return { status: 400, error: proof === 'token' ? 'invalid_request' : 'invalid_grant', description };
}
