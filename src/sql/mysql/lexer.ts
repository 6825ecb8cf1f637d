// The lexical pass: tokens as the connected server would make them (sql_lex.cc), executable comments expanded or skipped.
import { type Dialect, introducers } from './modes.ts';

export type TokenKind =
  /** A word that may be a keyword. */
  | 'word'
  /** A quoted identifier, or a word that is an identifier by its place (after a dot). */
  | 'identifier'
  | 'string'
  | 'nchar'
  | 'number'
  | 'hex'
  | 'bits'
  | 'introducer'
  /** `@name`. */
  | 'at-name'
  | 'parameter'
  | 'null'
  | 'operator';

export interface Token {
  readonly kind: TokenKind;
  /** Exactly as written. */
  readonly raw: string;
  /** Identifiers unquoted, strings unescaped, words as written. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** `(` follows at once (or after blanks under IGNORE_SPACE): names of functions are only then keywords. */
  readonly call: boolean;
  /** For `"..."`: which quote it was. */
  readonly quote: string;
}

export interface Lexed {
  readonly tokens: readonly Token[];
  /** Bodies of optimizer hints `/*+ ... *\/`. */
  readonly hints: readonly string[];
  /** Where executable comments that are part of the statement begin and end. */
  readonly executed: readonly { readonly start: number; readonly end: number }[];
  /** An executable comment was skipped since it is meant for another server. */
  readonly skipped: boolean;
}

export class LexError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Letters, digits, `_`, `$` and everything beyond ASCII (ident_map in sql_lex / ctype). */
function isName(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 36 ||
    code >= 128
  );
}

const operators3 = new Set(['<=>', '->>']);
const operators2 = new Set(['<=', '>=', '<>', '!=', '<<', '>>', ':=', '&&', '||', '->', '@@']);
const operators1 = new Set('<>=!+-*/%^~&|(),.;{}:@');

/** Splits a text into tokens, from an offset on, which may lie in an executable comment that began at another. Throws LexError where the server would refuse or the two could disagree. */
export function lex(text: string, dialect: Dialect, from = 0, inComment = -1): Lexed {
  return new Lexer(text, dialect, from, inComment).run();
}

class Lexer {
  private readonly text: string;
  private readonly dialect: Dialect;
  private readonly tokens: Token[] = [];
  private readonly hints: string[] = [];
  private readonly executed: { start: number; end: number }[] = [];
  private at = 0;
  private skipped = false;
  /** Offset of an open executable comment, or -1. */
  private inComment = -1;

  constructor(text: string, dialect: Dialect, from: number, inComment: number) {
    this.text = text;
    this.dialect = dialect;
    this.at = from;
    this.inComment = inComment;
  }

  run(): Lexed {
    const { text } = this;
    while (this.at < text.length) this.next();
    if (this.inComment >= 0) throw new LexError('an executable comment is not closed', this.inComment);
    return { tokens: this.tokens, hints: this.hints, executed: this.executed, skipped: this.skipped };
  }

  /** Reads one token or what stands between tokens; like the methods below it says where to go on. */
  private next(): number {
    const { text, at } = this;
    const code = text.charCodeAt(at);
    if (isSpace(code)) {
      this.at++;
      return this.at;
    }
    if (isDigit(code)) return this.number();
    if (isName(code)) return this.word();
    switch (text[at]) {
      case "'":
        return this.quoted("'", 'string', at);
      case '"':
        return this.quoted('"', this.dialect.ansiQuotes ? 'identifier' : 'string', at);
      case '`':
        return this.quoted('`', 'identifier', at);
      case '#':
        return this.lineComment(at + 1);
      case '-': {
        // `--` begins a comment only before a blank, a control character or the end (sql_lex.cc, MY_LEX_MINUS_OR_COMMENT).
        const after = text.charCodeAt(at + 2);
        if (text[at + 1] === '-' && (at + 2 >= text.length || after <= 32 || after === 127))
          return this.lineComment(at + 2);
        return this.operator();
      }
      case '/':
        return text[at + 1] === '*' ? this.comment() : this.operator();
      case '*':
        if (this.inComment >= 0 && text[at + 1] === '/') {
          this.at += 2;
          this.executed.push({ start: this.inComment, end: this.at });
          this.inComment = -1;
          return this.at;
        }
        return this.operator();
      case '.':
        return this.dot();
      case '@':
        return this.atSign();
      case '?':
        return this.push('parameter', at, at + 1, '?');
      case '\\':
        if (text[at + 1] === 'N') return this.push('null', at, at + 2, 'NULL');
        throw new LexError('a backslash stands outside a string', at);
      case ';':
        // The server would end the statement here and read the rest without knowing of the comment.
        if (this.inComment >= 0) throw new LexError('a statement ends inside an executable comment', at);
        return this.operator();
      default:
        return this.operator();
    }
  }

