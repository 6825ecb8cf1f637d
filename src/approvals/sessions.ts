// The registry of client connections and of the gateways that have them: who is connected where, and who is still alive. Written
// behind the scenes in batches, so that no login waits for the store.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Store } from '../store/types.ts';
import type { SessionEntry, Sessions } from './types.ts';

export interface SessionRoom extends Sessions {
  /** Writes what waits, says that the gateway is alive, and forgets gateways that are gone. */
  heartbeat(): Promise<void>;
  close(): Promise<void>;
}

type NewEntry = Omit<SessionEntry, 'gateway' | 'lastStatement'>;

interface Known {
  readonly entry: NewEntry;
  readonly lastStatement: () => number | undefined;
  written: boolean;
  told: number | undefined;
}

const flushMs = 200;
const mostAtOnce = 500;

/** A name for this process among all that share the store. */
export function gatewayName(): string {
  return `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`;
}

export function createSessions(
  store: Store,
  gateway: string,
  goneMs: number,
  log: (message: string, cause?: unknown) => void,
): SessionRoom {
  const known = new Map<string, Known>();
  let begun: Known[] = [];
  let over: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();
  let closed = false;

  const soon = (): void => {
    if (closed) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void flush();
    }, flushMs).unref();
  };

  const flush = (): Promise<void> => {
    flushing = flushing.then(write).catch((cause: unknown) => {
      log('the registry of sessions could not be written', cause);
      // What was not written is tried again at the next heartbeat.
    });
    return flushing;
  };

  const write = async (): Promise<void> => {
    while (begun.length > 0) {
      const batch = begun.slice(0, mostAtOnce);
      const live = batch.filter(({ entry }) => known.has(entry.id));
      if (live.length > 0) await insert(live);
      for (const each of live) each.written = true;
      begun = begun.slice(batch.length);
    }
    while (over.length > 0) {
      const batch = over.slice(0, mostAtOnce);
      await store.query('delete from sallyport.sessions where id = any($1)', [batch]);
      over = over.slice(batch.length);
    }
  };

  const insert = async (batch: readonly Known[]): Promise<void> => {
    await store.query(
      `insert into sallyport.sessions (id, gateway, issuer, subject, identity, groups, target, client, token_id, credential, started)
       select id, $1, issuer, subject, identity, groups, target, client, token_id, credential, started
       from jsonb_to_recordset($2) as s(id text, issuer text, subject text, identity text, groups text[], target text, client text,
         token_id text, credential text, started timestamptz)
       on conflict (id) do nothing`,
      [
        gateway,
        JSON.stringify(
          batch.map(({ entry }) => ({
            ...entry,
            token_id: entry.tokenId ?? null,
            credential: entry.credential ?? null,
          })),
        ),
      ],
    );
  };

  return {
    begun(entry, lastStatement) {
      const each: Known = { entry, lastStatement, written: false, told: undefined };
      known.set(entry.id, each);
      begun.push(each);
      soon();
    },
    ended(id) {
      if (!known.delete(id)) return;
      over.push(id);
      soon();
    },
    async list() {
      const rows = await store.query<{
        id: string;
        gateway: string;
        issuer: string;
        subject: string;
        identity: string;
        groups: readonly string[];
        target: string;
        client: string;
        token_id: string | null;
        credential: string | null;
        started: Date;
        last_statement: Date | null;
      }>(
        `select s.* from sallyport.sessions s join sallyport.gateways g on g.id = s.gateway
         where g.seen > now() - $1 * interval '1 millisecond' order by s.started, s.id`,
        [goneMs],
      );
      return rows.map(({ token_id, credential, last_statement, ...rest }) => ({
        ...rest,
        tokenId: token_id ?? undefined,
        credential: credential ?? undefined,
        lastStatement: last_statement ?? undefined,
      }));
    },
    async heartbeat() {
      const [row] = await store.query<{ fresh: boolean }>(
        `insert into sallyport.gateways (id, host, pid) values ($1, $2, $3)
         on conflict (id) do update set seen = now() returning started = seen as fresh`,
        [gateway, hostname(), process.pid],
      );
      // Taken for gone meanwhile (a long sleep): its sessions are written anew.
      if (row?.fresh === true) begun = [...known.values()];
      await flush();
      const moved: { id: string; at: string }[] = [];
      for (const each of known.values()) {
        const at = each.lastStatement();
        if (at === undefined || at === each.told || !each.written) continue;
        each.told = at;
        moved.push({ id: each.entry.id, at: new Date(at).toISOString() });
      }
      for (let from = 0; from < moved.length; from += mostAtOnce) {
        await store.query(
          `update sallyport.sessions s set last_statement = m.at from jsonb_to_recordset($1) as m(id text, at timestamptz) where s.id = m.id`,
          [JSON.stringify(moved.slice(from, from + mostAtOnce))],
        );
      }
      // Long after nobody counts them as alive, so that a gateway that only slept finds its sessions again.
      await store.query(
        `with gone as (delete from sallyport.gateways where seen < now() - 10 * $1 * interval '1 millisecond' returning id)
         delete from sallyport.sessions where gateway in (select id from gone)`,
        [goneMs],
      );
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await flushing;
      await store.query('delete from sallyport.sessions where gateway = $1', [gateway]);
      await store.query('delete from sallyport.gateways where id = $1', [gateway]);
    },
  };
}
