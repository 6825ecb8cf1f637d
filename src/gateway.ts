// Puts the rooms together: listeners in front, targets behind, sessions in between, and a drain at the end.
import { hostname } from 'node:os';
import type { Gate } from '../protocols/gate.ts';
import { createPostgresListener } from '../protocols/postgres/index.ts';
import { type Approvals, createApprovals } from './approvals/index.ts';
import { follow, openJournal, startOtlp, startShipping } from './audit/index.ts';
import { type Address, type Config, needsStore } from './config/index.ts';
import { createLive, type Live, teed } from './console/index.ts';
import { endRevoked } from './gateway/access.ts';
import { admit, challenge, type Premises, unproven } from './gateway/admission.ts';
import { type OpenConsole, openConsole, readiness } from './gateway/console.ts';
import { recordCredentials } from './gateway/credential-login.ts';
import { Guards } from './gateway/guards/index.ts';
import { certificate, listen } from './gateway/listeners.ts';
import { createLog, type Log } from './gateway/log.ts';
import { countedJournal, createNumbers } from './gateway/metrics.ts';
import { openMysql } from './gateway/mysql.ts';
import type { Session } from './gateway/session.ts';
import { prepare } from './gateway/setup.ts';
import { type Part, whole } from './gateway/workers/part.ts';
import type { Health } from './metrics/index.ts';
import { openStore } from './store/index.ts';

export interface RunningGateway {
  /** Where it listens; a port of 0 in the file is resolved. */
  readonly postgres: Address | undefined;
  readonly mysql: Address | undefined;
  readonly console: OpenConsole | undefined;
  readonly sessions: ReadonlySet<Session>;
  /** Where the file needs a store. */
  readonly approvals: Approvals | undefined;
  /** Takes a new configuration for the sessions that begin from now on. Listeners and journal stay. */
  reload(config: Config): Promise<void>;
  /** Carries out a CancelRequest; false when its session is not in this process. */
  cancel(processId: number, secret: Buffer): boolean;
  /** MySQL's KILL by a session of this owner; false when the thread is not in this process. */
  kill(threadId: number, owner: string): boolean;
  /** What this process has counted, as text for Prometheus. */
  numbers(): Promise<string>;
  readiness(): Promise<Health>;
  /** Accepts no more, lets sessions end for `graceMs`, ends those that are left, and closes the journal. */
  drain(graceMs: number): Promise<void>;
}

/**
 * Starts the gateway and resolves when every listener accepts. Targets need not be up: a session to one that is down is
 * refused with a clear error. `part`: what this process is of the gateway; left out, all of it.
 */
