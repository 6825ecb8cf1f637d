// The room on its store: who may decide, what holds for how long, what is known when the store is not, and what is on record.
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import type { Approvals, Grant, Person } from '../../src/approvals/index.ts';
import type { Store } from '../../src/store/index.ts';
import { agent, anna, base, boris, held, rooms } from './support.ts';

const at = rooms();
const root: Person = { kind: 'operator', name: 'root' };
const outsider: Person = { kind: 'identity', issuer: 'https://people', subject: 'o', name: 'otto', groups: ['sales'] };
const itself: Person = { kind: 'identity', ...agent };

beforeEach(async () => {
  for (const table of [
    'holds',
    'grants',
    'opinions',
    'agreements',
    'revocations',
    'approval_events',
    'sessions',
    'gateways',
  ])
    await at().store.query(`delete from sallyport.${table}`);
});

async function asked(room: Approvals, role = 'writer', forMs = 3_600_000): Promise<Grant> {
  const taken = await room.grants.request({ identity: agent, role, forMs, reason: 'month end' });
  if (taken.kind !== 'taken') throw new Error(taken.message);
  return taken.now;
}

test('a role is asked for, agreed to by others, held for its time by every gateway, and each step is on record once', async () => {
  const [first, second] = [await at().gateway(), await at().gateway()];
  const command = await at().command();
  const grant = await asked(command);
  expect(grant).toMatchObject({
    state: 'pending',
    role: 'writer',
    reason: 'month end',
    approvers: { groups: ['dba'] },
  });
  expect(first.room.grants.heldBy(agent)).toEqual([]);
  expect(await command.grants.decide(grant.id, { verdict: 'approve', by: itself })).toMatchObject({ why: 'own' });
  expect(await command.grants.decide(grant.id, { verdict: 'approve', by: outsider })).toMatchObject({
    why: 'not-approver',
  });
  expect(await command.grants.decide(grant.id, { verdict: 'approve', by: anna })).toMatchObject({
    kind: 'taken',
    now: { state: 'active' },
  });
  for (const { room } of [first, second]) await expect.poll(() => room.grants.heldBy(agent)).toEqual(['writer']);
  expect(first.room.grants.heldBy({ issuer: 'https://other', subject: agent.subject })).toEqual([]);
  await expect
    .poll(() => [...first.events(grant.id), ...second.events(grant.id)].map(({ details }) => details.step).sort())
    .toEqual(['approved', 'requested']);
  expect(await second.room.grants.revoke(grant.id, itself, 'done')).toMatchObject({ now: { state: 'revoked' } });
  await expect.poll(() => first.room.grants.heldBy(agent)).toEqual([]);
  const [last] = await command.grants.list({ states: ['revoked'] });
  expect(last?.revoked).toMatchObject({ by: 'crew seven', reason: 'done' });
});

test('a grant ends by itself, without anybody looking', async () => {
  const { room, events } = await at().gateway();
  const grant = await asked(room, 'writer', 3000);
  await room.grants.decide(grant.id, { verdict: 'approve', by: anna });
  expect(room.grants.heldBy(agent)).toEqual(['writer']);
  await expect.poll(() => room.grants.heldBy(agent)).toEqual([]);
  await expect.poll(async () => (await room.grants.get(grant.id))?.state).toBe('expired');
  await expect
    .poll(() => events(grant.id).map(({ details }) => details.step))
    .toEqual(['requested', 'approved', 'expired']);
});

test('an approver may give less time, never more, and all who must agree do', async () => {
  const { room } = await at().gateway();
  const grant = await asked(room, 'owner', 1_800_000);
  expect(await room.grants.decide(grant.id, { verdict: 'approve', by: anna, forMs: 600_000 })).toMatchObject({
    now: { state: 'pending' },
  });
  expect(room.grants.heldBy(agent)).toEqual([]);
  const taken = await room.grants.decide(grant.id, { verdict: 'approve', by: root, forMs: 7_200_000 });
  if (taken.kind !== 'taken') throw new Error(taken.message);
  const { starts, ends } = taken.now;
  expect((ends?.getTime() ?? 0) - (starts?.getTime() ?? 0)).toBe(600_000);
});

