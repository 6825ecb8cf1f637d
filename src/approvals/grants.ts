// Grants: a role asked for with a reason, agreed to by others, in force for a time.
import type { Config, RoleConfig } from '../config/types.ts';
import type { Queries, Store } from '../store/types.ts';
import type { AddEvent, EventKind, NewEvent } from './events.ts';
import { newId } from './ids.ts';
import type { Memory } from './memory.ts';
import { agreeing, isApprover, isSame, nameOf, notTaken, objection } from './people.ts';
import { addOpinion, type GrantRow, opinionsOf, toGrant } from './rows.ts';
import { channels, type Signals } from './signals.ts';
import type { Answer, Grant, GrantState, Grants } from './types.ts';

export interface GrantsParts {
  readonly store: Store;
  readonly memory: Memory;
  readonly signals: Signals;
  readonly addEvent: AddEvent;
  /** The roles of the file as it is now. */
  readonly config: () => Pick<Config, 'roles'>;
}

export interface GrantRoom extends Grants {
  /** Grants and requests whose time is over. */
  sweep(): Promise<void>;
}

const open: readonly GrantState[] = ['pending', 'active'];
/** How long an undecided request stands at least: people sleep. */
const shortestWaitMs = 60_000;

export function createGrants({ store, memory, signals, addEvent, config }: GrantsParts): GrantRoom {
  const changed = async (id: string): Promise<void> => {
    signals.send(channels.grants, id);
    // Our own next question must see it, whatever the signal does.
    await memory.refresh().catch(() => undefined);
  };

  return {
    async request({ identity, role: name, forMs, reason }) {
      const role = config().roles.find((each) => each.name === name);
      const refused = unfit(role, name, forMs, reason, requestableRoles(config()));
      if (refused !== undefined || role?.request === undefined)
        return refused ?? notTaken('role', `the role "${name}" cannot be asked for`);
      const { approvers } = role.request;
      const id = newId('g');
      const taken = await store.transaction(async (queries) => {
        const [made] = await queries.query<GrantRow>(
          `insert into sallyport.grants (id, state, issuer, subject, identity, groups, role, reason, for_ms, approver_groups,
             approver_count, timeout_ms, expires)
           values ($1, 'pending', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + $11::bigint * interval '1 millisecond')
           on conflict (issuer, subject, role) where state = 'pending' do nothing returning *`,
          [
            id,
            identity.issuer,
            identity.subject,
            identity.name,
            identity.groups,
            name,
            reason.replaceAll('\0', ' '),
            Math.round(forMs),
            approvers.groups,
            approvers.count,
            Math.max(approvers.timeoutMs, shortestWaitMs),
          ],
        );
        if (made === undefined) {
          const [waiting] = await queries.query<GrantRow>(
            `select * from sallyport.grants where issuer = $1 and subject = $2 and role = $3 and state = 'pending'`,
            [identity.issuer, identity.subject, name],
          );
          if (waiting === undefined) throw new Error('the request was decided at this moment; ask again');
          return toGrant(waiting, (await opinionsOf(queries, [waiting.id])).get(waiting.id) ?? []);
        }
        const grant = toGrant(made, []);
        await addEvent(queries, grantEvent('grant.requested', grant, undefined));
        return grant;
      });
      await changed(taken.id);
      return { kind: 'taken', now: taken };
    },

    async list(filter = {}) {
      const rows = await store.query<GrantRow>(
        `select * from sallyport.grants where state = any($1) and ($3::text is null or (issuer = $3 and subject = $4))
         order by created desc, id limit $2`,
        [filter.states ?? open, filter.most ?? 1000, filter.of?.issuer ?? null, filter.of?.subject ?? null],
      );
      const opinions = await opinionsOf(
        store,
        rows.map(({ id }) => id),
      );
      return rows.map((row) => toGrant(row, opinions.get(row.id) ?? []));
    },

    async get(id) {
      const [row] = await store.query<GrantRow>('select * from sallyport.grants where id = $1', [id]);
      return row === undefined ? undefined : toGrant(row, (await opinionsOf(store, [id])).get(id) ?? []);
    },

    async decide(id, answer) {
      const taken = await store.transaction(async (queries) => {
        const grant = await locked(queries, id);
        if (grant === undefined) return notTaken('unknown', `there is no request ${id}`);
        if (grant.state !== 'pending') return notTaken('over', `${id} is ${grant.state} already`);
        if (grant.late) return notTaken('over', `the time to decide on ${id} is over`);
        const refused = objection(answer, grant, grant.approvers, grant.opinions);
        if (refused !== undefined) return refused;
        await addOpinion(queries, id, answer);
        const opinions = (await opinionsOf(queries, [id])).get(id) ?? [];
        return { kind: 'taken' as const, now: await settle(queries, addEvent, { ...grant, opinions }, answer) };
      });
      if (taken.kind === 'taken') await changed(id);
      return taken;
    },

    async revoke(id, by, reason) {
      const taken = await store.transaction(async (queries) => {
        const grant = await locked(queries, id);
        if (grant === undefined) return notTaken('unknown', `there is no grant ${id}`);
        if (!open.includes(grant.state)) return notTaken('over', `${id} is ${grant.state} already`);
        if (!isSame(by, grant) && !isApprover(by, grant.approvers.groups))
          return notTaken('not-approver', `only its holder, its approvers and operators may end ${id}`);
        const state: GrantState = grant.state === 'pending' ? 'withdrawn' : 'revoked';
        const [row] = await queries.query<GrantRow>(
          `update sallyport.grants set state = $2, revoked_by = $3, revoked_reason = $4, revoked_at = now(), ends = case when ends is null then null else now() end
           where id = $1 returning *`,
          [id, state, nameOf(by), reason ?? null],
        );
        const now = row === undefined ? grant : toGrant(row, grant.opinions);
        await addEvent(queries, grantEvent(`grant.${state}`, now, nameOf(by)));
        return { kind: 'taken' as const, now };
      });
      if (taken.kind === 'taken') await changed(id);
      return taken;
    },

    heldBy: (identity) => memory.heldBy(identity),

    watch: (heard) => signals.listen(channels.grants, heard),

    async sweep() {
      const over = await store.query<{ id: string }>(
        `select id from sallyport.grants where (state = 'pending' and expires <= now()) or (state = 'active' and ends <= now())`,
      );
      for (const { id } of over) {
        await store.transaction(async (queries) => {
          const [row] = await queries.query<GrantRow>(
            `update sallyport.grants set state = 'expired'
             where id = $1 and ((state = 'pending' and expires <= now()) or (state = 'active' and ends <= now())) returning *`,
            [id],
          );
          if (row !== undefined) await addEvent(queries, grantEvent('grant.expired', toGrant(row, []), undefined));
        });
        signals.send(channels.grants, id);
      }
    },
  };
}

