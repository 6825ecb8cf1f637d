// The gate's word on a text, and the opening of its runs: at once where the gate answers at once, behind promises where somebody
// must wait. While it waits nothing else of the client is looked at.
import type { Judgement, MaybePromise, Opened, Plan } from '../gate.ts';
import type { Conversation } from './conversation.ts';
import { refusalFields } from './errors.ts';
import { frontend } from './letters.ts';
import { Run } from './replies.ts';
import type { Sender } from './sender.ts';

/** What the client's side asks of the relay that owns both sockets. */
export interface RequestHost {
  /** A person must decide: tells the client, and listens for its leaving meanwhile. The result ends that. */
  holding(notice: string, withdraw: () => void): () => void;
  /** Goes on with the client's messages outside of a chunk from either side, and writes what comes of it. */
  resume(action: () => void): void;
  /** A failure that ends the session. */
  failed(cause: unknown): void;
}

/** Undefined: done. A promise: nothing else is looked at before it resolves. 'wait': hand the message over again later. */
export type Step = Promise<void> | 'wait' | undefined;

export type Decided = Exclude<Judgement, { kind: 'hold' }>;

interface Held<T> {
  readonly notice: string;
  readonly decision: Promise<T>;
  withdraw(): void;
}

export class Judging {
  private readonly conversation: Conversation;
  private readonly sender: Sender;
  private readonly host: RequestHost;

  constructor(conversation: Conversation, sender: Sender, host: RequestHost) {
    this.conversation = conversation;
    this.sender = sender;
    this.host = host;
  }

  /** Asks the gate about a text and goes on with the decision. */
  judge(text: string, arrival: 'simple' | 'extended', then: (decided: Decided) => Step): Step {
    const judgement = this.conversation.session.judge(text, arrival);
    if (!isPromise(judgement)) return this.judged(judgement, then);
    return this.later(judgement.then((ready): unknown => this.judged(ready, then)));
  }

  private judged(judgement: Judgement, then: (decided: Decided) => Step): Step {
    return judgement.kind === 'hold' ? this.held(judgement, then) : then(judgement);
  }

  /** Waits for a person's decision on a text or on one run. */
  held<T>(hold: Held<T>, then: (decided: T) => Step): Promise<void> {
    const release = this.host.holding(hold.notice, () => hold.withdraw());
    return this.later(
      hold.decision.then((decided): unknown => {
        release();
        return then(decided);
      }),
    );
  }

  /** A message that was judged in time is never handed over again, so no step behind a promise says 'wait'. */
  private async later(step: Promise<unknown>): Promise<void> {
    await step;
  }

  /** Opens the record of every statement of a text before any of it is sent. */
  openAll(plans: readonly Plan[], then: (runs: readonly Run[]) => void): Step {
    return this.openFrom(plans, 0, [], then);
  }

  private openFrom(plans: readonly Plan[], from: number, runs: Run[], then: (runs: readonly Run[]) => void): Step {
    for (let i = from; i < plans.length; i += 1) {
      const plan = plans[i] as Plan;
      const opened = plan.open(undefined);
      if (isPromise(opened)) {
        return this.later(opened.then((ready): unknown => this.openRest(ready, plans, i, runs, then)));
      }
      if (opened.kind === 'hold') return this.openRest(opened, plans, i, runs, then);
      if (!this.opened(opened, plan, runs)) return undefined;
    }
    if (this.conversation.skipping || this.conversation.lost) for (const run of runs) run.skip();
    else then(runs);
    return undefined;
  }

  /** Goes on behind an opening that took its time. */
  private openRest(
    opened: Opened,
    plans: readonly Plan[],
    at: number,
    runs: Run[],
    then: (runs: readonly Run[]) => void,
  ): Step {
    if (opened.kind === 'hold') return this.held(opened, (ready) => this.openRest(ready, plans, at, runs, then));
    return this.opened(opened, plans[at] as Plan, runs) ? this.openFrom(plans, at + 1, runs, then) : undefined;
  }

  private opened(opened: Exclude<Opened, { kind: 'hold' }>, plan: Plan, runs: Run[]): boolean {
    if (opened.kind === 'opened') {
      runs.push(new Run(plan, opened.execution));
      return true;
    }
    for (const run of runs) run.skip();
    if (!this.conversation.skipping) this.sender.refuse(frontend.Query, refusalFields(opened.refusal), false);
    return false;
  }
}

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise;
}
