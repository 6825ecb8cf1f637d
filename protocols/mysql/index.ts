// The door of the MySQL room: takes accepted sockets through greeting and login, and relays the sessions that the gate admits.
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { ClientHello, Gate, GateSession } from '../gate.ts';
import { isLoopback, Lobby, logLoginFault } from '../shared/lobby.ts';
import type { Logger } from '../shared/logger.ts';
import { authenticate } from './authentication.ts';
import { MalformedPacket } from './bytes.ts';
import { CompressedStream } from './compression.ts';
import { capability, errorCode } from './constants.ts';
import { ConnectionClosed, errPacket, FatalError, internalError, refusalPacket } from './errors.ts';
import { Exchange, refuse } from './exchange.ts';
import { decodeChangeUser } from './handshake-messages.ts';
import { encodeOk, okPacket } from './messages.ts';
import { OutOfOrder, PayloadTooLarge } from './packets.ts';
import { Relay, type RelayLimits } from './relay.ts';
import { badHandshake, greet } from './startup.ts';
import { logIn } from './upstream.ts';
import type { Connect } from './upstream-socket.ts';

export type { Logger } from '../shared/logger.ts';
export { doubleSha1, doubleSha256 } from './scramble.ts';

export interface MysqlLimits extends RelayLimits {
  /** From the accepted connection to the admitted login. */
  readonly loginMs: number;
  /** For connecting and logging in upstream. */
  readonly connectMs: number;
  /** Bytes a client may send in one packet before it is admitted. */
  readonly maxUnauthenticatedBytes: number;
  /** The largest token or password. */
  readonly maxPasswordBytes: number;
  /** Connections that have not been admitted yet. */
  readonly maxUnauthenticated: number;
  /** The longest text of a statement. */
  readonly maxStatementBytes: number;
  /** The largest packet a client may send: parameters, long data. */
  readonly maxPacketBytes: number;
  /** The largest row that is collected to be masked. */
  readonly maxMaskedBytes: number;
  /** How long the upstream may go on after its client has left. */
  readonly lingerMs: number;
}

const defaults: MysqlLimits = {
  loginMs: 30_000,
  connectMs: 10_000,
  maxUnauthenticatedBytes: 256 * 1024,
  maxPasswordBytes: 64 * 1024,
  maxUnauthenticated: 256,
  maxStatementBytes: 16 * 1024 * 1024,
  maxPacketBytes: 64 * 1024 * 1024,
  maxMaskedBytes: 64 * 1024 * 1024,
  lingerMs: 30_000,
};

export interface MysqlListenerOptions {
  readonly gate: Gate;
  readonly logger: Logger;
  /** The certificate shown to clients, asked for at each handshake so that it can be renewed. Undefined: no TLS. */
  readonly tls?: () => SecureContext;
  readonly limits?: Partial<MysqlLimits>;
  /** What the greeting says. Left out: what the last server that was reached says. */
  readonly serverVersion?: string;
  /** How servers are reached where no TLS is asked for; left out: by TCP. */
  readonly connect?: Connect;
}

export interface MysqlListener {
  /** Takes an accepted connection. */
  handle(socket: Socket): void;
  /** Sessions that are admitted now. */
  readonly sessions: number;
  /** Connections that are not (yet). */
  readonly waiting: number;
  /** Admits nobody any more, ends sessions as they become idle, and all that is left after `ms`. */
  drain(ms: number): Promise<void>;
  /** Ends everything now. */
  close(): void;
}

const shutdownError = errPacket(errorCode.SERVER_SHUTDOWN, '08S01', 'Server shutdown in progress');

/** Until a server has been reached. */
const firstVersion = '8.0.36';

/** A client's stream on its way to a session: it may log in several times (COM_CHANGE_USER). */
interface Visitor {
  readonly stream: Duplex;
  readonly address: string;
  readonly loopback: boolean;
  readonly encrypted: boolean;
  readonly threadId: number;
  readonly scramble: Buffer;
  readonly capabilities: number;
  readonly extended: number;
  readonly maxPacket: number;
}

