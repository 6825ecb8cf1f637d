// The gateway's own connection to a server: TCP, TLS as its mode asks, and reading into buffers that are used again where the
// connection is plain.
import { connect, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Upstream } from '../gate.ts';
import { attach, ByteReader } from './byte-reader.ts';

const sslRequest = Buffer.from([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]);

/** The target cannot be reached, or not in the way its configuration asks. The message is fit for the client. */
export class UpstreamUnreachable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UpstreamUnreachable';
  }
}

/** Takes `chunk[0, length)`; the chunk is used again once what was forwarded of it has been written. */
export type Consumer = (chunk: Buffer, length: number) => void;

export interface UpstreamSocket {
  readonly socket: Socket;
  /** Set where the connection is encrypted. */
  readonly tls: TLSSocket | undefined;
  /** Hands everything that arrives from now on to `consumer`; `busy` says whether the chunk it had last is still in use. */
  consume(consumer: Consumer, busy: () => boolean): void;
}

const readSize = 128 * 1024;

/** Connects; resolves when bytes of the protocol can be sent. */
export async function openUpstream(upstream: Upstream, timeoutMs: number): Promise<UpstreamSocket> {
  return upstream.tls.mode === 'disable' ? openPlain(upstream, timeoutMs) : openTls(upstream, timeoutMs);
}

function openPlain(upstream: Upstream, timeoutMs: number): Promise<UpstreamSocket> {
  let consumer: Consumer | undefined;
  let busy = () => false;
  let buffer: Buffer = Buffer.allocUnsafeSlow(readSize);
  // While the client's socket still reads from a buffer the next chunk goes into another; all come back when it has caught up.
  const lent: Buffer[] = [];
  const free: Buffer[] = [];
  const early: Buffer[] = [];
  const socket = connect({
    host: upstream.host,
    port: upstream.port,
    onread: {
      buffer: () => {
        if (busy()) {
          lent.push(buffer);
          buffer = free.pop() ?? Buffer.allocUnsafeSlow(readSize);
        } else if (lent.length > 0) free.push(...lent.splice(0).slice(0, 4));
        return buffer;
      },
      callback: (length, chunk) => {
        const bytes = chunk as Buffer;
        if (consumer === undefined) early.push(Buffer.from(bytes.subarray(0, length)));
        else consumer(bytes, length);
        return true;
      },
    },
  });
  return connected(socket, timeoutMs).then(() => ({
    socket,
    tls: undefined,
    consume(next, inUse) {
      consumer = next;
      busy = inUse;
      for (const chunk of early.splice(0)) next(chunk, chunk.length);
    },
  }));
}

async function openTls(upstream: Upstream, timeoutMs: number): Promise<UpstreamSocket> {
  const plain = connect({ host: upstream.host, port: upstream.port });
  await connected(plain, timeoutMs);
  const reader = new ByteReader(1);
  const detach = attach(plain, reader);
  const timer = setTimeout(() => plain.destroy(), timeoutMs);
  try {
    plain.write(sslRequest);
    // More than the one byte could have been put there by anyone before the handshake (CVE-2021-23222): the reader refuses it.
    const answer = await reader.read(1);
    detach();
    if (answer[0] !== 0x53) throw new UpstreamUnreachable('the server does not offer TLS');
    const tls = await secured(plain, upstream);
    return {
      socket: tls,
      tls,
      consume: (consumer) => void tls.on('data', (chunk: Buffer) => consumer(chunk, chunk.length)),
    };
  } catch (cause) {
    plain.destroy();
    throw cause instanceof UpstreamUnreachable ? cause : unreachable(cause);
  } finally {
    clearTimeout(timer);
  }
}

function secured(plain: Socket, upstream: Upstream): Promise<TLSSocket> {
  const { mode, ca, cert, key } = upstream.tls;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: plain,
      ALPNProtocols: ['postgresql'],
      // `require` encrypts and looks at nothing, as libpq's sslmode=require does where no root certificate is given.
      rejectUnauthorized: mode !== 'require',
      checkServerIdentity: (host, certificate) =>
        mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
      ...(isAddress(upstream.host) ? { host: upstream.host } : { host: upstream.host, servername: upstream.host }),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new UpstreamUnreachable('the TLS handshake was not finished')));
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^[\d.]+$/.test(host);
}

function connected(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new UpstreamUnreachable(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
    const failed = (cause: Error) => {
      clearTimeout(timer);
      reject(unreachable(cause));
    };
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.once('error', failed);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve();
    });
  });
}

/** The code of a network or TLS failure says enough; its message may name hosts and addresses that are no client's business. */
function unreachable(cause: unknown): UpstreamUnreachable {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'the connection failed';
  return new UpstreamUnreachable(code, cause);
}
