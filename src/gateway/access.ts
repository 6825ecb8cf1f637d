// Just-in-time access as logins and sessions meet it: revocations, granted roles, the way to a role, the desk for held statements.
import { basename } from 'node:path';
import type { Refusal } from '../../protocols/gate.ts';
import { type Approvals, type Revocation, requestableRoles, type Subject } from '../approvals/index.ts';
import { type Config, formatDuration } from '../config/index.ts';
import type { Identity } from '../identity/index.ts';
import { judge } from '../policy/index.ts';
import type { Reading } from '../sql/index.ts';
import { explainPostgres } from './estimate.ts';
import { explainMysql } from './estimate-mysql.ts';
import type { HoldDesk } from './holds.ts';
import { readerConnection } from './mysql.ts';
import { loginRefusal } from './refusals.ts';
import type { Session } from './session.ts';
import type { Target } from './target.ts';

/** Why a login may not pass; undefined where nothing has been revoked. */
export function revokedLogin(approvals: Approvals | undefined, subject: Subject): Refusal | undefined {
  if (approvals === undefined) return undefined;
  const { revocations } = approvals;
  const revoked = revocations.isRevoked(subject);
  if (revoked !== undefined)
    return loginRefusal('revoked', `this ${revoked.kind} has been revoked`, 'Ask whoever runs the gateway.');
  if (revocations.current) return undefined;
  // What has been revoked since is not known: nobody new comes in.
  return {
    ...loginRefusal(
      'store-unreachable',
      'the gateway cannot ask its store what has been revoked',
      'Try again in a moment.',
    ),
    kind: 'unavailable',
  };
}

/** Ends the sessions that a revocation means. */
export function endRevoked(sessions: Iterable<Session>, revocation: Revocation): void {
  for (const session of sessions) if (isMeant(session, revocation)) session.terminate(revokedSession(revocation));
}

/** As its client is told. Who revoked it and why is in the records. */
export function revokedSession({ kind }: Revocation): Refusal {
  return {
    kind: 'login',
    rule: 'revoked',
    message: `sallyport: the session ends since its ${kind === 'session' ? 'end was asked for' : `${kind} has been revoked`}`,
    hint: kind === 'session' ? 'Connect again if that is still wanted.' : 'Ask whoever runs the gateway.',
    sqlstate: '57P01',
  };
}

function isMeant({ id, parts: { identity, credential } }: Session, revocation: Revocation): boolean {
  switch (revocation.kind) {
    case 'identity':
      return identity.issuer === revocation.issuer && identity.subject === revocation.subject;
    case 'token':
      return identity.tokenId === revocation.tokenId;
    case 'session':
      return id === revocation.session;
    case 'credential':
      return credential === revocation.user;
  }
}

/** Who asks people about held statements on a target. */
export function holdDesk(approvals: Approvals | undefined, target: Target): HoldDesk | undefined {
  if (approvals === undefined) return undefined;
  return {
    approvals,
    estimate: (explained) =>
      target.config.dialect === 'postgres'
        ? explainPostgres(target.client('sallyport:explain'), explained)
        : explainMysql(readerConnection(target.config, target.tls()), explained),
  };
}

/**
 * Says which role of the file, asked for, would let a denied statement (or, without a reading, a login) through, and how to ask.
 * Undefined: none would.
 */
export function adviser(
  config: Config,
  target: Target,
  identity: Identity,
  held: () => readonly string[],
  http: string | undefined,
): (reading: Reading | undefined) => string | undefined {
  const roles = requestableRoles(config).filter(
    ({ targets }) => targets.includes(target.name) || targets.includes('*'),
  );
  return (reading) => {
    const granted = held();
    const role = roles.find(({ name }) => {
      if (granted.includes(name)) return false;
      const policy = target.policy.forIdentity(identity.groups, [...granted, name], new Date());
      if (policy.kind !== 'session' || !policy.roles.includes(name)) return false;
      return reading === undefined || judge(policy, reading).kind !== 'deny';
    });
    if (role?.request === undefined) return undefined;
    const time = formatDuration(Math.min(role.request.maxDurationMs, usualMs));
    return `The role "${role.name}" allows it and can be asked for: sallyport grants request -c ${basename(config.file)} --role ${role.name} --for ${time} --reason "why it is needed"${http === undefined ? '' : ` (or POST role, duration and reason with your token to ${http}/oauth2/grants)`}`;
  };
}

const usualMs = 3_600_000;