export async function startGateway(
  initial: Config,
  log: Log = createLog(),
  part: Part = whole,
): Promise<RunningGateway> {
  const live = createLive();
  const written = await openJournal({
    directory: initial.audit.journal,
    worker: part.chain,
    durable: initial.audit.durable,
    segmentBytes: initial.audit.rotation.bytes,
    segmentAgeMs: initial.audit.rotation.ageMs,
    retentionDays: initial.audit.retentionMs === undefined ? undefined : initial.audit.retentionMs / 86_400_000,
    compress: initial.audit.compress,
    log,
  });
  const store = needsStore(initial)
    ? await openStore(initial, { as: 'host', log: (message, err) => log.warn({ err }, message) })
    : undefined;
  const shipping = store === undefined || !part.hub ? undefined : startShipping({ config: initial, log });
  const { export: exported, journal: directory } = initial.audit;
  const otlp =
    exported === undefined || !part.hub
      ? undefined
      : startOtlp({ directory, url: exported.otlp, host: hostname(), log });
  const sessions = new Set<Session>();
  const numbers = createNumbers({
    journal: written,
    shipping,
    store,
    sessions,
    others: part.crew?.numbers,
    storeElsewhere: !part.hub,
  });
  const counted = countedJournal(written, numbers);
  const shows = part.hub && initial.listen.console !== undefined;
  const journal = shows && part.crew === undefined ? teed(counted, live) : counted;
  let setup = await prepare(initial, log);
  const approvals =
    store === undefined
      ? undefined
      : createApprovals({
          store,
          config: initial,
          audit: journal,
          gateway: part.gateway,
          log: (message, err) => log.warn({ err }, message),
        });
  approvals?.revocations.onRevoked((revocation) => endRevoked(sessions, revocation));
  await approvals?.ready();
  const guards = new Guards({ config: () => setup.config, store, journal, log });
  let draining = false;
  let page: OpenConsole | undefined;
  const premises: Premises = {
    journal,
    log,
    sessions,
    store,
    approvals,
    numbers,
    guards,
    draining: () => draining,
    http: () => page?.outside ?? part.others?.http,
    part,
  };
  if (store !== undefined && part.hub) recordCredentials(store, journal, log);
  const gate: Gate = {
    challenge: (hello) => challenge(setup.config, premises, hello),
    admit: (hello, proof) => admit(setup, premises, hello, proof),
    unproven: (hello) => unproven(premises, hello),
  };

  const tls = initial.listen.tls;
  const listener = createPostgresListener({
    gate,
    logger: log,
    ...(part.others === undefined ? {} : { cancelElsewhere: part.others.cancel }),
    ...(tls === undefined ? {} : { tls: certificate(tls.cert, tls.key) }),
    limits: {
      loginMs: initial.limits.loginTimeoutMs,
      maxUnauthenticated: Math.ceil(initial.limits.unauthenticated / part.shares),
      connectMs: Math.max(...[...initial.targets.values()].map(({ connectTimeoutMs }) => connectTimeoutMs)),
      maxStatementBytes: Math.max(...[...initial.targets.values()].map(({ maxStatementBytes }) => maxStatementBytes)),
    },
  });
  const server =
    initial.listen.postgres === undefined || !part.listens
      ? undefined
      : await listen(initial.listen.postgres, (socket) => listener.handle(socket));
  const mysql = part.listens ? await openMysql(initial, gate, log, part) : undefined;
  page = await openConsole(
    premises,
    live,
    () => setup,
    () => part.crew?.addresses ?? { postgres: server?.address, mysql: mysql?.address },
  );
  const following = new AbortController();
  // Sessions are with the workers: what they record is what the page shows.
  if (shows && part.crew !== undefined) void publishFrom(directory, live, following.signal, log);

  return {
    postgres: server?.address,
    mysql: mysql?.address,
    console: page,
    sessions,
    approvals,
    cancel: (processId, secret) => listener.cancel(processId, secret),
    kill: (threadId, owner) => mysql?.listener.kill(threadId, owner) ?? false,
    numbers: () => numbers.text(),
    readiness: () => readiness(premises),
    async reload(config) {
      if (approvals === undefined && needsStore(config))
        throw new Error(
          'the new configuration needs the store, which is opened at the start only: restart the gateway',
        );
      const old = setup;
      setup = await prepare(config, log);
      approvals?.reload(config);
      for (const target of old.targets.values()) target.retire();
      await part.crew?.reload();
      log.info({ targets: [...setup.targets.keys()] }, 'configuration reloaded');
    },
    async drain(graceMs) {
      draining = true;
      server?.server.close();
      mysql?.server.close();
      following.abort();
      await page?.close();
      await Promise.all([listener.drain(graceMs), mysql?.listener.drain(graceMs), part.crew?.drain(graceMs)]);
      for (const target of setup.targets.values()) await target.close();
      await guards.close();
      await approvals?.close();
      await journal.close();
      await otlp?.stop();
      await shipping?.stop();
      await store?.close();
    },
  };
}

/** Hands what is recorded from now on to whoever watches. */
async function publishFrom(directory: string, live: Live, signal: AbortSignal, log: Log): Promise<void> {
  try {
    for await (const entries of follow(directory, { signal })) for (const { record } of entries) live.publish(record);
  } catch (err) {
    log.error({ err }, 'the journal cannot be followed: the live page stands still');
  }
}
