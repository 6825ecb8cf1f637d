// One admitted session: the client's stream and the upstream's, joined. Bytes, back-pressure and ends are handled here; what the
// packets mean is the business of commands.ts and responses.ts.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GateSession, Refusal } from '../gate.ts';
import type { Logger } from '../shared/logger.ts';
import { Output } from '../shared/output.ts';
import { MalformedPacket } from './bytes.ts';
import { type CommandHost, Commands } from './commands.ts';
import { CompressedStream } from './compression.ts';
import { command, errorCode } from './constants.ts';
import { Conversation, type Features } from './conversation.ts';
import { errPacket, FatalError, internalError, refusalPacket, UpstreamProtocolError } from './errors.ts';
import { Exchange } from './exchange.ts';
import type { ErrPacket } from './messages.ts';
import { frame, OutOfOrder, PayloadTooLarge } from './packets.ts';
import { Responses } from './responses.ts';
import { Results } from './results.ts';
import { ServerStream } from './server-stream.ts';
import { Teller } from './teller.ts';
import { killQuery, type UpstreamLogin } from './upstream.ts';
import { readSettings } from './upstream-settings.ts';
import type { Connect } from './upstream-socket.ts';

export interface RelayLimits {
  readonly maxStatementBytes: number;
  readonly maxPacketBytes: number;
  readonly maxMaskedBytes: number;
  /** How long the upstream may go on after the client has left. */
  readonly lingerMs: number;
  readonly connectMs: number;
}

export interface RelayOptions {
  readonly client: Duplex;
  readonly features: Features;
  readonly login: UpstreamLogin;
  readonly session: GateSession;
  readonly limits: RelayLimits;
  readonly logger: Logger;
  /** How servers are reached; left out: by TCP. */
  readonly connect: Connect | undefined;
  /** Called when both sides are done with. */
  onEnd(): void;
  /** COM_CHANGE_USER: the client's stream is free for another login. `rest` is what it has sent behind the command. */
  onChangeUser(payload: Buffer, sequence: number, rest: Buffer): void;
  /** Ends what another session of the same client runs. False where there is none with this thread number. */
  onKill(threadId: number): boolean;
}

const maxSettingsBytes = 1024 * 1024;
const quit = frame(Buffer.from([command.QUIT]), 0);

export class Relay implements CommandHost {
  private readonly options: RelayOptions;
  private readonly client: Duplex;
  private readonly upstream: Socket;
  private readonly session: GateSession;
  private readonly conversation: Conversation;
  private readonly toClient: Output;
  private readonly toUpstream: Output;
  private readonly commands: Commands;
  private readonly results: Results;
  private readonly stream: ServerStream;
  private readonly teller: Teller;
  private withdraw: (() => void) | undefined;
  /** The client sends nothing more; what it has sent is still carried out, as the server would. */
  private inputEnded = false;
  private upstreamEnded = false;
  private finished = false;
  private cutPending = false;
  /** Nothing is read from the upstream for now: a cancel is on its way. */
  private cancelling = false;
  private closing: { readonly error: ErrPacket; readonly cause: string } | undefined;
  private linger: NodeJS.Timeout | undefined;
  private readonly onClientData = (chunk: Buffer) => this.fromClient(chunk);
  private readonly onClientDrain = () => this.clientDrained();
  private readonly onClientGone = () => this.clientLeft();

  constructor(options: RelayOptions) {
    const { client, login, session, limits, features } = options;
    this.options = options;
    this.client = client;
    this.upstream = login.socket;
    this.session = session;
    const conversation = new Conversation(session, features, login, login.status);
    this.conversation = conversation;
    this.toClient = new Output(client);
    this.toUpstream = new Output(this.upstream);
    const unreadable = (refusal: Refusal) => {
      throw new FatalError(refusalPacket(refusal));
    };
    this.teller = new Teller(conversation, this.toClient, unreadable);
    const cut = () => {
      this.cutPending = true;
    };
    this.results = new Results(conversation, this.toClient, cut, limits.maxMaskedBytes);
    const responses = new Responses(conversation, this.results, this.teller, this.toClient);
    this.stream = new ServerStream(responses);
    this.commands = new Commands(conversation, responses, this.teller, this.toUpstream, this, limits);
  }

