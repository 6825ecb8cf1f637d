// One text in given surroundings: cut into statements as the server would, parsed, walked, each in the state the one before leaves.
import type { ReadResult, ReadStatement } from '../reader.ts';
import { Analysis, type Effect, type State, TooDeep } from './analysis.ts';
import type { Catalog } from './catalog.ts';
import { classify } from './fallback.ts';
import { readingOf } from './finish.ts';
import { parse } from './grammar.ts';
import { LexError, type Lexed, lex, shapeOf, type Token } from './lexer.ts';
import { mend } from './mariadb.ts';
import { sameDialect } from './modes.ts';
import { walkBody } from './programs.ts';
import { Scope } from './scope.ts';
import { hintSettings } from './settings.ts';
import { keepsLast, quotable } from './show.ts';
import { statement } from './statements.ts';
import type { Tree } from './tree.ts';
import { noSources, type Sources, type Value } from './value.ts';

/** What else came out of reading a text. */
export interface Read {
  readonly result: ReadResult;
  readonly analyses: readonly Analysis[];
}

const mostStatements = 1_000;

/** Reads a text. Never throws. */
export function readText(catalog: Catalog, state: State, text: string): Read {
  try {
    return readAll(catalog, state, text);
  } catch (error) {
    return { result: failure(error, text), analyses: [] };
  }
}

class Unreadable extends Error {
  readonly offset: number | undefined;
  constructor(message: string, offset: number | undefined) {
    super(message);
    this.offset = offset;
  }
}

function failure(error: unknown, text: string): ReadResult {
  const unreadable = (message: string, offset?: number): ReadResult => ({
    kind: 'unreadable',
    message,
    position: offset === undefined ? undefined : characters(text, offset) + 1,
    sqlstate: '42000',
  });
  if (error instanceof LexError)
    return unreadable(`${syntaxError(text, error.offset)} (${error.message})`, error.offset);
  if (error instanceof Unreadable) return unreadable(error.message, error.offset);
  if (error instanceof TooDeep || error instanceof RangeError)
    return unreadable('the statement is nested too deeply to be read');
  return unreadable('the statement could not be read');
}

/** In the server's own words (ER_PARSE_ERROR), for the part that cannot be read. */
function syntaxError(text: string, offset: number): string {
  const near = text.slice(offset, offset + 80);
  const line = text.slice(0, offset).split('\n').length;
  return `You have an error in your SQL syntax; check the manual that corresponds to your server version for the right syntax to use near '${near}' at line ${line}`;
}

function readAll(catalog: Catalog, given: State, text: string): Read {
  const statements: ReadStatement[] = [];
  const analyses: Analysis[] = [];
  let state = given;
  let from = 0;
  let tokens: readonly Token[] = [];
  let lexed: Lexed | undefined;
  let lexedBy = given.dialect;
  for (;;) {
    if (lexed === undefined || !sameDialect(lexedBy, state.dialect)) {
      if (state.dialect.oracle) throw new Unreadable('statements in the sql_mode ORACLE cannot be read', undefined);
      const inside = lexed?.executed.find((comment) => comment.start < from && from < comment.end);
      lexed = lex(text, state.dialect, from, inside?.start);
      tokens = lexed.tokens;
      lexedBy = state.dialect;
    }
    const skip = tokens.findIndex((token) => !isSemicolon(token));
    if (skip < 0) break;
    tokens = tokens.slice(skip);
    const own = cut(tokens, state);
    const [first] = own;
    const last = own[own.length - 1];
    if (first === undefined || last === undefined) break;
    if (statements.length >= mostStatements) throw new Unreadable('the text holds too many statements', first.start);
    const analysis = analyseTokens(catalog, state, own, text);
    hintSettings(analysis, lexed.hints);
    if (analysis.forbidden !== undefined) return { result: { kind: 'forbidden', ...analysis.forbidden }, analyses: [] };
    const position = (offset: number | undefined) => (offset === undefined ? undefined : characters(text, offset) + 1);
    const reading = readingOf(analysis, own, shapeOf(own), position);
    const read: ReadStatement = { reading, start: first.start, end: last.end, barrier: analysis.barrier };
    const change = changesBy(analysis);
    changesOf.set(reading, change);
    statements.push(read);
    analyses.push(analysis);
    state = after(state, change, true);
    from = last.end;
    tokens = tokens.slice(own.length);
  }
  return { result: { kind: 'read', statements }, analyses };
}

/** What a statement changes once it has run. */
export interface Changes {
  readonly effects: readonly Effect[];
  readonly changesCatalog: boolean;
  /** What messages of the server may quote from now on; undefined where they are still those of the statement before. */
  readonly last: Sources | undefined;
}

const changesOf = new WeakMap<object, Changes>();
const noChanges: Changes = { effects: [], changesCatalog: false, last: noSources };

export function changesOfStatement(of: ReadStatement): Changes {
  return changesOf.get(of.reading) ?? noChanges;
}

/** A reading that is put together anew changes what its model does. */
export function sameChanges(of: object, as: object): void {
  changesOf.set(of, changesOf.get(as) ?? noChanges);
}

function changesBy(analysis: Analysis): Changes {
  const last = keepsLast.has(analysis)
    ? undefined
    : analysis.columns.size === 0
      ? noSources
      : quotable(analysis.columns);
  return { effects: [...analysis.effects], changesCatalog: analysis.changesCatalog, last };
}

