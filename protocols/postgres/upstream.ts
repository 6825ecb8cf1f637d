// The gateway's login at a server: start-up, authentication, and what the server says up to its first ReadyForQuery.
import { createHash, randomBytes } from 'node:crypto';
import { serialize } from 'pg-protocol';
import type { Upstream } from '../gate.ts';
import { type BackendKeyData, decodeBackendKeyData, decodeError, decodeParameterStatus } from './backend.ts';
import { ByteReader, ConnectionClosed } from './byte-reader.ts';
import { encodeCancelRequest } from './cancel.ts';
import { FatalError } from './errors.ts';
import { int32 } from './frames.ts';
import { backend, letterName } from './letters.ts';
import { type ChannelBinding, clientFirst, endpointHash, ScramError } from './scram.ts';
import { signatureHash } from './signature.ts';
import { openUpstream, type UpstreamSocket, UpstreamUnreachable } from './upstream-socket.ts';

export interface UpstreamLogin {
  readonly connection: UpstreamSocket;
  readonly key: BackendKeyData | undefined;
  /** ParameterStatus messages, and notices, as they came. */
  readonly messages: readonly Buffer[];
  readonly parameters: ReadonlyMap<string, string>;
  /** What came behind the ReadyForQuery. */
  readonly rest: Buffer;
}

/** A login may say a lot (notices of login triggers), but not without end. */
const maxLoginBytes = 4 * 1024 * 1024;

/** Settings the protocol relies on, whatever the server's defaults are. */
const fixed: readonly (readonly [string, string])[] = [['client_encoding', 'UTF8']];

/**
 * Connects and logs in. `parameters` are the client's; the gateway's own win. Throws FatalError with a message that is fit for
 * the client.
 */
export async function logIn(
  upstream: Upstream,
  parameters: ReadonlyMap<string, string>,
  timeoutMs: number,
): Promise<UpstreamLogin> {
  let connection: UpstreamSocket | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    connection = await openUpstream(upstream, timeoutMs);
    const { socket } = connection;
    const reader = new ByteReader(maxLoginBytes);
    const closed = () => reader.fail(new ConnectionClosed());
    const failed = (cause: Error) => reader.fail(cause);
    socket.on('close', closed);
    socket.on('end', closed);
    socket.on('error', failed);
    timer = setTimeout(() => reader.fail(new UpstreamUnreachable(`no login within ${timeoutMs} ms`)), timeoutMs);
    connection.consume(
      (chunk, length) => reader.push(Buffer.from(chunk.subarray(0, length))),
      () => false,
    );
    socket.write(
      serialize.startup({
        ...Object.fromEntries([...fixed, ...parameters, ...upstream.parameters]),
        user: upstream.user,
        database: upstream.database,
      }),
    );
    const said = await dialogue(connection, reader, upstream);
    socket.off('close', closed);
    socket.off('end', closed);
    // The relay sets its own listener before anything else can happen to the socket.
    socket.off('error', failed);
    return { connection, ...said, rest: reader.rest() };
  } catch (cause) {
    connection?.socket.on('error', () => {});
    connection?.socket.destroy();
    throw refusal(upstream, cause);
  } finally {
    clearTimeout(timer);
  }
}

function refusal(upstream: Upstream, cause: unknown): FatalError {
  if (cause instanceof FatalError) return cause;
  const why =
    cause instanceof UpstreamUnreachable || cause instanceof ConnectionClosed
      ? cause.message
      : cause instanceof Error && 'code' in cause
        ? String(cause.code)
        : 'the login failed';
  return new FatalError('08006', `sallyport: target "${upstream.target}" cannot be reached: ${why}`);
}

async function dialogue(connection: UpstreamSocket, reader: ByteReader, upstream: Upstream) {
  const messages: Buffer[] = [];
  const parameters = new Map<string, string>();
  let key: BackendKeyData | undefined;
  for (;;) {
    const { type, bytes } = await reader.message(1024 * 1024);
    switch (type) {
      case backend.Authentication:
        await authenticate(connection, reader, upstream, bytes);
        break;
      case backend.ParameterStatus: {
        const { name, value } = decodeParameterStatus(bytes, 0, bytes.length);
        parameters.set(name, value);
        messages.push(bytes);
        break;
      }
      case backend.NoticeResponse:
        messages.push(bytes);
        break;
      case backend.BackendKeyData:
        key = decodeBackendKeyData(bytes, 0, bytes.length);
        break;
      case backend.NegotiateProtocolVersion:
        break;
      case backend.ErrorResponse:
        throw loginError(upstream, bytes);
      case backend.ReadyForQuery:
        return { messages, parameters, key };
      default:
        throw new FatalError(
          '08P01',
          `sallyport: target "${upstream.target}" sent ${letterName(type)} during the login`,
        );
    }
  }
}

