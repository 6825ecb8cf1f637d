// Refusals of the gateway's own, and verdicts turned into the words of the gate.
import type { Refusal } from '../../protocols/gate.ts';
import type { NoRole, Verdict } from '../policy/index.ts';

/** A denial, in the words of the gate. */
export function refusalOf(verdict: Exclude<Verdict, { kind: 'allow' }>): Refusal {
  return {
    kind: 'policy',
    rule: verdict.rule,
    // An imitated server error keeps the server's own words.
    message: verdict.sqlstate === undefined ? `sallyport: ${verdict.message}` : verdict.message,
    hint: verdict.hint,
    ...(verdict.position === undefined ? {} : { position: verdict.position }),
    ...(verdict.sqlstate === undefined ? {} : { sqlstate: verdict.sqlstate }),
  };
}

/** A refused login. The reason says which check failed, never what the token holds. */
export function loginRefusal(rule: string, reason: string, hint?: string): Refusal {
  return {
    kind: 'login',
    rule,
    message: `sallyport: login refused by rule "${rule}": ${reason}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

export function unknownTarget(name: string): Refusal {
  return loginRefusal(
    'unknown-target',
    `there is no target "${name}"`,
    'The database name of the connection names the target.',
  );
}

/** The identity holds no role on the target, or none at this hour. */
export function noRole({ rule, message, hint }: NoRole): Refusal {
  return { kind: 'policy', rule, message: `sallyport: ${message}`, hint };
}
