// The gateway's login at a server: greeting, TLS, authentication, and the settings that decide how statements are read.
import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Upstream } from '../gate.ts';
import { MalformedPacket } from './bytes.ts';
import { capability, command, errorCode, extendedCapability, header, offeredCapabilities } from './constants.ts';
import { ed25519Response } from './ed25519.ts';
import { errPacket, FatalError, UpstreamProtocolError } from './errors.ts';
import { Exchange } from './exchange.ts';
import {
  type AuthSwitchRequest,
  decodeAuthSwitchRequest,
  decodeGreeting,
  encodeHandshakeResponse,
  encodeSslRequest,
  type HandshakeResponse,
} from './handshake-messages.ts';
import { decodeErr } from './messages.ts';
import { frame, OutOfOrder, PayloadTooLarge } from './packets.ts';
import { cachingSha2Response, hiddenPassword, nativeResponse } from './scramble.ts';
import { preludeOf, readSettings, sendQuery } from './upstream-settings.ts';
import { type Connect, connectPlain, readingEvents, type UpstreamReading } from './upstream-socket.ts';

export interface UpstreamLogin {
  readonly socket: Socket;
  readonly reading: UpstreamReading;
  /** In force between us and the server. */
  readonly capabilities: number;
  readonly extended: number;
  readonly threadId: number;
  /** As its greeting says it. */
  readonly serverVersion: string;
  /** Statements that make a session of the server one of the gateway's; repeated when the session is set back. */
  readonly prelude: readonly string[];
  /** Server variables as they are after the login, lower case. */
  readonly settings: ReadonlyMap<string, string>;
  /** Status flags after the login. */
  readonly status: number;
  /** What has come and was not read: nothing, as long as the server keeps to the protocol. */
  readonly rest: Buffer;
}

/** What the client has, as far as the server must know it. */
export interface ClientFeatures {
  readonly capabilities: number;
  readonly extended: number;
  readonly maxPacket: number;
  readonly charset: number;
  readonly attributes: ReadonlyMap<string, string>;
}

const maxLoginBytes = 1024 * 1024;

/** Flags that mean the same on both sides: the server has them when the client has. */
const passedOn =
  capability.FOUND_ROWS |
  capability.LONG_FLAG |
  capability.IGNORE_SPACE |
  capability.INTERACTIVE |
  capability.TRANSACTIONS |
  capability.MULTI_STATEMENTS |
  capability.MULTI_RESULTS |
  capability.PS_MULTI_RESULTS |
  capability.DEPRECATE_EOF |
  capability.QUERY_ATTRIBUTES;

const ours =
  capability.LONG_PASSWORD |
  capability.PROTOCOL_41 |
  capability.SECURE_CONNECTION |
  capability.PLUGIN_AUTH |
  capability.PLUGIN_AUTH_LENENC_CLIENT_DATA |
  capability.CONNECT_ATTRS |
  capability.SESSION_TRACK;

/**
 * Connects and logs in. Throws FatalError with a message that is fit for the client: it names the target and never holds
 * what the server said of the gateway's own user.
 */
export async function logIn(
  upstream: Upstream,
  features: ClientFeatures,
  timeoutMs: number,
  connect: Connect = connectPlain,
): Promise<UpstreamLogin> {
  const attempt: Attempt = { exchange: undefined, sockets: [], lost: undefined };
  const timer = setTimeout(() => {
    attempt.lost = new Error(`no login within ${timeoutMs} ms`);
    attempt.exchange?.fail(attempt.lost);
    for (const socket of attempt.sockets) socket.destroy(attempt.lost);
  }, timeoutMs);
  try {
    return await attemptLogIn(upstream, features, attempt, connect);
  } catch (cause) {
    for (const socket of attempt.sockets) {
      socket.on('error', () => {});
      socket.destroy();
    }
    throw unreachable(upstream.target, attempt.lost ?? cause);
  } finally {
    clearTimeout(timer);
  }
}

interface Attempt {
  exchange: Exchange | undefined;
  readonly sockets: Socket[];
  lost: Error | undefined;
}

