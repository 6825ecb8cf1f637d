// The replies we expect: one entry for each message sent upstream, in order, so that every frame of the server is attributed to
// the statement it belongs to. The server answers in order and, after an error in the extended protocol, skips to the next Sync.
import type { Execution, Outcome, Plan, PostgresField } from '../gate.ts';
import type { ErrorFields } from './errors.ts';
import type { BindParameters } from './frontend.ts';
import type { Change } from './names.ts';
import type { RowMasker } from './rows.ts';

/** A prepared statement as the client knows it. */
export interface Statement {
  /** Undefined for an empty text, which the server answers with EmptyQueryResponse. */
  readonly plan: Plan | undefined;
  /** Parameter types as the Parse named or the server described them. */
  types: readonly number[];
  /** As last described, formats not set: the server refuses to change the result of a prepared statement. */
  fields: readonly PostgresField[] | undefined;
  /** The sync group in which a Describe of it was last sent. */
  describedIn: number;
  /** `fields` with the formats of Binds seen so far. */
  readonly formatted: Map<string, readonly PostgresField[]>;
  /** Ends a transaction: its errors may come from any statement before it. */
  readonly ends: boolean;
  /** May free or give away names of statements or portals in SQL. */
  readonly names: boolean;
}

export interface Portal {
  readonly named: boolean;
  readonly statement: Statement;
  /** Undefined where a Bind was too large to be kept. */
  readonly parameters: BindParameters | undefined;
  fields: readonly PostgresField[] | undefined;
  describedIn: number;
  run: Run | undefined;
}

/** One run of one statement: what has gone to the client so far, and its record. */
export class Run {
  readonly plan: Plan | undefined;
  readonly execution: Execution | undefined;
  rows = 0;
  bytes = 0;
  /** Execute messages sent for it and not answered. */
  pending = 0;
  /** Rows beyond this many are not for the client. */
  readonly limit: number;
  /** Set when more rows than `limit` came. */
  exceeded = false;
  /** Set when the result may not go on: its rows are dropped and its end is turned into this error. */
  cut: ErrorFields | undefined;
  /** Its Executes carry a row limit of ours, and nothing is sent behind them before they have ended. */
  serial = false;
  /** Undefined until the result is described; null when its rows pass untouched. */
  masker: RowMasker | null | undefined;
  private settled = false;

  constructor(plan: Plan | undefined, execution: Execution | undefined) {
    this.plan = plan;
    this.execution = execution;
    this.limit = plan?.maxRows ?? Number.POSITIVE_INFINITY;
  }

  get over(): boolean {
    return this.settled;
  }

  complete(tag: string): void {
    this.settle({ kind: 'completed', tag, rows: this.rows, bytes: this.bytes });
  }

  fail(sqlstate: string): void {
    this.settle({ kind: 'failed', sqlstate, rows: this.rows, bytes: this.bytes });
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
    this.execution?.settle(outcome);
  }
}

interface Common {
  /** Messages up to and including one Sync, or one Query. */
  readonly group: number;
  /** Our error in place of the server's: the message was sent to fail. */
  readonly instead: ErrorFields | undefined;
  /** The message is ours: its reply is not for the client (errors still are). */
  readonly hidden: boolean;
  /** The texts of errors and notices may carry masked values. */
  readonly withholds: boolean;
  /** Set when it has been answered or skipped. */
  done: boolean;
}

export type Reply = Common &
  (
    | {
        readonly kind: 'parse';
        readonly statement: Statement | undefined;
        readonly change: Change<Statement> | undefined;
      }
    | { readonly kind: 'bind'; readonly change: Change<Portal> | undefined }
    | {
        readonly kind: 'close';
        readonly statement: Change<Statement> | undefined;
        readonly portal: Change<Portal> | undefined;
        /** The portal that goes. */
        readonly closes: Portal | undefined;
      }
    | {
        readonly kind: 'describe';
        readonly statement: Statement | undefined;
        readonly portal: Portal | undefined;
        /** NoData is dropped though RowDescription is not: a simple query that we run through the extended protocol. */
        readonly simple: boolean;
      }
    | { readonly kind: 'execute'; readonly portal: Portal | undefined; readonly run: Run; readonly ends: boolean }
    | {
        readonly kind: 'query';
        readonly runs: readonly Run[];
        index: number;
        failed: boolean;
        readonly ends: boolean;
        readonly statement: Change<Statement> | undefined;
        readonly portal: Change<Portal> | undefined;
        /** Ours alone: neither its error nor anything but its ReadyForQuery is for the client. */
        readonly repair: boolean;
      }
    | { readonly kind: 'sync' }
    // CopyDone or CopyFail: no reply of its own, but it tells where a COPY that has not begun yet will end.
    | { readonly kind: 'copy-end' }
  );

/** First in, first out, without moving what is left. */
export class Replies {
  private items: Reply[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  push(reply: Reply): void {
    this.items.push(reply);
  }

  /** The reply whose answer comes next. */
  front(): Reply | undefined {
    let reply = this.items[this.head];
    while (reply !== undefined && reply.kind === 'copy-end') {
      this.shift();
      reply = this.items[this.head];
    }
    return reply;
  }

  /** The entry at `index` behind the front. */
  at(index: number): Reply | undefined {
    return this.items[this.head + index];
  }

  shift(): Reply | undefined {
    const reply = this.items[this.head];
    if (reply === undefined) return undefined;
    reply.done = true;
    this.head += 1;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= 1024) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return reply;
  }

  /** Takes out the entries `[from, from + count)` behind the front. */
  remove(from: number, count: number): void {
    for (const reply of this.items.splice(this.head + from, count)) reply.done = true;
  }
}

/** The result columns of a portal: those of its statement in the formats its Bind asked for. The same array for the same formats. */
export function portalFields(portal: Portal): readonly PostgresField[] | undefined {
  const { statement, parameters } = portal;
  const { fields } = statement;
  if (fields === undefined || parameters === undefined) return undefined;
  const formats = parameters.resultFormatKey(fields.length);
  let formatted = statement.formatted.get(formats);
  if (formatted === undefined) {
    formatted = fields.map((field, index) => ({ ...field, binary: parameters.resultBinary(index) }));
    statement.formatted.set(formats, formatted);
  }
  return formatted;
}