  /** Takes note of the settings after the login. Throws FatalError where the session cannot be read. */
  begin(): void {
    this.noteSettings(this.options.login.settings);
    this.session.transaction('I');
  }

  /** Starts relaying; `early` is what the client sent before. */
  start(early: Buffer): void {
    const { client, upstream } = this;
    client.on('data', this.onClientData);
    client.on('drain', this.onClientDrain);
    client.on('end', this.onClientGone);
    client.on('close', this.onClientGone);
    this.consume();
    upstream.on('drain', () => this.readClient());
    upstream.on('close', () => this.upstreamClosed());
    upstream.on('error', (cause) => {
      this.options.logger.warn({ session: this.session.id, err: cause.message }, 'upstream connection failed');
      upstream.destroy();
    });
    this.session.onEnd((refusal) => this.end(refusalPacket(refusal), refusal.rule));
    if (this.finished) return;
    if (client.destroyed) this.clientLeft();
    if (early.length > 0) this.fromClient(early);
    upstream.resume();
    this.readClient();
  }

  /** Ends what runs, or withdraws what waits for a person. */
  cancel(): void {
    if (this.withdraw !== undefined) {
      const { withdraw } = this;
      this.withdraw = undefined;
      withdraw();
      return;
    }
    if (this.conversation.active !== undefined) void this.sendCancel();
  }

  /** Another session of the same owner has ended this one (COM_PROCESS_KILL). */
  killed(): void {
    setImmediate(() => this.end(errPacket(errorCode.CONNECTION_KILLED, '70100', 'Connection was killed'), 'killed'));
  }

  /** Ends the session with `error` as soon as it is idle. */
  endWhenIdle(error: ErrPacket, cause: string): void {
    this.closing = { error, cause };
    this.endIfIdle();
  }

  /** Ends the session now. */
  end(error: ErrPacket, cause: string): void {
    if (this.finished) return;
    if (!this.stream.midPacket && this.client.writable) {
      this.teller.error(error);
      this.toClient.flush();
    }
    // A query goes on when only its connection is closed.
    if (this.conversation.active !== undefined) void this.sendCancel();
    this.upstream.destroy();
    this.finish(cause);
  }

  // CommandHost -------------------------------------------------------------------------------------------------------------

  holding(withdraw: () => void): () => void {
    this.withdraw = withdraw;
    // Read on: only so is it known when the client leaves.
    this.client.resume();
    if (this.inputEnded) this.cancel();
    return () => {
      this.withdraw = undefined;
    };
  }

  answering(): void {
    const { client, toClient } = this;
    if (!(client instanceof CompressedStream)) return;
    if (!toClient.empty) toClient.flush();
    client.begin();
  }

  resume(action: () => void): void {
    if (this.finished) return;
    this.guard(() => {
      action();
      this.settle();
    });
  }

  failed(cause: unknown): void {
    const { logger } = this.options;
    if (cause instanceof FatalError) this.end(cause.packet, cause.packet.message);
    else if (cause instanceof OutOfOrder) {
      this.end(errPacket(errorCode.OUT_OF_ORDER, '08S01', 'Got packets out of order'), 'packets out of order');
    } else if (cause instanceof PayloadTooLarge) {
      this.end(
        errPacket(errorCode.PACKET_TOO_LARGE, '08S01', `sallyport: a packet is larger than ${cause.limit} bytes`),
        'a packet too large',
      );
    } else if (cause instanceof UpstreamProtocolError || cause instanceof MalformedPacket) {
      logger.error({ session: this.session.id, err: cause.message }, 'protocol error');
      const message = `sallyport: protocol error: ${cause.message}`;
      this.end(errPacket(errorCode.UNKNOWN, '08S01', message), cause.message);
    } else {
      const err = cause instanceof Error ? cause.stack : String(cause);
      logger.error({ session: this.session.id, err }, 'internal error');
      this.end(internalError, 'internal error');
    }
  }

