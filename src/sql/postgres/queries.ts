// Queries as rows of known lineage: SELECT, VALUES, set operations, WITH, and what writes inside them return.
import type { UseKind } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { windowSources } from './calls.ts';
import type { Column } from './catalog.ts';
import { condition } from './conditions.ts';
import { withQueries } from './ctes.ts';
import { evaluate } from './expressions.ts';
import { fromItems } from './from.ts';
import { outputName } from './names.ts';
import { bareColumn, type Item, Scope, wholeRow } from './scope.ts';
import { settingNamed } from './settings.ts';
import { as, kindOf, type Node, names, type SelectStmt } from './tree.ts';
import {
  addChosen,
  chosenBy,
  either,
  type Field,
  fieldOf,
  type How,
  noSources,
  rootless,
  rootlessOf,
  type Sources,
  type Value,
} from './value.ts';
import { writeStatement } from './writes.ts';

export interface QueryResult {
  readonly fields: readonly Field[];
  /** What decides which rows come out; `fields` do not repeat it. */
  readonly rows: Sources;
  /** Not all columns are known. */
  readonly open: boolean;
}

export const noRows: QueryResult = { fields: [], rows: noSources, open: false };

/** Reads a query where one can stand: SELECT, or a write with RETURNING inside WITH. */
export function query(analysis: Analysis, node: Node | undefined, parent: Scope | undefined): QueryResult {
  if (node === undefined) return noRows;
  analysis.enter();
  const select = as(node, 'SelectStmt');
  const result =
    select === undefined
      ? (writeStatement(analysis, node, parent) ?? unreadable(analysis, node))
      : selectStatement(analysis, select, parent);
  analysis.leave();
  return result;
}

function unreadable(analysis: Analysis, node: Node): QueryResult {
  analysis.unreadable('statement', kindOf(node), `a query of kind ${kindOf(node)} is not read`);
  return { ...noRows, open: true };
}

/** Fields with the rows' dependence added, under new names. */
export function renamed(result: QueryResult, aliases: readonly string[]): Field[] {
  return result.fields.map((field, at) => ({
    name: aliases[at] ?? field.name,
    value: inRows(field.value, result.rows),
  }));
}

function inRows(value: Value, rows: Sources): Value {
  const known = value.constants > 0 ? { ...value, constants: 0 } : value;
  return chosenBy(known, rows);
}

export function selectStatement(analysis: Analysis, select: SelectStmt, parent: Scope | undefined): QueryResult {
  analysis.enter();
  const scope = new Scope(parent);
  withQueries(analysis, select.withClause, scope);
  let result: QueryResult;
  if (select.op !== undefined && select.op !== 'SETOP_NONE') result = setOperation(analysis, select, scope);
  else if (select.valuesLists !== undefined) result = values(analysis, select, scope);
  else result = plainSelect(analysis, select, scope);
  result = limited(analysis, select, result, scope);
  analysis.leave();
  return result;
}

function values(analysis: Analysis, select: SelectStmt, scope: Scope): QueryResult {
  const rows = (select.valuesLists ?? []).map((list) =>
    (as(list, 'List')?.items ?? []).map((item) => evaluate(analysis, item, scope)),
  );
  const width = rows[0]?.length ?? 0;
  const fields = Array.from({ length: width }, (_, at) => {
    const column = rows.map((row) => row[at] ?? rootless);
    return { name: `column${at + 1}`, value: rows.length === 1 ? (column[0] ?? rootless) : listed(column) };
  });
  return ordered(analysis, select, { fields, rows: noSources, open: false }, scope);
}

function listed(column: readonly Value[]): Value {
  const value = either(column);
  if (column.some((row) => row.constants === 0)) return value;
  return { ...value, listed: column.reduce((sum, row) => sum + row.constants, 0) };
}

