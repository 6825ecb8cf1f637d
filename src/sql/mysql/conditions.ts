// Conditions: which columns steer what, and in which way. Equality is granted narrowly; the rest is named.
import type { UseKind } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { type Column, isText } from './catalog.ts';
import { evaluate, evaluateAll } from './expressions.ts';
import { query } from './queries.ts';
import type { Scope } from './scope.ts';
import { chain, firstToken, has, kid, operands, type Tree, words } from './tree.ts';
import { addChosen, chosen, constant, type How, rootless, type Sources, type Value } from './value.ts';

const comparisons: Readonly<Record<string, UseKind>> = {
  '=': 'equality',
  '<=>': 'equality',
  '<>': 'equality',
  '!=': 'equality',
  '<': 'range',
  '>': 'range',
  '<=': 'range',
  '>=': 'range',
};

/** Reads a condition: records how its columns are used and says which ones decide. */
export function condition(analysis: Analysis, tree: Tree | undefined, scope: Scope): Sources {
  const sources = new Map<Column, How>();
  if (tree !== undefined) decide(analysis, tree, scope, sources);
  return sources;
}

function decide(analysis: Analysis, tree: Tree, scope: Scope, into: Map<Column, How>): void {
  analysis.enter();
  const offset = firstToken(tree)?.start;
  switch (tree.kind) {
    case 'ExprOr':
    case 'ExprAnd':
    case 'ExprXor':
      for (const each of chain(tree)) decide(analysis, each, scope, into);
      break;
    case 'ExprNot':
    case 'ExprIs':
    case 'SimpleExprNot':
    case 'SimpleExprList':
      for (const each of operands(tree)) decide(analysis, each, scope, into);
      break;
    case 'ExprList':
      for (const each of operands(tree)) decide(analysis, each, scope, into);
      break;
    case 'PrimaryExprIsNull':
      compareValues(analysis, 'equality', evaluate(analysis, operands(tree)[0], scope), constant('any'), offset, into);
      break;
    case 'PrimaryExprCompare': {
      const [left, right] = operands(tree);
      const operator = words(kid(tree, 'CompOp'));
      compareTrees(analysis, comparisons[operator] ?? 'computed', left, right, scope, offset, into);
      break;
    }
    case 'PrimaryExprAllAny': {
      const operator = words(kid(tree, 'CompOp'));
      const left = evaluate(analysis, operands(tree)[0], scope);
      const result = query(analysis, kid(tree, 'Subquery'), scope);
      addChosen(into, result.rows);
      const right = { ...(result.fields[0]?.value ?? rootless), constants: 0 };
      compareValues(analysis, comparisons[operator] ?? 'computed', left, right, offset, into);
      break;
    }
    case 'Predicate':
      predicate(analysis, tree, scope, into);
      break;
    case 'SimpleExprSubQuery': {
      const result = query(analysis, kid(tree, 'Subquery'), scope);
      addChosen(into, result.rows);
      if (!has(tree, 'EXISTS'))
        for (const field of result.fields) steer(analysis, field.value, 'computed', offset, into);
      break;
    }
    case 'SimpleExprColumnRef':
      if (has(tree, 'JsonOperator')) steer(analysis, evaluate(analysis, tree, scope), 'computed', offset, into);
      // A column by itself is `column <> 0`: for a text the beginning of it.
      else compareValues(analysis, 'equality', evaluate(analysis, tree, scope), constant('number'), offset, into);
      break;
    default:
      steer(analysis, evaluate(analysis, tree, scope), 'computed', offset, into);
  }
  analysis.leave();
}

function steer(
  analysis: Analysis,
  value: Value,
  how: UseKind,
  offset: number | undefined,
  into: Map<Column, How>,
): void {
  analysis.use(value, how, offset);
  addChosen(into, value.sources);
}

function rowItems(tree: Tree | undefined): readonly Tree[] | undefined {
  if (tree?.kind !== 'SimpleExprList') return undefined;
  const list = kid(tree, 'ExprList');
  const items = operands(list ?? tree);
  return items.length > 1 ? items : undefined;
}

