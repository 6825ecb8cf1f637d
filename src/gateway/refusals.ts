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

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: idle_session_timeout */
export function idle(ms: number): Refusal {
  return {
    kind: 'login',
    rule: 'idle-timeout',
    message: `sallyport: the session ends since nothing ran in it for ${Math.round(ms / 1000)} s`,
    hint: 'Connect again when there is something to do.',
    sqlstate: '57P05',
  };
}

/** Its token or credential is over. */
export const expired: Refusal = {
  kind: 'login',
  rule: 'expired',
  message: 'sallyport: the session ends since its token has expired',
  hint: 'Connect again with a new token.',
};

/** `most`: bytes. */
export function tooLong(most: number): Refusal {
  return {
    kind: 'limit',
    rule: 'max-statement-bytes',
    message: `sallyport: denied by rule "max-statement-bytes": the statement is longer than ${most} bytes`,
    hint: 'Send it in parts, or load data with COPY.',
  };
}

/** A role with a time limit, and a client that would lift it. */
export const timeoutIsFixed: Refusal = {
  kind: 'policy',
  rule: 'statement-timeout',
  message: 'sallyport: denied by rule "statement-timeout": SET statement_timeout',
  hint: 'The role of this identity limits how long a statement may run.',
};
