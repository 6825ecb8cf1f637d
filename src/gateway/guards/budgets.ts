// Budgets: how many statements and rows a minute, and how many bytes a day, one identity may have under a role. Counted here in memory
// and added up over the gateways that share a store, about once a second: a budget may be passed by what a second lets through.
import type { BudgetsConfig } from '../../config/index.ts';
import type { Store } from '../../store/index.ts';

/** What one identity has used under one role: of this minute and of this day (UTC). */
interface Use {
  minute: number;
  statements: number;
  rows: number;
  day: number;
  bytes: number;
  /** The same on other gateways, as last read. */
  readonly others: { minute: number; statements: number; rows: number; day: number; bytes: number };
  dirty: boolean;
}

/** Which limit has been reached, and when it begins anew. */
export interface Spent {
  readonly limit: 'statements-per-minute' | 'rows-per-minute' | 'bytes-per-day';
  readonly most: number;
  readonly againInMs: number;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const shareMs = 1000;
/** Identities that have done nothing since the day before are forgotten. */
const mostKept = 100_000;

export class Budgets {
  readonly #uses = new Map<string, Use>();
  readonly #store: Store | undefined;
  readonly #gateway: string;
  readonly #now: () => number;
  readonly #log: (message: string, cause: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #sharing: Promise<void> = Promise.resolve();

  /** `gateway` names this process among those that share the store. */
  constructor(options: {
    readonly store: Store | undefined;
    readonly gateway: string;
    readonly now?: () => number;
    readonly log?: (message: string, cause: unknown) => void;
  }) {
    this.#store = options.store;
    this.#gateway = options.gateway;
    this.#now = options.now ?? Date.now;
    this.#log = options.log ?? (() => undefined);
    if (this.#store === undefined) return;
    this.#timer = setInterval(() => void this.share(), shareMs);
    this.#timer.unref();
  }

  /** Counts one statement, unless a limit has been reached: then that is said and nothing is counted. */
  take(key: string, budget: BudgetsConfig): Spent | undefined {
    const now = this.#now();
    const use = this.#use(key, now);
    const { others } = use;
    const sameMinute = others.minute === use.minute;
    const statements = use.statements + (sameMinute ? others.statements : 0);
    const rows = use.rows + (sameMinute ? others.rows : 0);
    const bytes = use.bytes + (others.day === use.day ? others.bytes : 0);
    const nextMinute = minuteMs - (now % minuteMs);
    if (budget.statementsPerMinute !== undefined && statements >= budget.statementsPerMinute)
      return { limit: 'statements-per-minute', most: budget.statementsPerMinute, againInMs: nextMinute };
    if (budget.rowsPerMinute !== undefined && rows >= budget.rowsPerMinute)
      return { limit: 'rows-per-minute', most: budget.rowsPerMinute, againInMs: nextMinute };
    if (budget.bytesPerDay !== undefined && bytes >= budget.bytesPerDay)
      return { limit: 'bytes-per-day', most: budget.bytesPerDay, againInMs: dayMs - (now % dayMs) };
    use.statements++;
    use.dirty = true;
    return undefined;
  }

  /** Counts what a statement has returned. */
  used(key: string, rows: number, bytes: number): void {
    const use = this.#use(key, this.#now());
    use.rows += rows;
    use.bytes += bytes;
    use.dirty = true;
  }

  #use(key: string, now: number): Use {
    const minute = Math.floor(now / minuteMs);
    const day = Math.floor(now / dayMs);
    let use = this.#uses.get(key);
    if (use === undefined) {
      if (this.#uses.size >= mostKept) this.#forget(day);
      const others = { minute: 0, statements: 0, rows: 0, day: 0, bytes: 0 };
      use = { minute, statements: 0, rows: 0, day, bytes: 0, others, dirty: true };
      this.#uses.set(key, use);
    }
    if (use.minute !== minute) {
      use.minute = minute;
      use.statements = 0;
      use.rows = 0;
    }
    if (use.day !== day) {
      use.day = day;
      use.bytes = 0;
    }
    return use;
  }

  #forget(day: number): void {
    for (const [key, use] of this.#uses) if (use.day < day) this.#uses.delete(key);
  }

  /** Tells the store what was used here and reads what was used elsewhere. Never rejects. */
  share(): Promise<void> {
    this.#sharing = this.#sharing
      .then(() => this.#share())
      .catch((cause: unknown) => {
        this.#log('budgets could not be shared; each gateway counts alone', cause);
      });
    return this.#sharing;
  }

  async #share(): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#uses.size === 0) return;
    const day = Math.floor(this.#now() / dayMs);
    const dirty = [...this.#uses].filter(([, use]) => use.dirty);
    for (const [, use] of dirty) use.dirty = false;
    if (dirty.length > 0) {
      await store.query(
        `insert into sallyport.usage (gateway, key, minute, statements, rows, day, bytes)
         select $1, key, minute, statements, rows, day, bytes
         from jsonb_to_recordset($2) as u(key text, minute bigint, statements bigint, rows bigint, day bigint, bytes bigint)
         on conflict (gateway, key) do update set minute = excluded.minute, statements = excluded.statements,
           rows = excluded.rows, day = excluded.day, bytes = excluded.bytes`,
        [
          this.#gateway,
          JSON.stringify(
            dirty.map(([key, { minute, statements, rows, day: on, bytes }]) => ({
              key,
              minute,
              statements,
              rows,
              day: on,
              bytes,
            })),
          ),
        ],
      );
    }
    const rows = await store.query<
      Record<'minute' | 'statements' | 'rows' | 'day' | 'bytes', string> & { key: string }
    >(
      'select key, minute, statements, rows, day, bytes from sallyport.usage where gateway <> $1 and day >= $2 and key = any($3)',
      [this.#gateway, day, [...this.#uses.keys()]],
    );
    const minute = Math.floor(this.#now() / minuteMs);
    const fresh = new Map<string, Use['others']>();
    for (const row of rows) {
      const sum = fresh.get(row.key) ?? { minute, statements: 0, rows: 0, day, bytes: 0 };
      if (Number(row.minute) === minute) {
        sum.statements += Number(row.statements);
        sum.rows += Number(row.rows);
      }
      if (Number(row.day) === day) sum.bytes += Number(row.bytes);
      fresh.set(row.key, sum);
    }
    for (const [key, use] of this.#uses) {
      Object.assign(use.others, fresh.get(key) ?? { minute, statements: 0, rows: 0, day, bytes: 0 });
    }
  }

  /** Shares a last time, so that a gateway that starts anew today knows what was used. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.share();
  }
}
