// Held statements: parked in the store by the gateway that has the client, decided anywhere, released once by that gateway.
import type { Queries, Store } from '../store/types.ts';
import type { AddEvent, EventBody, EventKind, EventWriter, NewEvent } from './events.ts';
import { newId } from './ids.ts';
import type { Memory } from './memory.ts';
import { agreeing, nameOf, notTaken, objection } from './people.ts';
import { addOpinion, type HoldRow, opinionsOf, sharedTime, toHold } from './rows.ts';
import { channels, type Signals } from './signals.ts';
import type { Answer, Hold, HoldEnd, HoldState, Holds, Opinion, PendingHold } from './types.ts';

interface Waiting {
  readonly id: string;
  readonly resolve: (end: HoldEnd) => void;
  readonly timer: NodeJS.Timeout;
  /** The client has gone or cancelled: whatever the store says, the statement does not run. */
  withdrawn: string | undefined;
  checking: Promise<void> | undefined;
  over: boolean;
}

export interface HoldsParts {
  readonly store: Store;
  readonly gateway: string;
  readonly memory: Memory;
  readonly signals: Signals;
  readonly addEvent: AddEvent;
  /** Undefined in a command. */
  readonly events: EventWriter | undefined;
  readonly goneMs: number;
  readonly log: (message: string, cause?: unknown) => void;
}

/** With the controls that only the gateway's own end of it needs. */
export interface HoldRoom extends Holds {
  /** Holds whose gateway is gone or whose time is over. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export function createHolds(parts: HoldsParts): HoldRoom {
  const { store, gateway, memory, signals, addEvent, events, goneMs, log } = parts;
  const waiting = new Map<string, Waiting>();

  const finish = (entry: Waiting, end: HoldEnd): void => {
    if (entry.over) return;
    entry.over = true;
    clearTimeout(entry.timer);
    waiting.delete(entry.id);
    entry.resolve(end);
  };

  /** Looks at what the store says about a hold of this gateway, one look at a time. */
  const check = (entry: Waiting): Promise<void> => {
    const run = (entry.checking ?? Promise.resolve()).then(async () => {
      if (entry.over) return;
      try {
        await look(entry);
      } catch (cause) {
        log('a held statement could not be looked up', cause);
      }
    });
    entry.checking = run;
    return run;
  };

  const look = async (entry: Waiting): Promise<void> => {
    const [row] = await store.query<HoldRow>('select * from sallyport.holds where id = $1', [entry.id]);
    if (row?.state === 'pending' || entry.over) return;
    if (row === undefined) return finish(entry, { kind: 'withdrawn', reason: 'it is not in the store any more' });
    if (row.state !== 'approved') {
      await events?.record(entry.id).catch((cause: unknown) => log('a decision could not be recorded', cause));
      return finish(entry, { kind: row.state, reason: row.reason ?? undefined });
    }
    // What was approved runs once, and only here.
    const [released] = await store.query<HoldRow>(
      `update sallyport.holds set released = now() where id = $1 and state = 'approved' and released is null returning *`,
      [entry.id],
    );
    if (released === undefined || entry.withdrawn !== undefined)
      return finish(entry, { kind: 'withdrawn', reason: entry.withdrawn });
    // No record, no run.
    const opinions = await events?.record(entry.id).then(
      () => opinionsOf(store, [entry.id]),
      (cause: unknown) => log('an approval could not be recorded', cause),
    );
    if (opinions === undefined) return refuse(entry, 'its approval could not be recorded');
    if (entry.withdrawn !== undefined) return refuse(entry, entry.withdrawn);
    finish(entry, { kind: 'approved', hold: toHold(released, opinions.get(entry.id) ?? []) });
  };

  /** Ends a hold that was about to run. */
  const refuse = async (entry: Waiting, reason: string): Promise<void> => {
    finish(entry, { kind: 'withdrawn', reason });
    await store.query(`update sallyport.holds set state = 'withdrawn', reason = $2, released = null where id = $1`, [
      entry.id,
      reason,
    ]);
    signals.send(channels.holds, entry.id);
  };

  const expire = async (entry: Waiting): Promise<void> => {
    try {
      const changed = await close(entry.id, 'expired', undefined);
      if (changed) await events?.record(entry.id);
      else await check(entry);
    } catch (cause) {
      log('a hold whose time is over could not be closed in the store', cause);
    }
    finish(entry, { kind: 'expired', reason: undefined });
  };

  /** Ends a hold that has not been released. False: it is over already. */
  const close = async (id: string, state: 'withdrawn' | 'expired', reason: string | undefined): Promise<boolean> => {
    const changed = await store.transaction(async (queries) => {
      const [row] = await queries.query<HoldRow>(
        `update sallyport.holds set state = $2, reason = $3, decided = now()
         where id = $1 and (state = 'pending' or (state = 'approved' and released is null)) returning *`,
        [id, state, reason ?? null],
      );
      if (row !== undefined) await addEvent(queries, holdEvent(`hold.${state}`, toHold(row, []), undefined));
      return row !== undefined;
    });
    if (changed) signals.send(channels.holds, id);
    return changed;
  };

