// Grants over HTTP, for an identity that has a token and nothing else: `POST /grants` asks for a role, `GET` says what became of
// its own requests, `DELETE` takes one back. Bearer tokens and their errors as in RFC 6750.
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { AuditSink } from '../audit/index.ts';
import { type Config, formatDuration, parseDuration } from '../config/index.ts';
import {
  type Client,
  type DoorParts,
  door,
  type Failure,
  type Identity,
  type IdentityVerifier,
  invalid,
  parseStrictJson,
  Rate,
  type RateLimit,
  refusedRecord,
  tooLong,
} from '../identity/index.ts';
import { agreeing } from './people.ts';
import type { Approvals, Grant, GrantState, NotTaken } from './types.ts';

export interface GrantEndpointParts extends Pick<DoorParts, 'log' | 'client'> {
  /** Asked for each request, since a reload replaces both. */
  readonly current: () => { readonly config: Config; readonly identity: IdentityVerifier };
  readonly approvals: Pick<Approvals, 'grants' | 'revocations'>;
  readonly audit: AuditSink;
  readonly limits?: DoorParts['limits'];
  /** For each identity: how often it may ask for roles. */
  readonly asking?: RateLimit;
}

const longestBody = 16 * 1024;
const mostListed = 100;
const usualLimits = { all: { burst: 300, perSecond: 60 }, refused: { burst: 30, perSecond: 1 } };
// Each request may wake people up.
const usualAsking = { burst: 10, perSecond: 0.1 };
const allStates: readonly GrantState[] = ['pending', 'active', 'denied', 'withdrawn', 'expired', 'revoked'];
const fields = ['role', 'duration', 'reason', 'target'] as const;
type Fields = { readonly [name in (typeof fields)[number]]?: string };

/** `POST /grants`, `GET /grants`, `GET` and `DELETE /grants/ID`; mount it at `/oauth2`. */
export function grantEndpoint(parts: GrantEndpointParts): Hono {
  const asking = new Rate(parts.asking ?? usualAsking);
  const limits = parts.limits ?? usualLimits;
  const opened = door({ ...parts, limits }, 'the gateway could not look after the request; its log says why');
  const enter = (answer: (context: Context, identity: Identity) => Promise<Response | Failure>) =>
    opened(async (context, client) => {
      const identity = await identityOf(parts, context, client);
      return 'error' in identity ? identity : answer(context, identity);
    });
  const { grants } = parts.approvals;
  const own = async (context: Context, identity: Identity): Promise<Grant | Failure> => {
    const id = context.req.param('id') ?? '';
    const grant = /^g-[0-9a-z]{10}$/.test(id) ? await grants.get(id) : undefined;
    // Those of others are none at all.
    return grant?.issuer === identity.issuer && grant.subject === identity.subject
      ? grant
      : { status: 404, error: 'invalid_request', description: 'this identity has made no request of this id' };
  };

  return new Hono()
    .post(
      '/grants',
      bodyLimit({ maxSize: longestBody, onError: tooLong }),
      enter(async (context, identity) => {
        const given = await fieldsOf(context);
        if ('error' in given) return given;
        const { config } = parts.current();
        const wanted = wantedOf(config, given);
        if ('error' in wanted) return wanted;
        const key = JSON.stringify([identity.issuer, identity.subject]);
        if (!asking.allows(key))
          return {
            status: 429,
            error: 'temporarily_unavailable',
            description: 'this identity has asked for roles too often; try again in a while',
            retryAfter: 10,
          };
        const answer = await grants.request({ identity, ...wanted });
        if (answer.kind === 'refused') return refusalOf(answer);
        asking.take(key);
        context.header('Location', `${new URL(context.req.url).pathname}/${answer.now.id}`);
        return context.json(shown(answer.now), 201);
      }),
    )
    .get(
      '/grants',
      enter(async (context, identity) => {
        const list = await grants.list({ states: allStates, most: mostListed, of: identity });
        return context.json({ grants: list.map(shown) });
      }),
    )
    .get(
      '/grants/:id',
      enter(async (context, identity) => {
        const grant = await own(context, identity);
        return 'error' in grant ? grant : context.json(shown(grant));
      }),
    )
    .delete(
      '/grants/:id',
      enter(async (context, identity) => {
        const grant = await own(context, identity);
        if ('error' in grant) return grant;
        const answer = await grants.revoke(grant.id, { kind: 'identity', ...identity }, undefined);
        return answer.kind === 'refused' ? refusalOf(answer) : context.json(shown(answer.now));
      }),
    );
}

