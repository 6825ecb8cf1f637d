// What every statement and every login asks for, kept in memory: grants in force, standing approvals, revocations. Loaded again at
// each signal and each heartbeat; how long ago that last worked is known.
import type { Store } from '../store/types.ts';
import type { Hold, IdentityKey, Revocation, Revoked, StandingApproval, Subject } from './types.ts';

export interface Memory {
  readonly version: number;
  /** False when the store could not be read for a while. */
  readonly current: boolean;
  heldBy(identity: IdentityKey): readonly string[];
  agreed(of: IdentityKey & Pick<Hold, 'target' | 'rule' | 'fingerprint'>): StandingApproval | undefined;
  isRevoked(subject: Subject): Revocation | undefined;
  onRevoked(heard: (revocation: Revocation) => void): () => void;
  /** Reads the store again; calls made meanwhile share one more read. Rejects when it cannot be read. */
  refresh(): Promise<void>;
}

interface GrantFact {
  readonly issuer: string;
  readonly subject: string;
  readonly role: string;
  readonly ends: Date;
}

interface Agreement extends StandingApproval {
  readonly key: string;
}

export interface RevocationRow {
  readonly id: string;
  readonly kind: Revoked['kind'];
  readonly issuer: string | null;
  readonly value: string;
  readonly revoked_by: string;
  readonly reason: string | null;
  readonly at: Date;
}

export function toRevocation(row: RevocationRow): Revocation {
  const rest = { id: row.id, by: row.revoked_by, reason: row.reason ?? undefined, at: row.at };
  switch (row.kind) {
    case 'identity':
      return { kind: row.kind, issuer: row.issuer ?? '', subject: row.value, ...rest };
    case 'token':
      return { kind: row.kind, tokenId: row.value, ...rest };
    case 'session':
      return { kind: row.kind, session: row.value, ...rest };
    case 'credential':
      return { kind: row.kind, user: row.value, ...rest };
  }
}

/** What a revocation is found by. */
function keyOf(what: Revoked): string {
  switch (what.kind) {
    case 'identity':
      return key('identity', what.issuer, what.subject);
    case 'token':
      return key('token', what.tokenId);
    case 'session':
      return key('session', what.session);
    case 'credential':
      return key('credential', what.user);
  }
}

function key(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

/** `staleMs`: memory that has not been compared with the store for longer is not current. */
export function createMemory(store: Store, now: () => number, staleMs: number): Memory {
  let version = 0;
  let digest = '';
  let roles = new Map<string, readonly GrantFact[]>();
  let agreements = new Map<string, Agreement>();
  let revoked = new Map<string, Revocation>();
  /** The store's clock less ours. */
  let skewMs = 0;
  let read = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const listeners = new Set<(revocation: Revocation) => void>();

  const load = async (): Promise<void> => {
    const asked = now();
    const [[clock], grants, standing, rows] = await Promise.all([
      store.query<{ now: Date }>('select now() as now'),
      store.query<GrantFact>(
        `select issuer, subject, role, ends from sallyport.grants where state = 'active' and ends > now() order by id`,
      ),
      store.query<{
        hold: string;
        issuer: string;
        subject: string;
        target: string;
        rule: string;
        fingerprint: string;
        agreed_by: readonly string[];
        until: Date;
      }>('select * from sallyport.agreements where until > now() order by hold'),
      store.query<RevocationRow>('select * from sallyport.revocations order by at, id'),
    ]);
    skewMs = (clock?.now.getTime() ?? asked) - (asked + now()) / 2;
    read = now();
    const fresh = JSON.stringify([grants, standing, rows.map(({ id }) => id)]);
    if (fresh === digest) return;
    digest = fresh;
    version += 1;
    roles = new Map();
    for (const grant of grants) {
      const of = key(grant.issuer, grant.subject);
      roles.set(of, [...(roles.get(of) ?? []), grant]);
    }
    agreements = new Map(
      standing.map(({ hold, agreed_by, until, ...of }) => {
        const found = key(of.issuer, of.subject, of.target, of.rule, of.fingerprint);
        return [found, { key: found, hold, by: agreed_by, until }];
      }),
    );
    const before = revoked;
    revoked = new Map(rows.map((row) => [keyOf(toRevocation(row)), toRevocation(row)]));
    for (const [of, revocation] of revoked) {
      if (before.get(of)?.id === revocation.id) continue;
      for (const heard of listeners) heard(revocation);
    }
  };

  const storeNow = () => now() + skewMs;

  return {
    get version() {
      return version;
    },
    get current() {
      return now() - read <= staleMs;
    },
    heldBy({ issuer, subject }) {
      const held = roles.get(key(issuer, subject));
      // A grant that may have been revoked without our knowing counts no longer.
      if (held === undefined || now() - read > staleMs) return none;
      const time = storeNow();
      return held.filter(({ ends }) => ends.getTime() > time).map(({ role }) => role);
    },
    agreed({ issuer, subject, target, rule, fingerprint }) {
      if (now() - read > staleMs) return undefined;
      const found = agreements.get(key(issuer, subject, target, rule, fingerprint));
      return found !== undefined && found.until.getTime() > storeNow() ? found : undefined;
    },
    isRevoked({ issuer, subject, tokenId, session, credential }) {
      if (revoked.size === 0) return undefined;
      return (
        revoked.get(key('identity', issuer, subject)) ??
        (tokenId === undefined ? undefined : revoked.get(key('token', tokenId))) ??
        (session === undefined ? undefined : revoked.get(key('session', session))) ??
        (credential === undefined ? undefined : revoked.get(key('credential', credential)))
      );
    },
    onRevoked(heard) {
      listeners.add(heard);
      return () => {
        listeners.delete(heard);
      };
    },
    refresh() {
      if (running === undefined) {
        running = load().finally(() => {
          running = undefined;
        });
        return running;
      }
      // A read that has begun may not see what was just written.
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          running = load().finally(() => {
            running = undefined;
          });
          return running;
        });
      return next;
    },
  };
}

const none: readonly string[] = [];
