// Oracle's MySQL grammar (as built for ANTLR in @wsporto/typesql-parser), fed with our own tokens so that only one lexer decides.
import { createRequire } from 'node:module';
import type { Token } from './lexer.ts';
import type { Dialect } from './modes.ts';
import { leaf, type Tree } from './tree.ts';

// The grammar is CommonJS and must share one instance of the ANTLR runtime with us.
const require = createRequire(import.meta.url);
const runtime = require('antlr4') as Runtime;
const parserModule = require('@wsporto/typesql-parser/mysql/MySQLParser.js') as { default: ParserClass };
const lexerModule = require('@wsporto/typesql-parser/mysql/MySQLLexer.js') as { default: LexerClass };
const MySQLParser = parserModule.default;
const MySQLLexer = lexerModule.default;

interface Runtime {
  readonly BailErrorStrategy: new () => object;
  readonly PredictionMode: { readonly SLL: number; readonly LL: number };
  readonly CharStreams: { fromString(text: string): object };
}
interface AntlrToken {
  type: number;
  tokenIndex: number;
  channel: number;
  start: number;
  stop: number;
  line: number;
  column: number;
  text: string;
  token: Token | undefined;
}
interface Context {
  readonly children?: readonly (Context | Terminal)[];
  readonly symbol?: undefined;
}
interface Terminal {
  readonly symbol: AntlrToken;
}
interface ParserClass {
  new (stream: TokenStream): ParserInstance;
  readonly symbolicNames: readonly (string | null)[];
}
interface ParserInstance {
  serverVersion: number;
  sqlMode: number;
  _errHandler: object;
  _interp: { predictionMode: number };
  removeErrorListeners(): void;
  reset(): void;
  query(): Context;
  queryExpression(): Context;
  compoundStatement(): Context;
}
interface LexerClass {
  new (
    stream: object,
  ): {
    serverVersion: number;
    sqlMode: number;
    removeErrorListeners(): void;
    nextToken(): { type: number; stop: number };
  };
  readonly symbolicNames: readonly (string | null)[];
}

const types: Record<string, number> = {};
MySQLLexer.symbolicNames.forEach((name, type) => {
  if (name !== null && name !== undefined) types[name] = type;
});
const typeOf = (name: string): number => {
  const type = types[name];
  if (type === undefined) throw new Error(`the grammar has no token ${name}`);
  return type;
};

/** Names of token types without their suffix, by type. */
const typeNames: readonly string[] = MySQLLexer.symbolicNames.map((name) => (name ?? '').replace(/_SYMBOL$/, ''));

const operatorTypes: ReadonlyMap<string, number> = new Map([
  ['=', typeOf('EQUAL_OPERATOR')],
  [':=', typeOf('ASSIGN_OPERATOR')],
  ['<=>', typeOf('NULL_SAFE_EQUAL_OPERATOR')],
  ['>=', typeOf('GREATER_OR_EQUAL_OPERATOR')],
  ['>', typeOf('GREATER_THAN_OPERATOR')],
  ['<=', typeOf('LESS_OR_EQUAL_OPERATOR')],
  ['<', typeOf('LESS_THAN_OPERATOR')],
  ['!=', typeOf('NOT_EQUAL_OPERATOR')],
  ['<>', typeOf('NOT_EQUAL_OPERATOR')],
  ['+', typeOf('PLUS_OPERATOR')],
  ['-', typeOf('MINUS_OPERATOR')],
  ['*', typeOf('MULT_OPERATOR')],
  ['/', typeOf('DIV_OPERATOR')],
  ['%', typeOf('MOD_OPERATOR')],
  ['!', typeOf('LOGICAL_NOT_OPERATOR')],
  ['~', typeOf('BITWISE_NOT_OPERATOR')],
  ['<<', typeOf('SHIFT_LEFT_OPERATOR')],
  ['>>', typeOf('SHIFT_RIGHT_OPERATOR')],
  ['&&', typeOf('LOGICAL_AND_OPERATOR')],
  ['&', typeOf('BITWISE_AND_OPERATOR')],
  ['^', typeOf('BITWISE_XOR_OPERATOR')],
  ['||', typeOf('LOGICAL_OR_OPERATOR')],
  ['|', typeOf('BITWISE_OR_OPERATOR')],
  ['.', typeOf('DOT_SYMBOL')],
  [',', typeOf('COMMA_SYMBOL')],
  [';', typeOf('SEMICOLON_SYMBOL')],
  [':', typeOf('COLON_SYMBOL')],
  ['(', typeOf('OPEN_PAR_SYMBOL')],
  [')', typeOf('CLOSE_PAR_SYMBOL')],
  ['{', typeOf('OPEN_CURLY_SYMBOL')],
  ['}', typeOf('CLOSE_CURLY_SYMBOL')],
  ['->', typeOf('JSON_SEPARATOR_SYMBOL')],
  ['->>', typeOf('JSON_UNQUOTED_SEPARATOR_SYMBOL')],
  ['@', typeOf('AT_SIGN_SYMBOL')],
  ['@@', typeOf('AT_AT_SIGN_SYMBOL')],
]);
const concatPipes = typeOf('CONCAT_PIPES_SYMBOL');
const identifierType = typeOf('IDENTIFIER');
const not2 = typeOf('NOT2_SYMBOL');

