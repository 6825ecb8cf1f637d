// From a hello and a proof to a session: the login, step by step, each refusal on record.
import type {
  Admission,
  Challenge,
  ClientHello,
  MaybePromise,
  Proof,
  Refusal,
  Upstream,
} from '../../protocols/gate.ts';
import type { Approvals } from '../approvals/index.ts';
import { type Journal, newRecordId, newSessionId } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { type Identity, isCredentialUser, type StoredCredential } from '../identity/index.ts';
import type { SessionPolicy } from '../policy/index.ts';
import type { Store } from '../store/index.ts';
import { adviser, holdDesk, revokedLogin, revokedSession } from './access.ts';
import { credentialChallenge, credentialLogin } from './credential-login.ts';
import type { Guards } from './guards/index.ts';
import type { Log } from './log.ts';
import type { Numbers } from './metrics.ts';
import { connectionAttributes, targetNamed, wrongProtocol } from './mysql.ts';
import { loginRefusal, noRole, unknownTarget } from './refusals.ts';
import { Session } from './session.ts';
import type { Setup } from './setup.ts';
import type { Target } from './target.ts';
import type { Part } from './workers/part.ts';

/** What stays the same from start to drain, whatever the file says meanwhile. */
export interface Premises {
  readonly journal: Journal;
  readonly log: Log;
  readonly sessions: Set<Session>;
  /** Where the file needs none, there is none. */
  readonly store: Store | undefined;
  /** Likewise. */
  readonly approvals: Approvals | undefined;
  readonly numbers: Numbers;
  /** The gateway is about to end. */
  readonly draining: () => boolean;
  readonly guards: Guards;
  /** Where clients reach the HTTP port, if the gateway has one. */
  readonly http: () => string | undefined;
  /** What this process is of the gateway. */
  readonly part: Part;
}

/** Tokens in the clear are for loopback alone, unless the file says otherwise. */
export function challenge(config: Config, { store, log }: Premises, hello: ClientHello): MaybePromise<Challenge> {
  if (hello.encrypted || hello.loopback || config.insecure) {
    return store !== undefined && isCredentialUser(hello.user)
      ? credentialChallenge(store, log, hello)
      : { kind: 'token' };
  }
  return {
    kind: 'refused',
    refusal: loginRefusal(
      'tls-required',
      'a token is accepted over TLS only',
      hello.dialect === 'postgres'
        ? 'Connect with TLS (sslmode=require or stronger).'
        : 'Connect with TLS (--ssl-mode=REQUIRED, --ssl, or the like).',
    ),
  };
}

/** Never rejects: what goes wrong inside is a refusal. */
export async function admit(setup: Setup, premises: Premises, hello: ClientHello, proof: Proof): Promise<Admission> {
  const { journal, log } = premises;
  try {
    if (proof.kind === 'verified') return await admitCredential(setup, premises, hello);
    const verified = await setup.identity.verify(proof.token);
    if (verified.kind === 'refused') {
      return await refused(
        journal,
        hello,
        undefined,
        loginRefusal(
          verified.check,
          verified.message,
          'Get a new token for this gateway and connect with it as the password.',
        ),
      );
    }
    const { identity } = verified;
    const named = targetNamed(hello);
    const target = named === undefined ? undefined : setup.targets.get(named);
    if (target === undefined) return await refused(journal, hello, identity, unknownTarget(named ?? ''));
    return await enter(setup, target, premises, hello, identity);
  } catch (cause) {
    log.error({ err: cause, client: hello.clientAddress }, 'login failed inside the gateway');
    return {
      kind: 'refused',
      refusal: {
        kind: 'unavailable',
        rule: 'unavailable',
        message: 'sallyport: the gateway could not complete the login',
        hint: 'Its log says why.',
      },
    };
  }
}

/** The proof is that of the credential's password, which the protocol has checked against its verifier. */
async function admitCredential(setup: Setup, premises: Premises, hello: ClientHello): Promise<Admission> {
  const { journal, store } = premises;
  const login = await credentialLogin(store, hello);
  if (login.kind === 'refused') return refused(journal, hello, login.identity, login.refusal);
  const { credential } = login;
  const target = setup.targets.get(credential.target);
  return target === undefined
    ? refused(journal, hello, credential.identity, unknownTarget(credential.target))
    : enter(setup, target, premises, hello, credential.identity, credential);
}

/** A wrong password for an issued credential: on record like any refused login; the client has its answer already. */
export function unproven({ journal, log }: Premises, hello: ClientHello): void {
  const refusal = loginRefusal('credential', `the password of ${hello.user} is wrong`);
  refused(journal, hello, undefined, refusal).catch((cause: unknown) => {
    log.error({ err: cause, client: hello.clientAddress }, 'a refused login could not be recorded');
  });
}