test('what cannot be asked for is said: unknown roles, too long, without a reason', async () => {
  const room = await at().command();
  const ask = (role: string, forMs: number, reason: string) =>
    room.grants.request({ identity: agent, role, forMs, reason });
  expect(await ask('nothing', 60_000, 'x')).toMatchObject({
    message: 'there is no role "nothing"; roles that can be asked for: writer, owner',
  });
  expect(await ask('support', 60_000, 'x')).toMatchObject({
    message: 'the role "support" cannot be asked for; roles that can: writer, owner',
  });
  expect(await ask('owner', 7_200_000, 'x')).toMatchObject({
    message: 'the role "owner" is granted for 60 minutes at most',
  });
  expect(await ask('writer', 60_000, '  ')).toMatchObject({ message: 'expected a reason' });
});

test('asking twice gives the request that waits; after a refusal one may ask anew', async () => {
  const room = await at().command();
  const grant = await asked(room);
  expect((await asked(room)).id).toBe(grant.id);
  await room.grants.decide(grant.id, { verdict: 'deny', by: anna, reason: 'no' });
  expect((await asked(room)).id).not.toBe(grant.id);
});

test('a stranger ends nobody’s grant', async () => {
  const room = await at().command();
  const grant = await asked(room);
  expect(await room.grants.revoke(grant.id, outsider, undefined)).toMatchObject({
    why: 'not-approver',
  });
  expect(await room.grants.revoke(grant.id, itself, undefined)).toMatchObject({ now: { state: 'withdrawn' } });
});

test('two who decide at the same moment are both heard, and the statement is released once', async () => {
  const { room } = await at().gateway();
  const command = await at().command();
  for (let round = 0; round < 5; round++) {
    const pending = await room.holds.request(held({ approvers: { groups: ['dba'], count: 2, timeoutMs: 30_000 } }));
    const [one, two] = await Promise.all([
      command.holds.decide(pending.id, { verdict: 'approve', by: anna }),
      room.holds.decide(pending.id, { verdict: 'approve', by: boris }),
    ]);
    expect([one, two].map((taken) => taken.kind === 'taken' && taken.now.state).sort()).toEqual([
      'approved',
      'pending',
    ]);
    expect(await pending.end).toMatchObject({ kind: 'approved' });
    const late = await command.holds.decide(pending.id, { verdict: 'deny', by: root });
    expect(late).toMatchObject({ why: 'over' });
  }
});

test('withdrawn and approved at the same moment: it runs or it does not, and the store says which', async () => {
  const { room } = await at().gateway();
  const command = await at().command();
  for (let round = 0; round < 10; round++) {
    const pending = await room.holds.request(held());
    const decided = command.holds.decide(pending.id, { verdict: 'approve', by: anna });
    if (round % 2 === 0) await sleep(round);
    pending.withdraw('the client left');
    const end = await pending.end;
    await decided;
    if (end.kind === 'withdrawn')
      await expect
        .poll(async () => {
          const hold = await room.holds.get(pending.id);
          return hold?.state === 'withdrawn' || hold?.released !== undefined;
        })
        .toBe(true);
    else expect((await room.holds.get(pending.id))?.released).toBeInstanceOf(Date);
  }
});

test('a decision is on record in the journal of the gateway that holds the statement before it may run', async () => {
  const [first, second] = [await at().gateway(), await at().gateway()];
  const pending = await first.room.holds.request(held());
  await second.room.holds.decide(pending.id, { verdict: 'approve', by: anna, reason: 'seen' });
  await pending.end;
  expect(first.events(pending.id).map(({ details }) => [details.step, details.by, details.reason])).toEqual([
    ['requested', undefined, undefined],
    ['approved', 'anna', 'seen'],
  ]);
  expect(second.events(pending.id)).toEqual([]);
});

