// Whether a condition restricts the rows it stands over: `WHERE 1 = 1`, `WHERE id = id` and the like do not.
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { resolve, type Scope } from './scope.ts';
import { chain, everyTree, has, kid, kidsOf, nameParts, operands, type Tree, words } from './tree.ts';

export interface Restriction {
  readonly restricts: boolean;
  readonly why: string;
}

const yes: Restriction = { restricts: true, why: '' };
const no = (why: string): Restriction => ({ restricts: false, why });

/** Alternatives are compared each with each. */
const mostAlternatives = 200;

/** Says whether a condition restricts; it must depend on a column of the tables written to. */
export function restricts(
  analysis: Analysis,
  tree: Tree,
  scope: Scope,
  targets: ReadonlySet<unknown>,
  negated = false,
): Restriction {
  const truth = fold(tree);
  if (truth !== undefined) {
    analysis.boundSensitive = true;
    return isTrue(truth) !== negated ? no(`${negated ? 'NOT ' : ''}${shown(tree)} is always true`) : yes;
  }
  const inner = operands(tree);
  switch (tree.kind) {
    case 'ExprNot':
    case 'SimpleExprNot':
      return inner[0] === undefined ? yes : restricts(analysis, inner[0], scope, targets, !negated);
    case 'SimpleExprList':
    case 'ExprList':
      return inner.length === 1 && inner[0] !== undefined
        ? restricts(analysis, inner[0], scope, targets, negated)
        : mentions(tree, scope, targets);
    case 'ExprIs': {
      const [arg] = inner;
      const positive = has(tree, 'TRUE') !== has(tree, 'NotRule');
      if (arg === undefined || has(tree, 'UNKNOWN')) return mentions(tree, scope, targets);
      return restricts(analysis, arg, scope, targets, positive ? negated : !negated);
    }
    case 'ExprAnd':
    case 'ExprOr': {
      const all = chain(tree).map((each) => restricts(analysis, each, scope, targets, negated));
      if ((tree.kind === 'ExprAnd') !== negated) return all.find((each) => each.restricts) ?? all[0] ?? yes;
      analysis.boundSensitive = true;
      const parts = alternatives(tree);
      if (parts.length > mostAlternatives) return no('it has too many alternatives to be looked at');
      if (complementary(parts)) return no('its alternatives cover every row');
      return all.find((each) => !each.restricts) ?? yes;
    }
    case 'PrimaryExprIsNull': {
      const column = columnOf(inner[0], scope);
      const isNotNull = has(tree, 'NotRule') !== negated;
      if (isNotNull && column?.notNull === true) return no(`${column.name} is never NULL`);
      return mentions(tree, scope, targets);
    }
    case 'PrimaryExprCompare':
      return comparison(analysis, tree, scope, targets, negated);
    case 'Predicate':
      return predicate(analysis, tree, scope, targets, negated);
    case 'SimpleExprColumnRef': {
      // A column by itself: only rows where it is not 0.
      return mentions(tree, scope, targets);
    }
    default:
      return mentions(tree, scope, targets);
  }
}

function comparison(
  analysis: Analysis,
  tree: Tree,
  scope: Scope,
  targets: ReadonlySet<unknown>,
  negated: boolean,
): Restriction {
  const [left, right] = operands(tree);
  const operator = words(kid(tree, 'CompOp'));
  if (left === undefined || right === undefined) return yes;
  if (words(left) === words(right)) {
    analysis.boundSensitive = true;
    const always = negated ? ['<>', '!=', '<', '>'] : ['=', '<=>', '<=', '>='];
    if (always.includes(operator)) return no(`${shown(left)} ${operator} ${shown(right)} compares a value with itself`);
  }
  const [one, other] = [columnOf(left, scope), columnOf(right, scope)];
  if (!negated && /^(=|<=>|<=|>=)$/.test(operator) && one !== undefined && one === other)
    return no(`it compares ${one.name} with itself`);
  // Against the smallest or largest value there is, a comparison holds for all.
  const literal = fold(right);
  if (typeof literal === 'string' && literal === '' && !negated && operator === '>=') {
    analysis.boundSensitive = true;
    return no(`every text is >= ''`);
  }
  return mentions(tree, scope, targets);
}

