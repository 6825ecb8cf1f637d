// Queries as rows of known lineage: SELECT, UNION and its kin, WITH.
import type { UseKind } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { windowSources } from './calls.ts';
import type { Column } from './catalog.ts';
import { condition } from './conditions.ts';
import { evaluate } from './expressions.ts';
import { fromList } from './from.ts';
import { intoClause } from './into.ts';
import { allFields, type Cte, itemsNamed, outside, Scope } from './scope.ts';
import { firstToken, has, kid, kidsOf, nameParts, operands, sourceText, type Tree, tokensOf } from './tree.ts';
import {
  addChosen,
  chosenBy,
  either,
  type Field,
  type How,
  noSources,
  rootless,
  type Sources,
  sameSources,
  type Value,
} from './value.ts';

export interface QueryResult {
  readonly fields: readonly Field[];
  /** What decides which rows come out; `fields` do not repeat it. */
  readonly rows: Sources;
  /** Not all columns are known. */
  readonly open: boolean;
}

export const noRows: QueryResult = { fields: [], rows: noSources, open: false };

/** Reads a query in any of its wrappings. */
export function query(analysis: Analysis, tree: Tree | undefined, parent: Scope | undefined): QueryResult {
  if (tree === undefined) return noRows;
  analysis.enter();
  const result = read(analysis, tree, parent);
  analysis.leave();
  return result;
}

function read(analysis: Analysis, tree: Tree, parent: Scope | undefined): QueryResult {
  switch (tree.kind) {
    case 'QueryExpression':
      return queryExpression(analysis, tree, parent);
    case 'QueryExpressionBody':
      return body(analysis, tree, parent).result;
    case 'QuerySpecification':
      return specification(analysis, tree, parent).result;
    case 'SelectStatementWithInto': {
      const inner = tree.kids.find(
        (each) => each.kind === 'QueryExpression' || each.kind === 'SelectStatementWithInto',
      );
      const result = query(analysis, inner, parent);
      intoClause(analysis, kid(tree, 'IntoClause'), result);
      return result;
    }
    default: {
      const inner = tree.kids.find((each) => each.kids.length > 0);
      if (inner !== undefined && wrappers.has(tree.kind)) return query(analysis, inner, parent);
      analysis.unread('statement', tree.kind, `a query of kind ${tree.kind} is not read`);
      return { ...noRows, open: true };
    }
  }
}

const wrappers: ReadonlySet<string> = new Set([
  'SelectStatement',
  'QueryExpressionOrParens',
  'QueryExpressionParens',
  'Subquery',
  'ViewSelect',
]);

function queryExpression(analysis: Analysis, tree: Tree, parent: Scope | undefined): QueryResult {
  const scope = new Scope(parent);
  withClause(analysis, kid(tree, 'WithClause'), scope);
  const inner = kid(tree, 'QueryExpressionBody') ?? kid(tree, 'QueryExpressionParens');
  const read = inner?.kind === 'QueryExpressionBody' ? body(analysis, inner, scope) : undefined;
  const result = read?.result ?? query(analysis, inner, scope);
  const rows = new Map(result.rows);
  const order = kid(tree, 'OrderClause');
  if (order !== undefined) {
    const names = read?.scope ?? new Scope(scope);
    names.aliases = result.fields;
    orderBy(analysis, kid(order, 'OrderList'), 'order', result.fields, names, rows);
  }
  limit(analysis, kid(kid(tree, 'LimitClause'), 'LimitOptions'), scope, rows);
  if (has(tree, 'ProcedureAnalyseClause'))
    analysis.sideDoor('PROCEDURE ANALYSE', 'it shows the smallest and largest value of each column');
  if (has(tree, 'LockingClause')) analysis.verbs.add('lock');
  return { ...result, rows };
}

/** Makes the WITH queries of a statement known to its scope. */
export function withClause(analysis: Analysis, clause: Tree | undefined, scope: Scope): void {
  if (clause === undefined) return;
  const recursive = has(clause, 'RECURSIVE');
  for (const each of kidsOf(clause, 'CommonTableExpression')) {
    const name = nameParts(each.kids[0]).pop() ?? '';
    const names = nameParts(kid(each, 'ColumnInternalRefList'));
    const tree = kid(each, 'Subquery');
    const cte = recursive
      ? recursiveCte(analysis, tree, name, names, scope)
      : cteOf(query(analysis, tree, scope), names);
    scope.ctes.set(name.toLowerCase(), cte);
  }
}

function cteOf(result: QueryResult, names: readonly string[]): Cte {
  const fields = result.fields.map((field, at) => ({
    name: names[at] ?? field.name,
    value: chosenBy({ ...field.value, constants: 0 }, result.rows),
  }));
  return { fields, open: result.open };
}