function unreachable(target: string, cause: unknown): FatalError {
  if (cause instanceof FatalError) return cause;
  let why = 'the connection was closed';
  if (cause instanceof UpstreamProtocolError || cause instanceof MalformedPacket) why = cause.message;
  else if (cause instanceof OutOfOrder || cause instanceof PayloadTooLarge) why = cause.message;
  else if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') why = cause.code;
  else if (cause instanceof Error && cause.message.startsWith('no login')) why = cause.message;
  return new FatalError(
    errPacket(errorCode.READ_ERROR, '08S01', `sallyport: target "${target}" cannot be reached: ${why}`),
  );
}

async function attemptLogIn(
  upstream: Upstream,
  features: ClientFeatures,
  attempt: Attempt,
  connect: Connect,
): Promise<UpstreamLogin> {
  const tls = upstream.tls.mode !== 'disable';
  let { socket, reading } = tls ? opened(upstream) : connect(upstream.host, upstream.port);
  await connected(socket, attempt);
  let exchange = new Exchange(socket, maxLoginBytes);
  attempt.exchange = exchange;
  socket.resume();
  const first = await exchange.read();
  if (first[0] === header.ERR) throw refused(upstream.target, first);
  const greeting = decodeGreeting(first);
  if (tls && (greeting.capabilities & capability.SSL) === 0) {
    throw new UpstreamProtocolError('the server has no TLS, which the target asks for');
  }
  const capabilities = negotiate(greeting.capabilities, features.capabilities, upstream.database !== '');
  const extended = features.extended & greeting.extended & extendedCapability.STMT_BULK_OPERATIONS;
  const auth = await answerTo({ plugin: greeting.plugin, data: greeting.scramble }, upstream, tls);
  const response: HandshakeResponse = {
    capabilities: tls ? capabilities | capability.SSL : capabilities,
    extended,
    maxPacket: features.maxPacket,
    charset: features.charset,
    user: upstream.user,
    auth: auth ?? Buffer.alloc(0),
    database: upstream.database,
    plugin: auth === undefined ? 'caching_sha2_password' : greeting.plugin,
    attributes: new Map([...features.attributes, ...upstream.parameters]),
  };
  if (tls) {
    exchange.send(encodeSslRequest(response));
    exchange.detach();
    socket = await encrypt(socket, upstream, attempt);
    reading = readingEvents(socket);
    exchange = new Exchange(socket, maxLoginBytes, exchange.sequence);
    attempt.exchange = exchange;
  }
  exchange.send(encodeHandshakeResponse(response));
  await finishAuthentication(exchange, upstream, { plugin: response.plugin, data: greeting.scramble }, tls);
  const prelude = preludeOf(upstream, greeting.serverVersion);
  const { settings, status } = await readSettings(exchange, capabilities, prelude);
  const rest = exchange.detach();
  return {
    socket,
    reading,
    capabilities,
    extended,
    threadId: greeting.threadId,
    serverVersion: greeting.serverVersion,
    prelude,
    settings,
    status,
    rest,
  };
}

function negotiate(server: number, client: number, withDatabase: boolean): number {
  const wanted = ours | (client & passedOn) | (withDatabase ? capability.CONNECT_WITH_DB : 0);
  const needed = capability.PROTOCOL_41 | capability.SECURE_CONNECTION | capability.PLUGIN_AUTH;
  if ((server & needed) !== needed) throw new UpstreamProtocolError('the server is too old');
  return (wanted & server & offeredCapabilities) >>> 0;
}

/** A connection that will be encrypted. */
function opened({ host, port }: Upstream): { socket: Socket; reading: UpstreamReading } {
  const socket = connectTcp({ host, port, noDelay: true, keepAlive: true });
  return { socket, reading: readingEvents(socket) };
}

function connected(socket: Socket, attempt: Attempt): Promise<void> {
  return new Promise((resolve, reject) => {
    attempt.sockets.push(socket);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => socket.destroy());
      socket.pause();
      resolve();
    });
    socket.once('error', reject);
  });
}