/** Roles of the file that identities outside their groups may ask for. */
export function requestableRoles({ roles }: Pick<Config, 'roles'>): readonly RoleConfig[] {
  return roles.filter(({ request }) => request !== undefined);
}

function unfit(
  role: RoleConfig | undefined,
  name: string,
  forMs: number,
  reason: string,
  requestable: readonly RoleConfig[],
) {
  const known = requestable.map((each) => each.name).join(', ') || 'none';
  if (role === undefined)
    return notTaken('role', `there is no role "${name.slice(0, 100)}"; roles that can be asked for: ${known}`);
  if (role.request === undefined)
    return notTaken('role', `the role "${name}" cannot be asked for; roles that can: ${known}`);
  if (!(forMs >= 1000)) return notTaken('invalid', 'expected a time of at least a second');
  if (forMs > role.request.maxDurationMs)
    return notTaken(
      'invalid',
      `the role "${name}" is granted for ${Math.floor(role.request.maxDurationMs / 60_000)} minutes at most`,
    );
  if (reason.trim() === '') return notTaken('invalid', 'expected a reason');
  if (reason.length > 2000) return notTaken('invalid', 'expected a reason of at most 2000 characters');
  return undefined;
}

async function locked(queries: Queries, id: string): Promise<(Grant & { readonly late: boolean }) | undefined> {
  const [row] = await queries.query<GrantRow & { late: boolean }>(
    'select g.*, g.expires <= now() as late from sallyport.grants g where id = $1 for update',
    [id],
  );
  if (row === undefined) return undefined;
  const { late, ...rest } = row;
  return { ...toGrant(rest, (await opinionsOf(queries, [id])).get(id) ?? []), late };
}

