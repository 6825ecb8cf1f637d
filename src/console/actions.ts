// What people do to others: kill a session, decide, revoke. Each is recorded with who did it and why.
import type { Context } from 'hono';
import { parseDuration } from '../audit/index.ts';
import { formOf } from './guard.ts';
import type { ConsoleParts } from './parts.ts';
import type { Person } from './people.ts';
import type { AnswerView, Revocable, SessionView } from './sources.ts';

const longestReason = 500;

/** The fields of a form, or of a JSON object; only texts and numbers, as texts. */
export async function fieldsOf(context: Context): Promise<ReadonlyMap<string, string>> {
  const form = await formOf(context);
  if (form.size > 0) return new Map(form);
  try {
    const body: unknown = await context.req.json();
    if (typeof body !== 'object' || body === null) return new Map();
    return new Map(
      Object.entries(body).flatMap(([name, value]): [string, string][] =>
        typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : [],
      ),
    );
  } catch {
    return new Map();
  }
}

/** The reason given; empty where there is none. */
export function reasonIn(fields: ReadonlyMap<string, string>): string {
  return (fields.get('reason') ?? '').trim().slice(0, longestReason);
}

/** What somebody says to a hold or a request. Throws a FilterError where `for` is no duration. */
export function answerIn(verdict: 'approve' | 'deny', fields: ReadonlyMap<string, string>): AnswerView {
  const time = fields.get('for') ?? '';
  return {
    verdict,
    reason: reasonIn(fields),
    forMs: verdict === 'deny' || time === '' ? undefined : parseDuration(time),
  };
}

/** What the fields name: an identity, or a token, or a credential; undefined where that is not one thing. */
export function revocableIn(fields: ReadonlyMap<string, string>): Revocable | undefined {
  const [issuer, subject, tokenId, user] = ['issuer', 'subject', 'token', 'credential'].map((name) => fields.get(name));
  const named: Revocable[] = [];
  if (issuer && subject) named.push({ kind: 'identity', issuer, subject });
  if (tokenId) named.push({ kind: 'token', tokenId });
  if (user) named.push({ kind: 'credential', user });
  return named.length === 1 ? named[0] : undefined;
}

/** What of an open session can be revoked besides the session itself. */
export function revocableOf({ issuer, subject, tokenId, credential }: SessionView): readonly Revocable[] {
  return [
    ...(credential === undefined ? [] : [{ kind: 'credential', user: credential } as const]),
    ...(tokenId === undefined ? [] : [{ kind: 'token', tokenId } as const]),
    { kind: 'identity', issuer, subject },
  ];
}

/** Ends a session, and for good what else is named of it; false where it is not open. */
export async function killSession(
  { sessions, decisions }: Pick<ConsoleParts, 'sessions' | 'decisions'>,
  by: Person,
  id: string,
  reason: string,
  also?: string,
): Promise<boolean> {
  const session = (await sessions.list()).find((each) => each.id === id);
  if (session === undefined) return false;
  const what = revocableOf(session).find(({ kind }) => kind === also);
  if (what === undefined || decisions === undefined) await sessions.kill(id, by, reason);
  else await decisions.revoke(what, by, reason);
  return true;
}