test('an approved statement whose approval cannot be recorded does not run', async () => {
  const { room, records } = await at().gateway();
  const pending = await room.holds.request(held());
  await expect.poll(() => records.length).toBe(1);
  records.push = () => {
    throw new Error('the disk is full');
  };
  await room.holds.decide(pending.id, { verdict: 'approve', by: anna });
  expect(await pending.end).toMatchObject({ kind: 'withdrawn', reason: 'its approval could not be recorded' });
});

test('a hold of a gateway that is gone is withdrawn and cannot be approved', async () => {
  const gone = await at().gateway({ timing: { heartbeatMs: 1_000_000 } });
  const pending = await gone.room.holds.request(held());
  const other = await at().gateway({ timing: { goneMs: 400 } });
  await expect.poll(async () => (await other.room.holds.get(pending.id))?.state, { timeout: 20_000 }).toBe('withdrawn');
  expect(await other.room.holds.decide(pending.id, { verdict: 'approve', by: anna })).toMatchObject({ why: 'over' });
  expect(await pending.end).toMatchObject({ kind: 'withdrawn' });
});

test('a gateway that stops withdraws what it holds', async () => {
  const { room } = await at().gateway();
  const pending = await room.holds.request(held());
  await room.close();
  expect(await pending.end).toEqual({ kind: 'withdrawn', reason: 'the gateway stops' });
  const command = await at().command();
  expect((await command.holds.get(pending.id))?.state).toBe('withdrawn');
});

test('a standing approval is for one identity, target, rule and shape, and ends', async () => {
  const { room } = await at().gateway();
  const pending = await room.holds.request(held({ fingerprint: 'standing' }));
  await room.holds.decide(pending.id, { verdict: 'approve', by: anna, forMs: 4000 });
  await pending.end;
  const of = {
    issuer: agent.issuer,
    subject: agent.subject,
    target: 'shop',
    rule: 'unbounded',
    fingerprint: 'standing',
  };
  await expect.poll(() => room.holds.agreed(of)).toMatchObject({ hold: pending.id, by: ['anna'] });
  for (const other of [
    { ...of, issuer: 'https://other' },
    { ...of, subject: 'crew-8' },
    { ...of, target: 'crm' },
    { ...of, rule: 'other' },
    { ...of, fingerprint: 'other' },
  ])
    expect(room.holds.agreed(other)).toBeUndefined();
  await expect.poll(() => room.holds.agreed(of)).toBeUndefined();
});

test('where several agree, the shape is agreed to for the shortest time, and not at all where one said once', async () => {
  const { room } = await at().gateway();
  const two = { groups: ['dba'], count: 2, timeoutMs: 30_000 };
  const once = await room.holds.request(held({ fingerprint: 'once', approvers: two }));
  await room.holds.decide(once.id, { verdict: 'approve', by: anna, forMs: 60_000 });
  await room.holds.decide(once.id, { verdict: 'approve', by: boris });
  await once.end;
  const both = await room.holds.request(held({ fingerprint: 'both', approvers: two }));
  await room.holds.decide(both.id, { verdict: 'approve', by: anna, forMs: 60_000 });
  await room.holds.decide(both.id, { verdict: 'approve', by: boris, forMs: 30_000 });
  await both.end;
  const of = { issuer: agent.issuer, subject: agent.subject, target: 'shop', rule: 'unbounded' };
  await expect.poll(() => room.holds.agreed({ ...of, fingerprint: 'both' })).toBeDefined();
  const until = room.holds.agreed({ ...of, fingerprint: 'both' })?.until.getTime() ?? 0;
  expect(until - Date.now()).toBeLessThanOrEqual(30_000);
  expect(room.holds.agreed({ ...of, fingerprint: 'once' })).toBeUndefined();
});

