// One admitted session: the client's socket and the upstream's, joined. Bytes, back-pressure and ends are handled here; what the
// messages mean is the business of requests.ts and answers.ts.
import type { Socket } from 'node:net';
import type { GateSession, Refusal } from '../gate.ts';
import type { Logger } from '../shared/logger.ts';
import { Output } from '../shared/output.ts';
import { Answers } from './answers.ts';
import { UpstreamProtocolError } from './backend.ts';
import { Conversation } from './conversation.ts';
import { type ErrorFields, encodeError, encodeNotice, FatalError, refusalFields } from './errors.ts';
import { failingQuery, MalformedMessage, terminateFrame } from './frontend.ts';
import type { RequestHost } from './judging.ts';
import { Requests } from './requests.ts';
import { Results } from './results.ts';
import { ServerFrames } from './server-frames.ts';
import { Statements } from './statements.ts';
import { cancelUpstream, type UpstreamLogin } from './upstream.ts';

export interface RelayLimits {
  readonly maxStatementBytes: number;
  readonly maxBindBytes: number;
  readonly maxMaskedBytes: number;
  /** How long the upstream may go on after the client has left. */
  readonly lingerMs: number;
  readonly connectMs: number;
  /** While a person decides, the client is told so again this often. */
  readonly reminderMs: number;
}

export class Relay implements RequestHost {
  private readonly client: Socket;
  private readonly upstream: Socket;
  private readonly login: UpstreamLogin;
  private readonly session: GateSession;
  private readonly limits: RelayLimits;
  private readonly logger: Logger;
  private readonly onEnd: () => void;
  private readonly conversation: Conversation;
  private readonly toClient: Output;
  private readonly toUpstream: Output;
  private readonly requests: Requests;
  private readonly statements: Statements;
  private readonly results: Results;
  private readonly frames: ServerFrames;
  private withdraw: (() => void) | undefined;
  /** The client sends nothing more; what it has sent is still carried out, as the server would. */
  private inputEnded = false;
  private upstreamEnded = false;
  private finished = false;
  private cutPending = false;
  private cancelling = false;
  private closing: Refusal | undefined;
  private linger: NodeJS.Timeout | undefined;

  constructor(
    client: Socket,
    login: UpstreamLogin,
    session: GateSession,
    limits: RelayLimits,
    logger: Logger,
    onEnd: () => void,
  ) {
    this.client = client;
    this.login = login;
    this.upstream = login.connection.socket;
    this.session = session;
    this.limits = limits;
    this.logger = logger;
    this.onEnd = onEnd;
    const conversation = new Conversation(session);
    this.conversation = conversation;
    this.toClient = new Output(client);
    this.toUpstream = new Output(this.upstream);
    this.statements = new Statements(conversation, this.toUpstream, this);
    this.requests = new Requests(conversation, this.statements, this.toUpstream, this, limits);
    const cut = () => {
      this.cutPending = true;
    };
    this.results = new Results(conversation, this.toClient, cut, limits.maxMaskedBytes);
    const answers = new Answers(
      conversation,
      this.results,
      this.toClient,
      () => this.failTransaction(),
      limits.maxMaskedBytes,
    );
    this.frames = new ServerFrames(answers, this.toClient);
  }

  /** Starts relaying; `early` is what the client sent before. */
  start(early: Buffer): void {
    const { client, upstream, login } = this;
    client.on('data', (chunk: Buffer) => this.fromClient(chunk));
    client.on('drain', () => this.clientDrained());
    client.on('end', () => this.clientLeft());
    client.on('close', () => this.clientLeft());
    client.on('error', () => client.destroy());
    upstream.on('drain', () => this.readClient());
    upstream.on('close', () => this.upstreamClosed());
    upstream.on('error', (cause) => {
      this.logger.warn({ session: this.session.id, err: cause.message }, 'upstream connection failed');
      upstream.destroy();
    });
    this.session.onEnd((refusal) => this.end(refusalFields(refusal, 'FATAL'), refusal.rule));
    login.connection.consume(
      (chunk, length) => this.fromUpstream(chunk, length),
      () => !this.toClient.settled,
    );
    if (client.destroyed) this.clientLeft();
    if (login.rest.length > 0) this.fromUpstream(login.rest, login.rest.length);
    if (early.length > 0) this.fromClient(early);
    this.readClient();
  }

