// One run of one statement, from its opening record to its settling record: what has gone to the client so far.
import type { Execution, Outcome, Plan } from '../gate.ts';
import type { ErrPacket } from './messages.ts';

export class Run {
  readonly plan: Plan;
  rows = 0;
  bytes = 0;
  /** Rows beyond this many are not for the client. */
  readonly limit: number;
  /** Set when the result may not go on: its rows are dropped and its end is turned into this error. */
  cut: ErrPacket | undefined;
  readonly execution: Execution;
  private settled = false;

  constructor(plan: Plan, execution: Execution) {
    this.plan = plan;
    this.execution = execution;
    this.limit = plan.maxRows ?? Number.POSITIVE_INFINITY;
  }

  get over(): boolean {
    return this.settled;
  }

  /** A run whose result was cut has failed, whatever the server says of it. */
  complete(tag: string): void {
    if (this.cut !== undefined) this.fail(this.cut.sqlstate);
    else this.settle({ kind: 'completed', tag, rows: this.rows, bytes: this.bytes });
  }

  fail(sqlstate: string): void {
    this.settle({ kind: 'failed', sqlstate: this.cut?.sqlstate ?? sqlstate, rows: this.rows, bytes: this.bytes });
  }

  skip(): void {
    this.settle({ kind: 'not-run', rows: 0, bytes: 0 });
  }

  lose(): void {
    this.settle({ kind: 'lost', rows: this.rows, bytes: this.bytes });
  }

  private settle(outcome: Outcome): void {
    if (this.settled) return;
    this.settled = true;
    this.execution.settle(outcome);
  }
}