function predicate(
  analysis: Analysis,
  tree: Tree,
  scope: Scope,
  targets: ReadonlySet<unknown>,
  negated: boolean,
): Restriction {
  const [subject] = tree.kids;
  const operation = tree.kids.find((each) => each.kind.startsWith('PredicateExpr'));
  const positive = !has(tree, 'NotRule') !== negated;
  if (positive && (operation?.kind === 'PredicateExprLike' || operation?.kind === 'PredicateExprRegex')) {
    const pattern = fold(operands(operation)[0]);
    if (typeof pattern === 'string') {
      analysis.boundSensitive = true;
      const every = operation.kind === 'PredicateExprLike' ? /^%+$/ : /^\^?(\.\*)?\$?$/;
      if (every.test(pattern)) return no('the pattern matches every value');
    }
  }
  if (positive && operation?.kind === 'PredicateExprIn') {
    const items = operands(kid(operation, 'ExprList') ?? operation);
    if (items.some((item) => words(item) === words(subject)))
      return no('a value is always among values that include it');
    const column = columnOf(subject, scope);
    if (column !== undefined && wholeColumn(kid(operation, 'Subquery'), column))
      return no('it asks whether the rows are among themselves');
  }
  return mentions(tree, scope, targets);
}

/** `(SELECT x FROM t)` without a condition, where x is of t. */
function wholeColumn(subquery: Tree | undefined, column: Column): boolean {
  let specification: Tree | undefined;
  let bounded = false;
  everyTree(subquery, (each) => {
    if (each.kind === 'QuerySpecification') specification ??= each;
    if (/^(WhereClause|LimitClause|HavingClause|JoinedTable)$/.test(each.kind)) bounded = true;
  });
  if (specification === undefined || bounded) return false;
  const from = nameParts(kid(specification, 'FromClause'));
  const selected = nameParts(kid(specification, 'SelectItemList'));
  return from.includes(column.table.name) && selected[selected.length - 1]?.toLowerCase() === column.name.toLowerCase();
}

/** Does a condition depend on a table that is written to? */
function mentions(tree: Tree, scope: Scope, targets: ReadonlySet<unknown>): Restriction {
  let found = false;
  everyTree(tree, (each) => {
    if (found || each.kind !== 'ColumnRef') return;
    const resolved = resolve(scope, nameParts(each));
    if (resolved.kind !== 'value') found = true;
    else for (const column of resolved.value.sources.keys()) if (targets.has(column.table)) found = true;
  });
  return found ? yes : no('it does not depend on the rows of the table');
}

function columnOf(tree: Tree | undefined, scope: Scope): Column | undefined {
  if (tree?.kind !== 'SimpleExprColumnRef' || has(tree, 'JsonOperator')) return undefined;
  const found = resolve(scope, nameParts(tree));
  if (found.kind !== 'value' || !found.value.pure) return undefined;
  const [first] = found.value.sources.keys();
  return first;
}

function alternatives(tree: Tree): readonly Tree[] {
  const inner = operands(tree);
  if (tree.kind === 'ExprOr') return chain(tree).flatMap(alternatives);
  const [only] = inner;
  if ((tree.kind === 'SimpleExprList' || tree.kind === 'ExprList') && inner.length === 1 && only !== undefined)
    return alternatives(only);
  return [tree];
}

/** `x IS NULL OR x IS NOT NULL`, `x = 1 OR x <> 1`, `a OR NOT a`. */
function complementary(parts: readonly Tree[]): boolean {
  return parts.some((one, at) => parts.slice(at + 1).some((other) => opposite(one, other) || opposite(other, one)));
}

const opposites: Readonly<Record<string, readonly string[]>> = {
  '=': ['<>', '!='],
  '<': ['>=', '>'],
  '>': ['<='],
  '<=': ['>', '>='],
  '>=': ['<'],
};