  /** A CancelRequest with this session's key. */
  cancel(): void {
    if (this.withdraw !== undefined) {
      const withdraw = this.withdraw;
      this.withdraw = undefined;
      withdraw();
      return;
    }
    void this.sendCancel();
  }

  /** Ends the session with `refusal` as soon as it is idle. */
  endWhenIdle(refusal: Refusal): void {
    this.closing = refusal;
    this.endIfIdle();
  }

  /** Ends the session now. */
  end(error: ErrorFields, cause: string): void {
    if (this.finished) return;
    if (!this.frames.midFrame && this.client.writable) {
      this.frames.aside(encodeError(error));
      this.toClient.flush();
    }
    if (this.conversation.replies.length > 0) void this.sendCancel();
    this.upstream.destroy();
    this.finish(cause);
  }

  // RequestHost -------------------------------------------------------------------------------------------------------------

  holding(notice: string, withdraw: () => void): () => void {
    this.withdraw = withdraw;
    this.toUpstream.flush();
    const tell = () => {
      this.frames.aside(encodeNotice(notice));
      this.toClient.flush();
    };
    tell();
    // Proxies and load balancers in between drop connections on which nothing passes.
    const reminder = setInterval(tell, this.limits.reminderMs);
    reminder.unref();
    // Read on: only so is it known when the client leaves.
    this.client.resume();
    if (this.inputEnded) this.cancel();
    return () => {
      clearInterval(reminder);
      this.withdraw = undefined;
    };
  }

  resume(action: () => void): void {
    if (this.finished) return;
    this.guard(() => {
      action();
      this.toUpstream.flush();
      this.readClient();
      this.endInput();
    });
  }

  failed(cause: unknown): void {
    if (cause instanceof FatalError) this.end(cause.fields, cause.fields.message);
    else if (cause instanceof UpstreamProtocolError || cause instanceof MalformedMessage) {
      this.logger.error({ session: this.session.id, err: cause.message }, 'protocol error');
      this.end(new FatalError('08P01', `sallyport: protocol error: ${cause.message}`).fields, cause.message);
    } else {
      this.logger.error(
        { session: this.session.id, err: cause instanceof Error ? cause.stack : String(cause) },
        'internal error',
      );
      this.end(new FatalError('XX000', 'sallyport: internal error').fields, 'internal error');
    }
  }

  // The client's side -------------------------------------------------------------------------------------------------------

  private fromClient(chunk: Buffer): void {
    if (this.finished) return;
    this.guard(() => {
      this.requests.push(chunk);
      this.toUpstream.flush();
      this.readClient();
      this.endInput();
    });
  }

  /** Reads the client while its messages are wanted and the upstream takes them. */
  private readClient(): void {
    if (this.finished || this.inputEnded) return;
    // While a person decides, what comes is kept, up to a little, so that the client's leaving is noticed.
    const wanted = !this.requests.stopped || (this.withdraw !== undefined && this.requests.backlog < 65_536);
    if (wanted && !this.upstream.writableNeedDrain) {
      if (this.client.isPaused()) this.client.resume();
    } else if (!this.client.isPaused()) this.client.pause();
  }

  private clientLeft(): void {
    if (this.inputEnded) return;
    this.inputEnded = true;
    if (this.withdraw !== undefined) this.cancel();
    this.guard(() => this.endInput());
  }

