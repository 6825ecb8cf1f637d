// Sessions, held statements, grants and revocations as the console asks for them: the rooms' own answers, in the console's words.
import type { Approvals, Person as Decider, GrantState, HoldState, Revocation } from '../approvals/index.ts';
import { describeRevoked } from '../approvals/index.ts';
import type { DecisionSource, Person, SessionSource, SessionView, Taken } from '../console/index.ts';
import type { Session } from './session.ts';

const mostListed = 200;

const pastHolds: readonly HoldState[] = ['approved', 'denied', 'withdrawn', 'expired'];
const pastGrants: readonly GrantState[] = ['denied', 'withdrawn', 'expired', 'revoked'];

/** The sessions of this process as they are, those of other gateways as the registry has them. */
export function sessionSource(sessions: ReadonlySet<Session>, approvals: Approvals): SessionSource {
  return {
    async list() {
      const here = [...sessions].map(viewOf);
      const others = (await approvals.sessions.list()).filter(({ gateway }) => gateway !== approvals.gateway);
      return [
        ...here,
        ...others.map(({ id, started, ...entry }) => ({
          ...entry,
          id: id as SessionView['id'],
          started: started.getTime(),
        })),
      ];
    },
    async kill(id, by, reason) {
      await approvals.revocations.add(
        { kind: 'session', session: id },
        decider(by),
        reason === '' ? undefined : reason,
      );
    },
  };
}

function viewOf({ id, started, upstream, parts: { identity, client, credential } }: Session): SessionView {
  const { name, subject, issuer, groups, tokenId } = identity;
  return { id, identity: name, subject, issuer, groups, target: upstream.target, client, tokenId, credential, started };
}

export function decisionSource({ holds, grants, revocations }: Approvals): DecisionSource {
  return {
    holds: (which) => holds.list({ states: which === 'past' ? pastHolds : ['pending'], most: mostListed }),
    grants: (which) =>
      grants.list({
        states: which === 'past' ? pastGrants : [which === 'active' ? 'active' : 'pending'],
        most: mostListed,
      }),
    async decide(kind, id, by, { verdict, reason, forMs }) {
      const answer = { verdict, by: decider(by), reason: reason === '' ? undefined : reason, forMs };
      return taken(await (kind === 'hold' ? holds.decide(id, answer) : grants.decide(id, answer)));
    },
    async revokeGrant(id, by, reason) {
      return taken(await grants.revoke(id, decider(by), reason === '' ? undefined : reason));
    },
    revocations: async () => (await revocations.list()).map(revocationView),
    async revoke(what, by, reason) {
      await revocations.add(what, decider(by), reason === '' ? undefined : reason);
    },
    liftRevocation: (id, by) => revocations.lift(id, decider(by)),
    watch(changed) {
      const ends = [holds.watch(changed), grants.watch(changed)];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

/** Whoever came in by a one-time link holds the file of the gateway; everybody else is who their token says. */
function decider({ via, name, issuer, subject, groups }: Person): Decider {
  return via === 'link' ? { kind: 'operator', name } : { kind: 'identity', issuer, subject, name, groups };
}

function taken(answer: { readonly kind: 'taken' } | (Taken & { readonly kind: 'refused' })): Taken {
  return answer.kind === 'taken' ? { kind: 'taken' } : answer;
}

function revocationView(revocation: Revocation) {
  const { id, kind, by, reason, at } = revocation;
  const identity = revocation.kind === 'identity' ? revocation : undefined;
  return {
    id,
    kind,
    what: describeRevoked(revocation),
    issuer: identity?.issuer,
    subject: identity?.subject,
    by,
    reason,
    at,
  };
}
