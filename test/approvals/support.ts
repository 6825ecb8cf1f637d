// A room of just-in-time access on a real store, with a short heartbeat and a journal that is a list.
import { afterEach, beforeAll } from 'vitest';
import { type Approvals, createApprovals, type NewHold, type Person, type Timing } from '../../src/approvals/index.ts';
import type { AuditRecord, EventRecord } from '../../src/audit/index.ts';
import { type Config, parseConfig } from '../../src/config/index.ts';
import type { Identity } from '../../src/identity/index.ts';
import { connectStore, type Store } from '../../src/store/index.ts';
import { postgresServer } from '../support/postgres.ts';

export const quick: Timing = { heartbeatMs: 200, goneMs: 30_000, staleMs: 30_000, retryMs: 20 };

export const anna: Person = { kind: 'identity', issuer: 'https://people', subject: 'a', name: 'anna', groups: ['dba'] };
export const boris: Person = {
  kind: 'identity',
  issuer: 'https://people',
  subject: 'b',
  name: 'boris',
  groups: ['dba'],
};

export const agent: Identity = {
  issuer: 'https://machines',
  subject: 'crew-7',
  name: 'crew seven',
  groups: ['crew'],
  expiresAt: 4_000_000_000,
  tokenId: 'token-1',
  actors: [],
};

export const base = `
listen: { postgres: 127.0.0.1:0 }
identity: { issuers: [{ local: true }] }
store: embedded
targets:
  shop: { dialect: postgres, url: "postgres://gateway@127.0.0.1:1/shop", tls: disable }
roles:
  - { name: support, groups: [crew], targets: [shop], allow: [read] }
  - name: writer
    groups: [writers]
    targets: [shop]
    allow: [read, write]
    request: { approvers: { groups: [dba] }, max-duration: 2h }
  - name: owner
    groups: [owners]
    targets: [shop]
    allow: [read, write, ddl]
    request: { approvers: { groups: [dba], count: 2 }, max-duration: 1h }
`;

export const configOf = (text: string): Config => parseConfig(text, '/nowhere/sallyport.yaml');

export interface Gateway {
  readonly room: Approvals;
  readonly records: AuditRecord[];
  events(about: string): EventRecord[];
}

export interface House {
  readonly store: Store;
  gateway(options?: { config?: string; timing?: Partial<Timing>; now?: () => number }): Promise<Gateway>;
  command(config?: string): Promise<Approvals>;
  /** Another pool of connections to the same store. */
  another(): Promise<Store>;
}

/** One store for a test file; rooms are closed after each test. */
export function rooms(): () => House {
  const server = postgresServer();
  const open: (() => Promise<void>)[] = [];
  let store: Store | undefined;
  const another = async () => {
    const made = await connectStore({ url: server().url() });
    open.push(() => made.close());
    return made;
  };
  beforeAll(async () => {
    store = await connectStore({ url: server().url() });
    return () => store?.close();
  });
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });
  return () => {
    if (store === undefined) throw new Error('the store is opened in beforeAll');
    const shared = store;
    return {
      store: shared,
      another,
      async gateway(options = {}) {
        const records: AuditRecord[] = [];
        const room = createApprovals({
          store: await another(),
          config: configOf(options.config ?? base),
          audit: { append: (record) => void records.push(record) },
          timing: { ...quick, ...options.timing },
          ...(options.now === undefined ? {} : { now: options.now }),
        });
        await room.ready();
        open.push(() => room.close());
        const events = (about: string) =>
          records.filter(
            (each): each is EventRecord =>
              (each.event === 'approval' || each.event === 'grant' || each.event === 'revocation') &&
              Object.values(each.details).includes(about),
          );
        return { room, records, events };
      },
      async command(config = base) {
        const room = createApprovals({ store: await another(), config: configOf(config), timing: quick });
        await room.ready();
        open.push(() => room.close());
        return room;
      },
    };
  };
}

let count = 0;

export function held(more: Partial<NewHold> = {}): NewHold {
  count += 1;
  return {
    session: `s${count}`,
    record: `r${count}`,
    issuer: agent.issuer,
    subject: agent.subject,
    identity: agent.name,
    groups: agent.groups,
    client: '127.0.0.1:5000',
    target: 'shop',
    role: 'support',
    rule: 'unbounded',
    message: 'held by rule "unbounded": DELETE FROM orders (no WHERE)',
    text: 'delete from orders',
    parameters: [],
    fingerprint: 'f1',
    estimate: { kind: 'estimate', rows: 1000, cost: 25 },
    approvers: { groups: ['dba'], count: 1, timeoutMs: 30_000 },
    ...more,
  };
}
