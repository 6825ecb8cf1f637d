// The connection phase, spoken turn by turn: reads whole payloads from a socket and answers with the next sequence number.
import type { Duplex } from 'node:stream';
import { CompressedStream } from './compression.ts';
import { errorCode } from './constants.ts';
import { ConnectionClosed, FatalError } from './errors.ts';
import { type ErrPacket, encodeErr } from './messages.ts';
import { frame, type Payload, PayloadCutter } from './packets.ts';

/** Bytes beyond the payload that is awaited; nobody needs to send that far ahead before being logged in. */
const maxAhead = 64 * 1024;

export class Exchange {
  readonly socket: Duplex;
  /** Of the next packet, whoever sends it. */
  sequence: number;
  private readonly cutter: PayloadCutter;
  private failure: Error | undefined;
  private waiting: { resolve(payload: Buffer): void; reject(cause: Error): void } | undefined;
  private readonly maxBytes: number;
  private readonly onData = (chunk: Buffer) => {
    this.cutter.push(chunk);
    if (this.cutter.backlog > this.maxBytes + maxAhead) {
      this.fail(new FatalError({ code: errorCode.HANDSHAKE, sqlstate: '08S01', message: 'Bad handshake' }));
    } else this.serve();
  };
  private readonly onGone = () => this.fail(new ConnectionClosed());

  constructor(socket: Duplex, maxBytes: number, sequence = 0) {
    this.socket = socket;
    this.sequence = sequence;
    this.maxBytes = maxBytes;
    this.cutter = new PayloadCutter(() => maxBytes);
    socket.on('data', this.onData);
    socket.on('end', this.onGone);
    socket.on('close', this.onGone);
    if (socket.destroyed) this.failure = new ConnectionClosed();
    socket.resume();
  }

  /** The next payload; its bytes are the caller's. */
  read(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.serve();
    });
  }

  send(payload: Buffer): void {
    if (this.socket instanceof CompressedStream) this.socket.begin();
    const bytes = frame(payload, this.sequence);
    this.sequence = (this.sequence + 1) & 0xff;
    this.socket.write(bytes);
  }

  /** Ends whatever is awaited, now or later, with this error. */
  fail(cause: Error): void {
    this.failure ??= cause;
    this.serve();
  }

  /** Stops listening; returns what has come and was not read. */
  detach(): Buffer {
    const { socket } = this;
    socket.pause();
    socket.off('data', this.onData);
    socket.off('end', this.onGone);
    socket.off('close', this.onGone);
    return this.cutter.rest();
  }

  private serve(): void {
    const { waiting } = this;
    if (waiting === undefined) return;
    let payload: Payload | undefined;
    try {
      payload = this.failure === undefined ? this.cutter.take(this.sequence) : undefined;
    } catch (cause) {
      this.failure = cause instanceof Error ? cause : new Error(String(cause));
    }
    if (this.failure !== undefined) {
      this.waiting = undefined;
      waiting.reject(this.failure);
    } else if (payload !== undefined) {
      this.sequence = (payload.sequence + 1) & 0xff;
      this.waiting = undefined;
      waiting.resolve(Buffer.from(payload.bytes));
    }
  }
}

/** Tells the client why, and closes. */
export function refuse(socket: Duplex, sequence: number, error: ErrPacket, withState = true): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(frame(encodeErr(error, withState), sequence));
  // Unread input would make the kernel reset the connection before the client has read the error.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), 2_000);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