test('a revocation is known to every gateway, tells who listens, and can be lifted', async () => {
  const [first, second] = [await at().gateway(), await at().gateway()];
  const command = await at().command();
  const heard: string[] = [];
  second.room.revocations.onRevoked((each) => heard.push(each.kind));
  const what = [
    { kind: 'identity', issuer: agent.issuer, subject: agent.subject },
    { kind: 'token', tokenId: 'token-9' },
    { kind: 'session', session: 's-9' },
    { kind: 'credential', user: 'sp_9' },
  ] as const;
  const made = await Promise.all(what.map((each) => command.revocations.add(each, root, 'because')));
  await expect.poll(() => heard.length).toBe(4);
  const stranger = { issuer: 'i', subject: 's', tokenId: undefined };
  const { revocations } = first.room;
  await expect.poll(() => revocations.isRevoked({ ...stranger, credential: 'sp_9' })?.kind).toBe('credential');
  expect(revocations.isRevoked({ ...agent, tokenId: undefined })?.kind).toBe('identity');
  expect(revocations.isRevoked({ ...stranger, tokenId: 'token-9' })?.kind).toBe('token');
  expect(revocations.isRevoked({ ...stranger, session: 's-9' })?.kind).toBe('session');
  expect(revocations.isRevoked(stranger)).toBeUndefined();
  expect(await command.revocations.lift(made[0]?.id ?? '', root)).toBe(true);
  expect(await command.revocations.lift('r-nothing', root)).toBe(false);
  await expect.poll(() => revocations.isRevoked({ ...agent, tokenId: undefined })).toBeUndefined();
  await expect
    .poll(
      () =>
        [...first.events('added'), ...second.events('added'), ...first.events('lifted'), ...second.events('lifted')]
          .length,
    )
    .toBe(5);
});

test('an identity revoked twice stays revoked until both are lifted', async () => {
  const room = await at().command();
  const what = { kind: 'identity', issuer: agent.issuer, subject: agent.subject } as const;
  const one = await room.revocations.add(what, root);
  const two = await room.revocations.add(what, root);
  await room.revocations.lift(two.id, root);
  expect(room.revocations.isRevoked(agent)).toBeDefined();
  await room.revocations.lift(one.id, root);
  expect(room.revocations.isRevoked(agent)).toBeUndefined();
});

test('sessions are listed while their gateway lives, with their last statement, and are gone when they end', async () => {
  const { room } = await at().gateway();
  const command = await at().command();
  let last: number | undefined;
  const entry = {
    id: 's1',
    issuer: agent.issuer,
    subject: agent.subject,
    identity: agent.name,
    groups: agent.groups,
    target: 'shop',
    client: '127.0.0.1:5000',
    tokenId: agent.tokenId,
    credential: undefined,
    started: new Date(),
  };
  room.sessions.begun(entry, () => last);
  room.sessions.begun({ ...entry, id: 's2' }, () => undefined);
  room.sessions.ended('s2');
  await expect
    .poll(() => command.sessions.list())
    .toMatchObject([{ ...entry, gateway: room.gateway, lastStatement: undefined }]);
  last = Date.now();
  await expect.poll(async () => (await command.sessions.list())[0]?.lastStatement?.getTime()).toBe(last);
  room.sessions.ended('s1');
  await expect.poll(() => command.sessions.list()).toEqual([]);
});

test('what cannot be compared with the store for a while counts no longer', async () => {
  let broken = false;
  const real = at().store;
  const flaky: Store = {
    ...real,
    query: (text, values) => (broken ? Promise.reject(new Error('the store is away')) : real.query(text, values)),
    close: async () => undefined,
  };
  const { createApprovals } = await import('../../src/approvals/index.ts');
  const { configOf, quick } = await import('./support.ts');
  const room = createApprovals({
    store: flaky,
    config: configOf(base),
    audit: { append: () => undefined },
    timing: { ...quick, staleMs: 2000 },
  });
  await room.ready();
  const grant = await asked(room);
  await room.grants.decide(grant.id, { verdict: 'approve', by: anna });
  expect(room.grants.heldBy(agent)).toEqual(['writer']);
  expect(room.revocations.current).toBe(true);
  broken = true;
  await expect.poll(() => room.grants.heldBy(agent), { timeout: 20_000 }).toEqual([]);
  expect(room.revocations.current).toBe(false);
  broken = false;
  await expect.poll(() => room.grants.heldBy(agent)).toEqual(['writer']);
  expect(room.revocations.current).toBe(true);
  await room.close();
});