function compareTrees(
  analysis: Analysis,
  how: UseKind,
  left: Tree | undefined,
  right: Tree | undefined,
  scope: Scope,
  offset: number | undefined,
  into: Map<Column, How>,
): void {
  const [lefts, rights] = [rowItems(left), rowItems(right)];
  if (lefts !== undefined && rights !== undefined && lefts.length === rights.length) {
    lefts.forEach((each, at) => {
      compareTrees(analysis, how, each, rights[at], scope, offset, into);
    });
    return;
  }
  compareValues(analysis, how, evaluate(analysis, left, scope), evaluate(analysis, right, scope), offset, into);
}

function predicate(analysis: Analysis, tree: Tree, scope: Scope, into: Map<Column, How>): void {
  const offset = firstToken(tree)?.start;
  const [first] = tree.kids;
  const operation = tree.kids.find((each) => each.kind.startsWith('PredicateExpr'));
  if (operation === undefined) {
    // SOUNDS LIKE, MEMBER OF.
    const values = evaluateAll(analysis, operands(tree), scope);
    for (const value of values) steer(analysis, value, 'pattern', offset, into);
    return;
  }
  if (operation.kind === 'PredicateExprIn') {
    const sub = kid(operation, 'Subquery');
    if (sub !== undefined) {
      const result = query(analysis, sub, scope);
      addChosen(into, result.rows);
      const lefts = rowItems(first);
      const parts = lefts ?? (first === undefined ? [] : [first]);
      parts.forEach((part, at) => {
        const right = { ...(result.fields[at]?.value ?? rootless), constants: 0 };
        compareValues(analysis, 'equality', evaluate(analysis, part, scope), right, offset, into);
      });
      return;
    }
    const items = operands(kid(operation, 'ExprList') ?? operation);
    if (rowItems(first) !== undefined) {
      for (const item of items) compareTrees(analysis, 'equality', first, item, scope, offset, into);
      return;
    }
    const left = evaluate(analysis, first, scope);
    let constants = 0;
    let kind: Value['kind'] = 'any';
    const parameters: number[] = [];
    for (const item of items) {
      const right = evaluate(analysis, item, scope);
      if (right.constants > 0) {
        constants += right.constants;
        parameters.push(...(right.parameters ?? []));
        if (right.kind !== 'any') kind = kind === 'any' || kind === right.kind ? right.kind : 'unknown';
      } else compareValues(analysis, 'equality', left, right, offset, into);
    }
    if (constants > 0)
      compareValues(
        analysis,
        'equality',
        left,
        { ...constant(kind, constants), ...(parameters.length === 0 ? {} : { parameters }) },
        offset,
        into,
      );
    return;
  }
  const how: UseKind = operation.kind === 'PredicateExprBetween' ? 'range' : 'pattern';
  const values = [evaluate(analysis, first, scope), ...evaluateAll(analysis, operands(operation), scope)];
  for (const value of values) steer(analysis, value, how, offset, into);
}

/** `left op right`: who meets what, uncomputed. */
export function compareValues(
  analysis: Analysis,
  how: UseKind,
  left: Value,
  right: Value,
  offset: number | undefined,
  into: Map<Column, How>,
): void {
  if (how !== 'equality') {
    steer(analysis, left, how, offset, into);
    steer(analysis, right, how, offset, into);
    return;
  }
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (one.sources.size === 0) continue;
    addChosen(into, one.sources);
    for (const [column, kind] of one.sources) {
      if (kind === chosen) continue;
      if (!one.pure) analysis.uses.push({ column, how: 'computed', offset });
      // '123-45-6789' = 123 is true: against a number a text shows how it begins.
      else if (other.constants > 0 && isText(column.type) && other.kind !== 'text' && other.kind !== 'any')
        analysis.uses.push({ column, how: 'computed', offset });
      else if (other.constants > 0) {
        const texts = isText(column.type) ? other.parameters : undefined;
        const met = texts === undefined ? {} : { textParameters: texts };
        analysis.uses.push({ column, how: 'equality', constants: other.constants, offset, ...met });
      } else if (other.pure && plain(other.sources).some((met) => isText(met.type) !== isText(column.type)))
        analysis.uses.push({ column, how: 'computed', offset });
      else if (other.pure) analysis.uses.push({ column, how: 'equality', with: plain(other.sources), offset });
      else analysis.uses.push({ column, how: 'join', offset });
    }
  }
}

function plain(sources: Sources): Column[] {
  return [...sources].flatMap(([column, how]) => (how === chosen ? [] : [column]));
}