/** A recursive query is read again until its columns' sources no longer grow; it begins as its first part. */
function recursiveCte(
  analysis: Analysis,
  tree: Tree | undefined,
  name: string,
  names: readonly string[],
  scope: Scope,
): Cte {
  const inner = new Scope(scope);
  const parts = unionParts(tree);
  const [first] = parts;
  if (first === undefined || parts.length < 2) return cteOf(query(analysis, tree, scope), names);
  let now = cteOf(query(analysis, first, inner), names);
  for (let round = 0; round < 40; round++) {
    inner.ctes.set(name.toLowerCase(), now);
    const next = cteOf(query(analysis, tree, inner), names);
    const stable = next.fields.every((field, at) => {
      const before = now.fields[at]?.value;
      return (
        before !== undefined && before.pure === field.value.pure && sameSources(before.sources, field.value.sources)
      );
    });
    now = next;
    if (stable) break;
  }
  return now;
}

/** The queries that a UNION puts together, in order; the leftmost first. */
function unionParts(tree: Tree | undefined): Tree[] {
  let at = tree;
  while (at !== undefined && at.kind !== 'QueryExpressionBody' && at.kind !== 'QuerySpecification')
    at = at.kids.find((each) => each.kids.length > 0 && each.kind !== 'WithClause');
  if (at === undefined || at.kind === 'QuerySpecification') return at === undefined ? [] : [at];
  const parts = at.kids.filter((each) => /^Query(ExpressionBody|ExpressionParens|Specification)$/.test(each.kind));
  return parts.flatMap((part) => (part.kind === 'QueryExpressionBody' ? unionParts(part) : [part]));
}

/** A body is one SELECT, whose scope ORDER BY sees, or several put together. */
function body(
  analysis: Analysis,
  tree: Tree,
  parent: Scope | undefined,
): { result: QueryResult; scope: Scope | undefined } {
  const [only] = tree.kids;
  if (tree.kids.length === 1 && only?.kind === 'QuerySpecification') return specification(analysis, only, parent);
  const parts: Tree[] = [];
  let plain = true;
  // A chain leans to the left; it is taken apart without recursion.
  for (let at: Tree | undefined = tree; at !== undefined; ) {
    const sides: readonly Tree[] = at.kids.filter((each) => /^Query/.test(each.kind));
    const operator = at.kids.find((each) => each.kind === 'UNION')?.token?.raw.toLowerCase();
    if (sides.length > 1 && (operator !== 'union' || !has(kid(at, 'UnionOption'), 'ALL'))) plain = false;
    const last = sides[sides.length - 1];
    if (last !== undefined) parts.push(last);
    const first: Tree | undefined = sides.length > 1 ? sides[0] : undefined;
    if (first !== undefined && first.kind !== 'QueryExpressionBody') parts.push(first);
    at = first?.kind === 'QueryExpressionBody' ? first : undefined;
  }
  const results = parts.reverse().map((part) => query(analysis, part, parent));
  const rows = new Map<Column, How>();
  for (const result of results) addChosen(rows, result.rows);
  const fields = (results[0]?.fields ?? []).map((field, at) => {
    const values = results.map((result) => result.fields[at]?.value ?? rootless);
    if (!plain) for (const value of values) analysis.use(value, 'set-operation');
    return { name: field.name, value: { ...either(values), constants: 0 } };
  });
  if (!plain) for (const field of fields) addChosen(rows, field.value.sources);
  return { result: { fields, rows, open: results.some((result) => result.open) }, scope: undefined };
}

function specification(
  analysis: Analysis,
  tree: Tree,
  parent: Scope | undefined,
): { result: QueryResult; scope: Scope } {
  analysis.verbs.add('select');
  const scope = new Scope(parent);
  const rows = new Map<Column, How>();
  fromList(analysis, kid(kid(tree, 'FromClause'), 'TableReferenceList'), scope, rows);
  addChosen(rows, condition(analysis, kid(tree, 'WhereClause')?.kids[1], scope));
  const { fields, open } = selectList(analysis, kid(tree, 'SelectItemList'), scope);
  for (const definition of kidsOf(kid(tree, 'WindowClause'), 'WindowDefinition'))
    addChosen(rows, windowSources(analysis, kid(definition, 'WindowSpec'), scope));
  // The SELECT list is read by itself; what comes after may name its columns.
  const names = new Scope(scope.parent);
  names.items = scope.items;
  names.joined = scope.joined;
  names.variables = scope.variables;
  for (const [name, cte] of scope.ctes) names.ctes.set(name, cte);
  names.aliases = fields;
  orderBy(analysis, kid(kid(tree, 'GroupByClause'), 'OrderList'), 'group', fields, names, rows);
  addChosen(rows, condition(analysis, kid(tree, 'HavingClause')?.kids[1], names));
  const distinct = kidsOf(tree, 'SelectOption').some((option) =>
    tokensOf(option).some((token) => /^distinct(row)?$/i.test(token.text)),
  );
  if (distinct) {
    for (const field of fields) {
      analysis.use(field.value, 'distinct');
      addChosen(rows, field.value.sources);
    }
  }
  const result = { fields, rows, open };
  intoClause(analysis, kid(tree, 'IntoClause'), result);
  return { result, scope: names };
}

