// Rows of the store's tables as the room's types.
import type { Queries } from '../store/types.ts';
import { agreeing, keyOf, nameOf } from './people.ts';
import type { Answer, Estimate, Grant, GrantState, Hold, HoldState, Opinion, ShownParameter } from './types.ts';

export interface HoldRow {
  readonly id: string;
  readonly state: HoldState;
  readonly gateway: string;
  readonly session: string;
  readonly record: string;
  readonly issuer: string;
  readonly subject: string;
  readonly identity: string;
  readonly groups: readonly string[];
  readonly client: string;
  readonly target: string;
  readonly role: string;
  readonly rule: string;
  readonly message: string;
  readonly text: string;
  readonly parameters: readonly ShownParameter[];
  readonly fingerprint: string;
  readonly estimate: Estimate;
  readonly approver_groups: readonly string[];
  readonly approver_count: number;
  readonly timeout_ms: string;
  readonly created: Date;
  readonly expires: Date;
  readonly decided: Date | null;
  readonly released: Date | null;
  readonly reason: string | null;
}

export function toHold(row: HoldRow, opinions: readonly Opinion[]): Hold {
  const { approver_groups, approver_count, timeout_ms, ...rest } = row;
  return {
    ...rest,
    approvers: { groups: approver_groups, count: approver_count, timeoutMs: Number(timeout_ms) },
    decided: row.decided ?? undefined,
    released: row.released ?? undefined,
    reason: row.reason ?? undefined,
    opinions,
  };
}

export interface GrantRow {
  readonly id: string;
  readonly state: GrantState;
  readonly issuer: string;
  readonly subject: string;
  readonly identity: string;
  readonly groups: readonly string[];
  readonly role: string;
  readonly reason: string;
  readonly for_ms: string;
  readonly approver_groups: readonly string[];
  readonly approver_count: number;
  readonly timeout_ms: string;
  readonly created: Date;
  readonly expires: Date;
  readonly starts: Date | null;
  readonly ends: Date | null;
  readonly revoked_by: string | null;
  readonly revoked_reason: string | null;
  readonly revoked_at: Date | null;
}

export function toGrant(row: GrantRow, opinions: readonly Opinion[]): Grant {
  const { approver_groups, approver_count, timeout_ms, for_ms, revoked_by, revoked_reason, revoked_at, ...rest } = row;
  return {
    ...rest,
    forMs: Number(for_ms),
    approvers: { groups: approver_groups, count: approver_count, timeoutMs: Number(timeout_ms) },
    starts: row.starts ?? undefined,
    ends: row.ends ?? undefined,
    opinions,
    revoked:
      revoked_by === null || revoked_at === null
        ? undefined
        : { by: revoked_by, reason: revoked_reason ?? undefined, at: revoked_at },
  };
}

interface OpinionRow {
  readonly about: string;
  readonly name: string;
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly verdict: 'approve' | 'deny';
  readonly reason: string | null;
  readonly for_ms: string | null;
  readonly at: Date;
}

/** What has been said about each of these holds or grants, oldest first. */
export async function opinionsOf(
  queries: Queries,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Opinion[]>> {
  const found = new Map<string, Opinion[]>();
  if (ids.length === 0) return found;
  const rows = await queries.query<OpinionRow>(
    'select about, name, issuer, subject, verdict, reason, for_ms, at from sallyport.opinions where about = any($1) order by at',
    [ids],
  );
  for (const row of rows) {
    const opinion: Opinion = {
      by: row.name,
      issuer: row.issuer ?? undefined,
      subject: row.subject ?? undefined,
      verdict: row.verdict,
      reason: row.reason ?? undefined,
      forMs: row.for_ms === null ? undefined : Number(row.for_ms),
      at: row.at,
    };
    const known = found.get(row.about);
    if (known === undefined) found.set(row.about, [opinion]);
    else known.push(opinion);
  }
  return found;
}

/** Keeps a person's word; a later one replaces an earlier one. */
export async function addOpinion(queries: Queries, about: string, answer: Answer): Promise<void> {
  const { by } = answer;
  await queries.query(
    `insert into sallyport.opinions (about, person, name, issuer, subject, verdict, reason, for_ms)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (about, person) do update
       set verdict = excluded.verdict, reason = excluded.reason, for_ms = excluded.for_ms, at = now()`,
    [
      about,
      keyOf(by),
      nameOf(by),
      by.kind === 'identity' ? by.issuer : null,
      by.kind === 'identity' ? by.subject : null,
      answer.verdict,
      answer.reason ?? null,
      answer.forMs ?? null,
    ],
  );
}

/** The shortest time that all who agreed gave; undefined where one of them agreed to a single run. */
export function sharedTime(opinions: readonly Opinion[]): number | undefined {
  const times = agreeing(opinions).map(({ forMs }) => forMs);
  return times.length === 0 || times.includes(undefined) ? undefined : Math.min(...times.map((ms) => ms ?? 0));
}