async function enter(
  setup: Setup,
  target: Target,
  premises: Premises,
  hello: ClientHello,
  identity: Identity,
  credential?: StoredCredential,
): Promise<Admission> {
  const { journal, log, sessions, approvals } = premises;
  const wrong = wrongProtocol(target.config, hello);
  if (wrong !== undefined) return refused(journal, hello, identity, wrong);
  const revoked = revokedLogin(approvals, { ...identity, credential: credential?.user });
  if (revoked !== undefined) return refused(journal, hello, identity, revoked);
  const granted = () => approvals?.grants.heldBy(identity) ?? [];
  const advice = adviser(setup.config, target, identity, granted, premises.http());
  const policy = policyHeld(target, identity, granted, approvals);
  const first = policy();
  if (first.kind !== 'session') {
    const hint = [first.hint, advice(undefined)].filter((part) => part !== undefined).join(' ');
    return refused(journal, hello, identity, { ...first, hint, kind: 'login', sqlstate: '28000' });
  }
  const full =
    (await sessionLimit(setup.config, premises, identity)) ?? (await sessionBudget(premises, identity, first));
  if (full !== undefined) return refused(journal, hello, identity, full);
  const reader = await target.reader().catch((cause: unknown) => {
    log.error({ err: cause, target: target.name }, 'the target cannot be reached');
    return undefined;
  });
  if (reader === undefined) {
    return refused(journal, hello, identity, {
      kind: 'unavailable',
      rule: 'target-unavailable',
      message: `sallyport: the target "${target.name}" cannot be reached`,
      hint: "The gateway's log says why.",
      sqlstate: '08006',
    });
  }
  const id = newSessionId();
  const session = new Session({
    id,
    identity,
    credential: credential?.user,
    client: hello.clientAddress,
    upstream: upstreamOf(setup.config, target, hello, identity, first),
    reader,
    sql: reader.session(new Map()),
    policy,
    maskKey: target.maskKey,
    detection: target.detection,
    secondReader: setup.config.secondReader,
    guard: premises.guards.forIdentity(identity),
    costGuard: target.costGuard(),
    maxStatementBytes: target.config.maxStatementBytes,
    audit: journal,
    meter: premises.numbers.metrics,
    now: Date.now,
    holds: holdDesk(approvals, target),
    advice,
    ended(session) {
      if (sessions.delete(session)) target.release();
      approvals?.sessions.ended(id);
    },
  });
  await journal.append({
    event: 'login',
    time: new Date().toISOString(),
    record: newRecordId(),
    session: id,
    identity: identity.name,
    issuer: identity.issuer,
    groups: identity.groups,
    target: target.name,
    client: hello.clientAddress,
    message: `${identity.name} connected to ${target.name}`,
    details: {
      user: hello.user,
      subject: identity.subject,
      encrypted: hello.encrypted,
      actors: identity.actors.join(' <- '),
    },
  });
  sessions.add(session);
  session.lifetime.endAt((credential?.expiresAt ?? identity.expiresAt * 1000) + setup.config.identity.graceMs);
  const { idleTimeoutMs } = setup.config.limits;
  if (idleTimeoutMs !== undefined) session.lifetime.idleAfter(idleTimeoutMs);
  target.use();
  register(premises, session, target.name);
  return { kind: 'admitted', session };
}

/** The session is known from here on: to the registry, and to revocations, one of which may have come while the login was recorded. */
function register({ approvals }: Premises, session: Session, target: string): void {
  if (approvals === undefined) return;
  const { id, parts } = session;
  const { issuer, subject, name, groups, tokenId } = parts.identity;
  const { client, credential } = parts;
  const entry = { id, issuer, subject, identity: name, groups, target, client, tokenId, credential };
  approvals.sessions.begun({ ...entry, started: new Date(session.started) }, () => session.lastStatement);
  const revoked = approvals.revocations.isRevoked({ ...parts.identity, session: id, credential });
  if (revoked !== undefined) session.terminate(revokedSession(revoked));
}

/**
 * The roles an identity holds on a target, kept for a second at a time: hours begin and end by the clock, and asking for
 * each statement must cost nothing. A change of grants counts at once.
 */
function policyHeld(
  target: Target,
  identity: Identity,
  granted: () => readonly string[],
  approvals: Approvals | undefined,
): () => SessionPolicy | Refusal {
  let held: SessionPolicy | Refusal | undefined;
  let until = 0;
  let version = -1;
  return (): SessionPolicy | Refusal => {
    const now = Date.now();
    const present = approvals?.version ?? 0;
    if (held === undefined || now >= until || present !== version) {
      const fresh = target.policy.forIdentity(identity.groups, granted(), new Date(now));
      // The same roles give the same object, so that verdicts kept under it stay good.
      held = fresh.kind === 'no-role' ? noRole(fresh) : fresh;
      until = now + 1000;
      version = present;
    }
    return held;
  };
}