  private push(kind: TokenKind, start: number, end: number, text: string, quote = ''): number {
    this.tokens.push({ kind, raw: this.text.slice(start, end), text, start, end, call: this.callFollows(end), quote });
    this.at = end;
    return this.at;
  }

  private callFollows(end: number): boolean {
    let at = end;
    if (this.dialect.ignoreSpace) while (isSpace(this.text.charCodeAt(at))) at++;
    return this.text.charCodeAt(at) === 40;
  }

  private operator(): number {
    const { text, at } = this;
    const three = text.slice(at, at + 3);
    if (operators3.has(three)) return this.push('operator', at, at + 3, three);
    const two = three.slice(0, 2);
    if (operators2.has(two)) return this.push('operator', at, at + 2, two);
    const one = three.slice(0, 1);
    if (operators1.has(one)) return this.push('operator', at, at + 1, one);
    throw new LexError('a character that begins no token', at);
  }

  private lineComment(from: number): number {
    const { text } = this;
    let end = text.indexOf('\n', from);
    if (end < 0) end = text.length;
    this.refuseNul(from, end);
    this.at = end;
    return this.at;
  }

  /** The server stops at a NUL byte in places where others read on. */
  private refuseNul(from: number, to: number): void {
    const nul = this.text.indexOf('\0', from);
    if (nul >= 0 && nul < to) throw new LexError('a NUL character stands in a comment', nul);
  }

  private comment(): number {
    const { text, at, dialect } = this;
    const mariadbOnly = text[at + 2] === 'M' && text[at + 3] === '!';
    if (text[at + 2] === '!' || (mariadbOnly && dialect.mariadb)) {
      const digitsAt = at + (mariadbOnly ? 4 : 3);
      const digits = /^\d{5,6}/.exec(text.slice(digitsAt, digitsAt + 6))?.[0];
      if (digits === undefined) return this.execute(at, digitsAt);
      // Releases of MySQL differ in whether a sixth digit belongs to the version.
      if (digits.length === 6 && !dialect.mariadb)
        throw new LexError('an executable comment with six digits is ambiguous', at);
      const version = Number(digits);
      // MariaDB skips what is meant for MySQL 5.7 and later (sql_lex.cc).
      const foreign = dialect.mariadb && !mariadbOnly && version >= 50_700 && version <= 99_999;
      if (version <= dialect.version && !foreign) return this.execute(at, digitsAt + digits.length);
      this.skipped = true;
      this.skipComment(at, true);
      return this.at;
    }
    const body = this.at + 2;
    this.skipComment(at, false);
    if (text[body] === '+') this.hints.push(text.slice(body + 1, this.at - 2));
    return this.at;
  }

  private execute(at: number, from: number): number {
    if (this.inComment >= 0) throw new LexError('executable comments are nested', at);
    this.inComment = at;
    this.at = from;
    return this.at;
  }

  /** A skipped executable comment may hold plain comments, one level deep (consume_comment). */
  private skipComment(at: number, nested: boolean): void {
    const { text } = this;
    let from = at + 2;
    for (;;) {
      const end = text.indexOf('*/', from);
      if (end < 0) throw new LexError('a comment is not closed', at);
      const inner = nested ? text.indexOf('/*', from) : -1;
      if (inner >= 0 && inner < end) {
        const innerEnd = text.indexOf('*/', inner + 2);
        if (innerEnd < 0) throw new LexError('a comment is not closed', inner);
        from = innerEnd + 2;
        continue;
      }
      this.refuseNul(at, end);
      this.at = end + 2;
      return;
    }
  }

  private quoted(quote: string, kind: TokenKind, start: number): number {
    const { text, dialect } = this;
    const escapes = kind !== 'identifier' && !dialect.noBackslashEscapes;
    let value = '';
    let from = this.at + 1;
    for (let at = from; at < text.length; at++) {
      const character = text[at];
      if (character === quote) {
        if (text[at + 1] !== quote) {
          value += text.slice(from, at);
          return this.push(kind, start, at + 1, value, quote);
        }
        value += text.slice(from, at + 1);
        at++;
        from = at + 1;
      } else if (escapes && character === '\\') {
        if (at + 1 >= text.length) break;
        value += text.slice(from, at) + unescaped(text[at + 1] ?? '');
        at++;
        from = at + 1;
      } else if (character === '\0' && kind === 'identifier') {
        throw new LexError('a NUL character stands in a name', at);
      }
    }
    throw new LexError(kind === 'identifier' ? 'a quoted name is not closed' : 'a string is not closed', start);
  }

  private nameEnd(from: number): number {
    const { text } = this;
    let at = from;
    while (at < text.length && isName(text.charCodeAt(at))) at++;
    return at;
  }

  /** After a dot that touches the next name, the name is no keyword (MY_LEX_IDENT_SEP). */
  private afterDot(): boolean {
    const last = this.tokens[this.tokens.length - 1];
    return last !== undefined && last.text === '.' && last.kind === 'operator' && last.end === this.at;
  }

