// Who acts, in words and as a key, and whether that person may decide.
import type { Approvers } from '../policy/types.ts';
import type { Answer, IdentityKey, NotTaken, Opinion, Person } from './types.ts';

/** As records and lists name a person: `operator:root`, or the identity's name. */
export function nameOf(person: Person): string {
  return person.kind === 'operator' ? `operator:${person.name}` : person.name;
}

/** The same for the same person, however often and with whatever token. */
export function keyOf(person: Person): string {
  return person.kind === 'operator'
    ? JSON.stringify(['operator', person.name])
    : JSON.stringify(['identity', person.issuer, person.subject]);
}

export function isSame(person: Person, identity: IdentityKey): boolean {
  return person.kind === 'identity' && person.issuer === identity.issuer && person.subject === identity.subject;
}

/** True for an operator, and for members of one of the groups. */
export function isApprover(person: Person, groups: readonly string[]): boolean {
  return person.kind === 'operator' || person.groups.some((group) => groups.includes(group));
}

/** Why a person may not decide on what an identity asks for; undefined where it may. */
export function objection(
  answer: Answer,
  identity: IdentityKey,
  approvers: Approvers,
  opinions: readonly Opinion[],
): NotTaken | undefined {
  const { by } = answer;
  if (isSame(by, identity)) return notTaken('own', 'nobody decides on what they have asked for themselves');
  if (!isApprover(by, approvers.groups))
    return notTaken(
      'not-approver',
      `${nameOf(by)} is in none of the groups that decide: ${approvers.groups.join(', ')}`,
    );
  const before = opinions.some(
    (opinion) =>
      opinion.by === nameOf(by) &&
      (by.kind === 'operator'
        ? opinion.issuer === undefined
        : opinion.issuer === by.issuer && opinion.subject === by.subject),
  );
  // A second yes counts for nothing; a yes may still be turned into a no.
  if (before && answer.verdict === 'approve') return notTaken('twice', `${nameOf(by)} has agreed already`);
  if (answer.forMs !== undefined && !(answer.forMs >= 1000 && answer.forMs <= longestMs))
    return notTaken('invalid', 'expected a time between 1 second and 30 days');
  return undefined;
}

export function notTaken(why: NotTaken['why'], message: string): NotTaken {
  return { kind: 'refused', why, message };
}

const longestMs = 30 * 86_400_000;

/** The people who agreed, each once, in the order they did. */
export function agreeing(opinions: readonly Opinion[]): readonly Opinion[] {
  return opinions.filter(({ verdict }) => verdict === 'approve');
}