/** Where a session goes, under which name, and with which settings and limits. */
function upstreamOf(
  config: Config,
  target: Target,
  hello: ClientHello,
  identity: Identity,
  policy: SessionPolicy,
): Upstream {
  const { settings, dialect } = target.config;
  const timeout = longestTimeout(policy);
  if (dialect === 'postgres') return target.upstream(upstreamParameters(config, target, hello, identity, timeout), {});
  return target.upstream(connectionAttributes(config, hello, identity.name), {
    ...(settings.size === 0 ? {} : { settings }),
    ...(timeout === undefined ? {} : { statementTimeoutMs: timeout }),
  });
}

function upstreamParameters(
  config: Config,
  target: Target,
  hello: ClientHello,
  identity: Identity,
  timeout: number | undefined,
): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  if (!(config.keepApplicationName && hello.parameters.has('application_name'))) {
    parameters.set('application_name', `sallyport:${identity.name}`);
  }
  for (const [name, value] of target.config.settings) parameters.set(name, value);
  if (timeout !== undefined) parameters.set('statement_timeout', String(timeout));
  return parameters;
}

/**
 * A refusal when one more session would be too many, for the gateway or for this identity. Workers share the gateway's limit
 * evenly, as they share the connections; an identity's sessions with other workers are those of the registry.
 */
async function sessionLimit(
  config: Config,
  { sessions, store, part }: Premises,
  identity: Identity,
): Promise<Refusal | undefined> {
  const { sessionsPerIdentity } = config.limits;
  const most = Math.ceil(config.limits.sessions / part.shares);
  let own = 0;
  for (const { parts } of sessions) {
    if (parts.identity.issuer === identity.issuer && parts.identity.subject === identity.subject) own++;
  }
  if (sessionsPerIdentity !== undefined && part.others !== undefined) {
    const [elsewhere] =
      (await store?.query<{ open: string }>(
        'select count(*) as open from sallyport.sessions where issuer = $1 and subject = $2 and gateway <> $3 and starts_with(gateway, $4)',
        [identity.issuer, identity.subject, part.gateway, part.others.prefix],
      )) ?? [];
    own += Number(elsewhere?.open ?? 0);
  }
  const perIdentity = sessionsPerIdentity !== undefined && own >= sessionsPerIdentity;
  if (sessions.size < most && !perIdentity) return undefined;
  return {
    kind: 'unavailable',
    rule: perIdentity ? 'sessions-per-identity' : 'sessions',
    message: `sallyport: login refused by rule "${perIdentity ? 'sessions-per-identity' : 'sessions'}": too many sessions are open`,
    hint: 'Close a session, or wait until one ends.',
  };
}

/** Every role held limits how many sessions one identity has at a time: the largest number counts, over all gateways of the store. */
async function sessionBudget(
  { sessions, store, guards, approvals }: Premises,
  identity: Identity,
  policy: SessionPolicy,
): Promise<Refusal | undefined> {
  const most = guards.sessionsAllowed(policy.roles);
  if (most === undefined) return undefined;
  const own = [...sessions].filter(
    ({ parts }) => parts.identity.issuer === identity.issuer && parts.identity.subject === identity.subject,
  );
  const elsewhere = await store?.query<{ open: string }>(
    'select count(*) as open from sallyport.sessions where issuer = $1 and subject = $2 and gateway <> $3',
    [identity.issuer, identity.subject, approvals?.gateway ?? ''],
  );
  if (own.length + Number(elsewhere?.[0]?.open ?? 0) < most) return undefined;
  return {
    kind: 'unavailable',
    rule: 'sessions',
    message: `sallyport: login refused by rule "sessions": the roles of this identity allow ${most} sessions at a time`,
    hint: 'Close a session, or wait until one ends.',
  };
}

/** Every role has a limit: the longest is the session's. A role without one leaves the server's own. */
function longestTimeout(policy: SessionPolicy): number | undefined {
  const limits = policy.parts.roles.map(({ statementTimeoutMs }) => statementTimeoutMs ?? Number.POSITIVE_INFINITY);
  const longest = Math.max(...limits);
  return Number.isFinite(longest) ? longest : undefined;
}

async function refused(
  journal: Journal,
  hello: ClientHello,
  identity: Identity | undefined,
  refusal: Refusal,
): Promise<Admission> {
  await journal.append({
    event: 'login-refused',
    time: new Date().toISOString(),
    record: newRecordId(),
    session: undefined,
    identity: identity?.name,
    issuer: identity?.issuer,
    groups: identity?.groups ?? [],
    target: targetNamed(hello),
    client: hello.clientAddress,
    message: refusal.message,
    details: { rule: refusal.rule, user: hello.user, encrypted: hello.encrypted },
  });
  return { kind: 'refused', refusal };
}
