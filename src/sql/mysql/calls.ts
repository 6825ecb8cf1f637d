// Function calls: the server's own by what is known of them, aggregates and windows; stored and loaded ones are opaque.
import type { Analysis } from './analysis.ts';
import {
  changingFunctions,
  comparingFunctions,
  isNative,
  jsonFunctions,
  measuringFunctions,
  namingFunctions,
  nullTelling,
  numericFunctions,
  opaqueFunctions,
  passingFunctions,
  textFunctions,
  totalFunctions,
} from './builtins.ts';
import type { Column } from './catalog.ts';
import { compareValues, condition } from './conditions.ts';
import { allConstant, converts, evaluate, evaluateAll } from './expressions.ts';
import { lookup } from './from.ts';
import { routineCall } from './programs.ts';
import type { Scope } from './scope.ts';
import { firstToken, has, kid, kidsOf, nameParts, operands, type Tree, tokensOf } from './tree.ts';
import {
  addChosen,
  chosen,
  chosenBy,
  constant,
  copied,
  derive,
  either,
  type How,
  nullValue,
  rootless,
  type Sources,
  type Value,
  type ValueKind,
} from './value.ts';

/** `name(...)` where the name is no keyword of the grammar. */
export function callNamed(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const path = nameParts(tree.kids[0]);
  const name = (path[path.length - 1] ?? '').toLowerCase();
  const offset = firstToken(tree)?.start;
  const list = kid(tree, 'UdfExprList') ?? kid(tree, 'ExprList');
  const args = list === undefined ? [] : operands(list);
  if (path.length > 1 || !isNative(name)) {
    const values = evaluateAll(analysis, args, scope);
    return routineCall(analysis, 'function', path, values, offset);
  }
  if (/^(nextval|lastval|setval)$/.test(name)) return sequenceCall(analysis, name, args, scope);
  // The first argument is a unit, which the grammar takes for a column where it does not know the name of the function.
  const plain = /^timestamp(diff|add)$/.test(name) ? args.slice(1) : args;
  return native(analysis, name, plain, scope, offset);
}

/** Functions whose names are keywords. */
export function nativeCall(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const [first] = tree.kids;
  const inner = tree.kids.find((each) => /^(Trim|Substring|Geometry)Function$/.test(each.kind));
  if (inner !== undefined) return nativeCall(analysis, inner, scope);
  const name = (first?.token?.text ?? '').toLowerCase();
  const args = tree.kids
    .slice(1)
    .flatMap((each) =>
      /^(Expr|ExprList|SimpleExpr)WithParentheses$|^ExprList$/.test(each.kind) ? unwrapped(each) : [each],
    )
    .filter((each) => operands({ kind: '', kids: [each], token: undefined }).length > 0);
  if (name === 'values') return either(evaluateAll(analysis, args, scope));
  return native(analysis, name, args, scope, firstToken(tree)?.start);
}

function unwrapped(tree: Tree): readonly Tree[] {
  const list = tree.kind === 'ExprList' ? tree : kid(tree, 'ExprList');
  return list === undefined ? operands(tree) : operands(list);
}

