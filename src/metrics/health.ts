// Whether this process lives, and whether it can take sessions: what /healthz and /readyz say.

/** The answer and, for a person, what it rests on. */
export interface Health {
  readonly ok: boolean;
  readonly detail: Readonly<Record<string, string>>;
}

export interface HealthSources {
  /** Records can be kept. */
  readonly journal: () => boolean;
  /** Rejects where the store cannot be reached; undefined where none is needed. */
  readonly store: (() => Promise<unknown>) | undefined;
  readonly draining: () => boolean;
}

const PATIENCE_MS = 2000;

/** A process that answers lives. */
export function healthOf(): Health {
  return { ok: true, detail: {} };
}

/** Ready: statements can be recorded, the store answers in time, and the gateway is not about to end. */
export async function readinessOf(sources: HealthSources): Promise<Health> {
  const { store } = sources;
  const detail: Record<string, string> = { journal: sources.journal() ? 'ok' : 'failing' };
  if (store !== undefined) detail.store = (await inTime(store)) ? 'ok' : 'failing';
  if (sources.draining()) detail.gateway = 'draining';
  return { ok: Object.values(detail).every((word) => word === 'ok'), detail };
}

async function inTime(ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS);
  });
  const answered = ask().then(
    () => true,
    () => false,
  );
  const answer = await Promise.race([answered, late]);
  clearTimeout(timer);
  return answer;
}
