// Errors as they go to the client, and the translation of refusals into them.
import type { Refusal } from '../gate.ts';
import { errorCode } from './constants.ts';
import type { ErrPacket } from './messages.ts';

/** The connection cannot go on: the client broke the protocol, took too long, or may not come in. */
export class FatalError extends Error {
  readonly packet: ErrPacket;
  constructor(packet: ErrPacket) {
    super(packet.message);
    this.name = 'FatalError';
    this.packet = packet;
  }
}

/** The client has gone; there is nobody to tell. */
export class ConnectionClosed extends Error {
  constructor() {
    super('the connection was closed');
    this.name = 'ConnectionClosed';
  }
}

/** The server said something that the protocol has no place for. */
export class UpstreamProtocolError extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'UpstreamProtocolError';
  }
}

const codes: Record<Refusal['kind'], readonly [code: number, sqlstate: string]> = {
  policy: [errorCode.NOT_ALLOWED, '42000'],
  limit: [errorCode.NOT_ALLOWED, '42000'],
  login: [errorCode.ACCESS_DENIED, '28000'],
  approval: [errorCode.INTERRUPTED, '70100'],
  unavailable: [errorCode.TOO_MANY_CONNECTIONS, '08004'],
  unsupported: [errorCode.NOT_SUPPORTED, '42000'],
  syntax: [errorCode.SYNTAX, '42000'],
};

/** Numbers of the server's own errors that a refusal may imitate by its SQLSTATE. */
const imitated: ReadonlyMap<string, number> = new Map([
  ['3D000', 1046],
  ['42S01', 1050],
  ['42S02', 1146],
  ['42S22', 1054],
]);

/** A refusal as the error the client sees. The protocol has one text only: hint and detail follow the message in parentheses. */
export function refusalPacket(refusal: Refusal): ErrPacket {
  const [code, sqlstate] = codes[refusal.kind];
  const extra = [refusal.hint, refusal.detail].filter((part) => part !== undefined && part !== '');
  const message = extra.length === 0 ? refusal.message : `${refusal.message} (${extra.join('; ')})`;
  const own = sqlstateOf(refusal.sqlstate);
  return { code: imitated.get(own ?? '') ?? code, sqlstate: own ?? sqlstate, message };
}

/** A SQLSTATE that has five characters, as the protocol wants it. */
function sqlstateOf(state: string | undefined): string | undefined {
  return state !== undefined && /^[0-9A-Z]{5}$/.test(state) ? state : undefined;
}

export function errPacket(code: number, sqlstate: string, message: string): ErrPacket {
  return { code, sqlstate, message };
}

/** The error that stands in for one whose text may not go to the client. */
export function withheld(error: ErrPacket): ErrPacket {
  return { ...error, message: 'sallyport: the text of this error is withheld, it may hold masked values' };
}

export const internalError = errPacket(errorCode.UNKNOWN, 'HY000', 'sallyport: internal error');