/** What a client says of itself at a login. */
interface Claim {
  readonly user: string;
  readonly database: string | undefined;
  readonly charset: number;
  readonly plugin: string;
  readonly auth: Buffer;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Makes a listener's inside: it owns no server socket, `handle` is given what one accepts. */
export function createMysqlListener(options: MysqlListenerOptions): MysqlListener {
  const limits = { ...defaults, ...options.limits };
  const { gate, logger } = options;
  const lobby = new Lobby();
  const relays = new Map<Relay, { readonly threadId: number; readonly session: GateSession }>();
  let version = options.serverVersion ?? firstVersion;
  let draining = false;

  function handle(socket: Socket): void {
    lobby.accept(socket);
    if (draining) refuse(socket, 0, shutdownError, false);
    else if (lobby.size > limits.maxUnauthenticated) {
      const message = 'sallyport: too many connections are waiting to log in';
      refuse(socket, 0, errPacket(errorCode.TOO_MANY_CONNECTIONS, '08004', message), false);
    } else void enter(socket);
  }

  /** From the accepted socket to its first session. */
  async function enter(socket: Socket): Promise<void> {
    const address = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    const loopback = isLoopback(socket.remoteAddress ?? '');
    let current: Exchange | undefined;
    await timed(
      socket,
      () => current,
      address,
      async () => {
        const threadId = newThreadId();
        const start = await greet(socket, {
          serverVersion: version,
          threadId,
          tls: options.tls?.(),
          maxBytes: limits.maxUnauthenticatedBytes,
          onExchange: (exchange) => {
            current = exchange;
          },
        });
        const { exchange, encrypted, response, extended, scramble } = start;
        const { capabilities, maxPacket } = response;
        const visitor: Visitor = {
          stream: exchange.socket,
          address,
          loopback,
          encrypted,
          threadId,
          scramble,
          capabilities,
          extended,
          maxPacket,
        };
        await logInVisitor(visitor, exchange, response);
        lobby.leave(socket);
      },
    );
  }

  /** Ends a login that takes too long, and tells the client why one failed. */
  async function timed(
    stream: Duplex,
    exchange: () => Exchange | undefined,
    address: string,
    login: () => Promise<void>,
  ): Promise<void> {
    const timer = setTimeout(() => {
      const message = `sallyport: the login was not complete within ${limits.loginMs} ms`;
      exchange()?.fail(new FatalError(errPacket(errorCode.HANDSHAKE, '08S01', message)));
      // Where nobody reads (a TLS handshake that stands still) nobody would notice.
      setTimeout(() => lobby.has(stream) && stream.destroy(), 1_000).unref();
    }, limits.loginMs);
    try {
      await login();
    } catch (cause) {
      failed(exchange(), stream, cause, address);
    } finally {
      clearTimeout(timer);
    }
  }

  async function logInVisitor(visitor: Visitor, exchange: Exchange, claim: Claim): Promise<void> {
    const { encrypted, scramble, capabilities, stream } = visitor;
    const { user, plugin, auth, attributes } = claim;
    const hello: ClientHello = {
      dialect: 'mysql',
      user,
      database: claim.database,
      parameters: attributes,
      clientAddress: visitor.address,
      loopback: visitor.loopback,
      encrypted,
    };
    const challenge = await gate.challenge(hello);
    const first = { user, plugin, auth, scramble, capabilities, encrypted, attributes };
    const proof = await authenticate(exchange, challenge, first, limits.maxPasswordBytes).catch((cause: unknown) => {
      if (cause instanceof FatalError && challenge.kind === 'mysql-native') gate.unproven?.(hello);
      throw cause;
    });
    const admission = await gate.admit(hello, proof);
    if (admission.kind === 'refused') throw new FatalError(refusalPacket(admission.refusal));
    const { session } = admission;
    let ended = false;
    const end = (cause: string) => {
      if (!ended) session.end(cause);
      ended = true;
    };
    try {
      const features = { capabilities, extended: visitor.extended, maxPacket: visitor.maxPacket };
      const login = await logIn(
        session.upstream,
        { ...features, charset: claim.charset, attributes },
        limits.connectMs,
        options.connect,
      );
      if (options.serverVersion === undefined) version = login.serverVersion;
      try {
        if (stream.destroyed) throw new ConnectionClosed();
        if (draining) throw new FatalError(shutdownError);
        const early = exchange.detach();
        // "Compression begins after the OK packet": what the client sends from now on comes packed.
        const packs = (capabilities & capability.COMPRESS) !== 0 && !(stream instanceof CompressedStream);
        const relay = relayOf(packs ? { ...visitor, stream: packed(stream, early) } : visitor, login, session);
        relay.begin();
        relays.set(relay, { threadId: visitor.threadId, session });
        exchange.send(encodeOk(okPacket(login.status), capabilities));
        lobby.leave(stream);
        relay.start(packs ? Buffer.alloc(0) : early);
      } catch (cause) {
        login.socket.on('error', () => {});
        login.socket.destroy();
        throw cause;
      }
    } catch (cause) {
      end(cause instanceof FatalError ? cause.message : 'the session did not start');
      throw cause;
    }
  }

  function relayOf(visitor: Visitor, login: Awaited<ReturnType<typeof logIn>>, session: GateSession): Relay {
    const relay = new Relay({
      client: visitor.stream,
      features: visitor,
      login,
      session,
      limits,
      logger,
      connect: options.connect,
      onEnd() {
        relays.delete(relay);
        if (relays.size === 0) lobby.sessionsOver();
      },
      onChangeUser: (payload, sequence, rest) => void changeUser(visitor, payload, sequence, rest),
      onKill: (threadId) => {
        for (const [other, { threadId: id, session: theirs }] of relays) {
          if (id !== threadId || (other !== relay && (session.owner === undefined || theirs.owner !== session.owner)))
            continue;
          other.killed();
          return true;
        }
        return false;
      },
    });
    return relay;
  }

  /** COM_CHANGE_USER: the same stream logs in anew, to a session of its own with its own upstream connection. */
  async function changeUser(visitor: Visitor, payload: Buffer, sequence: number, rest: Buffer): Promise<void> {
    const { stream, capabilities } = visitor;
    lobby.add(stream);
    if (rest.length > 0) stream.unshift(rest);
    const exchange = new Exchange(stream, limits.maxUnauthenticatedBytes, sequence);
    await timed(
      stream,
      () => exchange,
      visitor.address,
      async () => {
        const change = decodeChangeUser(payload, capabilities);
        await logInVisitor(visitor, exchange, { ...change, charset: change.charset ?? 45 });
      },
    );
  }

  function newThreadId(): number {
    const taken = new Set([...relays.values()].map(({ threadId }) => threadId));
    let id: number;
    do id = randomInt(1, 2 ** 31);
    while (taken.has(id));
    return id;
  }

  function failed(exchange: Exchange | undefined, stream: Duplex, cause: unknown, address: string): void {
    if (cause instanceof ConnectionClosed || exchange === undefined) {
      stream.destroy();
      return;
    }
    let error = internalError;
    if (cause instanceof FatalError) {
      error = cause.packet;
      const { code, sqlstate } = error;
      logger.info({ client: address, code, sqlstate, reason: cause.message }, 'connection refused');
    } else if (cause instanceof MalformedPacket || cause instanceof OutOfOrder || cause instanceof PayloadTooLarge) {
      error = badHandshake.packet;
      logger.info({ client: address, reason: cause.message }, 'connection refused');
    } else {
      logLoginFault(logger, address, cause);
    }
    refuse(exchange.socket, exchange.sequence, error);
  }

  function close(): void {
    draining = true;
    lobby.destroyAll();
    for (const relay of [...relays.keys()]) relay.end(shutdownError, 'shutdown');
  }

  return {
    handle,
    get sessions() {
      return relays.size;
    },
    get waiting() {
      return lobby.size;
    },
    async drain(ms) {
      draining = true;
      if (relays.size > 0) {
        await lobby.sessionsEnd(ms, () => {
          for (const relay of [...relays.keys()]) relay.endWhenIdle(shutdownError, 'shutdown');
        });
      }
      close();
    },
    close,
  };
}

function packed(stream: Duplex, early: Buffer): CompressedStream {
  if (early.length > 0) stream.unshift(early);
  return new CompressedStream(stream);
}