/**
 * The server's refusal of the login. What the client itself asked for (a setting that does not exist) and the server's own
 * state (too many connections, starting up) are passed on; what concerns the gateway's credentials is not.
 */
function loginError(upstream: Upstream, bytes: Buffer): FatalError {
  const { sqlstate, message } = decodeError(bytes, 0, bytes.length);
  if (/^(?:22|42|53|57)/.test(sqlstate)) return new FatalError(sqlstate, message);
  return new FatalError(
    '08006',
    `sallyport: target "${upstream.target}" refused the gateway's login (SQLSTATE ${sqlstate})`,
  );
}

// Codes of the Authentication messages ("Message Formats").
async function authenticate(
  connection: UpstreamSocket,
  reader: ByteReader,
  upstream: Upstream,
  bytes: Buffer,
): Promise<void> {
  const { socket } = connection;
  const code = int32(bytes, 5);
  const password = () => {
    if (upstream.password === undefined) {
      throw new FatalError(
        '08006',
        `sallyport: target "${upstream.target}" asks for a password and none is configured`,
      );
    }
    return upstream.password;
  };
  switch (code) {
    case 0:
      return;
    case 3:
      socket.write(serialize.password(password()));
      return;
    case 5:
      socket.write(serialize.password(md5Password(upstream.user, password(), bytes.subarray(9, 13))));
      return;
    case 10:
      await scram(connection, reader, upstream, password(), bytes.toString('utf8', 9).split('\0').filter(Boolean));
      return;
    default:
      throw new FatalError(
        '08006',
        `sallyport: target "${upstream.target}" asks for an authentication method that is not supported (${code})`,
      );
  }
}

/** AuthenticationMD5Password: md5 of (md5 of password and user, in hex) and salt. */
export function md5Password(user: string, password: string, salt: Buffer): string {
  const inner = createHash('md5')
    .update(password + user)
    .digest('hex');
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`;
}

async function scram(
  connection: UpstreamSocket,
  reader: ByteReader,
  upstream: Upstream,
  password: string,
  mechanisms: readonly string[],
): Promise<void> {
  const { socket } = connection;
  const binding = channelBinding(connection, mechanisms);
  const mechanism = binding.kind === 'tls-server-end-point' ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256';
  if (!mechanisms.includes(mechanism)) {
    throw new FatalError('08006', `sallyport: target "${upstream.target}" offers no SASL mechanism that is supported`);
  }
  const next = async (code: number): Promise<string> => {
    const { type, bytes } = await reader.message(65_536);
    if (type === backend.ErrorResponse) throw loginError(upstream, bytes);
    if (type !== backend.Authentication || int32(bytes, 5) !== code) {
      throw new FatalError('08P01', `sallyport: target "${upstream.target}" broke off the SASL login`);
    }
    return bytes.toString('utf8', 9);
  };
  try {
    const first = clientFirst(password, randomBytes(18).toString('base64'), binding);
    socket.write(serialize.sendSASLInitialResponseMessage(mechanism, first.message));
    const final = first.finish(await next(11));
    socket.write(serialize.sendSCRAMClientFinalMessage(final.message));
    final.verify(await next(12));
  } catch (cause) {
    if (!(cause instanceof ScramError)) throw cause;
    throw new FatalError('08006', `sallyport: target "${upstream.target}" failed the SCRAM login: ${cause.message}`);
  }
}

/** Binds the login to the TLS connection where the server can: then nobody between us and it has the password's proof to use. */
function channelBinding(connection: UpstreamSocket, mechanisms: readonly string[]): ChannelBinding {
  const { tls } = connection;
  if (tls === undefined) return { kind: 'none' };
  const certificate = tls.getPeerCertificate().raw;
  const hash = certificate === undefined ? undefined : signatureHash(certificate);
  if (!mechanisms.includes('SCRAM-SHA-256-PLUS')) return { kind: 'unused' };
  // A signature without a hash of its own (Ed25519) has no binding that is defined (RFC 5929).
  if (certificate === undefined || hash === undefined) return { kind: 'none' };
  return { kind: 'tls-server-end-point', hash: endpointHash(certificate, hash) };
}

/** Sends a CancelRequest on a connection of its own; resolves when the server has acted on it, or after `timeoutMs`. */
export async function cancelUpstream(upstream: Upstream, key: BackendKeyData, timeoutMs: number): Promise<void> {
  const { socket, consume } = await openUpstream(upstream, timeoutMs);
  await new Promise<void>((resolve) => {
    // The server closes the connection once the signal has been sent ("ProcessCancelRequestPacket").
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    consume(
      () => {},
      () => false,
    );
    socket.resume();
    socket.write(encodeCancelRequest(key));
  });
}
