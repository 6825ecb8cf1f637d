// The server's side of a session: every frame is attributed to the message it answers, told to the client or kept from it, and
// what it says about statements, portals and the transaction is noted. Dispatched by message letter.
import type { PostgresField } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import {
  decodeCommandTag,
  decodeError,
  decodeParameterDescription,
  decodeParameterStatus,
  decodeReadyForQuery,
  decodeRowDescription,
  UpstreamProtocolError,
} from './backend.ts';
import type { Conversation } from './conversation.ts';
import { type ErrorFields, encodeError, FatalError, refusalFields } from './errors.ts';
import { backend, letterName } from './letters.ts';
import { portalFields, type Reply, type Run } from './replies.ts';
import type { Results } from './results.ts';
import type { Fate, ServerFrameHandler } from './server-frames.ts';
import { unreadable } from './startup.ts';
import { withhold, withholds } from './withholding.ts';

type Handler = (this: Answers, bytes: Buffer, start: number, end: number) => Fate;

export class Answers implements ServerFrameHandler {
  private readonly conversation: Conversation;
  private readonly results: Results;
  private readonly output: Output;
  private readonly failTransaction: () => void;
  private readonly maxFrameBytes: number;

  /** `failTransaction` sends a statement that fails, so that a transaction is as failed as the client was told. */
  constructor(
    conversation: Conversation,
    results: Results,
    output: Output,
    failTransaction: () => void,
    maxFrameBytes: number,
  ) {
    this.conversation = conversation;
    this.results = results;
    this.output = output;
    this.failTransaction = failTransaction;
    this.maxFrameBytes = maxFrameBytes;
  }

  rows(bytes: Buffer, start: number, end: number): number {
    return this.results.rows(bytes, start, end);
  }

  partial(type: number, total: number): 'whole' | Fate {
    if (type === backend.DataRow || type === backend.CopyData) return this.results.partial(type, total);
    if (type === backend.NotificationResponse) return 'keep';
    if (total > this.maxFrameBytes) throw new UpstreamProtocolError('a server message is too long');
    return 'whole';
  }

  frame(type: number, bytes: Buffer, start: number, end: number): Fate {
    const handler = Answers.handlers[type];
    if (handler === undefined) throw new UpstreamProtocolError(`unexpected server message ${letterName(type)}`);
    return handler.call(this, bytes, start, end);
  }

  /** The reply that a frame answers, which must be of one of these kinds. */
  private expect<K extends Reply['kind']>(what: string, ...kinds: readonly K[]): Extract<Reply, { kind: K }> {
    const front = this.conversation.replies.front();
    if (front === undefined || !(kinds as readonly string[]).includes(front.kind)) {
      throw new UpstreamProtocolError(`${what} answers nothing that was asked`);
    }
    return front as Extract<Reply, { kind: K }>;
  }

  /** Whether the reply's frames go to the client. */
  private fate(reply: Reply): Fate {
    return reply.hidden || this.results.muted ? 'drop' : 'keep';
  }

  private parseComplete(): Fate {
    const reply = this.expect('ParseComplete', 'parse');
    this.conversation.replies.shift();
    // A statement that was sent to fail has not: nothing that follows would be as the client was told.
    if (reply.instead !== undefined)
      throw new UpstreamProtocolError('the server accepted a statement that no grammar has');
    if (reply.change !== undefined) this.conversation.statements.confirm(reply.change);
    return this.fate(reply);
  }

  private bindComplete(): Fate {
    const reply = this.expect('BindComplete', 'bind');
    this.conversation.replies.shift();
    if (reply.change !== undefined) {
      if (reply.change.name === '') this.endUnnamed(reply.change.value);
      this.conversation.portals.confirm(reply.change);
    }
    return this.fate(reply);
  }

  /** The unnamed portal has been replaced: a suspended run of the old one is over. */
  private endUnnamed(successor: unknown): void {
    for (const portal of this.conversation.suspended) {
      if (portal.named || portal === successor) continue;
      this.conversation.suspended.delete(portal);
      if (portal.run?.pending === 0) portal.run.complete('SUSPENDED');
    }
  }

