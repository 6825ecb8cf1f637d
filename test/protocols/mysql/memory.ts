// Sockets without a network, for tests that open very many: two ends in this process, as a listener and a connection see them.
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

class End extends Duplex {
  peer: End | undefined;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  /** Goes on with what the peer has written, once this end reads again. */
  private wanted: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: false });
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    const { wanted } = this;
    this.wanted = undefined;
    wanted?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.peer?.receive(chunk, done);
  }

  override _final(done: () => void): void {
    this.peer?.receive(null, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { peer } = this;
    done(error);
    // As a connection that is reset.
    if (peer !== undefined && !peer.destroyed && !this.writableFinished) setImmediate(() => peer.destroy());
  }

  receive(chunk: Buffer | null, done: () => void): void {
    // Nobody takes it any more; the writer need not know.
    if (this.destroyed || this.readableEnded) done();
    else if (this.push(chunk === null ? null : Buffer.from(chunk)) || chunk === null) done();
    else this.wanted = done;
  }
}

/** Both ends of a connection that is already open. */
export function socketPair(): readonly [Socket, Socket] {
  const [one, other] = [new End(), new End()];
  one.peer = other;
  other.peer = one;
  return [one as unknown as Socket, other as unknown as Socket];
}