  const unlisten = signals.listen(channels.holds, (id) => {
    const concerned = id === undefined ? [...waiting.values()] : [waiting.get(id)];
    for (const entry of concerned) if (entry !== undefined) void check(entry);
  });

  return {
    async request(hold) {
      const id = newId('h');
      const row = await store.transaction(async (queries) => {
        const [made] = await queries.query<HoldRow>(
          `insert into sallyport.holds (id, state, gateway, session, record, issuer, subject, identity, groups, client, target, role,
             rule, message, text, parameters, fingerprint, estimate, approver_groups, approver_count, timeout_ms, expires)
           values ($1, 'pending', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
             now() + $20::bigint * interval '1 millisecond') returning *`,
          [
            id,
            gateway,
            hold.session,
            hold.record,
            hold.issuer,
            hold.subject,
            hold.identity,
            hold.groups,
            hold.client,
            hold.target,
            hold.role,
            hold.rule,
            storable(hold.message),
            storable(hold.text),
            JSON.stringify(
              hold.parameters.map((shown) => ({ ...shown, text: shown.text === null ? null : storable(shown.text) })),
            ),
            hold.fingerprint,
            JSON.stringify(hold.estimate),
            hold.approvers.groups,
            hold.approvers.count,
            hold.approvers.timeoutMs,
          ],
        );
        if (made === undefined) throw new Error('the hold was not kept');
        await addEvent(queries, holdEvent('hold.requested', toHold(made, []), undefined));
        return made;
      });
      signals.send(channels.holds, id);
      let resolve: (end: HoldEnd) => void = () => undefined;
      const end = new Promise<HoldEnd>((settle) => {
        resolve = settle;
      });
      const entry: Waiting = {
        id,
        resolve,
        timer: setTimeout(() => void expire(entry), Math.min(hold.approvers.timeoutMs, longestTimer)),
        withdrawn: undefined,
        checking: undefined,
        over: false,
      };
      waiting.set(id, entry);
      const pending: PendingHold = {
        id,
        expires: row.expires,
        end,
        withdraw(reason) {
          if (entry.over) return;
          entry.withdrawn = reason;
          close(id, 'withdrawn', reason).catch((cause: unknown) => log('a hold could not be withdrawn', cause));
          finish(entry, { kind: 'withdrawn', reason });
        },
      };
      return pending;
    },

    agreed: (of) => memory.agreed(of),

    async list(filter = {}) {
      const rows = await store.query<HoldRow>(
        'select * from sallyport.holds where state = any($1) order by created desc, id limit $2',
        [filter.states ?? (['pending'] satisfies HoldState[]), filter.most ?? 1000],
      );
      const opinions = await opinionsOf(
        store,
        rows.map(({ id }) => id),
      );
      return rows.map((row) => toHold(row, opinions.get(row.id) ?? []));
    },

    async get(id) {
      const [row] = await store.query<HoldRow>('select * from sallyport.holds where id = $1', [id]);
      return row === undefined ? undefined : toHold(row, (await opinionsOf(store, [id])).get(id) ?? []);
    },

    async decide(id, answer) {
      const taken = await store.transaction(async (queries) => {
        const [row] = await queries.query<HoldRow & { late: boolean; gone: boolean }>(
          `select h.*, h.expires <= now() as late, not exists (select from sallyport.gateways g
             where g.id = h.gateway and g.seen > now() - $2 * interval '1 millisecond') as gone
           from sallyport.holds h where id = $1 for update`,
          [id, goneMs],
        );
        if (row === undefined) return notTaken('unknown', `there is no held statement ${id}`);
        const hold = toHold(row, (await opinionsOf(queries, [id])).get(id) ?? []);
        if (row.state !== 'pending') return notTaken('over', `${id} is ${row.state} already`);
        if (row.late) return notTaken('over', `the time to decide on ${id} is over`);
        if (row.gone)
          return notTaken('gone', `the gateway that holds ${id} is gone, and the client's connection with it`);
        const refused = objection(answer, hold, hold.approvers, hold.opinions);
        if (refused !== undefined) return refused;
        await addOpinion(queries, id, answer);
        const opinions = (await opinionsOf(queries, [id])).get(id) ?? [];
        return { kind: 'taken' as const, now: await settle(queries, addEvent, { ...hold, opinions }, answer) };
      });
      if (taken.kind === 'taken') signals.send(channels.holds, id);
      return taken;
    },

    watch: (changed) => signals.listen(channels.holds, changed),

    async sweep() {
      const rows = await store.query<{ id: string; expires: Date; gone: boolean }>(
        `select id, expires, gone from (
           select h.*, not exists (select from sallyport.gateways g
             where g.id = h.gateway and g.seen > now() - $1 * interval '1 millisecond') as gone
           from sallyport.holds h where state = 'pending' or (state = 'approved' and released is null)) open
         where gone or (gateway <> $2 and expires < now() - interval '5 seconds')`,
        [goneMs, gateway],
      );
      for (const { id, gone } of rows) {
        await (gone ? close(id, 'withdrawn', 'its gateway has gone') : close(id, 'expired', undefined));
      }
    },

    async close() {
      unlisten();
      for (const entry of [...waiting.values()]) {
        entry.withdrawn = 'the gateway stops';
        await close(entry.id, 'withdrawn', entry.withdrawn).catch((cause: unknown) =>
          log('a hold could not be withdrawn', cause),
        );
        finish(entry, { kind: 'withdrawn', reason: entry.withdrawn });
      }
    },
  };
}