  private closeComplete(): Fate {
    const reply = this.expect('CloseComplete', 'close');
    this.conversation.replies.shift();
    if (reply.statement !== undefined) this.conversation.statements.confirm(reply.statement);
    if (reply.portal !== undefined) this.conversation.portals.confirm(reply.portal);
    if (reply.closes !== undefined && this.conversation.suspended.delete(reply.closes)) {
      reply.closes.run?.complete('SUSPENDED');
    }
    return this.fate(reply);
  }

  private parameterDescription(bytes: Buffer, start: number, end: number): Fate {
    // RowDescription or NoData follows and ends the reply.
    const reply = this.expect('ParameterDescription', 'describe');
    if (reply.statement !== undefined) reply.statement.types = decodeParameterDescription(bytes, start, end);
    return this.fate(reply);
  }

  private rowDescription(bytes: Buffer, start: number, end: number): Fate {
    const reply = this.expect('RowDescription', 'describe', 'query');
    if (reply.kind === 'query') {
      const run = reply.runs[reply.index];
      if (run === undefined) throw new UpstreamProtocolError('a result for a statement that the text does not have');
      this.results.begin(run, () => decodeRowDescription(bytes, start, end));
      return run.cut === undefined ? this.fate(reply) : 'drop';
    }
    this.conversation.replies.shift();
    if (this.conversation.session.masks) this.described(reply, decodeRowDescription(bytes, start, end));
    return this.fate(reply);
  }

  private noData(): Fate {
    const reply = this.expect('NoData', 'describe');
    this.conversation.replies.shift();
    this.described(reply, []);
    return reply.simple ? 'drop' : this.fate(reply);
  }

  private described(reply: Extract<Reply, { kind: 'describe' }>, fields: readonly PostgresField[]): void {
    if (reply.statement !== undefined) {
      reply.statement.fields = fields;
      reply.statement.formatted.clear();
    }
    const portal = reply.portal;
    if (portal === undefined) return;
    const { statement } = portal;
    if (statement.fields === undefined) statement.fields = fields.map((field) => ({ ...field, binary: false }));
    // The same formats give the same array again, so that its shape can be remembered by it.
    portal.fields = portalFields(portal) ?? fields;
  }

  private commandComplete(bytes: Buffer, start: number, end: number): Fate {
    return this.ended(decodeCommandTag(bytes, start, end));
  }

  private emptyQuery(): Fate {
    return this.ended('');
  }

  /** CommandComplete or EmptyQueryResponse: one statement is over. */
  private ended(tag: string): Fate {
    const reply = this.expect('CommandComplete', 'query', 'execute');
    const { conversation } = this;
    this.results.finish();
    conversation.noteTag(tag);
    if (reply.withholds) conversation.transactionWithholds = true;
    if (conversation.copyIn === reply) conversation.copyIn = undefined;
    if (reply.kind === 'query') {
      const run = reply.runs[reply.index];
      // An empty text has no statement at all.
      if (run === undefined && tag !== '') throw new UpstreamProtocolError('more results than the text has statements');
      reply.index += 1;
      if (run?.cut !== undefined) return this.endCut(run, run.cut);
      run?.complete(tag);
      return this.fate(reply);
    }
    conversation.replies.shift();
    const { run } = reply;
    run.pending -= 1;
    if (reply.portal !== undefined) conversation.suspended.delete(reply.portal);
    if (run.cut !== undefined && !run.serial) return this.endCut(run, run.cut);
    // With our own row limit the relay now sends the failing statement whose error is replaced by ours.
    if (run.cut !== undefined) return 'drop';
    if (tag.startsWith('COPY ') && run.bytes > 0) run.rows = Number(tag.slice(5));
    if (run.pending === 0) run.complete(tag);
    return this.fate(reply);
  }

  private portalSuspended(): Fate {
    const reply = this.expect('PortalSuspended', 'execute');
    this.conversation.replies.shift();
    this.results.finish();
    if (reply.withholds) this.conversation.transactionWithholds = true;
    const { run } = reply;
    run.pending -= 1;
    if (run.cut !== undefined && !run.serial) return this.endCut(run, run.cut);
    if (run.cut !== undefined) return 'drop';
    if (reply.portal !== undefined) this.conversation.suspended.add(reply.portal);
    return this.fate(reply);
  }

