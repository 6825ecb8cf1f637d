// What happened, kept in the store until a gateway has written it to its journal and told whoever wants to know. A change and its
// event are committed together, so no step is without a record, whichever process made it and whatever crashed meanwhile.
import { type AuditSink, type EventRecord, newRecordId } from '../audit/index.ts';
import type { Queries, Store } from '../store/types.ts';

export type EventKind =
  | 'hold.requested'
  | 'hold.agreed'
  | 'hold.approved'
  | 'hold.denied'
  | 'hold.withdrawn'
  | 'hold.expired'
  | 'grant.requested'
  | 'grant.agreed'
  | 'grant.approved'
  | 'grant.denied'
  | 'grant.withdrawn'
  | 'grant.expired'
  | 'grant.revoked'
  | 'revocation.added'
  | 'revocation.lifted';

/** The content of a notification, beside its kind, id and time: plain JSON. */
export type EventBody = Readonly<Record<string, unknown>>;

export interface NewEvent {
  readonly kind: EventKind;
  /** The hold, grant or revocation. */
  readonly about: string;
  /** The gateway whose journal it belongs into; another one takes it only when that one is gone. */
  readonly owner: string | undefined;
  readonly record: Omit<EventRecord, 'time' | 'record'>;
  readonly body: EventBody;
}

/** Writes an event beside the change it tells of, in the same transaction. */
export type AddEvent = (queries: Queries, event: NewEvent) => Promise<void>;

/** `notifies`: whether the file names somebody to tell. */
export function eventAdder(notifies: () => boolean): AddEvent {
  return async (queries, event) => {
    await queries.query(
      `insert into sallyport.approval_events (id, kind, about, owner, record, body, notify)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        newRecordId(),
        event.kind,
        event.about,
        event.owner,
        JSON.stringify(event.record),
        JSON.stringify(event.body),
        notifies() ? 'due' : 'none',
      ],
    );
  };
}

interface EventRow {
  readonly id: string;
  readonly at: Date;
  readonly record: Omit<EventRecord, 'time' | 'record'>;
}

const batch = 100;

/** Carries events from the store into one gateway's journal. */
export class EventWriter {
  readonly #store: Store;
  readonly #audit: AuditSink;
  readonly #gateway: string;
  readonly #goneMs: number;

  constructor(store: Store, audit: AuditSink, gateway: string, goneMs: number) {
    this.#store = store;
    this.#audit = audit;
    this.#gateway = gateway;
    this.#goneMs = goneMs;
  }

  /** Records everything that waits and is not another living gateway's. Rejects where store or journal cannot be written. */
  async drain(): Promise<void> {
    while ((await this.#take(undefined)) === batch);
  }

  /** Records what waits about one hold, this gateway's own: resolves when it is in the journal. */
  async record(about: string): Promise<void> {
    while ((await this.#take(about)) === batch);
  }

  /** The journal comes before the mark: after a crash in between the event stands in the journal twice, under the same record id. */
  #take(about: string | undefined): Promise<number> {
    return this.#store.transaction(async (queries) => {
      const rows = await queries.query<EventRow>(
        `select id, at, record from sallyport.approval_events e
         where audited is null and ($1::text is null or about = $1)
           and (owner is null or owner = $2 or not exists (
             select from sallyport.gateways g where g.id = e.owner and g.seen > now() - $3 * interval '1 millisecond'))
         order by at, id limit ${batch} for update ${about === undefined ? 'skip locked' : ''}`,
        [about ?? null, this.#gateway, this.#goneMs],
      );
      await Promise.all(
        rows.map(async ({ id, at, record }) =>
          this.#audit.append({ ...record, time: at.toISOString(), record: id } as EventRecord),
        ),
      );
      if (rows.length > 0) {
        await queries.query('update sallyport.approval_events set audited = now() where id = any($1)', [
          rows.map(({ id }) => id),
        ]);
      }
      return rows.length;
    });
  }
}