  /** Says goodbye upstream once everything the client has sent has been sent on. */
  private endInput(): void {
    if (this.finished || this.upstreamEnded) return;
    if (!this.statements.terminated && (!this.inputEnded || this.requests.stopped)) return;
    this.upstreamEnded = true;
    if (this.statements.terminated) this.toUpstream.push(terminateFrame);
    this.toUpstream.flush();
    this.upstream.end();
    // What runs is carried to its end, as the server does when its client has gone; but not for ever.
    this.linger = setTimeout(() => {
      void this.sendCancel();
      this.upstream.destroy();
    }, this.limits.lingerMs);
    this.linger.unref();
    // A client that has gone takes no more: what comes is read and dropped.
    if (this.client.destroyed) this.upstream.resume();
  }

  // The upstream's side -----------------------------------------------------------------------------------------------------

  private fromUpstream(chunk: Buffer, length: number): void {
    if (this.finished) return;
    this.guard(() => {
      this.frames.push(chunk, length);
      this.requests.answered();
      if (!this.toUpstream.empty) this.toUpstream.flush();
      const room = this.toClient.flush();
      this.results.room.recycle();
      if (this.cutPending) this.cutUpstream();
      else if (!room && !this.client.destroyed) this.upstream.pause();
      this.readClient();
      this.endInput();
      if (this.closing !== undefined) this.endIfIdle();
    });
  }

  private clientDrained(): void {
    this.results.room.recycle();
    if (!this.cancelling) this.upstream.resume();
  }

  /** A result was cut: cancels its statement, and reads no further before that has been done. */
  private cutUpstream(): void {
    this.cutPending = false;
    const front = this.conversation.replies.front();
    const running =
      front?.kind === 'execute' ? front.run.cut : front?.kind === 'query' ? front.runs[front.index]?.cut : undefined;
    // It may have ended in the same chunk; a cancel would then hit the next statement.
    if (running === undefined) return;
    this.cancelling = true;
    this.upstream.pause();
    void this.sendCancel().then(() => {
      this.cancelling = false;
      if (!this.finished && !this.client.writableNeedDrain) this.upstream.resume();
    });
  }

  private async sendCancel(): Promise<void> {
    const { key } = this.login;
    if (key === undefined) return;
    try {
      await cancelUpstream(this.session.upstream, key, this.limits.connectMs);
    } catch (cause) {
      this.logger.warn({ session: this.session.id, err: cause instanceof Error ? cause.message : '' }, 'cancel failed');
    }
  }

  private failTransaction(): void {
    this.conversation.replies.push({
      kind: 'query',
      runs: [],
      index: 0,
      failed: false,
      ends: false,
      statement: undefined,
      portal: undefined,
      repair: true,
      group: this.conversation.group,
      instead: undefined,
      hidden: true,
      withholds: false,
      done: false,
    });
    this.conversation.group += 1;
    this.toUpstream.push(failingQuery);
  }

  private upstreamClosed(): void {
    if (this.finished) return;
    if (!this.upstreamEnded && !this.conversation.fatal && this.client.writable && !this.frames.midFrame) {
      const message = `sallyport: target "${this.session.upstream.target}" closed the connection`;
      this.frames.aside(encodeError(new FatalError('08006', message).fields));
      this.toClient.flush();
    }
    this.finish(this.upstreamEnded ? 'client left' : 'upstream closed');
  }

  // Ends --------------------------------------------------------------------------------------------------------------------

  private endIfIdle(): void {
    const { closing, conversation, requests } = this;
    if (closing === undefined || this.finished) return;
    if (conversation.replies.length > 0 || conversation.status !== 'I' || requests.stopped) return;
    this.toUpstream.push(terminateFrame);
    this.toUpstream.flush();
    this.end(refusalFields(closing, 'FATAL'), closing.rule);
  }

  private finish(cause: string): void {
    if (this.finished) return;
    this.finished = true;
    clearTimeout(this.linger);
    const { withdraw } = this;
    this.withdraw = undefined;
    withdraw?.();
    this.conversation.lose();
    if (this.client.writable) this.client.end();
    // A client that does not take its last bytes must not keep the socket.
    const forget = setTimeout(() => this.client.destroy(), 5_000);
    forget.unref();
    this.client.once('close', () => clearTimeout(forget));
    this.client.resume();
    this.session.end(cause);
    this.onEnd();
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.failed(cause);
    }
  }
}