  afterReset(send: () => void): void {
    const { conversation, session } = this;
    conversation.forgetAll();
    session.reset?.();
    this.askSettings(send);
  }

  changeUser(payload: Buffer, sequence: number): void {
    this.toUpstream.push(quit);
    this.toUpstream.flush();
    this.upstreamEnded = true;
    this.upstream.end();
    // A server that keeps its side open must not keep the socket.
    const forget = setTimeout(() => this.upstream.destroy(), this.options.limits.lingerMs);
    forget.unref();
    this.upstream.once('close', () => clearTimeout(forget));
    this.client.pause();
    this.client.off('data', this.onClientData);
    this.client.off('drain', this.onClientDrain);
    this.client.off('end', this.onClientGone);
    this.client.off('close', this.onClientGone);
    const rest = this.commands.rest();
    this.leave('another login');
    this.options.onChangeUser(payload, sequence, rest);
  }

  kill(threadId: number): boolean {
    return this.options.onKill(threadId);
  }

  // The client's side -------------------------------------------------------------------------------------------------------

  private fromClient(chunk: Buffer): void {
    if (this.finished) return;
    this.guard(() => {
      this.commands.push(chunk);
      this.settle();
    });
  }

  /** Writes what has been gathered for both sides, and reads on where that is wanted. */
  private settle(): void {
    if (this.finished) return;
    if (!this.toUpstream.empty) this.toUpstream.flush();
    if (!this.toClient.empty) this.toClient.flush();
    this.readClient();
    this.endInput();
    if (this.closing !== undefined) this.endIfIdle();
  }

