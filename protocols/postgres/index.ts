// The door of the Postgres room: takes accepted sockets through start-up and login, and relays the sessions that the gate admits.
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { ClientHello, Gate, GateSession, Refusal } from '../gate.ts';
import { isLoopback, Lobby, logLoginFault } from '../shared/lobby.ts';
import type { Logger } from '../shared/logger.ts';
import { authenticate, type OAuthHints } from './authentication.ts';
import { encodeAuthentication, encodeBackendKeyData } from './backend.ts';
import { ConnectionClosed } from './byte-reader.ts';
import { CancelRegistry } from './cancel.ts';
import { encodeError, FatalError, refusalFields } from './errors.ts';
import { Relay } from './relay.ts';
import { type ClientConnection, readStartUp, type StartUp, unreadable } from './startup.ts';
import { logIn } from './upstream.ts';

export type { Logger } from '../shared/logger.ts';
export type { OAuthHints } from './authentication.ts';
export { CancelRegistry } from './cancel.ts';
export { scramVerifier } from './scram.ts';

export interface PostgresLimits {
  /** From the accepted connection to the admitted login. */
  readonly loginMs: number;
  /** For connecting and logging in upstream, each. */
  readonly connectMs: number;
  /** Bytes a client may send before it is admitted. */
  readonly maxUnauthenticatedBytes: number;
  /** The largest token or password. */
  readonly maxPasswordBytes: number;
  /** Connections that have not been admitted yet. */
  readonly maxUnauthenticated: number;
  /** The longest text of a Query or Parse. */
  readonly maxStatementBytes: number;
  /** The largest Bind that is kept whole; larger ones pass in pieces where nothing is masked. */
  readonly maxBindBytes: number;
  /** The largest row, or piece of copy data, that is collected to be masked. */
  readonly maxMaskedBytes: number;
  /** How long the upstream may go on after its client has left. */
  readonly lingerMs: number;
  /** A client whose statement waits for a person is told so again this often. */
  readonly reminderMs: number;
}

const defaults: PostgresLimits = {
  loginMs: 30_000,
  connectMs: 10_000,
  maxUnauthenticatedBytes: 256 * 1024,
  maxPasswordBytes: 64 * 1024,
  maxUnauthenticated: 256,
  maxStatementBytes: 16 * 1024 * 1024,
  maxBindBytes: 16 * 1024 * 1024,
  maxMaskedBytes: 64 * 1024 * 1024,
  lingerMs: 30_000,
  reminderMs: 30_000,
};

export interface PostgresListenerOptions {
  readonly gate: Gate;
  readonly logger: Logger;
  /** The certificate shown to clients, asked for at each handshake so that it can be renewed. Undefined: no TLS. */
  readonly tls?: () => SecureContext;
  readonly limits?: Partial<PostgresLimits>;
  /** Shared by all listeners of the process; left out: one of its own. */
  readonly cancels?: CancelRegistry;
  /** Asked for a CancelRequest that no session of this process has the key of: other workers may have it. */
  readonly cancelElsewhere?: (processId: number, secret: Buffer) => void;
  /** What OAUTHBEARER clients without a token are told. */
  readonly oauth?: OAuthHints;
}

export interface PostgresListener {
  /** Takes an accepted connection. */
  handle(socket: Socket): void;
  /** Sessions that are admitted now. */
  readonly sessions: number;
  /** Connections that are not (yet). */
  readonly waiting: number;
  /** Carries out a CancelRequest that another worker was sent; false when its session is not here. */
  cancel(processId: number, secret: Buffer): boolean;
  /** Admits nobody any more, ends sessions as they become idle, and all that is left after `ms`. */
  drain(ms: number): Promise<void>;
  /** Ends everything now. */
  close(): void;
}

const shutdown: Refusal = {
  kind: 'unavailable',
  rule: 'shutdown',
  message: 'terminating connection due to administrator command',
  sqlstate: '57P01',
};

