// Lineage of expressions: what a value depends on. Conditions are in conditions.ts, function calls in calls.ts.

import type { Analysis } from './analysis.ts';
import { aggregate, callNamed, jsonValue, nativeCall, windowCall } from './calls.ts';
import type { Column } from './catalog.ts';
import { compareValues, condition } from './conditions.ts';
import { query } from './queries.ts';
import { resolve, type Scope } from './scope.ts';
import { firstToken, has, kid, kidsOf, nameParts, operands, type Tree, tokensOf, words } from './tree.ts';
import {
  addChosen,
  chosenBy,
  constant,
  derive,
  derived,
  either,
  type How,
  nullValue,
  rootless,
  type Value,
} from './value.ts';
import { userVariable, variable } from './variables.ts';

const conditions: ReadonlySet<string> = new Set([
  'ExprOr',
  'ExprAnd',
  'ExprXor',
  'ExprNot',
  'ExprIs',
  'PrimaryExprCompare',
  'PrimaryExprAllAny',
  'PrimaryExprIsNull',
  'Predicate',
  'SimpleExprNot',
]);

/** Rules that only hold one expression or a list of them. */
const wrappers: ReadonlySet<string> = new Set([
  'SimpleExprList',
  'ExprListWithParentheses',
  'ExprWithParentheses',
  'SimpleExprWithParentheses',
  'ExprList',
  'UdfExprList',
  'UdfExpr',
  'SetExprOrDefault',
  'InSumExpr',
  'PrimaryExprPredicate',
  'SimpleExprLiteral',
]);

/** The value of an expression, with everything its parts steer recorded. */
export function evaluate(analysis: Analysis, tree: Tree | undefined, scope: Scope): Value {
  if (tree === undefined) return nullValue;
  analysis.enter();
  const value = read(analysis, tree, scope);
  analysis.leave();
  return value;
}

export function evaluateAll(analysis: Analysis, trees: readonly Tree[], scope: Scope): Value[] {
  return trees.map((tree) => evaluate(analysis, tree, scope));
}

export function allConstant(values: readonly Value[]): boolean {
  return values.every((value) => value.constants > 0);
}

function read(analysis: Analysis, tree: Tree, scope: Scope): Value {
  switch (tree.kind) {
    case 'INT_NUMBER':
    case 'LONG_NUMBER':
    case 'ULONGLONG_NUMBER':
    case 'DECIMAL_NUMBER':
    case 'FLOAT_NUMBER':
    case 'BoolLiteral':
    case 'TRUE':
    case 'FALSE':
      return constant('number');
    case 'SINGLE_QUOTED_TEXT':
    case 'DOUBLE_QUOTED_TEXT':
    case 'NCHAR_TEXT':
    case 'TextStringLiteral':
    case 'TextLiteral':
    case 'TextString':
    // Beside a text a hexadecimal or bit literal is a text, and a column of numbers is whole either way.
    case 'HEX_NUMBER':
    case 'BIN_NUMBER':
    case 'Literal':
      return constant('text');
    case 'TemporalLiteral':
      return constant('number');
    case 'PARAM_MARKER':
      return parameter(analysis, tree);
    case 'NullLiteral':
    case 'NULL':
    case 'NULL2':
      return nullValue;
    case 'DEFAULT':
    case 'SimpleExprDefault':
      return rootless;
    case 'SimpleExprColumnRef':
      return columnReference(analysis, tree, scope);
    case 'ColumnRef':
    case 'QualifiedIdentifier':
    case 'FieldIdentifier':
    case 'SimpleIdentifier':
      return column(analysis, tree, scope);
    case 'Variable':
      return variable(analysis, tree, scope);
    case 'UserVariable':
      return userVariable(analysis, tree);
    case 'BitExpr':
    case 'SimpleExprUnary':
      return arithmetic(analysis, tree, scope);
    case 'SimpleExprConcat': {
      const values = evaluateAll(analysis, operands(tree), scope);
      return allConstant(values) ? constant('text') : derive(values, 'text');
    }
    case 'SimpleExprBinary':
    case 'SimpleExprCollate':
    case 'SimpleExprConvertUsing': {
      const [value] = evaluateAll(analysis, operands(tree).slice(0, 1), scope);
      if (value === undefined || value.constants > 0) return { ...(value ?? rootless), kind: 'text' };
      return derive([value], 'text');
    }
    case 'SimpleExprCast':
    case 'SimpleExprConvert':
      return cast(analysis, tree, scope);
    case 'SimpleExprSubQuery':
      return subquery(analysis, tree, scope);
    case 'Subquery': {
      const result = query(analysis, tree, scope);
      return chosenBy(either(result.fields.map((field) => field.value)), result.rows);
    }
    case 'SimpleExprOdbc':
      return evaluate(analysis, operands(tree).at(-1), scope);
    case 'SimpleExprCase':
      return caseValue(analysis, tree, scope);
    case 'SimpleExprMatch':
      return match(analysis, tree, scope);
    case 'SimpleExprValues':
      return column(analysis, kid(tree, 'SimpleIdentifier') ?? tree.kids[2] ?? tree, scope);
    case 'SimpleExprInterval':
      return derive(evaluateAll(analysis, operands(tree), scope), 'number');
    case 'GroupingOperation':
      evaluateAll(analysis, operands(tree), scope);
      return rootless;
    case 'SumExpr':
    case 'JsonFunction':
      return aggregate(analysis, tree, scope);
    case 'WindowFunctionCall':
      return windowCall(analysis, tree, scope);
    case 'RuntimeFunctionCall':
    case 'GeometryFunction':
    case 'TrimFunction':
    case 'SubstringFunction':
      return nativeCall(analysis, tree, scope);
    case 'FunctionCall':
      return callNamed(analysis, tree, scope);
    default:
      if (wrappers.has(tree.kind)) return wrapped(analysis, tree, scope);
      if (conditions.has(tree.kind)) return truth(analysis, tree, scope);
      // A bare name that the grammar leaves without a wrapper.
      if (tree.token !== undefined && (tree.token.kind === 'word' || tree.token.kind === 'identifier'))
        return column(analysis, tree, scope);
      if (tree.kids.length === 1 && tree.kids[0] !== undefined) return evaluate(analysis, tree.kids[0], scope);
      analysis.unread('statement', tree.kind, `an expression of kind ${tree.kind} is not read`);
      return derive(evaluateAll(analysis, operands(tree), scope));
  }
}

