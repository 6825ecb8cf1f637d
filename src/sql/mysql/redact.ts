// MySQL texts without their literals.
import { LexError, lex, type Token } from './lexer.ts';
import { plainDialect } from './modes.ts';

/**
 * Replaces literals by `?` and drops comments; undefined where the text cannot be cut into tokens. The modes of the session are
 * not known here: what is in double quotes counts as a literal, and where a backslash may or may not escape, the text is given up.
 */
export function redactMysql(text: string): string | undefined {
  try {
    const { tokens } = lex(text, plainDialect);
    if (text.includes('\\') && !sameWithout(text, tokens)) return undefined;
    return written(tokens);
  } catch (error) {
    if (error instanceof LexError) return undefined;
    throw error;
  }
}

function sameWithout(text: string, tokens: readonly Token[]): boolean {
  try {
    const other = lex(text, { ...plainDialect, noBackslashEscapes: true }).tokens;
    return other.length === tokens.length && other.every((token, at) => token.end === tokens[at]?.end);
  } catch {
    return false;
  }
}

function written(tokens: readonly Token[]): string {
  let out = '';
  let end = 0;
  for (const token of tokens) {
    if (end > 0 && token.start > end) out += ' ';
    out += isLiteral(token) ? '?' : token.raw;
    end = token.end;
  }
  return out;
}

function isLiteral(token: Token): boolean {
  switch (token.kind) {
    case 'string':
    case 'nchar':
    case 'number':
    case 'hex':
    case 'bits':
      return true;
    default:
      return token.quote === '"';
  }
}
