// Texts without literals, for records of statements that touch masked columns or may hold a password.
import type { Dialect } from '../../protocols/gate.ts';
import { redactMysql } from './mysql/redact.ts';
import { redactPostgres } from './postgres/redact.ts';

/** Replaces every literal by `?` and drops comments. A text that cannot be cut into tokens is left out whole. */
export function withoutLiterals(text: string, dialect: Dialect): string {
  const redacted = dialect === 'postgres' ? redactPostgres(text) : redactMysql(text);
  return redacted?.trim() ?? `(a text of ${text.length} characters that could not be read)`;
}
