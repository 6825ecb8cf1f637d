// The syntax tree as the walkers see it: kinds by the grammar's own rule names, leaves hold their token.
import type { Token } from './lexer.ts';

export interface Tree {
  /** Rule or labelled alternative (`SimpleExprCase`); for a leaf the token's name (`SELECT`). */
  readonly kind: string;
  readonly kids: readonly Tree[];
  readonly token: Token | undefined;
}

const none: readonly Tree[] = [];

export function leaf(kind: string, token: Token | undefined): Tree {
  return { kind, kids: none, token };
}

/** The first child of a kind. */
export function kid(tree: Tree | undefined, kind: string): Tree | undefined {
  if (tree === undefined) return undefined;
  for (const each of tree.kids) if (each.kind === kind) return each;
  return undefined;
}

export function kidsOf(tree: Tree | undefined, kind: string): readonly Tree[] {
  return tree === undefined ? none : tree.kids.filter((each) => each.kind === kind);
}

export function has(tree: Tree | undefined, kind: string): boolean {
  return kid(tree, kind) !== undefined;
}

/** Children that are no leaves of punctuation: operands of an expression. */
export function operands(tree: Tree): readonly Tree[] {
  return tree.kids.filter((each) => isExpression(each));
}

/** The operands of a chain of one operator, `a AND b AND c`, which leans to the left, without recursion. */
export function chain(tree: Tree): readonly Tree[] {
  const parts: Tree[] = [];
  let at = tree;
  for (;;) {
    const inner = operands(at);
    const [first] = inner;
    parts.push(...inner.slice(1).reverse());
    if (first === undefined) break;
    if (first.kind !== tree.kind) {
      parts.push(first);
      break;
    }
    at = first;
  }
  return parts.reverse();
}

const valueLeaves: ReadonlySet<string> = new Set([
  'PARAM_MARKER',
  'INT_NUMBER',
  'LONG_NUMBER',
  'ULONGLONG_NUMBER',
  'DECIMAL_NUMBER',
  'FLOAT_NUMBER',
  'HEX_NUMBER',
  'BIN_NUMBER',
  'NCHAR_TEXT',
  'SINGLE_QUOTED_TEXT',
]);

const notValues: ReadonlySet<string> = new Set([
  'CompOp',
  'NotRule',
  'Not2Rule',
  'CastType',
  'Charset',
  'CharsetName',
  'ArrayCast',
  'JsonOperator',
  'Interval',
  'IntervalTimeStamp',
  'DateTimeTtype',
  'TextOrIdentifier',
  'Parentheses',
  'FulltextOptions',
  'NullTreatment',
  'QualifiedIdentifier',
  'SelectAlias',
  'TextString',
  'TimeFunctionParameters',
  'FractionalPrecision',
  'WsNumCodepoints',
  'WeightStringLevels',
]);

export function isExpression(tree: Tree): boolean {
  if (tree.kids.length === 0) return valueLeaves.has(tree.kind);
  return !notValues.has(tree.kind);
}

export function firstToken(tree: Tree | undefined): Token | undefined {
  if (tree === undefined) return undefined;
  if (tree.token !== undefined) return tree.token;
  for (const each of tree.kids) {
    const found = firstToken(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function everyTree(tree: Tree | undefined, visit: (tree: Tree) => void): void {
  if (tree === undefined) return;
  visit(tree);
  for (const each of tree.kids) everyTree(each, visit);
}

export function tokensOf(tree: Tree | undefined): Token[] {
  const found: Token[] = [];
  everyTree(tree, (each) => {
    if (each.token !== undefined) found.push(each.token);
  });
  return found;
}

/** The text of a subtree for comparing two of them: names and literals, quotes aside. */
export function words(tree: Tree | undefined): string {
  return tokensOf(tree)
    .map((token) =>
      token.kind === 'identifier' ? token.text : token.kind === 'word' ? token.text.toLowerCase() : token.raw,
    )
    .join(' ');
}

/** A name as written, without its quotes: `a`, `a.b`, `a.b.c`; of a list in parentheses, its names. */
export function nameParts(tree: Tree | undefined): string[] {
  return tokensOf(tree)
    .filter((token) => token.kind !== 'operator')
    .map((token) => token.text);
}

/** The text of a subtree as the server names a column by it; blanks between tokens count as one. */
export function sourceText(tree: Tree | undefined): string {
  const [first, ...more] = tokensOf(tree);
  if (first?.kind === 'string' && more.length === 0) return first.text;
  let text = '';
  let end = -1;
  for (const token of tokensOf(tree)) {
    text += end < 0 || end === token.start ? token.raw : ` ${token.raw}`;
    end = token.end;
  }
  return text;
}
