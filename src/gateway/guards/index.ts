// What stands beside the verdict and looks at the identity's conduct: budgets and the loop breaker. Asked before each run of a statement.
import { randomUUID } from 'node:crypto';
import type { Outcome, Refusal } from '../../../protocols/gate.ts';
import { type AuditSink, isoTime, newRecordId } from '../../audit/index.ts';
import type { BudgetsConfig, Config } from '../../config/index.ts';
import type { Identity } from '../../identity/index.ts';
import { type Reading, verbClass } from '../../sql/index.ts';
import type { Store } from '../../store/index.ts';
import type { Log } from '../log.ts';
import { Budgets, type Spent } from './budgets.ts';
import { LoopBreaker, type Pause } from './loop-breaker.ts';

export interface GuardsOptions {
  /** Asked each time, since a reload may change it. */
  readonly config: () => Config;
  readonly store: Store | undefined;
  readonly journal: AuditSink;
  readonly log: Log;
}

/** The guards of the whole gateway. */
export class Guards {
  readonly #budgets: Budgets;
  readonly #breaker: LoopBreaker;
  readonly #config: () => Config;

  constructor({ config, store, journal, log }: GuardsOptions) {
    this.#config = config;
    const warn = (message: string, err: unknown) => log.warn({ err }, message);
    this.#budgets = new Budgets({ store, gateway: randomUUID(), log: warn });
    this.#breaker = new LoopBreaker({
      config: () => config().loopBreaker,
      store,
      paused: (key, pause) => record(journal, key, pause),
      log: warn,
    });
  }

  /** The guards of one session, or undefined where the file asks for none. */
  forIdentity(identity: Pick<Identity, 'issuer' | 'subject'>): SessionGuard | undefined {
    const { roles, loopBreaker } = this.#config();
    const budgets = new Map(
      roles.flatMap(({ name, budgets: budget }): [string, BudgetsConfig][] =>
        budget === undefined ? [] : [[name, budget]],
      ),
    );
    if (budgets.size === 0 && loopBreaker === undefined) return undefined;
    return new SessionGuard(`${identity.issuer} ${identity.subject}`, budgets, this.#budgets, this.#breaker);
  }

  /** The most sessions an identity with these roles may have at a time; undefined where one of them sets no limit. */
  sessionsAllowed(held: readonly string[]): number | undefined {
    const limits = this.#config()
      .roles.filter(({ name }) => held.includes(name))
      .map(({ budgets }) => budgets?.sessions ?? Number.POSITIVE_INFINITY);
    const most = Math.max(...limits);
    return Number.isFinite(most) ? most : undefined;
  }

  async close(): Promise<void> {
    this.#breaker.close();
    await this.#budgets.close();
  }
}

/** A pause is an event of its own in the journal; the refusals that follow are records as ever. */
function record(journal: AuditSink, key: string, { until, why }: Pause): void {
  const [issuer = '', ...subject] = key.split(' ');
  const identity = subject.join(' ');
  try {
    const written = journal.append({
      event: 'gateway',
      time: isoTime(Date.now()),
      record: newRecordId(),
      session: undefined,
      identity,
      issuer,
      groups: [],
      target: undefined,
      client: undefined,
      message: `${identity} is paused until ${isoTime(until)}: ${why}`,
      details: { rule: breakerRule },
    });
    if (written instanceof Promise) written.catch(() => undefined);
  } catch {
    // The journal reports its own failure; the pause holds.
  }
}

export class SessionGuard {
  readonly #key: string;
  readonly #roles: ReadonlyMap<string, BudgetsConfig>;
  readonly #budgets: Budgets;
  readonly #breaker: LoopBreaker;

  constructor(key: string, roles: ReadonlyMap<string, BudgetsConfig>, budgets: Budgets, breaker: LoopBreaker) {
    this.#key = key;
    this.#roles = roles;
    this.#budgets = budgets;
    this.#breaker = breaker;
  }

  /** Asked before a run that the verdict allows; what it lets through counts. Transactions may always be ended. */
  opening(reading: Reading, role: string): Refusal | undefined {
    if (endsOnly(reading)) return undefined;
    const pause = this.#breaker.pause(this.#key);
    if (pause !== undefined) return pausedRefusal(pause);
    const budget = this.#roles.get(role);
    const spent = budget === undefined ? undefined : this.#budgets.take(this.#budgetKey(role), budget);
    if (spent !== undefined) return spentRefusal(spent, role);
    if (!inSession(reading)) this.#breaker.note(this.#key, reading.fingerprint);
    return undefined;
  }

  settled(role: string, outcome: Outcome): void {
    if (outcome.rows > 0 && this.#roles.has(role)) {
      this.#budgets.used(this.#budgetKey(role), outcome.rows, outcome.bytes);
    }
  }

  /** A statement was refused: an agent that does not take no for an answer is in a loop too. */
  refused(rule: string, shape: string): void {
    if (rule !== breakerRule) this.#breaker.note(this.#key, shape);
  }

  #budgetKey(role: string): string {
    return `${role} ${this.#key}`;
  }
}

const breakerRule = 'loop-breaker';

/** COMMIT, ROLLBACK: what cleans up must stay possible. */
function endsOnly({ verbs }: Reading): boolean {
  return verbs.every((verb) => verb === 'commit' || verb === 'rollback');
}

/** BEGIN, SET and the like are repeated by every driver. */
function inSession({ verbs }: Reading): boolean {
  return verbs.every((verb) => verbClass(verb) === 'session');
}

/** configuration_limit_exceeded: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const limitExceeded = '53400';

function pausedRefusal({ until, why }: Pause): Refusal {
  const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
  return {
    kind: 'limit',
    rule: breakerRule,
    message: `sallyport: denied by rule "${breakerRule}": this identity is paused for ${seconds} s more: ${why}`,
    hint: 'Do not send it again: the answer will be the same. Look at the answers so far and change the statement, or stop.',
    sqlstate: limitExceeded,
  };
}

function spentRefusal({ limit, most, againInMs }: Spent, role: string): Refusal {
  const wait = againInMs > 120_000 ? `${Math.ceil(againInMs / 60_000)} minutes` : `${Math.ceil(againInMs / 1000)} s`;
  return {
    kind: 'limit',
    rule: limit,
    message: `sallyport: denied by rule "${limit}": role "${role}" allows ${most} for each identity`,
    hint: `It begins anew in ${wait}.`,
    sqlstate: limitExceeded,
  };
}