  private word(): number {
    const { text, at } = this;
    const end = this.nameEnd(at);
    const word = text.slice(at, end);
    if (this.afterDot()) return this.push('identifier', at, end, word);
    if (end - at === 1 && text[end] === "'") {
      if (/[xX]/.test(word)) return this.digits(/^'((?:[0-9a-fA-F]{2})*)'/, 'hex');
      if (/[bB]/.test(word)) return this.digits(/^'([01]*)'/, 'bits');
      if (/[nN]/.test(word)) {
        this.at = end;
        return this.quoted("'", 'nchar', at);
      }
    }
    if (word[0] === '_' && introducers.has(word.slice(1).toLowerCase())) return this.push('introducer', at, end, word);
    return this.push('word', at, end, word);
  }

  private digits(pattern: RegExp, kind: TokenKind): number {
    const { text, at } = this;
    const close = text.indexOf("'", at + 2);
    const match = close < 0 ? null : pattern.exec(text.slice(at + 1, close + 1));
    if (match === null) throw new LexError('a hexadecimal or bit literal is malformed', at);
    return this.push(kind, at, close + 1, match[1] ?? '');
  }

  private number(): number {
    const { text, at } = this;
    if (this.afterDot()) {
      const end = this.nameEnd(at);
      return this.push('identifier', at, end, text.slice(at, end));
    }
    const end = this.nameEnd(at);
    const word = text.slice(at, end);
    if (/^0x[0-9a-fA-F]+$/.test(word)) return this.push('hex', at, end, word.slice(2));
    if (/^0b[01]+$/.test(word)) return this.push('bits', at, end, word.slice(2));
    const whole = /^\d+/.exec(word)?.[0] ?? '';
    if (whole.length === word.length) {
      if (text[end] !== '.') return this.push('number', at, end, word);
      const fraction = end + 1 + (/^\d*/.exec(text.slice(end + 1, end + 400))?.[0].length ?? 0);
      return this.exponent(at, fraction);
    }
    // 1e5 and 1e+5 are numbers, 1e and 1abc names (MY_LEX_NUMBER_IDENT).
    if (/^\d+[eE]\d+$/.test(word)) return this.push('number', at, end, word);
    if (/^\d+[eE]$/.test(word) && /^[+-]\d/.test(text.slice(end, end + 2))) {
      let stop = end + 1;
      while (isDigit(text.charCodeAt(stop))) stop++;
      return this.push('number', at, stop, text.slice(at, stop));
    }
    if (/^\d+[eE]\d/.test(word)) throw new LexError('a number runs into a name', at);
    return this.push('identifier', at, end, word);
  }

  private exponent(start: number, from: number): number {
    const match = /^[eE][+-]?\d+/.exec(this.text.slice(from, from + 30));
    const end = from + (match?.[0].length ?? 0);
    if (match === null && /^[eE]/.test(this.text.slice(from, from + 1)))
      throw new LexError('a number runs into a name', start);
    return this.push('number', start, end, this.text.slice(start, end));
  }

  private dot(): number {
    const { text, at } = this;
    const last = this.tokens[this.tokens.length - 1];
    const afterName =
      last !== undefined &&
      last.end === at &&
      last.quote === '' &&
      (last.kind === 'word' || last.kind === 'identifier');
    if (!afterName && isDigit(text.charCodeAt(at + 1))) {
      let end = at + 1;
      while (isDigit(text.charCodeAt(end))) end++;
      return this.exponent(at, end);
    }
    return this.push('operator', at, at + 1, '.');
  }

  private atSign(): number {
    const { text, at } = this;
    if (text[at + 1] === '@') return this.push('operator', at, at + 2, '@@');
    let end = at + 1;
    while (end < text.length && (isName(text.charCodeAt(end)) || text[end] === '.')) end++;
    if (end === at + 1) return this.push('operator', at, end, '@');
    return this.push('at-name', at, end, text.slice(at + 1, end));
  }
}

/** What a backslash and a character stand for (String Literals, "Special Character Escape Sequences"). */
function unescaped(character: string): string {
  switch (character) {
    case '0':
      return '\0';
    case 'b':
      return '\b';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'Z':
      return '\x1a';
    // Kept with their backslash, for patterns.
    case '%':
      return '\\%';
    case '_':
      return '\\_';
    default:
      return character;
  }
}

/** Literals leave their kind only; names and words stay. */
export function shapeOf(tokens: readonly Token[]): string {
  let shape = '';
  for (const token of tokens) {
    switch (token.kind) {
      case 'string':
      case 'nchar':
        shape += " '";
        break;
      case 'number':
        shape += ' 0';
        break;
      case 'hex':
      case 'bits':
        shape += ' 0x';
        break;
      default:
        shape += token.call ? ` ${token.raw}(` : ` ${token.raw}`;
    }
  }
  return shape;
}
