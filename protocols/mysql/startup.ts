// The start of a client's connection: the greeting, TLS where the client asks for it, and the handshake response.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { capability, errorCode, extendedCapability, offeredCapabilities, status } from './constants.ts';
import { ConnectionClosed, errPacket, FatalError } from './errors.ts';
import { Exchange } from './exchange.ts';
import {
  decodeHandshakeResponse,
  encodeGreeting,
  type HandshakeResponse,
  isMariadb,
  isSslRequest,
  scrambleLength,
} from './handshake-messages.ts';

/** utf8mb4_general_ci: known to every server and client. */
const greetingCharset = 45;

/** A client that has said who it wants to be, before any proof. */
export interface StartUp {
  readonly exchange: Exchange;
  readonly encrypted: boolean;
  readonly response: HandshakeResponse;
  /** Extended capabilities in force: offered and asked for. */
  readonly extended: number;
  readonly scramble: Buffer;
}

export interface GreetingOptions {
  readonly serverVersion: string;
  readonly threadId: number;
  readonly tls: SecureContext | undefined;
  readonly maxBytes: number;
  /** Told of the exchange as it is now, so that an error can be sent where the client reads. */
  onExchange(exchange: Exchange): void;
}

/** A challenge has no NUL in it: clients take it for a string. `$` divides fields in stored passwords. */
export function newScramble(): Buffer {
  const scramble = randomBytes(scrambleLength);
  for (let at = 0; at < scramble.length; at++) {
    const byte = (scramble[at] as number) & 0x7f;
    scramble[at] = byte === 0 || byte === 0x24 ? byte + 1 : byte;
  }
  return scramble;
}

/** Greets and reads up to and including the handshake response. */
export async function greet(socket: Socket, options: GreetingOptions): Promise<StartUp> {
  const mariadb = isMariadb(options.serverVersion);
  const offered =
    (offeredCapabilities & ~(mariadb ? capability.LONG_PASSWORD : 0)) |
    (options.tls === undefined ? 0 : capability.SSL);
  const offeredExtended = mariadb ? extendedCapability.STMT_BULK_OPERATIONS : 0;
  const scramble = newScramble();
  let exchange = new Exchange(socket, options.maxBytes);
  options.onExchange(exchange);
  exchange.send(
    encodeGreeting({
      serverVersion: options.serverVersion,
      threadId: options.threadId,
      scramble,
      capabilities: offered,
      extended: offeredExtended,
      charset: greetingCharset,
      status: status.AUTOCOMMIT,
      plugin: 'caching_sha2_password',
    }),
  );
  let payload = await exchange.read();
  let encrypted = false;
  if (isSslRequest(payload) && options.tls !== undefined) {
    exchange = await encrypt(exchange, options.tls, options.maxBytes);
    options.onExchange(exchange);
    encrypted = true;
    payload = await exchange.read();
  }
  const response = decodeHandshakeResponse(payload, offered);
  return { exchange, encrypted, response, extended: response.extended & offeredExtended, scramble };
}

/** What follows the SSLRequest is TLS; were it plain text, the handshake fails on it. */
async function encrypt(plain: Exchange, context: SecureContext, maxBytes: number): Promise<Exchange> {
  const { socket } = plain;
  const rest = plain.detach();
  // TLSSocket takes what is left in the socket's own buffer first.
  if (rest.length > 0) socket.unshift(rest);
  const encrypted = new TLSSocket(socket, { isServer: true, secureContext: context });
  await new Promise<void>((resolve, reject) => {
    encrypted.once('secure', resolve);
    encrypted.once('error', () => reject(new ConnectionClosed()));
    encrypted.once('close', () => reject(new ConnectionClosed()));
  });
  encrypted.on('error', () => encrypted.destroy());
  return new Exchange(encrypted, maxBytes, plain.sequence);
}

export const badHandshake = new FatalError(errPacket(errorCode.HANDSHAKE, '08S01', 'Bad handshake'));