function parameter(analysis: Analysis, tree: Tree): Value {
  const index = tree.token === undefined ? undefined : analysis.parameters.get(tree.token);
  if (analysis.given !== undefined) return analysis.given[index ?? 0] ?? constant('any');
  return index === undefined ? constant('any') : { ...constant('any'), parameters: [index] };
}

function wrapped(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const inner = operands(tree);
  const [only] = inner;
  if (inner.length === 1 && only !== undefined) return evaluate(analysis, only, scope);
  if (inner.length === 0 && tree.kids.length === 1) return rootless;
  const values = evaluateAll(analysis, inner, scope);
  return allConstant(values) ? constant('unknown', values.length || 1) : derive(values);
}

function columnReference(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const value = column(analysis, kid(tree, 'ColumnRef') ?? tree, scope);
  return has(tree, 'JsonOperator') ? jsonValue(analysis, [value], firstToken(tree)?.start) : value;
}

/** Values of a column by its written name. */
export function column(analysis: Analysis, tree: Tree, scope: Scope): Value {
  return columnByPath(analysis, nameParts(tree), scope, firstToken(tree)?.start);
}

export function columnByPath(
  analysis: Analysis,
  path: readonly string[],
  scope: Scope,
  offset: number | undefined,
): Value {
  const found = resolve(scope, path);
  if (found.kind === 'value') {
    analysis.note(found.value.sources);
    return found.value;
  }
  const name = path.join('.');
  if (found.kind === 'open') {
    analysis.unread('column', name, 'the table it belongs to is not known', offset);
    return rootless;
  }
  analysis.missed = true;
  analysis.missedNames.push(...path.slice(-2));
  const message = `Unknown column '${name}' in 'field list'`;
  analysis.unread('column', name, 'no column of this name is known', offset, { sqlstate: '42S22', message });
  return rootless;
}

function arithmetic(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const values = evaluateAll(analysis, operands(tree), scope);
  if (allConstant(values)) return constant('number');
  const divides = tree.kids.some((each) => /^(DIV_OPERATOR|MOD_OPERATOR|DIV|MOD)$/.test(each.kind));
  // A date past the last one is NULL, and a number past the largest an error.
  const shifts = tree.kids.some((each) => each.kind.startsWith('INTERVAL') || each.kind === 'SimpleExprInterval');
  const grows =
    shifts || !operands(tree).every((each, at) => (values[at]?.constants ?? 0) === 0 || isSmall(each, tree));
  values.forEach((value, at) => {
    converts(analysis, value, firstToken(tree)?.start);
    if (grows) analysis.use(value, 'argument', firstToken(tree)?.start);
    // Division by zero is told by NULL and a warning.
    if (divides && at > 0) analysis.use(value, 'argument', firstToken(tree)?.start);
  });
  return derive(values, 'number');
}