  /** Reads the client while its commands are wanted and the upstream takes them. */
  private readClient(): void {
    if (this.finished || this.inputEnded) return;
    // A little is read ahead, so that the client's leaving is noticed while the server works or a person decides.
    const wanted = !this.commands.stopped || this.commands.backlog < 65_536;
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

  /** Says goodbye upstream once everything the client has sent has been carried out. */
  private endInput(): void {
    if (this.finished || this.upstreamEnded) return;
    const { commands, conversation } = this;
    if (!commands.terminated && !this.inputEnded) return;
    if (this.linger === undefined) {
      // What runs is carried to its end, as the server does when its client has gone; but not for ever.
      this.linger = setTimeout(() => {
        if (conversation.active !== undefined) void this.sendCancel();
        this.upstream.destroy();
      }, this.options.limits.lingerMs);
      this.linger.unref();
    }
    // A client that has gone takes no more: what comes is read and dropped.
    if (this.client.destroyed) this.upstream.resume();
    if (!commands.terminated && commands.stopped) return;
    this.upstreamEnded = true;
    this.toUpstream.push(quit);
    this.toUpstream.flush();
    this.upstream.end();
  }

  // The upstream's side -----------------------------------------------------------------------------------------------------

  private consume(): void {
    this.options.login.reading.consume(
      (chunk, length) => this.fromUpstream(chunk, length),
      () => !this.toClient.settled,
    );
  }

  private fromUpstream(chunk: Buffer, length: number): void {
    if (this.finished) return;
    this.guard(() => {
      this.stream.push(chunk, length);
      const { conversation } = this;
      if (conversation.active === undefined && conversation.untracked) this.track();
      this.commands.run();
      if (!this.toUpstream.empty) this.toUpstream.flush();
      const room = this.toClient.flush();
      this.results.room.recycle();
      if (this.cutPending) this.cutUpstream();
      else if (!room && !this.client.destroyed) this.upstream.pause();
      this.settle();
    });
  }

  private clientDrained(): void {
    this.results.room.recycle();
    if (!this.cancelling && !this.finished) this.upstream.resume();
  }

  /** A result was cut: cancels its statement, and reads no further before that has been done. */
  private cutUpstream(): void {
    this.cutPending = false;
    // It may have ended in the same chunk; a cancel would then hit the next statement.
    if (this.conversation.active === undefined) return;
    this.cancelling = true;
    this.upstream.pause();
    void this.sendCancel().then(() => {
      this.cancelling = false;
      if (!this.finished && !this.client.writableNeedDrain) this.upstream.resume();
    });
  }

  private async sendCancel(): Promise<void> {
    const { login, limits, logger } = this.options;
    try {
      await killQuery(this.session.upstream, login.threadId, limits.connectMs, this.options.connect);
    } catch (cause) {
      logger.warn({ session: this.session.id, err: cause instanceof Error ? cause.message : '' }, 'cancel failed');
    }
  }

  private upstreamClosed(): void {
    if (this.finished) return;
    const { conversation } = this;
    if (!this.upstreamEnded && !conversation.farewell && this.client.writable && !this.stream.midPacket) {
      const message = `sallyport: target "${this.session.upstream.target}" closed the connection`;
      this.teller.error(errPacket(errorCode.SERVER_GONE, '08S01', message));
      this.toClient.flush();
    }
    this.finish(this.upstreamEnded ? 'client left' : 'upstream closed');
  }

  // Settings ----------------------------------------------------------------------------------------------------------------

  private noteSettings(settings: ReadonlyMap<string, string>): void {
    for (const [name, value] of settings) this.teller.noteSetting(name, value);
    this.conversation.untracked = false;
  }

  /** The client has turned the server's reports off: turns them on again and asks for what they would have said. */
  private track(): void {
    this.conversation.active = { kind: 'waiting' };
    this.askSettings(() => {});
  }

  /** Asks the server for its settings between two commands of the client; then `done`. */
  private askSettings(done: () => void): void {
    const { upstream, conversation } = this;
    this.options.login.reading.consume(undefined, () => false);
    const exchange = new Exchange(upstream, maxSettingsBytes);
    readSettings(exchange, conversation.server.capabilities, this.options.login.prelude).then(
      ({ settings, status }) => {
        if (this.finished) return;
        this.guard(() => {
          const rest = exchange.detach();
          if (rest.length > 0) throw new UpstreamProtocolError('more than was asked for');
          this.consume();
          this.noteSettings(settings);
          conversation.noteStatus(status);
          done();
          conversation.active = undefined;
          conversation.sequence = 0;
          upstream.resume();
          this.commands.run();
          this.settle();
        });
      },
      (cause: unknown) => {
        exchange.detach();
        // Without its 'data' listener a stream that ended would keep its end to itself.
        upstream.resume();
        if (!this.finished) this.failed(cause instanceof Error ? new UpstreamProtocolError(cause.message) : cause);
      },
    );
  }

  // Ends --------------------------------------------------------------------------------------------------------------------

  private endIfIdle(): void {
    const { closing, conversation, commands } = this;
    if (closing === undefined || this.finished) return;
    if (commands.stopped || conversation.inTransaction) return;
    this.toUpstream.push(quit);
    this.toUpstream.flush();
    this.end(closing.error, closing.cause);
  }

  private finish(cause: string): void {
    if (this.finished) return;
    this.leave(cause);
    if (this.client.writable) this.client.end();
    // A client that does not take its last bytes must not keep the socket.
    const forget = setTimeout(() => this.client.destroy(), 5_000);
    forget.unref();
    this.client.once('close', () => clearTimeout(forget));
    this.client.resume();
  }

  /** The session is over; the client's stream may have another. */
  private leave(cause: string): void {
    this.finished = true;
    clearTimeout(this.linger);
    const { withdraw } = this;
    this.withdraw = undefined;
    withdraw?.();
    this.conversation.lose();
    this.session.end(cause);
    this.options.onEnd();
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.failed(cause);
    }
  }
}