/** Reserved in MySQL 8, plain names in MariaDB (unless they are called). */
const mysqlOnlyWords: ReadonlySet<string> = new Set(
  'CUBE CUME_DIST DENSE_RANK EMPTY FIRST_VALUE FUNCTION GROUPING GROUPS JSON_TABLE LAG LAST_VALUE LATERAL LEAD NTH_VALUE NTILE OF PERCENT_RANK RANK ROW_NUMBER SYSTEM MEMBER ARRAY VIRTUAL STORED GENERATED ADMIN PERSIST PERSIST_ONLY'.split(
    ' ',
  ),
);
/** Of these the plain word has a grammar of its own in MariaDB too. */
const sharedWords: ReadonlySet<string> = new Set(['FUNCTION', 'OF', 'VIRTUAL', 'STORED', 'GENERATED', 'ADMIN']);

/** The version the grammar is asked to follow. MariaDB's numbers mean something else: it has what MySQL 8 has. */
function grammarVersion(dialect: Dialect): number {
  if (dialect.mariadb) return 80_016;
  return Math.min(Math.max(dialect.version, 50_700), 89_999);
}

const keywordCaches = new Map<number, Map<string, number>>();

/** Which keyword a word is at this version, by the grammar's own lexer; IDENTIFIER for none. */
function keywordType(word: string, call: boolean, version: number): number {
  let cache = keywordCaches.get(version);
  if (cache === undefined || cache.size > 20_000) {
    cache = new Map();
    keywordCaches.set(version, cache);
  }
  const key = call ? `${word}(` : word;
  const known = cache.get(key);
  if (known !== undefined) return known;
  let type = identifierType;
  if (/^[A-Za-z_][\w$]*$/.test(word) && word.length < 64) {
    const lexer = new MySQLLexer(runtime.CharStreams.fromString(key));
    lexer.removeErrorListeners();
    lexer.serverVersion = version;
    lexer.sqlMode = 0;
    const token = lexer.nextToken();
    if (token.stop === word.length - 1) type = token.type;
  }
  cache.set(key, type);
  return type;
}

function tokenType(token: Token, dialect: Dialect, version: number): number {
  switch (token.kind) {
    case 'word': {
      const upper = token.text.toUpperCase();
      const type = keywordType(upper, token.call, version);
      if (dialect.mariadb && !token.call && mysqlOnlyWords.has(upper) && !sharedWords.has(upper)) return identifierType;
      if (dialect.highNotPrecedence && upper === 'NOT') return not2;
      return type;
    }
    case 'identifier':
      return token.quote === '"'
        ? typeOf('DOUBLE_QUOTED_TEXT')
        : token.quote === '`'
          ? typeOf('BACK_TICK_QUOTED_ID')
          : identifierType;
    case 'string':
      return token.quote === '"' ? typeOf('DOUBLE_QUOTED_TEXT') : typeOf('SINGLE_QUOTED_TEXT');
    case 'nchar':
      return typeOf('NCHAR_TEXT');
    case 'number':
      if (/[eE]/.test(token.text)) return typeOf('FLOAT_NUMBER');
      return token.text.includes('.') ? typeOf('DECIMAL_NUMBER') : typeOf('INT_NUMBER');
    case 'hex':
      return typeOf('HEX_NUMBER');
    case 'bits':
      return typeOf('BIN_NUMBER');
    case 'introducer':
      return typeOf('UNDERSCORE_CHARSET');
    case 'at-name':
      return typeOf('AT_TEXT_SUFFIX');
    case 'parameter':
      return typeOf('PARAM_MARKER');
    case 'null':
      return typeOf('NULL2_SYMBOL');
    case 'operator':
      if (token.text === '||' && dialect.pipesAsConcat) return concatPipes;
      return operatorTypes.get(token.text) ?? 0;
  }
}

/** What the ANTLR runtime asks of a token stream, over an array that is complete from the start. */
class TokenStream {
  readonly tokens: readonly AntlrToken[];
  index = 0;
  readonly channel = 0;
  readonly tokenSource = { _factory: undefined, getSourceName: () => '' };

  constructor(tokens: readonly AntlrToken[]) {
    this.tokens = tokens;
  }

  private at(index: number): AntlrToken {
    const token = this.tokens[Math.min(index, this.tokens.length - 1)];
    if (token === undefined) throw new Error('an empty token stream');
    return token;
  }

  LT(offset: number): AntlrToken {
    return this.at(offset < 0 ? this.index + offset : this.index + offset - 1);
  }

  LA(offset: number): number {
    return this.LT(offset).type;
  }

