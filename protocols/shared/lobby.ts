// Where connections stand that are not sessions (yet), and the wait for sessions to end when a listener is drained.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from './logger.ts';

export class Lobby {
  private readonly streams = new Set<Duplex>();
  private empty = () => {};

  /** Connections that are not admitted (yet). */
  get size(): number {
    return this.streams.size;
  }

  has(stream: Duplex): boolean {
    return this.streams.has(stream);
  }

  /** Takes an accepted connection. */
  accept(socket: Socket): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on('error', () => socket.destroy());
    this.add(socket);
  }

  /** The stream waits to log in (again), until `leave` or its end. */
  add(stream: Duplex): void {
    this.streams.add(stream);
    stream.once('close', () => this.streams.delete(stream));
  }

  /** The stream is a session now. */
  leave(stream: Duplex): void {
    this.streams.delete(stream);
  }

  /** The last session has ended. */
  sessionsOver(): void {
    this.empty();
  }

  /** Calls `ask`, which asks the sessions to end, and resolves when all have, or after `ms`. */
  async sessionsEnd(ms: number, ask: () => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.empty = () => {
        clearTimeout(timer);
        resolve();
      };
      ask();
    });
  }

  destroyAll(): void {
    for (const stream of this.streams) stream.destroy();
  }
}

export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address);
}

/** Logs why a login failed that nobody refused. The code of a network or TLS failure is enough; anything else is a fault of ours. */
export function logLoginFault(logger: Logger, client: string, cause: unknown): void {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const fields = { client, err: code ?? (cause instanceof Error ? cause.stack : String(cause)) };
  if (code === undefined) logger.error(fields, 'internal error during the login');
  else logger.debug(fields, 'connection failed during the login');
}
