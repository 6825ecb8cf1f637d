// Notifications: each event is posted to the webhook of the file by one gateway, signed, and tried again until it is taken.
import { createHmac } from 'node:crypto';
import type { NotificationsConfig } from '../config/types.ts';
import type { Store } from '../store/types.ts';
import type { EventBody, EventKind } from './events.ts';
import { slackBody } from './slack.ts';

export interface Notice {
  readonly id: string;
  readonly at: Date;
  readonly kind: EventKind;
  readonly body: EventBody;
}

export interface NotifierParts {
  readonly store: Store;
  readonly config: () => NotificationsConfig | undefined;
  /** First wait after a failure; doubled each time. */
  readonly retryMs: number;
  readonly log: (message: string, cause?: unknown) => void;
}

export interface Notifier {
  /** Delivers what is due; calls made meanwhile lead to one more look. */
  kick(): void;
  /** Resolves when nothing is under way. */
  close(): Promise<void>;
}

const timeoutMs = 10_000;
/** Longer than a delivery can take: a gateway that ends in between leaves it to another. */
const leaseMs = 30_000;
const mostAttempts = 12;
const longestRetryMs = 3_600_000;
const batch = 20;

export function createNotifier({ store, config, retryMs, log }: NotifierParts): Notifier {
  let running: Promise<void> | undefined;
  let again = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const claim = () =>
    store.query<Notice & { attempts: number }>(
      `update sallyport.approval_events set attempts = attempts + 1, due = now() + $1 * interval '1 millisecond'
       where id in (select id from sallyport.approval_events where notify = 'due' and due <= now()
         order by at, id limit ${batch} for update skip locked)
       returning id, at, kind, body, attempts`,
      [leaseMs],
    );

  const settle = (id: string, state: 'sent' | 'failed') =>
    store.query('update sallyport.approval_events set notify = $2 where id = $1', [id, state]);

  const deliver = async (notice: Notice & { attempts: number }): Promise<void> => {
    const settings = config();
    if (settings === undefined) return void (await settle(notice.id, 'failed'));
    const failure = await post(settings, notice);
    if (failure === undefined) return void (await settle(notice.id, 'sent'));
    if (notice.attempts >= mostAttempts) {
      log(`the notification ${notice.id} (${notice.kind}) is given up after ${notice.attempts} attempts: ${failure}`);
      return void (await settle(notice.id, 'failed'));
    }
    const wait = Math.min(retryMs * 2 ** (notice.attempts - 1), longestRetryMs);
    log(`the notification ${notice.id} (${notice.kind}) was not taken: ${failure}; again in ${wait} ms`);
    await store.query(
      `update sallyport.approval_events set due = now() + $2 * interval '1 millisecond' where id = $1`,
      [notice.id, wait],
    );
    later(wait);
  };

  const later = (wait: number): void => {
    if (closed) return;
    clearTimeout(timer);
    timer = setTimeout(kick, wait + 5);
    timer.unref();
  };

  const run = async (): Promise<void> => {
    do {
      again = false;
      if (config() === undefined || closed) return;
      const due = await claim();
      // In order of time for one receiver; a receiver that does not answer holds the others up for its time-out alone.
      for (const notice of [...due].sort((a, b) => a.at.getTime() - b.at.getTime() || (a.id < b.id ? -1 : 1)))
        await deliver(notice);
      if (due.length === batch) again = true;
    } while (again);
  };

  const kick = (): void => {
    if (running !== undefined) {
      again = true;
      return;
    }
    running = run()
      .catch((cause: unknown) => log('notifications could not be looked up', cause))
      .finally(() => {
        running = undefined;
      });
  };

  return {
    kick,
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Posts one notification. Undefined: taken. */
async function post({ webhook }: NotificationsConfig, notice: Notice): Promise<string | undefined> {
  try {
    const body =
      webhook.format === 'slack'
        ? JSON.stringify(slackBody(notice))
        : JSON.stringify({ type: notice.kind, id: notice.id, at: notice.at, ...notice.body });
    const time = Math.floor(Date.now() / 1000);
    const response = await fetch(webhook.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'sallyport',
        'sallyport-event': notice.kind,
        'sallyport-delivery': notice.id,
        'sallyport-signature': signature(webhook.secret.revealBytes(), time, body),
      },
      body,
      // What is signed for one place is not carried to another.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `it answered ${response.status}`;
  } catch (cause) {
    return reason(cause);
  }
}

/** `t=<seconds>,v1=<hex>`: HMAC-SHA-256 over `<seconds>.<body>`; the time is signed so that an old body cannot be sent again. */
export function signature(key: Buffer, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')}`;
}

/** Without the URL, which may hold a secret of the receiver's. */
function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown error';
  if (cause.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  const { cause: inner } = cause;
  return inner instanceof Error && 'code' in inner ? String(inner.code) : cause.name;
}