/** Makes a listener's inside: it owns no server socket, `handle` is given what one accepts. */
export function createPostgresListener(options: PostgresListenerOptions): PostgresListener {
  const limits = { ...defaults, ...options.limits };
  const { gate, logger } = options;
  const cancels = options.cancels ?? new CancelRegistry();
  const lobby = new Lobby();
  const relays = new Set<Relay>();
  let draining = false;

  function handle(socket: Socket): void {
    lobby.accept(socket);
    if (draining) refuse(socket, new FatalError('57P03', 'the database system is shutting down'));
    else if (lobby.size > limits.maxUnauthenticated) {
      refuse(socket, new FatalError('53300', 'sallyport: too many connections are waiting to log in'));
    } else void greet(socket);
  }

  async function greet(socket: Socket): Promise<void> {
    const clientAddress = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    let current: ClientConnection | undefined;
    const timer = setTimeout(() => {
      current?.reader.fail(
        new FatalError('08006', `sallyport: the login was not complete within ${limits.loginMs} ms`),
      );
      // Where nobody reads (a TLS handshake that stands still) nobody would notice.
      setTimeout(() => lobby.has(socket) && socket.destroy(), 1_000).unref();
    }, limits.loginMs);
    let admitted: GateSession | undefined;
    try {
      const start = await readStartUp(socket, options.tls?.(), limits.maxUnauthenticatedBytes, (client) => {
        if (client.socket !== socket) client.socket.on('error', () => client.socket.destroy());
        current = client;
      });
      if (start.kind === 'cancel') {
        const { processId, secret } = start.key;
        if (!cancels.cancel(start.key)) options.cancelElsewhere?.(processId, secret);
        // The server answers a CancelRequest with nothing but the end of the connection.
        socket.end();
        return;
      }
      const hello = helloOf(start, clientAddress);
      const challenge = await gate.challenge(hello);
      const proof = await authenticate(start.client, challenge, start.oauth, start.user, {
        maxBytes: limits.maxPasswordBytes,
        oauth: options.oauth,
      }).catch((cause: unknown) => {
        const wrong = cause instanceof FatalError && cause.fields.sqlstate === '28P01';
        if (wrong && challenge.kind === 'scram-sha-256') gate.unproven?.(hello);
        throw cause;
      });
      const admission = await gate.admit(hello, proof);
      clearTimeout(timer);
      if (admission.kind === 'refused') throw FatalError.of(refusalFields(admission.refusal, 'FATAL'));
      admitted = admission.session;
      await relay(start, admission.session);
      lobby.leave(socket);
    } catch (cause) {
      admitted?.end(cause instanceof FatalError ? cause.message : 'the session did not start');
      failed(current?.socket ?? socket, cause, clientAddress);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Logs in upstream and joins the two sides. Throws where that fails; the session is then ended by the caller. */
  async function relay(start: StartUp, session: GateSession): Promise<void> {
    const { client, parameters, minor } = start;
    let ended: Refusal | undefined;
    const login = await logIn(session.upstream, parameters, limits.connectMs);
    const { socket } = client;
    try {
      if (socket.destroyed) throw new ConnectionClosed();
      for (const [name, value] of login.parameters) {
        const problem = unreadable(name, value);
        if (problem !== undefined) throw problem;
        ended ??= session.parameter(name, value);
      }
      if (ended !== undefined) throw FatalError.of(refusalFields(ended, 'FATAL'));
      if (draining) throw FatalError.of(refusalFields(shutdown, 'FATAL'));
    } catch (cause) {
      login.connection.socket.on('error', () => {});
      login.connection.socket.destroy();
      throw cause;
    }
    // Protocol 3.2 has keys of up to 256 bytes, protocol 3.0 of exactly 4.
    const processId = login.key?.processId ?? 0;
    const issued = cancels.issue(processId, minor >= 2 ? 32 : 4, () => relay.cancel());
    const relay = new Relay(socket, login, session, limits, logger, () => {
      issued.release();
      relays.delete(relay);
      if (relays.size === 0) lobby.sessionsOver();
    });
    relays.add(relay);
    client.detach();
    socket.write(
      Buffer.concat([
        encodeAuthentication(0),
        ...login.messages,
        encodeBackendKeyData(issued.key),
        Buffer.from([0x5a, 0, 0, 0, 5, 0x49]),
      ]),
    );
    session.transaction('I');
    relay.start(client.reader.rest());
  }

  function failed(socket: Socket, cause: unknown, clientAddress: string): void {
    if (cause instanceof FatalError) {
      logger.info(
        { client: clientAddress, sqlstate: cause.fields.sqlstate, reason: cause.message },
        'connection refused',
      );
      refuse(socket, cause);
      return;
    }
    if (!(cause instanceof ConnectionClosed)) {
      logLoginFault(logger, clientAddress, cause);
      refuse(socket, new FatalError('XX000', 'sallyport: internal error'));
    } else socket.destroy();
  }

  return {
    handle,
    get sessions() {
      return relays.size;
    },
    get waiting() {
      return lobby.size;
    },
    cancel: (processId, secret) => cancels.cancel({ processId, secret }),
    async drain(ms) {
      draining = true;
      if (relays.size > 0) {
        await lobby.sessionsEnd(ms, () => {
          for (const relay of relays) relay.endWhenIdle(shutdown);
        });
      }
      close();
    },
    close,
  };

  function close(): void {
    draining = true;
    lobby.destroyAll();
    for (const relay of relays) relay.end(refusalFields(shutdown, 'FATAL'), shutdown.rule);
  }
}

function helloOf(start: StartUp, clientAddress: string): ClientHello {
  const address = start.client.socket.remoteAddress ?? '';
  return {
    dialect: 'postgres',
    user: start.user,
    database: start.database,
    parameters: start.parameters,
    clientAddress,
    loopback: isLoopback(address),
    encrypted: start.client.encrypted,
  };
}

/** Tells the client why, and closes. */
function refuse(socket: Socket, error: FatalError): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(encodeError(error.fields));
  // Unread input would make the kernel reset the connection before the client has read the error.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), 2_000);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