/** A literal so small that a number of any usual size does not overflow by it. */
function isSmall(operand: Tree, whole: Tree): boolean {
  const tokens = tokensOf(operand);
  const most = whole.kids.some((each) => each.kind === 'MULT_OPERATOR') ? 12 : 1_000_000;
  return (
    tokens.length === 1 &&
    tokens[0]?.kind === 'number' &&
    /^[\d.]+$/.test(tokens[0].text) &&
    Number(tokens[0].text) <= most
  );
}

/** A text that is taken for a number or a date: whether it fits is told by a warning or an error. */
export function converts(analysis: Analysis, value: Value, offset: number | undefined): void {
  if (value.kind !== 'number' && value.sources.size > 0) analysis.use(value, 'argument', offset);
}

/** DATE, TIMESTAMP, DATETIME and their newer forms, as the wire numbers types. */
const dates: ReadonlySet<number> = new Set([7, 10, 12, 14, 17, 18]);

function cast(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const [value] = evaluateAll(analysis, operands(tree).slice(0, 1), scope);
  const type = kid(tree, 'CastType');
  const text = has(type, 'CHAR') || has(type, 'BINARY') || has(type, 'Nchar');
  const kind = text ? 'text' : 'number';
  if (value === undefined || value.constants > 0) return constant(kind, value?.constants ?? 1);
  if (!text) converts(analysis, value, firstToken(tree)?.start);
  // A number that is no date gives NULL, one of too many digits a warning.
  const dated = ['DATE', 'DATETIME', 'TIME', 'YEAR'].some((word) => has(type, word));
  const digits = Number(tokensOf(type ?? tree).find((token) => token.kind === 'number')?.text ?? 65);
  const cut = (dated && ![...value.sources.keys()].every((source) => dates.has(source.type))) || (!text && digits < 10);
  if (cut && value.sources.size > 0) analysis.use(value, 'argument', firstToken(tree)?.start);
  return derive([value], kind);
}

/** A condition where a value is asked for: it tells of its columns as any computed value does. */
function truth(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const sources = condition(analysis, tree, scope);
  if (sources.size === 0) return constantCondition(analysis, tree, scope) ? constant('number') : rootless;
  const computed = new Map<Column, How>();
  for (const each of sources.keys()) computed.set(each, derived);
  return { ...rootless, sources: computed, kind: 'number' };
}

function constantCondition(analysis: Analysis, tree: Tree, scope: Scope): boolean {
  const parts = operands(tree).filter((each) => !each.kind.startsWith('PredicateExpr'));
  return (
    parts.length > 0 &&
    tree.kind !== 'Predicate' &&
    parts.every((part) => evaluate(analysis, part, scope).constants > 0)
  );
}

function subquery(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const result = query(analysis, kid(tree, 'Subquery'), scope);
  if (has(tree, 'EXISTS')) return chosenBy(rootless, result.rows);
  const [first] = result.fields;
  if (result.fields.length > 1) return chosenBy(derive(result.fields.map((field) => field.value)), result.rows);
  return chosenBy({ ...(first?.value ?? rootless), constants: 0 }, result.rows);
}

function caseValue(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const rows = new Map<Column, How>();
  const values: Value[] = [];
  const subject = operands(tree).find((each) => !/^(When|Then|Else)Expression$/.test(each.kind));
  const tested = subject === undefined ? undefined : evaluate(analysis, subject, scope);
  for (const when of kidsOf(tree, 'WhenExpression')) {
    const test = when.kids[1];
    if (tested === undefined) addChosen(rows, condition(analysis, test, scope));
    else compareValues(analysis, 'equality', tested, evaluate(analysis, test, scope), firstToken(when)?.start, rows);
  }
  for (const arm of [...kidsOf(tree, 'ThenExpression'), ...kidsOf(tree, 'ElseExpression')])
    values.push(evaluate(analysis, arm.kids[1], scope));
  if (!has(tree, 'ElseExpression')) values.push(nullValue);
  return allConstant(values) && rows.size === 0 ? rootless : either(values, rows);
}

function match(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const offset = firstToken(tree)?.start;
  const columns = nameLists(kid(tree, 'IdentListArg')).map((path) => columnByPath(analysis, path, scope, offset));
  const others = evaluateAll(
    analysis,
    operands(tree).filter((each) => each.kind !== 'IdentListArg'),
    scope,
  );
  for (const value of [...columns, ...others]) analysis.use(value, 'pattern', offset);
  return derive([...columns, ...others], 'number');
}

/** Names of a list that is separated by commas. */
export function nameLists(tree: Tree | undefined): string[][] {
  const names: string[][] = [];
  let path: string[] = [];
  for (const token of tokensOf(tree)) {
    if (token.kind !== 'operator') path.push(token.text);
    else if (token.text === ',' || token.text === ')') {
      if (path.length > 0) names.push(path);
      path = [];
    }
  }
  if (path.length > 0) names.push(path);
  return names;
}

export { words };
