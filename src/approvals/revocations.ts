// Revocations: written once to the store, known to every gateway within a second, good until they are lifted.
import type { Store } from '../store/types.ts';
import type { AddEvent, NewEvent } from './events.ts';
import { newId } from './ids.ts';
import { type Memory, type RevocationRow, toRevocation } from './memory.ts';
import { nameOf } from './people.ts';
import { channels, type Signals } from './signals.ts';
import type { Revocation, Revocations, Revoked } from './types.ts';

export function createRevocations(store: Store, memory: Memory, signals: Signals, addEvent: AddEvent): Revocations {
  const changed = async (id: string): Promise<void> => {
    signals.send(channels.revocations, id);
    await memory.refresh().catch(() => undefined);
  };
  return {
    async add(what, by, reason) {
      const id = newId('r');
      const made = await store.transaction(async (queries) => {
        const [row] = await queries.query<RevocationRow>(
          `insert into sallyport.revocations (id, kind, issuer, value, revoked_by, reason) values ($1, $2, $3, $4, $5, $6) returning *`,
          [id, what.kind, what.kind === 'identity' ? what.issuer : null, valueIn(what), nameOf(by), reason ?? null],
        );
        if (row === undefined) throw new Error('the revocation was not kept');
        const revocation = toRevocation(row);
        await addEvent(queries, revocationEvent('added', revocation, nameOf(by)));
        return revocation;
      });
      await changed(id);
      return made;
    },
    async lift(id, by) {
      const lifted = await store.transaction(async (queries) => {
        const [row] = await queries.query<RevocationRow>(
          'delete from sallyport.revocations where id = $1 returning *',
          [id],
        );
        if (row !== undefined) await addEvent(queries, revocationEvent('lifted', toRevocation(row), nameOf(by)));
        return row !== undefined;
      });
      if (lifted) await changed(id);
      return lifted;
    },
    async list() {
      const rows = await store.query<RevocationRow>('select * from sallyport.revocations order by at desc, id');
      return rows.map(toRevocation);
    },
    isRevoked: (subject) => memory.isRevoked(subject),
    onRevoked: (heard) => memory.onRevoked(heard),
    get current() {
      return memory.current;
    },
  };
}

function valueIn(what: Revoked): string {
  switch (what.kind) {
    case 'identity':
      return what.subject;
    case 'token':
      return what.tokenId;
    case 'session':
      return what.session;
    case 'credential':
      return what.user;
  }
}

/** For people: `identity crew-7 of https://idp.example.com`. */
export function describeRevoked(what: Revoked): string {
  return what.kind === 'identity' ? `identity ${what.subject} of ${what.issuer}` : `${what.kind} ${valueIn(what)}`;
}

function revocationEvent(step: 'added' | 'lifted', revocation: Revocation, by: string): NewEvent {
  const what = describeRevoked(revocation);
  return {
    kind: `revocation.${step}`,
    about: revocation.id,
    owner: undefined,
    record: {
      event: 'revocation',
      session: (revocation.kind === 'session' ? revocation.session : undefined) as NewEvent['record']['session'],
      identity: revocation.kind === 'identity' ? revocation.subject : undefined,
      issuer: revocation.kind === 'identity' ? revocation.issuer : undefined,
      groups: [],
      target: undefined,
      client: undefined,
      message: `${what} ${step === 'added' ? 'revoked' : 'allowed again'} by ${by}`,
      details: {
        revocation: revocation.id,
        step,
        kind: revocation.kind,
        value: valueIn(revocation),
        by,
        ...(revocation.reason === undefined ? {} : { reason: revocation.reason }),
      },
    },
    body: {
      revocation: {
        id: revocation.id,
        kind: revocation.kind,
        value: valueIn(revocation),
        ...(revocation.kind === 'identity' ? { issuer: revocation.issuer } : {}),
        ...(revocation.reason === undefined ? {} : { reason: revocation.reason }),
      },
      by,
    },
  };
}