/** What one more opinion makes of a hold. */
async function settle(queries: Queries, addEvent: AddEvent, hold: Hold, answer: Answer): Promise<Hold> {
  if (answer.verdict === 'deny') {
    const denied = await update(queries, hold, 'denied', answer.reason);
    await addEvent(queries, holdEvent('hold.denied', denied, nameOf(answer.by)));
    return denied;
  }
  const agreed = agreeing(hold.opinions);
  if (agreed.length < hold.approvers.count) {
    await addEvent(queries, holdEvent('hold.agreed', hold, nameOf(answer.by)));
    return hold;
  }
  const approved = await update(queries, hold, 'approved', answer.reason);
  await addEvent(queries, holdEvent('hold.approved', approved, nameOf(answer.by)));
  const time = sharedTime(hold.opinions);
  if (time !== undefined) {
    await queries.query(
      `insert into sallyport.agreements (hold, issuer, subject, target, rule, fingerprint, agreed_by, until)
       values ($1, $2, $3, $4, $5, $6, $7, now() + $8::bigint * interval '1 millisecond')`,
      [
        hold.id,
        hold.issuer,
        hold.subject,
        hold.target,
        hold.rule,
        hold.fingerprint,
        agreed.map(({ by }) => by),
        Math.round(time),
      ],
    );
  }
  return approved;
}

async function update(
  queries: Queries,
  hold: Hold,
  state: 'approved' | 'denied',
  reason: string | undefined,
): Promise<Hold> {
  const [row] = await queries.query<HoldRow>(
    'update sallyport.holds set state = $2, decided = now(), reason = $3 where id = $1 returning *',
    [hold.id, state, reason ?? null],
  );
  return row === undefined ? hold : toHold(row, hold.opinions);
}

/** The event of a step; it belongs into the journal of the gateway that has the client. */
function holdEvent(kind: EventKind, hold: Hold, by: string | undefined): NewEvent {
  const step = kind.slice('hold.'.length);
  const agreed = agreeing(hold.opinions).map(({ by: name }) => name);
  const last = hold.opinions.at(-1);
  const forMs = step === 'approved' ? sharedTime(hold.opinions) : undefined;
  const told =
    by === undefined
      ? { requested: 'waits', withdrawn: 'withdrawn', expired: 'not decided in time' }[step]
      : `${step} by ${by}`;
  return {
    kind,
    about: hold.id,
    owner: hold.gateway,
    record: {
      event: 'approval',
      session: hold.session as NewEvent['record']['session'],
      identity: hold.identity,
      issuer: hold.issuer,
      groups: hold.groups,
      target: hold.target,
      client: hold.client,
      message: `${hold.id} ${told ?? step}: ${hold.message}`,
      details: {
        hold: hold.id,
        step,
        statement: hold.record,
        rule: hold.rule,
        ...(by === undefined ? {} : { by }),
        ...(by !== undefined && last?.issuer !== undefined
          ? { byIssuer: last.issuer, bySubject: last.subject ?? '' }
          : {}),
        ...(agreed.length === 0 ? {} : { agreed: agreed.join(', '), wanted: hold.approvers.count }),
        ...(forMs === undefined ? {} : { forMs }),
        ...(hold.reason === undefined ? {} : { reason: hold.reason }),
      },
    },
    body: holdBody(hold, by),
  };
}

function holdBody(hold: Hold, by: string | undefined): EventBody {
  return {
    hold: {
      id: hold.id,
      state: hold.state,
      identity: hold.identity,
      issuer: hold.issuer,
      target: hold.target,
      rule: hold.rule,
      message: hold.message,
      text: hold.text,
      parameters: hold.parameters.map(({ text }) => text),
      estimate: hold.estimate,
      record: hold.record,
      approvers: { groups: hold.approvers.groups, count: hold.approvers.count },
      agreed: agreeing(hold.opinions).map(({ by: name }: Opinion) => name),
      created: hold.created,
      expires: hold.expires,
      ...(hold.reason === undefined ? {} : { reason: hold.reason }),
    },
    ...(by === undefined ? {} : { by }),
  };
}

/** PostgreSQL keeps no NUL in texts. */
function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}

const longestTimer = 2 ** 31 - 1;
