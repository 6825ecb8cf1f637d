// What goes wrong in the journal, as one error class with a stable code.

export type AuditErrorCode =
  /** The disk is full, gone or refuses writes: the statement must be refused. */
  | 'unwritable'
  /** The disk has not answered for too long. */
  | 'stalled'
  /** More bytes wait than the buffer may hold. */
  | 'overfull'
  | 'closed'
  /** Another process writes this worker's chain. */
  | 'locked'
  /** The key or a file of the journal cannot be used. */
  | 'unusable';

/** Thrown, or rejected with, when a record cannot be kept. Its message holds no part of a record. */
export class AuditError extends Error {
  readonly code: AuditErrorCode;

  constructor(code: AuditErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AuditError';
    this.code = code;
  }
}

/** The system's error code (`ENOSPC`) of an unknown error, or its message. */
export function describe(error: unknown): string {
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code;
    return typeof code === 'string' ? `${code}: ${error.message}` : error.message;
  }
  return String(error);
}

/** Whether an error says that a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT';
}