function encrypt(socket: Socket, upstream: Upstream, attempt: Attempt): Promise<Socket> {
  const { mode, ca, cert, key } = upstream.tls;
  const options: ConnectionOptions = {
    socket,
    rejectUnauthorized: mode !== 'require',
    ...(isIP(upstream.host) === 0 ? { servername: upstream.host } : { host: upstream.host }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
  return new Promise((resolve, reject) => {
    const encrypted = connectTls(options);
    attempt.sockets.push(encrypted);
    encrypted.once('secureConnect', () => {
      encrypted.off('error', reject);
      encrypted.on('error', () => encrypted.destroy());
      resolve(encrypted);
    });
    encrypted.once('error', reject);
    encrypted.once('close', () =>
      reject(new UpstreamProtocolError('the connection was closed during the TLS handshake')),
    );
  });
}

/** The first answer to a challenge; undefined where we do not have the method. */
async function answerTo(
  { plugin, data }: AuthSwitchRequest,
  upstream: Upstream,
  tls: boolean,
): Promise<Buffer | undefined> {
  const password = upstream.password ?? '';
  switch (plugin) {
    case 'mysql_native_password':
      return nativeResponse(password, data.subarray(0, 20));
    case 'caching_sha2_password':
      return cachingSha2Response(password, data.subarray(0, 20));
    case 'client_ed25519':
      return ed25519Response(Buffer.from(password), data.subarray(0, 32));
    case 'mysql_clear_password':
      // A server may ask for this to learn the password: only inside TLS.
      if (!tls) throw new UpstreamProtocolError('the server asks for the password in the clear without TLS');
      return Buffer.from(`${password}\0`);
    default:
      return undefined;
  }
}

async function finishAuthentication(
  exchange: Exchange,
  upstream: Upstream,
  begun: AuthSwitchRequest,
  tls: boolean,
): Promise<void> {
  let current = begun;
  // A switch, a key and a verdict: no honest server needs more turns.
  for (let turn = 0; turn < 8; turn++) {
    const payload = await exchange.read();
    switch (payload[0]) {
      case header.OK:
        return;
      case header.ERR:
        throw refused(upstream.target, payload);
      case header.EOF: {
        current = decodeAuthSwitchRequest(payload);
        const answer = await answerTo(current, upstream, tls);
        if (answer === undefined)
          throw new UpstreamProtocolError('the server asks for an authentication method that is not supported');
        exchange.send(answer);
        break;
      }
      case 1:
        moreData(exchange, payload.subarray(1), current, upstream, tls);
        break;
      default:
        throw new UpstreamProtocolError('an unknown packet during authentication');
    }
  }
  throw new UpstreamProtocolError('the authentication does not come to an end');
}

/** caching_sha2_password: the server knows the password already (3), wants it whole (4), or sends its public key. */
function moreData(
  exchange: Exchange,
  data: Buffer,
  current: AuthSwitchRequest,
  upstream: Upstream,
  tls: boolean,
): void {
  if (current.plugin !== 'caching_sha2_password')
    throw new UpstreamProtocolError('an unknown packet during authentication');
  if (data.length === 1 && data[0] === 3) return;
  const password = Buffer.from(upstream.password ?? '');
  if (data.length === 1 && data[0] === 4) {
    exchange.send(tls ? Buffer.concat([password, Buffer.from([0])]) : Buffer.from([2]));
    return;
  }
  if (tls) throw new UpstreamProtocolError('an unknown packet during authentication');
  const key = createPublicKey({ key: data, format: 'pem' });
  const padding = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
  exchange.send(publicEncrypt(padding, hiddenPassword(password, current.data.subarray(0, 20))));
}

/** What the server says of the gateway's user is for the log, not for the client. */
function refused(target: string, payload: Buffer): FatalError {
  const { code, sqlstate } = decodeErr(payload);
  return new FatalError(
    errPacket(
      errorCode.READ_ERROR,
      '08S01',
      `sallyport: target "${target}" refused the gateway (${code}, ${sqlstate})`,
    ),
  );
}

/** Ends what a server thread runs at present, over a connection of its own. Resolves when the server has done so. */
export async function killQuery(
  upstream: Upstream,
  threadId: number,
  timeoutMs: number,
  connect: Connect | undefined,
): Promise<void> {
  const features = { capabilities: 0, extended: 0, maxPacket: 0x100_0000, charset: 45, attributes: new Map() };
  const login = await logIn(upstream, features, timeoutMs, connect);
  const exchange = new Exchange(login.socket, maxLoginBytes);
  const timer = setTimeout(() => login.socket.destroy(), timeoutMs);
  try {
    sendQuery(exchange, `KILL QUERY ${threadId}`, login.capabilities);
    login.socket.resume();
    await exchange.read();
    login.socket.end(frame(Buffer.from([command.QUIT]), 0));
  } finally {
    clearTimeout(timer);
    login.socket.destroySoon();
  }
}
