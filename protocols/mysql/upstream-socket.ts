// Reading from a server into buffers that are used again, where the connection is plain. Before a relay consumes the bytes they are
// handed out as 'data' events, as with any socket.
import { connect, type Socket } from 'node:net';

/** Takes `chunk[0, length)`; the chunk is used again once what was forwarded of it has been written. */
export type Consumer = (chunk: Buffer, length: number) => void;

export interface UpstreamReading {
  /**
   * Hands everything that arrives from now on to `consumer`; `busy` says whether the chunk it had last is still in use.
   * Undefined: as 'data' events again.
   */
  consume(consumer: Consumer | undefined, busy: () => boolean): void;
}

const readSize = 128 * 1024;

/** Opens a connection to a server, plain to begin with. */
export type Connect = (host: string, port: number) => { readonly socket: Socket; readonly reading: UpstreamReading };

/** For sockets whose bytes come as events in any case (TLS). */
export function readingEvents(socket: Socket): UpstreamReading {
  let current: ((chunk: Buffer) => void) | undefined;
  return {
    consume(consumer) {
      if (current !== undefined) socket.off('data', current);
      current = consumer === undefined ? undefined : (chunk) => consumer(chunk, chunk.length);
      if (current !== undefined) socket.on('data', current);
    },
  };
}

/** Opens a plain connection. */
export function connectPlain(host: string, port: number): { socket: Socket; reading: UpstreamReading } {
  let consumer: Consumer | undefined;
  let busy = () => false;
  let buffer: Buffer = Buffer.allocUnsafeSlow(readSize);
  // While the client's stream still reads from a buffer the next chunk goes into another; all come back when it has caught up.
  const lent: Buffer[] = [];
  const free: Buffer[] = [];
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    onread: {
      buffer: () => {
        if (consumer === undefined) return buffer;
        if (busy()) {
          lent.push(buffer);
          buffer = free.pop() ?? Buffer.allocUnsafeSlow(readSize);
        } else if (lent.length > 0) free.push(...lent.splice(0).slice(0, 4));
        return buffer;
      },
      callback: (length, bytes) => {
        const chunk = bytes as Buffer;
        if (consumer === undefined) socket.emit('data', Buffer.from(chunk.subarray(0, length)));
        else consumer(chunk, length);
        return true;
      },
    },
  });
  const reading: UpstreamReading = {
    consume(next, inUse) {
      consumer = next;
      busy = inUse;
    },
  };
  return { socket, reading };
}
