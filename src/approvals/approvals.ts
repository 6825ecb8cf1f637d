// Puts the room together for one process: a gateway, which records, tells and keeps alive, or a command, which only asks and decides.
import { EventWriter, eventAdder } from './events.ts';
import { createGrants } from './grants.ts';
import { createHolds } from './holds.ts';
import { createMemory } from './memory.ts';
import { createNotifier } from './notify.ts';
import { createRevocations } from './revocations.ts';
import { createSessions, gatewayName } from './sessions.ts';
import { channels, createSignals } from './signals.ts';
import type { Approvals, ApprovalsOptions, Timing } from './types.ts';

const usual: Timing = { heartbeatMs: 3000, goneMs: 15_000, staleMs: 30_000, retryMs: 1000 };
const keepDays = 30;

/** Opens the room on a store. A gateway gives its journal (`audit`); a command does not. Call `ready` before anything is asked. */
export function createApprovals(options: ApprovalsOptions): Approvals {
  const { store, audit } = options;
  const now = options.now ?? Date.now;
  const log = options.log ?? (() => undefined);
  const timing = { ...usual, ...options.timing };
  let { config } = options;
  const gateway = options.gateway ?? gatewayName();
  const memory = createMemory(store, now, timing.staleMs);
  const signals = createSignals(store, log);
  const addEvent = eventAdder(() => config.notifications !== undefined);
  const events = audit === undefined ? undefined : new EventWriter(store, audit, gateway, timing.goneMs);
  const sessions = createSessions(store, gateway, timing.goneMs, log);
  const holds = createHolds({ store, gateway, memory, signals, addEvent, events, goneMs: timing.goneMs, log });
  const grants = createGrants({ store, memory, signals, addEvent, config: () => config });
  const revocations = createRevocations(store, memory, signals, addEvent);
  const notifier = createNotifier({ store, config: () => config.notifications, retryMs: timing.retryMs, log });
  let beat: NodeJS.Timeout | undefined;
  let beating: Promise<void> | undefined;
  let swept = 0;
  let closed = false;
  let draining: Promise<void> | undefined;
  let drainAgain = false;

  /** Records and tells what has happened; a call made meanwhile leads to one more round. */
  const drain = (): Promise<void> => {
    if (events === undefined || closed) return Promise.resolve();
    if (draining !== undefined) {
      drainAgain = true;
      return draining;
    }
    const round = async (): Promise<void> => {
      do {
        drainAgain = false;
        await events.drain().catch((cause: unknown) => log('what happened could not be recorded', cause));
      } while (drainAgain);
    };
    draining = round().finally(() => {
      draining = undefined;
    });
    return draining;
  };

  const heard = (): void => {
    memory.refresh().catch((cause: unknown) => log('the store could not be read', cause));
    if (audit === undefined) return;
    void drain();
    notifier.kick();
  };

  const heartbeat = async (): Promise<void> => {
    await sessions.heartbeat();
    await memory.refresh();
    await holds.sweep();
    await grants.sweep();
    if (now() - swept > 3_600_000) {
      swept = now();
      await clean();
    }
    await drain();
    notifier.kick();
  };

  /** What is over and recorded is kept for a while, for lists; the journal keeps it for good. */
  const clean = async (): Promise<void> => {
    const old = `now() - interval '${keepDays} days'`;
    await store.query(
      `delete from sallyport.approval_events where audited is not null and notify <> 'due' and at < ${old}`,
    );
    await store.query(`delete from sallyport.holds where state <> 'pending' and created < ${old}`);
    await store.query(`delete from sallyport.grants where state not in ('pending', 'active') and created < ${old}`);
    await store.query(`delete from sallyport.agreements where until < ${old}`);
    await store.query(`delete from sallyport.revocations where kind = 'session' and at < ${old}`);
    await store.query(
      `delete from sallyport.opinions where about not in (select id from sallyport.holds union select id from sallyport.grants)`,
    );
  };

  const unlisten = Object.values(channels).map((channel) =>
    audit === undefined ? () => undefined : signals.listen(channel, heard),
  );

  return {
    gateway,
    holds,
    grants,
    revocations,
    sessions,
    get version() {
      return memory.version;
    },
    async gone(name) {
      await store.query('delete from sallyport.sessions where gateway = $1', [name]);
      await store.query('delete from sallyport.gateways where id = $1', [name]);
      await holds.sweep();
      await drain();
    },
    reload(fresh) {
      config = fresh;
    },
    async ready() {
      await memory.refresh();
      if (audit === undefined || beat !== undefined) return;
      await heartbeat();
      beat = setInterval(() => {
        if (beating !== undefined || closed) return;
        beating = heartbeat()
          .catch((cause: unknown) => log('the store cannot be reached', cause))
          .finally(() => {
            beating = undefined;
          });
      }, timing.heartbeatMs);
      beat.unref();
    },
    async close() {
      if (closed) return;
      clearInterval(beat);
      await beating;
      await holds.close();
      for (const end of unlisten) end();
      await drain();
      closed = true;
      await notifier.close();
      await signals.sent();
      if (audit !== undefined)
        await sessions.close().catch((cause: unknown) => log('the store cannot be reached', cause));
    },
  };
}
