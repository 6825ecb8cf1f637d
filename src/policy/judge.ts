// The verdict over one statement. A pure function of the session's policy and the reading; every rule is tried, the worst decides.
import type { Reading } from '../sql/reading.ts';
import { type CatalogFacts, maskedDecisions, missingDecision, outputMasks, touchesMasked } from './masked.ts';
import { allowsEverything, describeAllowed, type Role, type Shortfall, shortfall } from './roles.ts';
import { applies, type Rule } from './rules.ts';
import type { SessionPolicy } from './target.ts';
import type { Approvers, Decision, Verdict } from './types.ts';

/** One rule's word about a statement. */
export interface Finding {
  readonly decision: Decision;
  /** Recorded, not enforced. */
  readonly observe: boolean;
  readonly approvers: Approvers | undefined;
}

/** Judges a statement. `facts` lets errors of writes to tables without masked columns through. */
export function judge(session: SessionPolicy, reading: Reading, facts?: CatalogFacts): Verdict {
  const allowing = allowingRole(session, reading);
  const found = findingsBy(session, reading, allowing);
  const wouldBe = found.filter((each) => each.observe).map((each) => each.decision);
  const denied = found.find((each) => !each.observe && each.decision.kind === 'deny');
  if (denied !== undefined) return { ...denied.decision, kind: 'deny', role: allowing?.name, wouldBe };
  const allow: Extract<Verdict, { kind: 'allow' }> = {
    kind: 'allow',
    role: allowing?.name ?? session.roles[0] ?? '',
    rule: session.parts.rules.find((rule) => isAllowed(rule, reading))?.name,
    masks: outputMasks(session, reading.outputs),
    touchesMasked: touchesMasked(session, reading, facts),
    maxRows: allowing?.maxRows,
    statementTimeoutMs: allowing?.statementTimeoutMs,
    wouldBe,
  };
  const held = found.find((each) => !each.observe && each.decision.kind === 'hold');
  if (held === undefined) return allow;
  // A hold that names nobody can only time out.
  const approvers = held.approvers ?? { groups: [], count: 1, timeoutMs: 0 };
  return { ...held.decision, kind: 'hold', role: allow.role, approvers, wouldBe, after: allow };
}

/**
 * Everything that speaks against a statement, in the order in which it is told: what cannot be read, roles, the file's rules
 * in their order, masks. `judge` lets the first enforced denial decide; an explanation shows them all.
 */
export function findings(session: SessionPolicy, reading: Reading): readonly Finding[] {
  return findingsBy(session, reading, allowingRole(session, reading));
}

function findingsBy(session: SessionPolicy, reading: Reading, allowing: Role | undefined): readonly Finding[] {
  const { mode, rules } = session.parts;
  const found: Finding[] = [
    ...unreadable(reading),
    ...withoutRole(session, reading, allowing),
    ...unjudgeable(session, reading, allowing),
  ];
  for (const rule of rules) {
    const match = rule.verdict === 'allow' ? undefined : applies(rule, reading);
    if (match === undefined) continue;
    const decision = decisionOf(rule, reading, match.because);
    found.push({ decision, observe: rule.observe, approvers: rule.approvers });
  }
  for (const decision of maskedDecisions(session, reading, 'enforce')) {
    // What nothing can judge has been said already.
    if (!found.some((each) => each.decision.message === decision.message)) found.push(enforced(decision));
  }
  for (const decision of maskedDecisions(session, reading, 'observe'))
    found.push({ ...enforced(decision), observe: true });
  return mode === 'observe' ? found.map((each) => ({ ...each, observe: true })) : found;
}

function allowingRole(session: SessionPolicy, reading: Reading): Role | undefined {
  return session.parts.roles.find((role) => shortfall(role, reading) === undefined);
}

function isAllowed(rule: Rule, reading: Reading): boolean {
  return rule.verdict === 'allow' && !rule.observe && applies(rule, reading) !== undefined;
}

function enforced(decision: Decision): Finding {
  return { decision, observe: false, approvers: undefined };
}