/** The output columns, stars expanded in the order in which the server expands them. */
export function selectList(
  analysis: Analysis,
  list: Tree | undefined,
  scope: Scope,
): { fields: Field[]; open: boolean } {
  const fields: Field[] = [];
  let open = false;
  const expand = (found: readonly Field[], unknown: boolean) => {
    for (const field of found) {
      analysis.note(field.value.sources);
      fields.push(field);
    }
    if (unknown) open = true;
  };
  for (const item of list?.kids ?? []) {
    if (item.token?.text === '*') {
      expand(
        allFields(scope),
        scope.items.some((each) => each.open),
      );
      continue;
    }
    if (item.kind !== 'SelectItem') continue;
    const wild = kid(item, 'TableWild');
    if (wild === undefined) {
      const [expression] = item.kids;
      const value = evaluate(analysis, expression, scope);
      fields.push({ name: outputName(analysis, item, expression), value });
      continue;
    }
    const path = tokensOf(wild)
      .filter((token) => token.kind !== 'operator')
      .map((token) => token.text);
    const found = itemsNamed(scope, path.length > 1 ? path[0] : undefined, path[path.length - 1] ?? '');
    if (found.length !== 1) {
      analysis.unread('rows', `${path.join('.')}.*`, 'the columns of this table are not known');
      open = true;
    }
    for (const each of found.slice(0, 1)) expand(each.fields, each.open);
  }
  if (open) analysis.unread('rows', '*', 'the columns of a table are not known');
  return { fields, open };
}

/** A column is named by its alias, its own name, or its text as written. */
function outputName(analysis: Analysis, item: Tree, expression: Tree | undefined): string {
  const alias = kid(item, 'SelectAlias');
  if (alias !== undefined) {
    const token = tokensOf(alias).pop();
    if (token?.kind === 'string') analysis.literalSensitive = true;
    return token?.text ?? '';
  }
  if (expression?.kind === 'SimpleExprColumnRef' && !has(expression, 'JsonOperator'))
    return nameParts(expression).pop() ?? '';
  return sourceText(expression);
}

function limit(analysis: Analysis, options: Tree | undefined, scope: Scope, rows: Map<Column, How>): void {
  for (const option of kidsOf(options, 'LimitOption')) {
    const [part] = option.kids;
    if (part?.token?.kind !== 'word' && part?.token?.kind !== 'identifier') continue;
    // A local variable of a routine.
    const value = scope.variable(nameParts(option));
    if (value !== undefined) steer(analysis, value, 'limit', rows, part.token.start);
  }
}

function steer(analysis: Analysis, value: Value, how: UseKind, rows: Map<Column, How>, offset?: number): void {
  analysis.use(value, how, offset);
  addChosen(rows, value.sources);
}

/** ORDER BY and GROUP BY: by position, by name or by expression. */
function orderBy(
  analysis: Analysis,
  list: Tree | undefined,
  how: UseKind,
  fields: readonly Field[],
  scope: Scope,
  rows: Map<Column, How>,
): void {
  for (const item of kidsOf(list, 'OrderExpression')) {
    const offset = firstToken(item)?.start;
    const expression = bare(item.kids[0]);
    const token = expression?.kids.length === 0 ? expression.token : undefined;
    if (token?.kind === 'number' || token?.kind === 'parameter' || expression?.kind === 'BoolLiteral') {
      analysis.literalSensitive = true;
      const at = token?.kind === 'number' && /^\d+$/.test(token.text) ? Number(token.text) : 0;
      // A bound parameter counts as a position in MariaDB: it may be any.
      const meant = at > 0 ? fields.slice(at - 1, at) : fields;
      for (const field of meant) steer(analysis, field.value, how, rows, offset);
      continue;
    }
    steer(analysis, evaluate(analysis, expression, scope), how, rows, offset);
  }
}

/** Without parentheses and plus signs, which the server's grammar drops as well. */
function bare(tree: Tree | undefined): Tree | undefined {
  let at = tree;
  for (;;) {
    const inner = at === undefined ? [] : operands(at);
    const single = at?.kind === 'SimpleExprList' || at?.kind === 'ExprList' || at?.kind === 'SimpleExprUnary';
    if (!single || inner.length !== 1 || has(at, 'MINUS_OPERATOR') || has(at, 'BITWISE_NOT_OPERATOR')) return at;
    at = inner[0];
  }
}

export { orderBy, outside };
