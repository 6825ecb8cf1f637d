// Server messages: decoding of those the relay must read, beside the encoding of those it writes itself.
import type { PostgresField } from '../gate.ts';
import type { ErrorFields } from './errors.ts';
import { int16, int32 } from './frames.ts';
import { openFrame } from './frontend.ts';
import { backend } from './letters.ts';

/** The server's bytes do not form a message of the protocol: the session must end. */
export class UpstreamProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UpstreamProtocolError';
  }
}

const headerLength = 5;

function stringEnd(bytes: Buffer, at: number, end: number): number {
  const found = bytes.indexOf(0, at);
  if (found === -1 || found >= end) throw new UpstreamProtocolError('a string without end in a server message');
  return found;
}

/** The result columns; `binary` as the message says, which is text for a described statement. */
export function decodeRowDescription(bytes: Buffer, start: number, end: number): PostgresField[] {
  const fields: PostgresField[] = [];
  let at = start + headerLength;
  const count = int16(bytes, at);
  at += 2;
  for (let i = 0; i < count; i += 1) {
    const nul = stringEnd(bytes, at, end);
    if (nul + 19 > end) throw new UpstreamProtocolError('a RowDescription is cut short');
    fields.push({
      dialect: 'postgres',
      name: bytes.toString('utf8', at, nul),
      tableOid: int32(bytes, nul + 1) >>> 0,
      attnum: int16(bytes, nul + 5),
      typeOid: int32(bytes, nul + 7) >>> 0,
      typmod: int32(bytes, nul + 13),
      binary: int16(bytes, nul + 17) === 1,
    });
    at = nul + 19;
  }
  // A description read otherwise than the client reads it would put the masks in the wrong places.
  if (count < 0 || at !== end) throw new UpstreamProtocolError('a RowDescription does not hold the fields it counts');
  return fields;
}

export function decodeParameterDescription(bytes: Buffer, start: number, end: number): number[] {
  const count = int16(bytes, start + headerLength) & 0xffff;
  const types: number[] = [];
  for (let i = 0; i < count && start + headerLength + 6 + i * 4 <= end; i += 1) {
    types.push(int32(bytes, start + headerLength + 2 + i * 4) >>> 0);
  }
  return types;
}

export function decodeCommandTag(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start + headerLength, stringEnd(bytes, start + headerLength, end));
}

const severities = new Set<string>(['ERROR', 'FATAL', 'PANIC', 'WARNING', 'NOTICE', 'DEBUG', 'INFO', 'LOG']);

/** Severity, SQLSTATE, message and position of an ErrorResponse or NoticeResponse. */
export function decodeError(bytes: Buffer, start: number, end: number): ErrorFields {
  let severity = 'ERROR';
  let sqlstate = 'XX000';
  let message = '';
  let position: number | undefined;
  let at = start + headerLength;
  while (at < end && bytes[at] !== 0) {
    const code = bytes[at];
    const nul = stringEnd(bytes, at + 1, end);
    const value = () => bytes.toString('utf8', at + 1, nul);
    // 'V' is the severity that is never translated.
    if (code === 0x56) severity = value();
    else if (code === 0x43) sqlstate = value();
    else if (code === 0x4d) message = value();
    else if (code === 0x50) position = Number(value());
    at = nul + 1;
  }
  return {
    severity: (severities.has(severity) ? severity : 'ERROR') as ErrorFields['severity'],
    sqlstate,
    message,
    ...(position === undefined || !Number.isSafeInteger(position) ? {} : { position }),
  };
}

export function decodeParameterStatus(bytes: Buffer, start: number, end: number): { name: string; value: string } {
  const nameEnd = stringEnd(bytes, start + headerLength, end);
  const valueEnd = stringEnd(bytes, nameEnd + 1, end);
  return {
    name: bytes.toString('utf8', start + headerLength, nameEnd),
    value: bytes.toString('utf8', nameEnd + 1, valueEnd),
  };
}

export interface BackendKeyData {
  readonly processId: number;
  readonly secret: Buffer;
}

export function decodeBackendKeyData(bytes: Buffer, start: number, end: number): BackendKeyData {
  return { processId: int32(bytes, start + headerLength), secret: Buffer.from(bytes.subarray(start + 9, end)) };
}

export function encodeBackendKeyData(key: BackendKeyData): Buffer {
  const frame = openFrame(backend.BackendKeyData, 8 + key.secret.length);
  frame.writeInt32BE(key.processId, 5);
  key.secret.copy(frame, 9);
  return frame;
}

/** CopyInResponse and CopyOutResponse. */
export function decodeCopyResponse(bytes: Buffer, start: number, end: number): { binary: boolean; columns: number } {
  if (end - start < 8) throw new UpstreamProtocolError('a copy response is cut short');
  return { binary: bytes[start + headerLength] === 1, columns: int16(bytes, start + 6) };
}

export type TransactionStatus = 'I' | 'T' | 'E';

export function decodeReadyForQuery(bytes: Buffer, start: number): TransactionStatus {
  const status = bytes[start + headerLength];
  if (status === 0x49) return 'I';
  if (status === 0x54) return 'T';
  if (status === 0x45) return 'E';
  throw new UpstreamProtocolError('a ReadyForQuery with an unknown status');
}

/** AuthenticationOk and its relatives; `code` as in "Message Formats", `data` what follows it. */
export function encodeAuthentication(code: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const frame = openFrame(backend.Authentication, 8 + data.length);
  frame.writeInt32BE(code, 5);
  data.copy(frame, 9);
  return frame;
}

/** Tells a client that asked for more than we speak: the newest version, and the `_pq_.` options we do not know. */
export function encodeNegotiateProtocolVersion(version: number, unknown: readonly string[]): Buffer {
  const names = unknown.map((name) => Buffer.from(`${name}\0`));
  const frame = openFrame(backend.NegotiateProtocolVersion, 12 + names.reduce((sum, name) => sum + name.length, 0));
  frame.writeInt32BE(version, 5);
  frame.writeInt32BE(unknown.length, 9);
  let at = 13;
  for (const name of names) at += name.copy(frame, at);
  return frame;
}
