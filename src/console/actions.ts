// What people do to others: kill a session, decide, revoke. Each is recorded with who did it and why.
import type { Context } from 'hono';
import { parseDuration } from '../audit/index.ts';
import { formOf } from './guard.ts';
import type { ConsoleParts } from './parts.ts';
import type { Person } from './people.ts';
import type { AnswerView } from './sources.ts';

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

/** Ends a session; false where it is not open. */
export async function killSession(
  { sessions }: Pick<ConsoleParts, 'sessions'>,
  by: Person,
  id: string,
  reason: string,
): Promise<boolean> {
  if (!(await sessions.list()).some((each) => each.id === id)) return false;
  await sessions.kill(id, by, reason);
  return true;
}
