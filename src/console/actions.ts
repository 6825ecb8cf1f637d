// What people do to others: kill a session. Each is recorded with who did it and why before it takes hold.
import type { Context } from 'hono';
import { newRecordId } from '../audit/index.ts';
import { formOf } from './guard.ts';
import type { ConsoleParts } from './parts.ts';
import type { Person } from './people.ts';

const longestReason = 500;

/** The reason of a form or of a JSON body; empty where none is given. */
export async function reasonOf(context: Context): Promise<string> {
  const form = (await formOf(context)).get('reason');
  if (form !== null) return form.trim().slice(0, longestReason);
  try {
    const { reason } = (await context.req.json()) as { readonly reason?: unknown };
    return typeof reason === 'string' ? reason.trim().slice(0, longestReason) : '';
  } catch {
    return '';
  }
}

/** Ends a session; false where it is not open. Rejects where it cannot be recorded. */
export async function killSession(
  { audit, sessions }: Pick<ConsoleParts, 'audit' | 'sessions'>,
  by: Person,
  id: string,
  reason: string,
): Promise<boolean> {
  const session = sessions.list().find((each) => each.id === id);
  if (session === undefined) return false;
  await audit.append({
    event: 'revocation',
    time: new Date().toISOString(),
    record: newRecordId(),
    session: session.id,
    identity: session.identity,
    issuer: session.issuer,
    groups: session.groups,
    target: session.target,
    client: session.client,
    message: `${by.name} killed the session of ${session.identity}${reason === '' ? '' : `: ${reason}`}`,
    details: { by: by.name, byIssuer: by.issuer, reason },
  });
  return await sessions.kill(id, by, reason);
}