function opposite(one: Tree, other: Tree): boolean {
  const [left, right] = [operands(one), operands(other)];
  if (other.kind === 'ExprNot')
    return words(one) === words(right[0]) || words(one) === words(alternatives(right[0] ?? other)[0]);
  if (one.kind === 'PrimaryExprIsNull' && other.kind === one.kind)
    return has(one, 'NotRule') !== has(other, 'NotRule') && words(left[0]) === words(right[0]);
  if (one.kind === 'Predicate' && other.kind === one.kind)
    return has(one, 'NotRule') !== has(other, 'NotRule') && positiveWords(one) === positiveWords(other);
  if (one.kind !== 'PrimaryExprCompare' || other.kind !== one.kind || words(left[0]) !== words(right[0])) return false;
  const operators = [words(kid(one, 'CompOp')), words(kid(other, 'CompOp'))] as const;
  if (words(left[1]) === words(right[1]))
    return operators[0] === '<' && operators[1] === '>'
      ? false
      : (opposites[operators[0]]?.includes(operators[1]) ?? false);
  // `x < 5 OR x > 2`: together they cover every number.
  const [low, high] = [fold(left[1]), fold(right[1])];
  return /^<=?$/.test(operators[0]) && /^>=?$/.test(operators[1]) && typeof low === 'number' && typeof high === 'number'
    ? high < low
    : false;
}

function positiveWords(tree: Tree): string {
  return words({ ...tree, kids: tree.kids.filter((each) => each.kind !== 'NotRule') });
}

type Literal = string | number | null;

function isTrue(value: Literal): boolean {
  return (
    value !== null &&
    (typeof value === 'number'
      ? value !== 0
      : Number.parseFloat(value) !== 0 && !Number.isNaN(Number.parseFloat(value)))
  );
}

/** Computes an expression of literals; undefined where it is more than that. */
export function fold(tree: Tree | undefined): Literal | undefined {
  if (tree === undefined) return undefined;
  const inner = operands(tree);
  const [first] = inner;
  switch (tree.kind) {
    case 'INT_NUMBER':
    case 'LONG_NUMBER':
    case 'ULONGLONG_NUMBER':
    case 'DECIMAL_NUMBER':
    case 'FLOAT_NUMBER':
      return Number(tree.token?.text);
    case 'HEX_NUMBER':
      return Number.parseInt(tree.token?.text ?? '0', 16);
    case 'BoolLiteral':
      return words(tree) === 'true' ? 1 : 0;
    case 'NullLiteral':
      return null;
    case 'SINGLE_QUOTED_TEXT':
    case 'DOUBLE_QUOTED_TEXT':
      return tree.token?.text;
    case 'TextStringLiteral':
      return tree.kids[0] === undefined ? undefined : fold(tree.kids[0]);
    case 'SimpleExprList':
    case 'ExprList':
      return inner.length === 1 ? fold(first) : undefined;
    case 'SimpleExprUnary': {
      const value = fold(first);
      return typeof value === 'number' && has(tree, 'MINUS_OPERATOR')
        ? -value
        : has(tree, 'PLUS_OPERATOR')
          ? value
          : undefined;
    }
    case 'ExprNot':
    case 'SimpleExprNot': {
      const value = fold(first);
      return value === undefined ? undefined : value === null ? null : isTrue(value) ? 0 : 1;
    }
    case 'ExprIs': {
      const value = fold(first);
      if (value === undefined) return undefined;
      const positive = has(tree, 'UNKNOWN') ? value === null : value !== null && isTrue(value) === has(tree, 'TRUE');
      return positive !== has(tree, 'NotRule') ? 1 : 0;
    }
    case 'ExprAnd':
    case 'ExprOr':
      return foldLogic(tree.kind === 'ExprOr', chain(tree).map(fold));
    case 'PrimaryExprIsNull': {
      const value = fold(first);
      return value === undefined ? undefined : (value === null) !== has(tree, 'NotRule') ? 1 : 0;
    }
    case 'PrimaryExprCompare':
      return foldComparison(words(kid(tree, 'CompOp')), fold(first), fold(inner[1]));
    case 'BitExpr':
      return foldArithmetic(tree, inner);
    case 'Predicate':
      return foldPredicate(tree);
    case 'SimpleExprSubQuery':
      return foldSubquery(tree);
    case 'RuntimeFunctionCall':
      return /^(coalesce|if)$/i.test(tree.kids[0]?.token?.text ?? '') ? foldCall(tree) : undefined;
    default:
      return undefined;
  }
}

function foldLogic(isOr: boolean, values: readonly (Literal | undefined)[]): Literal | undefined {
  const decided = values.some((value) => value !== undefined && value !== null && isTrue(value) === isOr);
  if (decided) return isOr ? 1 : 0;
  if (values.some((value) => value === undefined)) return undefined;
  return values.some((value) => value === null) ? null : isOr ? 0 : 1;
}