/** The identity of the bearer token, verified as at a login; a token that is refused goes on record. */
async function identityOf(
  { current, approvals: { revocations }, audit }: GrantEndpointParts,
  context: Context,
  client: Client,
): Promise<Identity | Failure> {
  const header = context.req.header('authorization');
  if (header === undefined)
    return { status: 401, error: 'invalid_request', description: 'expected a bearer token', challenge: 'bare' };
  const token = /^Bearer +([\x21-\x7e]+)$/i.exec(header)?.[1];
  if (token === undefined)
    return { ...invalid('expected the header Authorization: Bearer and one token'), challenge: 'named' };
  const verified = await current().identity.verify(token);
  if (verified.kind === 'verified' && revocations.isRevoked(verified.identity) === undefined) {
    if (revocations.current) return verified.identity;
    throw new Error('what has been revoked is not known: the store cannot be asked');
  }
  const refused =
    verified.kind === 'refused'
      ? { ...verified, identity: undefined }
      : { ...verified, check: 'revoked' as const, message: 'the identity or its token has been revoked' };
  await audit.append(refusedRecord('request for a role', refused, undefined, client));
  const { check } = refused;
  const description = `${check}: ${refused.message}`;
  return check === 'keys-unavailable'
    ? { status: 503, error: 'temporarily_unavailable', description, retryAfter: 5 }
    : { status: 401, error: 'invalid_token', description, challenge: 'named' };
}

/** The fields of a form or of a JSON object: each once, each a text. */
async function fieldsOf(context: Context): Promise<Fields | Failure> {
  const type = /^[^;\s]*/.exec(context.req.header('content-type') ?? '')?.[0].toLowerCase();
  const text = await context.req.text();
  let entries: readonly (readonly [string, unknown])[];
  if (type === 'application/json') {
    const value = parseStrictJson(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return invalid('expected a JSON object that names each member once');
    entries = Object.entries(value);
  } else if (type === 'application/x-www-form-urlencoded') {
    entries = [...new URLSearchParams(text)];
  } else {
    const description = 'expected a body of type application/x-www-form-urlencoded or application/json';
    return { status: 415, error: 'invalid_request', description };
  }
  const found = new Map<string, string>();
  for (const [name, value] of entries) {
    if (!fields.some((field) => field === name))
      return invalid(`expected ${fields.join(', ')}; there is no parameter ${name.slice(0, 50)}`);
    if (found.has(name)) return invalid(`the parameter ${name} is given more than once`);
    if (typeof value !== 'string') return invalid(`the parameter ${name} is not a text`);
    found.set(name, value);
  }
  return Object.fromEntries(found);
}

/** What is asked for; the role itself is judged where all requests are. */
function wantedOf(
  config: Config,
  { role, duration, reason, target }: Fields,
): { readonly role: string; readonly forMs: number; readonly reason: string } | Failure {
  if (role === undefined || role === '') return invalid('the parameter role is missing');
  if (duration === undefined) return invalid('the parameter duration is missing');
  if (reason === undefined) return invalid('the parameter reason is missing');
  const forMs = parseDuration(duration);
  if (forMs === undefined) return invalid('expected a duration such as 30m or 2h');
  if (target !== undefined) {
    if (!config.targets.has(target))
      return { status: 400, error: 'invalid_target', description: `there is no target "${target.slice(0, 100)}"` };
    const known = config.roles.find(({ name }) => name === role);
    if (known !== undefined && !known.targets.includes('*') && !known.targets.includes(target))
      return { status: 400, error: 'invalid_target', description: `the role "${role}" is not for this target` };
  }
  return { role, forMs, reason };
}

function refusalOf({ why, message }: NotTaken): Failure {
  // RFC 6749, 5.2: a role is what OAuth calls a scope.
  if (why === 'role') return { status: 400, error: 'invalid_scope', description: message };
  if (why === 'over') return { status: 409, error: 'invalid_request', description: message };
  return invalid(message);
}

/** A grant as its holder sees it. */
function shown(grant: Grant) {
  const { id, state, role, reason, approvers, opinions, created, expires, starts, ends } = grant;
  return {
    id,
    state,
    role,
    reason,
    duration: formatDuration(grant.forMs),
    approvers: { groups: approvers.groups, count: approvers.count, agreed: agreeing(opinions).length },
    created,
    /** Until when it can be decided. */
    expires,
    ...(starts === undefined ? {} : { starts }),
    ...(ends === undefined ? {} : { ends }),
    ...(state === 'denied' ? { denied: opinions.findLast(({ verdict }) => verdict === 'deny')?.reason ?? '' } : {}),
    ...(grant.revoked?.reason === undefined ? {} : { revoked: grant.revoked.reason }),
  };
}
