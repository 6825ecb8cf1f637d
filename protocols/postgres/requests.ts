// The client's side of a session: frames are cut from what it sends and handled one at a time, each when nothing that it depends
// on is still unanswered. Dispatched by message letter; what the messages do stands in statements.ts.

import type { Output } from '../shared/output.ts';
import type { Conversation } from './conversation.ts';
import { copyViolation, errorFields, FatalError } from './errors.ts';
import { FrameCutter, type FrameHandler, type Treatment } from './frames.ts';
import { flushFrame, MalformedMessage } from './frontend.ts';
import type { RequestHost, Step } from './judging.ts';
import { frontend } from './letters.ts';
import type { Statements } from './statements.ts';

export interface RequestLimits {
  /** Longer texts are refused; the session goes on. */
  readonly maxStatementBytes: number;
  /** Longer Binds pass in pieces where nothing is masked, and are refused where something may be. */
  readonly maxBindBytes: number;
}

/**
 * What a message waits for: `judged` messages for a barrier and for a run that nothing may be sent behind, `sent` messages only
 * for the latter, `copy` messages for nothing.
 */
type Waits = 'judged' | 'sent' | 'copy';

interface Kind {
  readonly waits: Waits;
  readonly maxLength: number;
  readonly handle: (statements: Statements, bytes: Buffer, start: number, end: number) => Step;
}

// PQ_LARGE_MESSAGE_LIMIT and PQ_SMALL_MESSAGE_LIMIT of the server, the length itself included.
const large = 0x3fffffff;
const small = 10_000;
/** The names at the head of a Bind that passes in pieces must end within this many bytes. */
const maxBindNames = 16_384;

const kinds: (Kind | undefined)[] = new Array(256).fill(undefined);
kinds[frontend.Query] = { waits: 'judged', maxLength: large, handle: (s, b, from, to) => s.query(b, from, to) };
kinds[frontend.Parse] = { waits: 'judged', maxLength: large, handle: (s, b, from, to) => s.parse(b, from, to) };
kinds[frontend.Bind] = { waits: 'judged', maxLength: large, handle: (s, b, from, to) => s.bind(b, from, to) };
kinds[frontend.Execute] = { waits: 'judged', maxLength: small, handle: (s, b, from, to) => s.execute(b, from, to) };
kinds[frontend.FunctionCall] = { waits: 'judged', maxLength: large, handle: (s) => s.functionCall() };
kinds[frontend.Describe] = { waits: 'judged', maxLength: small, handle: (s, b, from, to) => s.describe(b, from, to) };
kinds[frontend.Close] = { waits: 'judged', maxLength: small, handle: (s, b, from, to) => s.close(b, from, to) };
kinds[frontend.Sync] = { waits: 'sent', maxLength: small, handle: (s, b, from, to) => s.sync(b, from, to) };
kinds[frontend.Flush] = { waits: 'sent', maxLength: small, handle: (s, b, from, to) => s.flush(b, from, to) };
kinds[frontend.Terminate] = { waits: 'sent', maxLength: small, handle: (s) => s.terminate() };
kinds[frontend.CopyData] = { waits: 'copy', maxLength: large, handle: () => undefined };
kinds[frontend.CopyDone] = { waits: 'copy', maxLength: small, handle: (s, b, from, to) => s.copyEnd(b, from, to) };
kinds[frontend.CopyFail] = { waits: 'copy', maxLength: large, handle: (s, b, from, to) => s.copyEnd(b, from, to) };

export class Requests implements FrameHandler {
  private readonly conversation: Conversation;
  private readonly statements: Statements;
  private readonly output: Output;
  private readonly host: RequestHost;
  private readonly limits: RequestLimits;
  private readonly cutter: FrameCutter;
  /** A promise is waited for. */
  private busy = false;
  /** A message that waits for answers of the server. */
  private deferred: (() => Step) | undefined;
  /** A Bind that passes in pieces: its first bytes until its names are known, then whether the rest goes on. */
  private streamed: { head: Buffer; fate: 'unknown' | 'forward' | 'drop' } | undefined;

  constructor(
    conversation: Conversation,
    statements: Statements,
    output: Output,
    host: RequestHost,
    limits: RequestLimits,
  ) {
    this.conversation = conversation;
    this.statements = statements;
    this.output = output;
    this.host = host;
    this.limits = limits;
    this.cutter = new FrameCutter(this);
  }

  push(chunk: Buffer): void {
    this.cutter.push(chunk);
    this.run();
  }

  /** True while no further message is looked at. */
  get stopped(): boolean {
    return this.busy || this.deferred !== undefined || this.statements.terminated;
  }

  /** Bytes that have come and not been looked at. */
  get backlog(): number {
    return this.cutter.backlog;
  }

  /** Goes on where answers of the server were waited for. Called after each chunk from the server. */
  answered(): void {
    this.statements.answered();
    if (this.deferred !== undefined && !this.busy) this.run();
  }

