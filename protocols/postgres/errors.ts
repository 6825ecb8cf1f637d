// Errors as they go to the client: plain fields, their encoding, and the translation of refusals and of our own protocol failures.
import type { Refusal } from '../gate.ts';
import { backend } from './letters.ts';

/** The fields of an ErrorResponse or NoticeResponse that we send or keep. */
export interface ErrorFields {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE' | 'WARNING' | 'INFO' | 'LOG' | 'DEBUG' | 'PANIC';
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: number;
}

/** The connection cannot go on: the client broke the protocol, took too long, or may not come in. */
export class FatalError extends Error {
  readonly fields: ErrorFields;
  constructor(sqlstate: string, message: string, extra: { hint?: string; detail?: string } = {}) {
    super(message);
    this.name = 'FatalError';
    this.fields = { severity: 'FATAL', sqlstate, message, ...extra };
  }

  static of(fields: ErrorFields): FatalError {
    const { sqlstate, message, hint, detail } = fields;
    return new FatalError(sqlstate, message, {
      ...(hint === undefined ? {} : { hint }),
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

const sqlstates: Record<Refusal['kind'], string> = {
  policy: '42501',
  login: '28P01',
  approval: '57014',
  limit: '54000',
  unavailable: '53300',
  unsupported: '0A000',
  syntax: '42601',
};

/** The SQLSTATE a refusal carries to the client. */
export function refusalState(refusal: Refusal): string {
  return refusal.sqlstate ?? sqlstates[refusal.kind];
}

/** A refusal as the error the client sees. FATAL at login and where it ends the session. */
export function refusalFields(refusal: Refusal, severity: 'ERROR' | 'FATAL' = 'ERROR'): ErrorFields {
  return {
    severity,
    sqlstate: refusalState(refusal),
    message: refusal.message,
    ...(refusal.detail === undefined ? {} : { detail: refusal.detail }),
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    ...(refusal.position === undefined ? {} : { position: refusal.position }),
  };
}

/** An error of severity ERROR that we make ourselves. */
export function errorFields(sqlstate: string, message: string, hint?: string): ErrorFields {
  return { severity: 'ERROR', sqlstate, message, ...(hint === undefined ? {} : { hint }) };
}

/** Encodes an ErrorResponse, or a NoticeResponse when `type` says so. */
export function encodeError(fields: ErrorFields, type: number = backend.ErrorResponse): Buffer {
  const parts: string[] = [`S${fields.severity}`, `V${fields.severity}`, `C${fields.sqlstate}`, `M${fields.message}`];
  if (fields.detail !== undefined) parts.push(`D${fields.detail}`);
  if (fields.hint !== undefined) parts.push(`H${fields.hint}`);
  if (fields.position !== undefined) parts.push(`P${fields.position}`);
  // A NUL inside a text would end the field early and let the rest pass for other fields.
  const body = `${parts.map((part) => part.replaceAll('\0', ' ')).join('\0')}\0\0`;
  const frame = Buffer.allocUnsafe(5 + Buffer.byteLength(body));
  frame[0] = type;
  frame.writeInt32BE(frame.length - 1, 1);
  frame.write(body, 5);
  return frame;
}

/** Encodes a NoticeResponse of severity NOTICE. */
export function encodeNotice(message: string): Buffer {
  return encodeError({ severity: 'NOTICE', sqlstate: '00000', message }, backend.NoticeResponse);
}

/** A message that has no place in COPY FROM STDIN: the server loses its place in the stream over it and ends the session. */
export function copyViolation(type: number): FatalError {
  const code = type.toString(16).toUpperCase().padStart(2, '0');
  return new FatalError('08P01', `unexpected message type 0x${code} during COPY from stdin`);
}