  /** The server has finished a result that we cut: the client gets our error, and hears no more of this group. */
  private endCut(run: Run, error: ErrorFields): Fate {
    run.fail(error.sqlstate);
    if (!this.results.muted) {
      this.output.push(encodeError(error));
      this.results.muted = true;
    }
    return 'drop';
  }

  private error(bytes: Buffer, start: number, end: number): Fate {
    const { conversation } = this;
    const { replies } = conversation;
    const fields = decodeError(bytes, start, end);
    const front = replies.front();
    this.results.finish();
    if (front === undefined || fields.severity === 'FATAL' || fields.severity === 'PANIC') {
      if (fields.severity !== 'ERROR') conversation.fatal = true;
      return this.passError(
        fields,
        front !== undefined && withholds(front, fields, this.conversation.transactionWithholds),
      );
    }
    conversation.failed = front;
    if (conversation.copyIn === front) conversation.copyIn = undefined;
    const withheld = withholds(front, fields, this.conversation.transactionWithholds);
    if (front.kind === 'query') front.failed = true;
    const error = front.instead ?? this.fail(front, fields);
    conversation.cancel(front, true);
    if (front.withholds) conversation.transactionWithholds = true;
    let fate: Fate;
    if (this.results.muted || (front.kind === 'query' && front.repair)) fate = 'drop';
    else if (error !== undefined) {
      this.output.push(encodeError(error));
      fate = 'drop';
    } else fate = this.passError(fields, withheld);
    // A failed Query or Sync is still answered by ReadyForQuery; anything else is skipped up to the next Sync.
    if (front.kind !== 'query' && front.kind !== 'sync') this.skipToSync();
    return fate;
  }

  /** Settles what failed. The error of a result that was cut replaces the server's. */
  private fail(front: Reply, fields: ErrorFields): ErrorFields | undefined {
    if (front.kind === 'execute') {
      const { run } = front;
      run.fail(run.cut?.sqlstate ?? fields.sqlstate);
      if (front.portal !== undefined) this.conversation.suspended.delete(front.portal);
      return run.cut;
    }
    if (front.kind === 'query') {
      const run = front.runs[front.index];
      run?.fail(run.cut?.sqlstate ?? fields.sqlstate);
      for (let i = front.index + 1; i < front.runs.length; i += 1) front.runs[i]?.skip();
      return run?.cut;
    }
    return undefined;
  }

  private passError(fields: ErrorFields, withheld: boolean): Fate {
    if (!withheld) return 'keep';
    this.output.push(encodeError(withhold(fields)));
    return 'drop';
  }

  /** "The backend discards messages until a Sync" (protocol flow, "Extended Query"), and so do we with what we expect. */
  private skipToSync(): void {
    const { conversation } = this;
    const { replies } = conversation;
    replies.shift();
    for (let front = replies.front(); front !== undefined; front = replies.front()) {
      if (front.kind === 'sync') return;
      replies.shift();
      conversation.cancel(front, false);
    }
    conversation.skipping = true;
  }

  private notice(bytes: Buffer, start: number, end: number): Fate {
    const front = this.conversation.replies.front();
    if (front === undefined) return 'keep';
    if (this.results.muted) return 'drop';
    const fields = decodeError(bytes, start, end);
    if (!withholds(front, fields, this.conversation.transactionWithholds)) return 'keep';
    this.output.push(encodeError(withhold(fields), backend.NoticeResponse));
    return 'drop';
  }

  private readyForQuery(bytes: Buffer, start: number): Fate {
    const { conversation } = this;
    const { replies } = conversation;
    const status = decodeReadyForQuery(bytes, start);
    const front = replies.front();
    if (front?.kind === 'sync' || front?.kind === 'query') replies.shift();
    else if (this.conversation.swallowed > 0) this.conversation.swallowed -= 1;
    else throw new UpstreamProtocolError('ReadyForQuery answers nothing that was asked');
    this.results.finish();
    conversation.copyIn = undefined;
    if (front?.kind === 'query') {
      if (front.instead !== undefined && !front.failed) {
        throw new UpstreamProtocolError('the server accepted a statement that no grammar has');
      }
      if (!front.failed) {
        if (front.statement !== undefined) conversation.statements.confirm(front.statement);
        if (front.portal !== undefined) conversation.portals.confirm(front.portal);
      }
      for (const run of front.runs) run.skip();
    }
    if (status === 'I') {
      conversation.endPortals();
      conversation.transactionWithholds = false;
    }
    const { muted } = this.results;
    this.results.muted = false;
    if (muted && status === 'T' && replies.length === 0) {
      // The client was told of an error, so its transaction must have failed: the failing statement brings the next ReadyForQuery.
      this.failTransaction();
      return 'drop';
    }
    if (front?.kind === 'sync' && front.hidden) return 'drop';
    conversation.status = status;
    conversation.session.transaction(status);
    return 'keep';
  }