function native(
  analysis: Analysis,
  name: string,
  args: readonly Tree[],
  scope: Scope,
  offset: number | undefined,
): Value {
  analysis.functions.add(name);
  if (name === 'if') return conditional(analysis, args, scope);
  if (name === 'nvl2') {
    const rows = new Map<Column, How>();
    compareValues(analysis, 'equality', evaluate(analysis, args[0], scope), constant('any'), offset, rows);
    return either(evaluateAll(analysis, args.slice(1), scope), rows);
  }
  if (name === 'nullif') {
    const rows = new Map<Column, How>();
    const [left, right] = evaluateAll(analysis, args, scope);
    if (left === undefined || right === undefined) return rootless;
    compareValues(analysis, 'equality', left, right, offset, rows);
    return left.constants > 0 && right.constants > 0 ? constant(left.kind) : either([left, nullValue], rows);
  }
  const values = evaluateAll(analysis, args, scope);
  const opaque = opaqueFunctions.get(name);
  if (opaque !== undefined) analysis.unread('function', name, opaque, offset);
  if (name === 'load_file') analysis.verbs.add('file');
  if (/lock$|locks$/.test(name)) analysis.verbs.add('lock');
  // LAST_INSERT_ID(x) and names of locks keep what they are given where anyone can ask for it.
  if (name === 'last_insert_id' && values[0] !== undefined)
    analysis.flow(values[0].sources, { kind: 'place', what: 'variable' });
  if (/_lock$/.test(name)) for (const value of values) analysis.flow(value.sources, { kind: 'place', what: 'unknown' });
  const kind = resultKind(name, values);
  if (allConstant(values)) return changingFunctions.has(name) ? { ...rootless, kind } : constant(kind);
  if (passingFunctions.has(name)) return either(values);
  const telling = nullTelling.get(name);
  values.forEach((value, at) => {
    if (telling === -1 || telling === at) analysis.use(value, 'argument', offset);
  });
  if (jsonFunctions.has(name))
    return jsonValue(analysis, values, offset, /^json_(unquote|value)$/.test(name) ? 'text' : 'json');
  if (comparingFunctions.has(name)) for (const value of values) analysis.use(value, 'range', offset);
  else if (numericFunctions.has(name) || namingFunctions.has(name))
    for (const value of values) {
      if (totalFunctions.has(name)) converts(analysis, value, offset);
      else analysis.use(value, 'argument', offset);
    }
  else if (!textFunctions.has(name) && !measuringFunctions.has(name))
    for (const value of values) analysis.use(value, 'argument', offset);
  return derive(values, kind);
}

function resultKind(name: string, values: readonly Value[]): ValueKind {
  if (passingFunctions.has(name) || comparingFunctions.has(name)) return either(values).kind;
  if (/^json_(object|array|arrayagg|objectagg|quote)$/.test(name)) return 'json';
  if (textFunctions.has(name) || namingFunctions.has(name)) return 'text';
  if (numericFunctions.has(name) || measuringFunctions.has(name)) return 'number';
  return 'unknown';
}

function conditional(analysis: Analysis, args: readonly Tree[], scope: Scope): Value {
  const rows = condition(analysis, args[0], scope);
  const values = evaluateAll(analysis, args.slice(1), scope);
  return allConstant(values) && rows.size === 0 ? rootless : either(values, rows);
}

/** Something out of JSON: a whole column, or what came out of JSON, is taken to be JSON; anything else may fail to be. */
export function jsonValue(
  analysis: Analysis,
  values: readonly Value[],
  offset: number | undefined,
  kind: ValueKind = 'json',
): Value {
  values.forEach((value, at) => {
    if (at > 0 || (!value.pure && value.kind !== 'json')) analysis.use(value, 'argument', offset);
  });
  return derive(values, kind);
}

/** NEXTVAL(s), LASTVAL(s), SETVAL(s, n): the first argument names a sequence. */
function sequenceCall(analysis: Analysis, name: string, args: readonly Tree[], scope: Scope): Value {
  analysis.functions.add(name);
  if (name !== 'lastval') analysis.verbs.add('nextval');
  lookup(analysis, nameParts(args[0]), name === 'lastval' ? 'read' : 'write', firstToken(args[0])?.start);
  for (const value of evaluateAll(analysis, args.slice(1), scope))
    analysis.flow(value.sources, { kind: 'place', what: 'unknown' });
  return { ...rootless, kind: 'number' };
}