async function settle(queries: Queries, addEvent: AddEvent, grant: Grant, answer: Answer): Promise<Grant> {
  const by = nameOf(answer.by);
  if (answer.verdict === 'deny') {
    const [row] = await queries.query<GrantRow>(
      `update sallyport.grants set state = 'denied' where id = $1 returning *`,
      [grant.id],
    );
    const denied = row === undefined ? grant : toGrant(row, grant.opinions);
    await addEvent(queries, grantEvent('grant.denied', denied, by));
    return denied;
  }
  const agreed = agreeing(grant.opinions);
  if (agreed.length < grant.approvers.count) {
    await addEvent(queries, grantEvent('grant.agreed', grant, by));
    return grant;
  }
  // An approver may give less time than was asked for, never more.
  const time = Math.min(grant.forMs, ...agreed.map(({ forMs }) => forMs ?? grant.forMs));
  const [row] = await queries.query<GrantRow>(
    `update sallyport.grants set state = 'active', starts = now(), ends = now() + $2::bigint * interval '1 millisecond'
     where id = $1 returning *`,
    [grant.id, Math.round(time)],
  );
  const active = row === undefined ? grant : toGrant(row, grant.opinions);
  await addEvent(queries, grantEvent('grant.approved', active, by));
  return active;
}

function grantEvent(kind: EventKind, grant: Grant, by: string | undefined): NewEvent {
  const step = kind.slice('grant.'.length);
  const minutes = Math.round(grant.forMs / 6000) / 10;
  const agreed = agreeing(grant.opinions).map(({ by: name }) => name);
  const last = grant.opinions.at(-1);
  return {
    kind,
    about: grant.id,
    owner: undefined,
    record: {
      event: 'grant',
      session: undefined,
      identity: grant.identity,
      issuer: grant.issuer,
      groups: grant.groups,
      target: undefined,
      client: undefined,
      message: `${grant.id} ${step}${by === undefined ? '' : ` by ${by}`}: role ${grant.role} for ${grant.identity}, ${minutes} minutes`,
      details: {
        grant: grant.id,
        step,
        role: grant.role,
        reason: grant.reason,
        forMs: grant.forMs,
        subject: grant.subject,
        ...(by === undefined ? {} : { by }),
        ...(last?.issuer !== undefined && last.by === by
          ? { byIssuer: last.issuer, bySubject: last.subject ?? '' }
          : {}),
        ...(agreed.length === 0 ? {} : { agreed: agreed.join(', '), wanted: grant.approvers.count }),
        ...(grant.ends === undefined ? {} : { ends: grant.ends.toISOString() }),
        ...(grant.revoked?.reason === undefined ? {} : { revokedFor: grant.revoked.reason }),
      },
    },
    body: {
      grant: {
        id: grant.id,
        state: grant.state,
        identity: grant.identity,
        issuer: grant.issuer,
        role: grant.role,
        reason: grant.reason,
        forMs: grant.forMs,
        approvers: { groups: grant.approvers.groups, count: grant.approvers.count },
        agreed,
        expires: grant.expires,
        ...(grant.ends === undefined ? {} : { ends: grant.ends }),
      },
      ...(by === undefined ? {} : { by }),
    },
  };
}