/** The state behind a statement. One that failed has changed nothing but the messages there are. */
export function after(state: State, change: Changes, ok: boolean): State {
  let now = state;
  if (ok) for (const effect of change.effects) now = effect(now);
  const { last } = change;
  return last === undefined || last === now.last ? now : { ...now, last };
}

function isSemicolon(token: Token): boolean {
  return token.kind === 'operator' && token.text === ';';
}

/** The tokens of the first statement: up to its semicolon, or all of them where a program may hold semicolons. */
function cut(tokens: readonly Token[], state: State): readonly Token[] {
  if (isProgram(tokens, state)) {
    let end = tokens.length;
    while (end > 0 && isSemicolon(tokens[end - 1] as Token)) end--;
    return tokens.slice(0, end);
  }
  const end = tokens.findIndex(isSemicolon);
  return end < 0 ? tokens : tokens.slice(0, end);
}

const word = (token: Token | undefined): string => (token?.kind === 'word' ? token.text.toLowerCase() : '');

/** A compound statement, or the definition of a stored program: it must stand alone in its text. */
function isProgram(tokens: readonly Token[], state: State): boolean {
  const first = word(tokens[0]);
  if (first === 'begin') return state.dialect.mariadb && word(tokens[1]) === 'not';
  if (state.dialect.mariadb && /^(if|case|loop|while|repeat|for)$/.test(first)) return true;
  if (first !== 'create' && first !== 'alter') return false;
  for (const token of tokens.slice(1, 30)) {
    const text = word(token);
    if (/^(procedure|function|trigger|event|package)$/.test(text)) return true;
    if (/^(table|view|index|database|schema|user|role|server|sequence|tablespace)$/.test(text)) return false;
  }
  return false;
}

/** Parses and walks the tokens of one statement. */
function analyseTokens(
  catalog: Catalog,
  state: State,
  tokens: readonly Token[],
  text: string,
  options?: { readonly given: readonly Value[] | undefined; readonly depth: number },
): Analysis {
  const analysis = new Analysis(catalog, state);
  analysis.given = options?.given;
  analysis.depth = options?.depth ?? 0;
  analysis.assignsVariables = tokens.some((token) => token.text === ':=' || word(token) === 'into');
  const parameters = new Map<Token, number>();
  for (const token of tokens) if (token.kind === 'parameter') parameters.set(token, parameters.size);
  analysis.parameters = parameters;
  if (depthOf(tokens) > mostNested) throw new TooDeep();
  const mended = mend(analysis, tokens);
  if (mended.kind === 'done') return analysis;
  const parsed = parse(mended.tokens, state.dialect, mended.program ? 'program' : 'statement');
  if (parsed.kind === 'error') {
    if (classify(analysis, tokens)) return analysis;
    const at = parsed.near?.start ?? tokens[tokens.length - 1]?.end ?? 0;
    throw new Unreadable(syntaxError(text, at), at);
  }
  let returning: Tree | undefined;
  if (mended.returning !== undefined) {
    const list = parse(mended.returning, state.dialect, 'statement');
    if (list.kind === 'error') {
      const at = list.near?.start ?? 0;
      throw new Unreadable(syntaxError(text, at), at);
    }
    returning = selectListOf(list.tree);
  }
  if (mended.program) {
    analysis.verbs.add('do');
    analysis.inside = 1;
    walkBody(analysis, parsed.tree, new Scope(undefined));
    analysis.unread('dynamic-sql', 'BEGIN NOT ATOMIC', 'a block of statements may give any rows');
    analysis.outputs = undefined;
    return analysis;
  }
  let tree: Tree | undefined = parsed.tree;
  if (tree.kind === 'Query') tree = tree.kids[0];
  if (tree?.kind === 'SimpleStatement') tree = tree.kids[0];
  if (tree !== undefined) statement(analysis, tree, undefined, returning);
  for (const verb of mended.verbs) analysis.verbs.add(verb);
  return analysis;
}

/** The time the grammar takes grows with the square of the depth of parentheses; no application comes near this. */
const mostNested = 60;

function depthOf(tokens: readonly Token[]): number {
  let depth = 0;
  let deepest = 0;
  for (const token of tokens) {
    if (token.kind !== 'operator') continue;
    if (token.text === '(') deepest = Math.max(deepest, ++depth);
    else if (token.text === ')') depth--;
  }
  return deepest;
}

function selectListOf(tree: Tree): Tree | undefined {
  if (tree.kind === 'SelectItemList') return tree;
  for (const each of tree.kids) {
    const found = selectListOf(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads the one statement of a text that another statement brings along; a string says why it cannot be read. */
export function analyse(
  catalog: Catalog,
  state: State,
  text: string,
  options: { readonly given: readonly Value[] | undefined; readonly depth: number },
): Analysis | string {
  try {
    const { tokens, hints } = lex(text, state.dialect);
    const own = cut(tokens, state);
    if (own.length === 0) return 'it is empty';
    if (tokens.slice(own.length).some((token) => !isSemicolon(token))) return 'it holds several statements';
    const analysis = analyseTokens(catalog, state, own, text, options);
    hintSettings(analysis, hints);
    return analysis;
  } catch (error) {
    if (error instanceof TooDeep) throw error;
    return 'the grammar refuses it';
  }
}

/** How many characters (code points) stand before a UTF-16 offset. */
function characters(text: string, end: number): number {
  let count = 0;
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 0xdc00 || code > 0xdfff) count++;
  }
  return count;
}