  private parameterStatus(bytes: Buffer, start: number, end: number): Fate {
    const { name, value } = decodeParameterStatus(bytes, start, end);
    const problem = unreadable(name, value);
    if (problem !== undefined) throw problem;
    const refusal = this.conversation.session.parameter(name, value);
    if (refusal !== undefined) throw FatalError.of(refusalFields(refusal, 'FATAL'));
    return 'keep';
  }

  private notification(): Fate {
    return 'keep';
  }

  private copyInResponse(): Fate {
    const reply = this.expect('CopyInResponse', 'query', 'execute');
    const { replies } = this.conversation;
    // In COPY FROM STDIN the server ignores Flush and Sync until CopyDone or CopyFail ("CopyGetData"): what was
    // sent ahead is not answered.
    let index = 1;
    for (;;) {
      const next = replies.at(index);
      if (next === undefined) {
        this.conversation.copyIn = reply;
        break;
      }
      if (next.kind === 'copy-end') {
        replies.remove(index, 1);
        break;
      }
      if (next.kind !== 'sync') {
        // The server fails at any other message, loses its place in the stream and ends the session.
        for (let later = replies.at(index); later !== undefined; later = replies.at(index)) {
          replies.remove(index, 1);
          this.conversation.cancel(later, false);
        }
        break;
      }
      replies.remove(index, 1);
      this.conversation.swallowed += 1;
      index = 1;
    }
    return this.fate(reply);
  }

  private copyOutResponse(bytes: Buffer, start: number, end: number): Fate {
    const reply = this.expect('CopyOutResponse', 'query', 'execute');
    const run = reply.kind === 'execute' ? reply.run : reply.runs[reply.index];
    if (run === undefined) throw new UpstreamProtocolError('a copy for a statement that the text does not have');
    const fate = this.results.beginCopy(run, bytes, start, end);
    return fate === 'keep' ? this.fate(reply) : fate;
  }

  private copyData(bytes: Buffer, start: number, end: number): Fate {
    return this.results.copyData(bytes, start, end);
  }

  private copyDone(): Fate {
    return this.results.copyDone();
  }

  private static readonly handlers: readonly (Handler | undefined)[] = table([
    [backend.ParseComplete, Answers.prototype.parseComplete],
    [backend.BindComplete, Answers.prototype.bindComplete],
    [backend.CloseComplete, Answers.prototype.closeComplete],
    [backend.ParameterDescription, Answers.prototype.parameterDescription],
    [backend.RowDescription, Answers.prototype.rowDescription],
    [backend.NoData, Answers.prototype.noData],
    [backend.CommandComplete, Answers.prototype.commandComplete],
    [backend.EmptyQueryResponse, Answers.prototype.emptyQuery],
    [backend.PortalSuspended, Answers.prototype.portalSuspended],
    [backend.ErrorResponse, Answers.prototype.error],
    [backend.NoticeResponse, Answers.prototype.notice],
    [backend.ReadyForQuery, Answers.prototype.readyForQuery],
    [backend.ParameterStatus, Answers.prototype.parameterStatus],
    [backend.NotificationResponse, Answers.prototype.notification],
    [backend.CopyInResponse, Answers.prototype.copyInResponse],
    [backend.CopyOutResponse, Answers.prototype.copyOutResponse],
    [backend.CopyData, Answers.prototype.copyData],
    [backend.CopyDone, Answers.prototype.copyDone],
  ]);
}

function table(entries: readonly (readonly [number, Handler])[]): readonly (Handler | undefined)[] {
  const handlers: (Handler | undefined)[] = new Array(256).fill(undefined);
  for (const [letter, handler] of entries) handlers[letter] = handler;
  return handlers;
}