function unreadable(reading: Reading): readonly Finding[] {
  return reading.opaque
    .filter((opaque) => opaque.kind === 'statement')
    .map((opaque) =>
      enforced({
        kind: 'deny',
        rule: 'unreadable',
        message: `denied by rule "unreadable": ${reading.summary} (${opaque.why})`,
        hint: 'The gateway only sends what it can read. Write the statement in another way.',
        ...(opaque.position === undefined ? {} : { position: opaque.position }),
      }),
    );
}

/**
 * SQL that is put together at run time may do anything, so what it may do must be allowed: everything, under a role without limits and
 * where no rule stands in the way. (Where masks apply it is refused besides: see `maskedDecisions`.)
 */
function unjudgeable(session: SessionPolicy, reading: Reading, allowing: Role | undefined): readonly Finding[] {
  if (allowing !== undefined && allowsEverything(allowing) && !session.parts.rules.some(stands)) return [];
  const names = new Set<string>();
  return reading.opaque
    .filter(({ kind, name }) => (kind === 'dynamic-sql' || kind === 'function') && !session.parts.trusts(name))
    .filter(({ name }) => !names.has(name) && names.add(name))
    .map(({ name, why, position }) =>
      enforced({
        kind: 'deny',
        rule: 'opaque-function',
        message: `denied by rule "opaque-function": ${reading.summary} (${name}: ${why})`,
        hint: `No rule can judge what cannot be read. Send the SQL itself, or have ${name} added to trusted-functions of target "${session.target}".`,
        ...(position === undefined ? {} : { position }),
      }),
    );
}

/** Rules that only observe, or only allow, are in nobody's way. */
function stands({ verdict, observe }: Rule): boolean {
  return verdict !== 'allow' && !observe;
}

function withoutRole(session: SessionPolicy, reading: Reading, allowing: Role | undefined): readonly Finding[] {
  if (allowing !== undefined) return [];
  const { roles } = session.parts;
  const shortfalls = roles.map((role) => shortfall(role, reading)).filter((each) => each !== undefined);
  // The role that came nearest has the most helpful reason.
  const nearest = shortfalls.find((each) => each.kind === 'table') ?? shortfalls[0];
  if (nearest?.kind === 'table' && nearest.table.schema === '') {
    const opaque = reading.opaque.find((each) => each.missing !== undefined);
    if (opaque?.missing !== undefined) return [enforced(missingDecision(opaque.missing, opaque.position))];
  }
  return [
    enforced({
      kind: 'deny',
      rule: 'no-role',
      message: `denied by rule "no-role": ${reading.summary}`,
      hint: noRoleHint(session, nearest),
    }),
  ];
}

function noRoleHint(session: SessionPolicy, nearest: Shortfall | undefined): string {
  const { roles } = session.parts;
  const held = roles.length === 0 ? 'The identity has no role' : `Roles of this session (${session.roles.join(', ')})`;
  switch (nearest?.kind) {
    case undefined:
      return `${held} on target "${session.target}".`;
    case 'verb':
      return `${held} allow ${describeAllowed(roles)}, not ${nearest.verb}.`;
    case 'setting':
      return `${held} do not allow changing ${nearest.setting}; that takes session.`;
    case 'table': {
      const { schema, table } = nearest.table;
      return `${held} do not allow table ${schema === '' ? table : `${schema}.${table}`}.`;
    }
  }
}

function decisionOf(rule: Rule, reading: Reading, because: string | undefined): Decision {
  const hold = rule.verdict === 'hold';
  const words = hold ? 'held by rule' : 'denied by rule';
  const brackets = because === undefined ? '' : ` (${because})`;
  return {
    kind: hold ? 'hold' : 'deny',
    rule: rule.name,
    message: `${words} "${rule.name}": ${reading.summary}${brackets}`,
    hint: rule.message ?? (hold ? holdHint(rule) : denyHint(reading, because)),
  };
}

function holdHint(rule: Rule): string {
  const count = rule.approvers?.count ?? 1;
  return `It runs when ${count === 1 ? 'a member' : `${count} members`} of ${(rule.approvers?.groups ?? []).join(', ')} agree${count === 1 ? 's' : ''}.`;
}

function denyHint(reading: Reading, because: string | undefined): string {
  if (because !== undefined) return 'Add a condition that picks the rows you mean.';
  return `The gateway's rules do not let this identity ${reading.verbs.join(', ')} here. Ask whoever runs the gateway.`;
}