  consume(): void {
    if (this.index < this.tokens.length - 1) this.index++;
  }

  seek(index: number): void {
    this.index = index;
  }

  get(index: number): AntlrToken {
    return this.at(index);
  }

  mark(): number {
    return 0;
  }

  release(): void {}

  reset(): void {
    this.index = 0;
  }

  get size(): number {
    return this.tokens.length;
  }

  getText(): string {
    return '';
  }
}

const kindNames = new Map<unknown, string>();

function kindOf(context: Context): string {
  const maker = (context as { constructor: { name: string } }).constructor;
  let name = kindNames.get(maker);
  if (name === undefined) {
    name = maker.name.replace(/Context$/, '');
    kindNames.set(maker, name);
  }
  return name;
}

/** Rules that only pass on to the next level of precedence when they have a single child. */
const passing: ReadonlySet<string> = new Set([
  'ExprIs',
  'PrimaryExprPredicate',
  'Predicate',
  'BitExpr',
  'SimpleExprRuntimeFunction',
  'SimpleExprFunction',
  'SimpleExprVariable',
  'SimpleExprSum',
  'SimpleExprWindowingFunction',
  'SimpleExprLiteral',
  'SimpleExprGroupingOperation',
  'SimpleExprParamMarker',
  'Identifier',
  'PureIdentifier',
  'IdentifierKeyword',
  'FieldIdentifier',
  'TableReferenceListParens',
  'SingleTableParens',
  'Literal',
  'TextLiteral',
  'NumLiteral',
]);

function compact(node: Context | Terminal): Tree {
  if (node.symbol !== undefined) return leaf(typeNames[node.symbol.type] ?? '', node.symbol.token);
  const context = node as Context;
  const children = context.children ?? [];
  const kind = kindOf(context);
  const [only] = children;
  if (
    children.length === 1 &&
    only !== undefined &&
    (passing.has(kind) ||
      kind.startsWith('IdentifierKeywords') ||
      kind.startsWith('RoleOr') ||
      kind.endsWith('Keyword'))
  ) {
    return compact(only);
  }
  return { kind, kids: children.map(compact), token: undefined };
}

export type Parsed =
  | { readonly kind: 'tree'; readonly tree: Tree }
  | { readonly kind: 'error'; readonly near: Token | undefined };

/** The body of a stored program or a block of statements; undefined where the grammar refuses it. */
export function parseProgram(tokens: readonly Token[], dialect: Dialect): Tree | undefined {
  const parsed = parse(tokens, dialect, 'program');
  return parsed.kind === 'tree' ? parsed.tree : undefined;
}

/** Parses one statement (its tokens without the semicolon) by the grammar. */
export function parse(tokens: readonly Token[], dialect: Dialect, what: 'statement' | 'program' = 'statement'): Parsed {
  const version = grammarVersion(dialect);
  const made: AntlrToken[] = tokens.map((token, tokenIndex) => ({
    // ON EMPTY of JSON_TABLE: elsewhere a plain name in MariaDB.
    type:
      token.text.length === 5 && /^empty$/i.test(token.text) && /^on$/i.test(tokens[tokenIndex - 1]?.text ?? '')
        ? typeOf('EMPTY_SYMBOL')
        : tokenType(token, dialect, version),
    tokenIndex,
    channel: 0,
    start: token.start,
    stop: token.end - 1,
    line: 1,
    column: token.start,
    text: token.raw,
    token,
  }));
  const end = tokens[tokens.length - 1]?.end ?? 0;
  made.push({
    type: -1,
    tokenIndex: tokens.length,
    channel: 0,
    start: end,
    stop: end,
    line: 1,
    column: end,
    text: '<EOF>',
    token: undefined,
  });
  const stream = new TokenStream(made);
  const parser = new MySQLParser(stream);
  parser.removeErrorListeners();
  parser.serverVersion = version;
  // ANSI_QUOTES is settled by the token kinds for strings; the grammar asks for it to tell names from texts.
  parser.sqlMode = dialect.ansiQuotes ? 1 : 0;
  parser._errHandler = new runtime.BailErrorStrategy();
  let furthest = 0;
  // SLL is enough for nearly every statement; only what it cannot read is tried by full LL.
  for (const mode of [runtime.PredictionMode.SLL, runtime.PredictionMode.LL]) {
    parser._interp.predictionMode = mode;
    try {
      if (what === 'statement') return { kind: 'tree', tree: compact(parser.query()) };
      const tree = compact(parser.compoundStatement());
      // The rule does not ask for the end of the text.
      if (stream.index >= tokens.length) return { kind: 'tree', tree };
      furthest = Math.max(furthest, stream.index);
      stream.index = 0;
      parser.reset();
    } catch (error) {
      if (error instanceof RangeError) break;
      furthest = Math.max(furthest, stream.index);
      stream.index = 0;
      parser.reset();
    }
  }
  return { kind: 'error', near: tokens[furthest] };
}