function foldComparison(operator: string, left: Literal | undefined, right: Literal | undefined): Literal | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (operator === '<=>') return left === right ? 1 : 0;
  if (left === null || right === null) return null;
  const numeric = typeof left === 'number' || typeof right === 'number';
  const number = (value: string | number) => (typeof value === 'number' ? value : Number.parseFloat(value) || 0);
  const [a, b] = numeric ? [number(left), number(right)] : [String(left).toLowerCase(), String(right).toLowerCase()];
  const results: Readonly<Record<string, boolean>> = {
    '=': a === b,
    '<>': a !== b,
    '!=': a !== b,
    '<': a < b,
    '>': a > b,
    '<=': a <= b,
    '>=': a >= b,
  };
  const result = results[operator];
  return result === undefined ? undefined : result ? 1 : 0;
}

function foldArithmetic(tree: Tree, inner: readonly Tree[]): Literal | undefined {
  const [left, right] = inner.map(fold);
  if (typeof left !== 'number' || typeof right !== 'number' || has(tree, 'INTERVAL')) return undefined;
  switch (tree.kids[1]?.token?.text) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? null : left / right;
    case '|':
      return left | right;
    case '&':
      return left & right;
    default:
      return undefined;
  }
}

function foldPredicate(tree: Tree): Literal | undefined {
  const operation = tree.kids.find((each) => each.kind.startsWith('PredicateExpr'));
  const left = fold(tree.kids[0]);
  if (operation === undefined || left === undefined) return undefined;
  const not = has(tree, 'NotRule');
  const values = operands(kid(operation, 'ExprList') ?? operation).map(fold);
  if (left === null || values.length === 0 || values.some((value) => value === undefined || value === null))
    return undefined;
  let result: boolean;
  if (operation.kind === 'PredicateExprIn') result = values.some((value) => foldComparison('=', left, value) === 1);
  else if (operation.kind === 'PredicateExprBetween')
    result = foldComparison('>=', left, values[0]) === 1 && foldComparison('<=', left, values[1]) === 1;
  else if (operation.kind === 'PredicateExprLike' && /^[^%_\\]*%?$/.test(String(values[0]))) {
    const pattern = String(values[0]).toLowerCase();
    result = pattern.endsWith('%')
      ? String(left).toLowerCase().startsWith(pattern.slice(0, -1))
      : String(left).toLowerCase() === pattern;
  } else return undefined;
  return result !== not ? 1 : 0;
}

/** `EXISTS (SELECT 1)` and `(SELECT 1)`. */
function foldSubquery(tree: Tree): Literal | undefined {
  let specification: Tree | undefined;
  let more = false;
  everyTree(tree, (each) => {
    if (each.kind === 'QuerySpecification') {
      if (specification !== undefined) more = true;
      specification ??= each;
    }
    if (/^(FromClause|WhereClause|LimitClause|HavingClause|GroupByClause)$/.test(each.kind)) more = true;
  });
  if (specification === undefined || more) return undefined;
  if (has(tree, 'EXISTS')) return 1;
  const items = kidsOf(kid(specification, 'SelectItemList'), 'SelectItem');
  return items.length === 1 ? fold(items[0]?.kids[0]) : undefined;
}

function foldCall(tree: Tree): Literal | undefined {
  const name = tree.kids[0]?.token?.text.toLowerCase();
  const args =
    name === 'if'
      ? operands({ ...tree, kids: tree.kids.slice(1) })
      : operands(kid(kid(tree, 'ExprListWithParentheses'), 'ExprList') ?? tree);
  const values = args.map(fold);
  if (values.some((value) => value === undefined)) return undefined;
  if (name === 'coalesce') return values.find((value) => value !== null) ?? null;
  const [test, yesValue, noValue] = values;
  return test !== undefined && test !== null && isTrue(test) ? yesValue : noValue;
}

function shown(tree: Tree): string {
  const value = fold(tree);
  if (typeof value === 'number') return words(tree).replace(/'[^']*'|"[^"]*"/g, '...');
  if (tree.kind === 'SimpleExprColumnRef') return words(tree).replaceAll(' ', '');
  return value === undefined || typeof value === 'string' ? '...' : String(value);
}