  private run(): void {
    if (this.busy) return;
    const { deferred } = this;
    if (deferred !== undefined) {
      this.deferred = undefined;
      this.attempt(deferred);
    }
    this.cutter.run();
  }

  treat(type: number, length: number): Treatment {
    this.streamed = undefined;
    const kind = kinds[type];
    if (kind === undefined) throw new FatalError('08P01', `invalid frontend message type ${type}`);
    if (length < 4 || length > kind.maxLength) throw new FatalError('08P01', 'invalid message length');
    if (this.skips(type)) return 'skip';
    if (type === frontend.CopyData) return 'pass';
    const { maxStatementBytes, maxBindBytes } = this.limits;
    if ((type === frontend.Query || type === frontend.Parse) && length > maxStatementBytes) {
      this.refuseLong(
        kind,
        type,
        `a statement of ${length} bytes is longer than the ${maxStatementBytes} bytes allowed`,
      );
      return 'skip';
    }
    if (type !== frontend.Bind || length <= maxBindBytes) return 'whole';
    if (this.conversation.session.masks) {
      this.refuseLong(kind, type, `parameters of ${length} bytes are longer than the ${maxBindBytes} bytes allowed`);
      return 'skip';
    }
    this.streamed = { head: Buffer.alloc(0), fate: 'unknown' };
    return 'pass';
  }

  frame(type: number, bytes: Buffer, start: number, end: number): void {
    const kind = kinds[type] as Kind;
    const step = this.handle(kind, type, bytes, start, end);
    if (step === undefined) return;
    if (step === 'wait') this.defer(() => this.handle(kind, type, bytes, start, end));
    else this.wait(step);
  }

  piece(bytes: Buffer, start: number, end: number): void {
    const { streamed } = this;
    if (streamed === undefined || streamed.fate === 'forward') this.output.forward(bytes, start, end);
    else if (streamed.fate === 'unknown') {
      streamed.head = Buffer.concat([streamed.head, bytes.subarray(start, end)]);
      this.bindNames(streamed);
    }
  }

  /** Decides on a Bind that passes in pieces once its two names have come. */
  private bindNames(streamed: NonNullable<Requests['streamed']>): void {
    const { head } = streamed;
    const portalEnd = head.indexOf(0, 5);
    if (portalEnd < 0 || head.indexOf(0, portalEnd + 1) < 0) {
      if (head.length > maxBindNames) throw new FatalError('08P01', 'invalid message format');
      return;
    }
    this.attempt(() => {
      if (this.mustWait('judged')) return 'wait';
      streamed.fate = 'drop';
      if (this.skips(frontend.Bind)) return undefined;
      const step = this.statements.bindHead(head);
      if (step !== 'wait') streamed.fate = step;
      else streamed.fate = 'unknown';
      return step === 'wait' ? 'wait' : undefined;
    });
  }

  private handle(kind: Kind, type: number, bytes: Buffer, start: number, end: number): Step {
    if (this.conversation.copyIn !== undefined && kind.waits === 'judged') {
      throw copyViolation(type);
    }
    if (this.mustWait(kind.waits)) return 'wait';
    if (this.skips(type)) return undefined;
    try {
      return kind.handle(this.statements, bytes, start, end);
    } catch (cause) {
      if (!(cause instanceof MalformedMessage)) throw cause;
      this.statements.refuse(type, errorFields(cause.sqlstate, cause.message));
      return undefined;
    }
  }

  /** "The backend discards messages until a Sync is received" after an error: we need not send them. */
  private skips(type: number): boolean {
    return this.conversation.skipping && type !== frontend.Sync && type !== frontend.Terminate;
  }

  private mustWait(waits: Waits): boolean {
    if (waits === 'copy') return false;
    const { statements } = this;
    // Inside of COPY FROM STDIN the server ignores Sync and Flush: to wait with them would be to wait for ever.
    if (waits === 'sent' && this.conversation.copyIn !== undefined) return false;
    if (!statements.serial && !(waits === 'judged' && statements.barrier)) return false;
    this.askForAnswers();
    return true;
  }

  /** The server keeps its answers to itself until a Flush or Sync: without one we would wait for ever. */
  private askForAnswers(): void {
    if (!this.conversation.unflushed) return;
    this.conversation.unflushed = false;
    this.output.push(flushFrame);
  }

  private refuseLong(kind: Kind, type: number, message: string): void {
    this.attempt(() => {
      if (this.mustWait(kind.waits)) return 'wait';
      if (this.skips(type)) return undefined;
      this.statements.refuse(type, errorFields('54000', `sallyport: ${message}`));
      return undefined;
    });
  }

  private attempt(action: () => Step): void {
    const step = action();
    if (step === 'wait') this.defer(action);
    else if (step !== undefined) this.wait(step);
  }

  private defer(action: () => Step): void {
    this.askForAnswers();
    this.deferred = action;
  }

  private wait(step: Promise<void>): void {
    this.busy = true;
    step.then(
      () => {
        this.busy = false;
        this.host.resume(() => this.run());
      },
      (cause: unknown) => this.host.failed(cause),
    );
  }
}