function setOperation(analysis: Analysis, select: SelectStmt, scope: Scope): QueryResult {
  // A chain of UNIONs leans to the left; it is taken apart without recursion.
  const parts: SelectStmt[] = [];
  const { op, all } = select;
  let at: SelectStmt | undefined = select;
  while (
    at !== undefined &&
    at.op === op &&
    at.all === all &&
    at.larg !== undefined &&
    at.rarg !== undefined &&
    (at === select || plain(at))
  ) {
    parts.push(at.rarg);
    at = at.larg;
  }
  if (at !== undefined) parts.push(at);
  const results = parts.reverse().map((part) => selectStatement(analysis, part, scope));
  const [first] = results;
  const rows = new Map<Column, How>();
  for (const result of results) addChosen(rows, result.rows);
  const distinct = all !== true;
  const fields = (first?.fields ?? []).map((field, column) => {
    const parts = results.map((result) => result.fields[column]?.value ?? rootless);
    if (distinct || op !== 'SETOP_UNION') for (const value of parts) analysis.useValue(value, 'set-operation');
    // EXCEPT hands out rows of the left side only, but the right side chooses them.
    return { name: field.name, value: { ...either(parts), constants: 0 } };
  });
  if (distinct || op !== 'SETOP_UNION') for (const field of fields) addChosen(rows, field.value.sources);
  const open = results.some((result) => result.open);
  return ordered(analysis, select, { fields, rows, open }, scope);
}

function plain(select: SelectStmt): boolean {
  return (
    select.withClause === undefined &&
    select.sortClause === undefined &&
    select.limitCount === undefined &&
    select.limitOffset === undefined &&
    select.lockingClause === undefined
  );
}

/** ORDER BY over a set operation or VALUES sees only the result's columns. */
function ordered(analysis: Analysis, select: SelectStmt, result: QueryResult, scope: Scope): QueryResult {
  if (select.sortClause === undefined) return result;
  const rows = new Map(result.rows);
  const inner = new Scope(scope);
  inner.items = [
    {
      name: '',
      schema: undefined,
      relation: undefined,
      fields: result.fields,
      bare: true,
      qualified: false,
      open: result.open,
    },
  ];
  for (const node of select.sortClause)
    steerBy(analysis, as(node, 'SortBy')?.node, 'order', result.fields, inner, true, rows);
  return { ...result, rows };
}

function plainSelect(analysis: Analysis, select: SelectStmt, scope: Scope): QueryResult {
  const rows = new Map<Column, How>();
  fromItems(analysis, select.fromClause, scope, rows);
  addChosen(rows, condition(analysis, select.whereClause, scope).sources);
  scope.setting = settingNamed(scope, select.whereClause);
  const { fields, open } = targets(analysis, select.targetList, scope);
  for (const node of select.groupClause ?? []) groupBy(analysis, node, fields, scope, rows);
  if (select.groupDistinct === true) analysis.literalSensitive = true;
  addChosen(rows, condition(analysis, select.havingClause, scope).sources);
  for (const node of select.windowClause ?? []) {
    const window = as(node, 'WindowDef');
    if (window !== undefined) addChosen(rows, windowSources(analysis, window, scope));
  }
  for (const node of select.distinctClause ?? []) {
    if (Object.keys(node).length === 0) for (const field of fields) steer(analysis, field.value, 'distinct', rows);
    else steerBy(analysis, node, 'distinct', fields, scope, true, rows);
  }
  for (const node of select.sortClause ?? [])
    steerBy(analysis, as(node, 'SortBy')?.node, 'order', fields, scope, true, rows);
  return { fields, rows, open };
}

function limited(analysis: Analysis, select: SelectStmt, result: QueryResult, scope: Scope): QueryResult {
  if (select.limitCount === undefined && select.limitOffset === undefined) return result;
  const rows = new Map(result.rows);
  for (const node of [select.limitCount, select.limitOffset]) {
    if (node !== undefined) steer(analysis, evaluate(analysis, node, scope), 'limit', rows);
  }
  return { ...result, rows };
}

/** The output columns of a target list, stars expanded in the order the server expands them. */
export function targets(
  analysis: Analysis,
  list: readonly Node[] | undefined,
  scope: Scope,
): { fields: Field[]; open: boolean } {
  const fields: Field[] = [];
  let open = false;
  for (const node of list ?? []) {
    const target = as(node, 'ResTarget');
    const star = starOf(target?.val);
    if (star === undefined) {
      fields.push({ name: target?.name ?? outputName(target?.val), value: evaluate(analysis, target?.val, scope) });
      continue;
    }
    if (star.kind === 'all') {
      for (const item of scope.items) {
        if (!item.bare) continue;
        addFields(analysis, fields, item.fields);
        if (item.open) open = true;
      }
    } else if (star.kind === 'item') {
      const item = findItem(scope, star.path);
      if (item !== undefined) {
        addFields(analysis, fields, item.fields);
        if (item.open) open = true;
      } else {
        const value = evaluate(
          analysis,
          { ColumnRef: { fields: star.path.map((sval) => ({ String: { sval } })) } },
          scope,
        );
        if (value.fields === undefined) open = true;
        else addFields(analysis, fields, value.fields);
      }
    } else {
      const value = evaluate(analysis, star.node, scope);
      if (value.fields === undefined) {
        analysis.unreadable('rows', '*', 'the columns of this row are not known');
        open = true;
        fields.push({ name: '?column?', value });
      } else {
        addFields(analysis, fields, value.fields);
      }
    }
  }
  if (open) analysis.unreadable('rows', '*', 'the columns of a relation are not known');
  return { fields, open };
}

