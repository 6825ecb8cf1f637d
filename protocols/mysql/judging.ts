// The gate's word on a text, and the opening of its runs: at once where the gate answers at once, behind promises where somebody
// must wait. While it waits nothing else of the client is looked at.
import type { BoundParameters, Judgement, MaybePromise, Opened, Plan, Refusal } from '../gate.ts';
import type { Conversation } from './conversation.ts';
import { Run } from './run.ts';

/** Undefined: done. A promise: nothing else is looked at before it resolves. */
export type Step = Promise<void> | undefined;

export type Allowed = Extract<Judgement, { kind: 'allow' }>;
type Decided = Exclude<Judgement, { kind: 'hold' }>;

interface Held<T> {
  readonly decision: Promise<T>;
  withdraw(): void;
}

export interface JudgingHost {
  /** A person must decide: listens for the client's leaving meanwhile. The result ends that. */
  holding(withdraw: () => void): () => void;
  /** Tells the client of a refusal: that is the answer to its command. */
  refuse(refusal: Refusal): void;
}

export class Judging {
  private readonly conversation: Conversation;
  private readonly host: JudgingHost;

  constructor(conversation: Conversation, host: JudgingHost) {
    this.conversation = conversation;
    this.host = host;
  }

  /** Asks the gate about a text and goes on where it allows it. */
  judge(text: string, arrival: 'simple' | 'extended', then: (allowed: Allowed) => Step): Step {
    const judgement = this.conversation.session.judge(text, arrival);
    if (!isPromise(judgement)) return this.judged(judgement, then);
    return this.later(judgement.then((ready) => this.judged(ready, then)));
  }

  private judged(judgement: Judgement, then: (allowed: Allowed) => Step): Step {
    if (judgement.kind !== 'hold') return this.decided(judgement, then);
    return this.held(judgement, (decided) => this.decided(decided, then));
  }

  /** Waits for a person's decision on a text or on one run. The protocol has no way to tell the client of it. */
  private held<T>(hold: Held<T>, then: (decided: T) => Step): Promise<void> {
    const release = this.host.holding(() => hold.withdraw());
    return this.later(
      hold.decision.then((decided) => {
        release();
        return then(decided);
      }),
    );
  }

  private decided(decided: Decided, then: (allowed: Allowed) => Step): Step {
    if (decided.kind === 'allow') return then(decided);
    this.host.refuse(decided.refusal);
    return undefined;
  }

  /** Opens the record of every statement of a text before any of it is sent. */
  openAll(
    plans: readonly Plan[],
    parameters: BoundParameters | undefined,
    then: (runs: readonly Run[]) => void,
    from = 0,
    runs: Run[] = [],
  ): Step {
    for (let index = from; index < plans.length; index += 1) {
      const plan = plans[index] as Plan;
      const opened = plan.open(parameters);
      if (isPromise(opened)) {
        return this.later(opened.then((ready) => this.openRest(ready, plans, parameters, then, index, runs)));
      }
      if (opened.kind === 'hold') return this.openRest(opened, plans, parameters, then, index, runs);
      if (!this.opened(opened, plan, runs)) return undefined;
    }
    // Nothing is sent for a client that has gone while the record was being written.
    if (this.conversation.lost) for (const run of runs) run.skip();
    else then(runs);
    return undefined;
  }

  /** Goes on behind an opening that took its time. */
  private openRest(
    opened: Opened,
    plans: readonly Plan[],
    parameters: BoundParameters | undefined,
    then: (runs: readonly Run[]) => void,
    at: number,
    runs: Run[],
  ): Step {
    if (opened.kind === 'hold') {
      return this.held(opened, (ready) => this.openRest(ready, plans, parameters, then, at, runs));
    }
    if (!this.opened(opened, plans[at] as Plan, runs)) return undefined;
    return this.openAll(plans, parameters, then, at + 1, runs);
  }

  private opened(opened: Exclude<Opened, { kind: 'hold' }>, plan: Plan, runs: Run[]): boolean {
    if (opened.kind === 'opened') {
      runs.push(new Run(plan, opened.execution));
      return true;
    }
    for (const run of runs) run.skip();
    this.host.refuse(opened.refusal);
    return false;
  }

  private async later(step: Promise<unknown>): Promise<void> {
    await step;
  }
}

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise;
}
