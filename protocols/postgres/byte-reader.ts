// Reads a socket's bytes by exact counts, for the dialogues before a session streams: start-up, login, upstream login.
import type { Socket } from 'node:net';
import { FatalError } from './errors.ts';
import { int32 } from './frames.ts';

/** The other side closed the connection in the middle of a dialogue. */
export class ConnectionClosed extends Error {
  constructor() {
    super('the connection was closed');
    this.name = 'ConnectionClosed';
  }
}

export interface Message {
  readonly type: number;
  /** The whole frame. */
  readonly bytes: Buffer;
}

export class ByteReader {
  private buffered: Buffer = Buffer.alloc(0);
  private waiting: { readonly count: number; readonly resolve: (bytes: Buffer) => void } | undefined;
  private reject: ((cause: Error) => void) | undefined;
  private failure: Error | undefined;
  private total = 0;
  private readonly maxTotal: number;

  /** `maxTotal`: more bytes than this end the dialogue. */
  constructor(maxTotal: number) {
    this.maxTotal = maxTotal;
  }

  push(chunk: Buffer): void {
    this.total += chunk.length;
    if (this.total > this.maxTotal) {
      this.fail(new FatalError('54000', `sallyport: more than ${this.maxTotal} bytes before the login was complete`));
      return;
    }
    this.buffered = this.buffered.length === 0 ? chunk : Buffer.concat([this.buffered, chunk]);
    this.serve();
  }

  fail(cause: Error): void {
    if (this.failure !== undefined) return;
    this.failure = cause;
    this.waiting = undefined;
    this.reject?.(cause);
  }

  /** The next `count` bytes. */
  read(count: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) {
        reject(this.failure);
        return;
      }
      this.waiting = { count, resolve };
      this.reject = reject;
      this.serve();
    });
  }

  /** The next whole message with a letter; `maxLength` bounds its claimed length. */
  async message(maxLength: number): Promise<Message> {
    const header = await this.read(5);
    const length = int32(header, 1);
    if (length < 4 || length > maxLength) throw new FatalError('08P01', 'invalid message length');
    const body = length === 4 ? Buffer.alloc(0) : await this.read(length - 4);
    return { type: header[0] as number, bytes: Buffer.concat([header, body]) };
  }

  /** Takes what has arrived and not been read. */
  rest(): Buffer {
    const rest = this.buffered;
    this.buffered = Buffer.alloc(0);
    return rest;
  }

  private serve(): void {
    const { waiting } = this;
    if (waiting === undefined || this.buffered.length < waiting.count) return;
    this.waiting = undefined;
    const bytes = this.buffered.subarray(0, waiting.count);
    this.buffered = this.buffered.subarray(waiting.count);
    waiting.resolve(bytes);
  }
}

/** Feeds a reader from a socket until `detach` is called, which leaves the socket paused. */
export function attach(socket: Socket, reader: ByteReader): () => void {
  const data = (chunk: Buffer) => reader.push(chunk);
  const closed = () => reader.fail(new ConnectionClosed());
  const failed = (cause: Error) => reader.fail(cause);
  socket.on('data', data);
  socket.on('end', closed);
  socket.on('close', closed);
  socket.on('error', failed);
  socket.resume();
  return () => {
    socket.pause();
    socket.off('data', data);
    socket.off('end', closed);
    socket.off('close', closed);
    socket.off('error', failed);
  };
}