/** Aggregates, also over a window. */
export function aggregate(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const json = kid(tree, 'JsonFunction');
  if (json !== undefined) return aggregate(analysis, json, scope);
  const offset = firstToken(tree)?.start;
  const name = (tree.kids[0]?.token?.text ?? '').toLowerCase();
  analysis.functions.add(name);
  const rows = windowing(analysis, tree, scope);
  const lists = tree.kids.filter((each) => each.kind === 'InSumExpr' || each.kind === 'ExprList');
  const args = lists.flatMap((each) => (each.kind === 'ExprList' ? operands(each) : operands(each)));
  const values = evaluateAll(analysis, args, scope);
  const ordered = kid(kid(tree, 'OrderClause'), 'OrderList');
  for (const item of kidsOf(ordered, 'OrderExpression')) {
    const value = evaluate(analysis, operands(item)[0], scope);
    analysis.use(value, 'order', offset);
    addChosen(rows, value.sources);
  }
  if (name === 'count') return counted(analysis, values, rows, offset);
  if (has(tree, 'DISTINCT')) for (const value of values) analysis.use(value, 'distinct', offset);
  if (name === 'min' || name === 'max') {
    for (const value of values) analysis.use(value, 'min-max', offset);
    return derive(values, values[0]?.kind ?? 'unknown', rows);
  }
  if (name === 'group_concat' || name.startsWith('json_'))
    return derive(values, name === 'group_concat' ? 'text' : 'json', rows);
  for (const value of values) converts(analysis, value, offset);
  return derive(values, 'number', rows);
}

/** How many there are is no value of the column; what is computed from it may be. */
function counted(
  analysis: Analysis,
  values: readonly Value[],
  rows: Map<Column, How>,
  offset: number | undefined,
): Value {
  for (const value of values) {
    for (const [column, how] of value.sources) {
      if (how === copied) analysis.uses.push({ column, how: 'count', offset });
      else if (how > copied) analysis.uses.push({ column, how: 'computed', offset });
    }
    if (value.pure) addChosen(rows, value.sources);
    else for (const [column, how] of value.sources) if ((rows.get(column) ?? -1) < how) rows.set(column, how);
  }
  return { ...rootless, sources: rows, kind: 'number' };
}

/** OVER (...) of a call: what its partitions and order depend on. */
function windowing(analysis: Analysis, tree: Tree, scope: Scope): Map<Column, How> {
  const rows = new Map<Column, How>();
  const clause = kid(tree, 'WindowingClause');
  if (clause !== undefined) addChosen(rows, windowSources(analysis, kid(clause, 'WindowSpec'), scope));
  return rows;
}

export function windowSources(analysis: Analysis, spec: Tree | undefined, scope: Scope): Sources {
  const rows = new Map<Column, How>();
  const details = kid(spec, 'WindowSpecDetails');
  const lists = [kid(details, 'OrderList'), kid(kid(details, 'OrderClause'), 'OrderList')];
  for (const item of lists.flatMap((list) => [...kidsOf(list, 'OrderExpression')])) {
    const value = evaluate(analysis, operands(item)[0], scope);
    analysis.use(value, 'window', firstToken(item)?.start);
    addChosen(rows, value.sources);
  }
  return rows;
}

/** ROW_NUMBER, LAG and their kin. */
export function windowCall(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const name = (firstToken(tree)?.text ?? '').toLowerCase();
  analysis.functions.add(name);
  const rows = windowing(analysis, tree, scope);
  const parts = tree.kids.filter((each) => each.kind !== 'WindowingClause' && each.kind !== 'NullTreatment').slice(1);
  const args = parts.flatMap((each) =>
    each.kind === 'LeadLagInfo' || /WithParentheses$/.test(each.kind)
      ? operands(each)
      : operands({ kind: '', kids: [each], token: undefined }),
  );
  const values = evaluateAll(
    analysis,
    args.filter((each) => each.kind !== 'Real_ulonglong_number' && each.kind !== 'Ulonglong_number'),
    scope,
  );
  if (/^(lead|lag|first_value|last_value|nth_value)$/.test(name)) {
    const copies = name === 'nth_value' ? values.slice(0, 1) : values.filter((value, at) => at === 0 || !value.isNull);
    return { ...either(copies.length === 0 ? [rootless] : copies, rows), constants: 0 };
  }
  for (const value of values) analysis.use(value, 'argument', firstToken(tree)?.start);
  return { ...chosenBy(rootless, rows), kind: 'number' };
}

export { chosen, tokensOf };