function addFields(analysis: Analysis, into: Field[], found: readonly Field[]): void {
  for (const field of found) {
    for (const [column, how] of field.value.sources) if (how !== 0) analysis.columns.add(column);
    into.push(field);
  }
}

function findItem(scope: Scope, path: readonly string[]): Item | undefined {
  const name = path[path.length - 1] ?? '';
  const schema = path.length > 1 ? path[path.length - 2] : undefined;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    for (const item of at.items)
      if (item.qualified && item.name === name && (schema === undefined || item.schema === schema)) return item;
  }
  return undefined;
}

type Star = { kind: 'all' } | { kind: 'item'; path: string[] } | { kind: 'expression'; node: Node };

function starOf(node: Node | undefined): Star | undefined {
  const ref = as(node, 'ColumnRef')?.fields;
  if (ref !== undefined) {
    if (as(ref[ref.length - 1], 'A_Star') === undefined) return undefined;
    return ref.length === 1 ? { kind: 'all' } : { kind: 'item', path: names(ref.slice(0, -1)) };
  }
  const steps = as(node, 'A_Indirection');
  const last = steps?.indirection?.[steps.indirection.length - 1];
  if (steps?.arg === undefined || as(last, 'A_Star') === undefined) return undefined;
  return {
    kind: 'expression',
    node: { A_Indirection: { ...steps, arg: steps.arg, indirection: steps.indirection?.slice(0, -1) ?? [] } },
  };
}

function groupBy(analysis: Analysis, node: Node, fields: readonly Field[], scope: Scope, rows: Map<Column, How>): void {
  const set = as(node, 'GroupingSet');
  if (set !== undefined) {
    for (const item of set.content ?? []) groupBy(analysis, item, fields, scope, rows);
    return;
  }
  const list = as(node, 'RowExpr')?.args ?? as(node, 'List')?.items;
  if (list !== undefined) {
    for (const item of list) groupBy(analysis, item, fields, scope, rows);
    return;
  }
  steerBy(analysis, node, 'group', fields, scope, false, rows);
}

function steer(analysis: Analysis, value: Value, how: UseKind, rows: Map<Column, How>, offset?: number): void {
  analysis.useValue(value, how, offset);
  addChosen(rows, value.sources);
}

/**
 * An item of ORDER BY, DISTINCT ON or GROUP BY: a position, an output name, or an expression. Output names win in ORDER BY
 * (SQL92), input columns in GROUP BY (parse_clause.c, findTargetlistEntrySQL92).
 */
function steerBy(
  analysis: Analysis,
  node: Node | undefined,
  how: UseKind,
  fields: readonly Field[],
  scope: Scope,
  outputFirst: boolean,
  rows: Map<Column, How>,
): void {
  const position = as(node, 'A_Const')?.ival?.ival;
  if (position !== undefined) {
    analysis.literalSensitive = true;
    const field = fields[position - 1];
    if (field !== undefined) steer(analysis, field.value, how, rows);
    return;
  }
  const ref = as(node, 'ColumnRef');
  const name = ref?.fields?.length === 1 ? names(ref.fields)[0] : undefined;
  if (name !== undefined) {
    const matching = fields.filter((field) => field.name === name);
    if (matching.length > 0 && (outputFirst || bareColumn(scope, name, true).length === 0)) {
      for (const field of matching) steer(analysis, field.value, how, rows, ref?.location);
      return;
    }
  }
  steer(analysis, evaluate(analysis, node, scope), how, rows, ref?.location);
}

/** Fields of a value that stands where rows are expected. */
export function fieldsOf(value: Value, name: string): Field[] {
  return value.fields === undefined ? [{ name, value }] : [...value.fields];
}

export { fieldOf, rootlessOf, wholeRow };
