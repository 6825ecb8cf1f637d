// FROM: tables, views by their definitions, subqueries, functions, joins, and which of them others can name.
import type { Analysis } from './analysis.ts';
import { sideDoorRelations } from './builtins.ts';
import type { Column, Relation } from './catalog.ts';
import { callEquals, condition, equality } from './conditions.ts';
import { evaluate, evaluateAll } from './expressions.ts';
import { outputName } from './names.ts';
import { query, renamed } from './queries.ts';
import { fieldNamed, type Item, Scope, wholeRow } from './scope.ts';
import { type Alias, as, type JoinExpr, kindOf, type Node, names, type RangeFunction, type RangeVar } from './tree.ts';
import { compositeFields, definedColumns, resolveType } from './types.ts';
import {
  addChosen,
  columnValue,
  constant,
  derive,
  either,
  type Field,
  type How,
  rootless,
  rootlessOf,
  rowValue,
  type Sources,
  type Value,
} from './value.ts';
import { viewFields } from './views.ts';

/** Fills a scope from a FROM list; `rows` takes what decides which rows there are. */
export function fromItems(
  analysis: Analysis,
  list: readonly Node[] | undefined,
  scope: Scope,
  rows: Map<Column, How>,
): void {
  for (const node of list ?? []) scope.items.push(...fromItem(analysis, node, scope, rows));
}

/** The items one entry of FROM brings into sight. `scope` holds what LATERAL entries may see. */
export function fromItem(analysis: Analysis, node: Node, scope: Scope, rows: Map<Column, How>): Item[] {
  analysis.enter();
  const items = readItem(analysis, node, scope, rows);
  analysis.leave();
  return items;
}

function readItem(analysis: Analysis, node: Node, scope: Scope, rows: Map<Column, How>): Item[] {
  switch (kindOf(node)) {
    case 'RangeVar':
      return [rangeVar(analysis, as(node, 'RangeVar'), scope)];
    case 'RangeSubselect': {
      const body = as(node, 'RangeSubselect');
      const result = query(analysis, body?.subquery, body?.lateral === true ? scope : outside(scope));
      addChosen(rows, result.rows);
      const fields = renamed({ ...result, rows: new Map() }, names(body?.alias?.colnames));
      return [item(body?.alias?.aliasname ?? '', fields, { open: result.open })];
    }
    case 'RangeFunction':
      return [rangeFunction(analysis, as(node, 'RangeFunction'), scope)];
    case 'RangeTableFunc':
      return [tableFunction(analysis, node, scope)];
    case 'JsonTable':
      return [jsonTable(analysis, node, scope)];
    case 'RangeTableSample': {
      const body = as(node, 'RangeTableSample');
      for (const value of evaluateAll(analysis, body?.args, scope)) analysis.useValue(value, 'limit');
      return body?.relation === undefined ? [] : fromItem(analysis, body.relation, scope, rows);
    }
    case 'JoinExpr':
      return join(analysis, as(node, 'JoinExpr'), scope, rows);
    default:
      analysis.unreadable('statement', kindOf(node), `an entry of FROM of kind ${kindOf(node)} is not read`);
      return [item('', [], { open: true })];
  }
}

/** What a subquery that is not LATERAL sees: the WITH queries of this level and everything further out. */
function outside(scope: Scope): Scope {
  const outer = new Scope(scope.parent);
  outer.ctes = scope.ctes;
  outer.variables = scope.variables;
  outer.parameters = scope.parameters;
  return outer;
}

/** A source of rows in scope; `more` says where it is not the plain one. */
export function item(name: string, fields: readonly Field[], more: Partial<Item> = {}): Item {
  return {
    name,
    schema: undefined,
    relation: undefined,
    fields,
    bare: true,
    qualified: name !== '',
    open: false,
    ...more,
  };
}

function aliased(fields: readonly Field[], alias: Alias | undefined): readonly Field[] {
  const given = names(alias?.colnames);
  if (given.length === 0) return fields;
  return fields.map((field, at) => (given[at] === undefined ? field : { name: given[at], value: field.value }));
}

function rangeVar(analysis: Analysis, range: RangeVar | undefined, scope: Scope): Item {
  const name = range?.relname ?? '';
  const alias = range?.alias;
  if (range?.schemaname === undefined) {
    const cte = scope.cte(name);
    if (cte !== undefined) {
      return item(alias?.aliasname ?? name, aliased(cte.fields, alias), { open: cte.open });
    }
  }
  const found = lookup(analysis, range, 'read');
  const fields = aliased(found.fields, alias);
  return item(alias?.aliasname ?? name, fields, {
    schema: alias === undefined ? (range?.schemaname ?? found.relation?.schema) : undefined,
    relation: found.relation,
    open: found.open,
  });
}

export interface Found {
  readonly relation: Relation | undefined;
  readonly fields: readonly Field[];
  readonly open: boolean;
}

/** Finds a relation by its written name and records its use. */
export function lookup(analysis: Analysis, range: RangeVar | undefined, access: 'read' | 'write' | 'ddl'): Found {
  const name = range?.relname ?? '';
  const schema = range?.schemaname;
  const { around } = analysis;
  const touched = around.touched.has(name) || around.touched.has('*');
  const local = schema === undefined || schema === 'pg_temp' ? around.local.get(name) : undefined;
  if (local !== undefined && !touched) {
    analysis.table({ schema: local.relation.schema, table: name }, access);
    return { relation: local.relation, fields: local.fields, open: false };
  }
  if (touched) {
    analysis.table({ schema: schema ?? '', table: name }, access);
    analysis.unreadable(
      'relation',
      dotted(schema, name),
      'changed earlier in this transaction, which the catalog does not show yet',
      range?.location,
    );
    return { relation: undefined, fields: [], open: true };
  }
  const relation = around.catalog.relation(schema, name, around.path);
  if (relation === undefined) {
    missingRelation(analysis, schema, name, range?.location);
    analysis.table({ schema: schema ?? '', table: name }, access);
    return { relation: undefined, fields: [], open: true };
  }
  analysis.table({ schema: relation.schema, table: relation.name }, access);
  return { relation, fields: relationFields(analysis, relation, access), open: false };
}

function dotted(schema: string | undefined, name: string): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

function missingRelation(
  analysis: Analysis,
  schema: string | undefined,
  name: string,
  offset: number | undefined,
): void {
  analysis.missed = true;
  analysis.missedNames.push(name);
  const shown = dotted(schema, name);
  const known = schema === undefined || schema.startsWith('pg_') || analysis.catalog.schemas.has(schema);
  const missing = known
    ? { sqlstate: '42P01', message: `relation "${shown}" does not exist` }
    : { sqlstate: '42P01', message: `relation "${shown}" does not exist` };
  analysis.unreadable('relation', shown, 'no table or view of this name is known', offset, missing);
}

/** The columns of a relation with what they show; views by their definitions. */
export function relationFields(
  analysis: Analysis,
  relation: Relation,
  access: 'read' | 'write' | 'ddl',
): readonly Field[] {
  if (relation.schema === 'pg_catalog' || relation.schema === 'information_schema') {
    const why = sideDoorRelations.get(relation.name);
    if (why !== undefined && access === 'read') analysis.sideDoor(`${relation.schema}.${relation.name}`, why);
  } else if (
    sideDoorRelations.has(relation.name) &&
    relation.name.startsWith('pg_stat_statements') &&
    access === 'read'
  ) {
    analysis.sideDoor(`${relation.schema}.${relation.name}`, sideDoorRelations.get(relation.name) ?? '');
  }
  if (relation.definition !== undefined && access !== 'ddl') return viewFields(analysis, relation);
  return plainFields(relation);
}

const tableFields = new WeakMap<Relation, readonly Field[]>();

export function plainFields(relation: Relation): readonly Field[] {
  let fields = tableFields.get(relation);
  if (fields === undefined) {
    fields = relation.columns.map((column) => ({ name: column.name, value: columnValue(column) }));
    tableFields.set(relation, fields);
  }
  return fields;
}

function rangeFunction(analysis: Analysis, range: RangeFunction | undefined, scope: Scope): Item {
  const fields: Field[] = [];
  let open = false;
  let whole: Value | undefined;
  const functions = range?.functions ?? [];
  const alias = range?.alias;
  for (const entry of functions) {
    const [call, definitions] = as(entry, 'List')?.items ?? [];
    const value = evaluate(analysis, call, scope);
    // How many rows a function makes of a value tells of it.
    const listed = as(definitions, 'List')?.items ?? (functions.length === 1 ? range?.coldeflist : undefined);
    const defined = definedColumns(analysis, listed);
    const name = outputName(call);
    if (defined.length > 0) {
      for (const column of defined)
        fields.push({
          name: column.name,
          value: fieldNamed(value.fields ?? [], column.name) ?? derive([value], column.type),
        });
    } else if (value.fields !== undefined) {
      fields.push(...value.fields);
    } else {
      if (analysis.catalog.types.get(value.type)?.name === 'record') open = true;
      whole = functions.length === 1 && range?.ordinality !== true ? value : undefined;
      // A scalar function's column is named by the alias, else by the function.
      const column = functions.length === 1 ? (alias?.aliasname ?? name) : name;
      fields.push({ name: column, value: value.constants > 0 ? rootlessOf(value.type) : value });
    }
  }
  if (range?.ordinality === true) fields.push({ name: 'ordinality', value: rootless });
  const first = as(as(functions[0], 'List')?.items?.[0], 'FuncCall');
  const name = alias?.aliasname ?? names(first?.funcname).pop() ?? outputName(as(functions[0], 'List')?.items?.[0]);
  const made = item(name, aliased(fields, alias), { open });
  return whole === undefined ? made : { ...made, whole };
}

function tableFunction(analysis: Analysis, node: Node, scope: Scope): Item {
  const body = as(node, 'RangeTableFunc');
  const inputs = [evaluate(analysis, body?.docexpr, scope), evaluate(analysis, body?.rowexpr, scope)];
  for (const value of inputs) analysis.useValue(value, 'argument', body?.location);
  const fields = (body?.columns ?? []).flatMap((entry) => {
    const column = as(entry, 'RangeTableFuncCol');
    const parts = [column?.colexpr, column?.coldefexpr].flatMap((part) =>
      part === undefined ? [] : [evaluate(analysis, part, scope)],
    );
    return [
      {
        name: column?.colname ?? '',
        value: derive([...inputs, ...parts], resolveType(analysis, column?.typeName).oid),
      },
    ];
  });
  return item(body?.alias?.aliasname ?? 'xmltable', aliased(fields, body?.alias));
}

function jsonTable(analysis: Analysis, node: Node, scope: Scope): Item {
  const body = as(node, 'JsonTable');
  const inputs = [evaluate(analysis, body?.context_item?.raw_expr, scope)];
  for (const entry of body?.passing ?? [])
    inputs.push(evaluate(analysis, as(entry, 'JsonArgument')?.val?.raw_expr, scope));
  for (const value of inputs) analysis.useValue(value, 'argument', body?.location);
  const fields: Field[] = [];
  const columns = (list: readonly Node[] | undefined): void => {
    for (const entry of list ?? []) {
      const column = as(entry, 'JsonTableColumn');
      if (column?.columns !== undefined) columns(column.columns);
      else
        fields.push({ name: column?.name ?? '', value: derive(inputs, resolveType(analysis, column?.typeName).oid) });
    }
  };
  columns(body?.columns);
  return item(body?.alias?.aliasname ?? 'json_table', aliased(fields, body?.alias));
}

function join(analysis: Analysis, body: JoinExpr | undefined, scope: Scope, rows: Map<Column, How>): Item[] {
  if (body?.larg === undefined || body.rarg === undefined) return [];
  const left = fromItem(analysis, body.larg, scope, rows);
  // The right side may be LATERAL and see the left one.
  const before = scope.items;
  scope.items = [...before, ...left];
  const right = fromItem(analysis, body.rarg, scope, rows);
  scope.items = before;
  const inner = new Scope(scope.parent);
  inner.ctes = scope.ctes;
  inner.variables = scope.variables;
  inner.parameters = scope.parameters;
  inner.items = [...before, ...left, ...right];
  if (body.usingClause === undefined && body.isNatural !== true && body.alias === undefined) {
    // Nothing is merged and nothing renamed: both sides stay in sight as they are.
    addChosen(rows, condition(analysis, body.quals, inner).sources);
    return [...left, ...right];
  }
  const [lefts, rights] = [columnsOf(left), columnsOf(right)];
  const open = [...left, ...right].some((entry) => entry.open);
  let shared = names(body.usingClause);
  if (body.isNatural === true) {
    if (open) analysis.unreadable('rows', '*', 'the columns of a NATURAL JOIN are not known');
    shared = lefts.map((field) => field.name).filter((name) => rights.some((field) => field.name === name));
  }
  const merged: Field[] = shared.map((name) => {
    const [one, other] = [fieldNamed(lefts, name) ?? rootless, fieldNamed(rights, name) ?? rootless];
    equality(analysis, one, other, undefined, rows);
    callEquals(analysis, one, other);
    // An outer join may take either; so may a reader who cannot tell.
    const value = body.jointype === 'JOIN_RIGHT' ? other : body.jointype === 'JOIN_FULL' ? either([one, other]) : one;
    return { name, value: mergedValue(value, one, other) };
  });
  addChosen(rows, condition(analysis, body.quals, inner).sources);
  const fields =
    shared.length === 0 ? [...lefts, ...rights] : [...merged, ...without(lefts, shared), ...without(rights, shared)];
  const alias = body.alias;
  const joined = item(alias?.aliasname ?? '', aliased(fields, alias), { open });
  const using = body.join_using_alias;
  const extra = using === undefined ? [] : [item(using.aliasname ?? '', merged, { bare: false })];
  if (alias !== undefined) return [joined, ...extra];
  return [...left.map(hidden), ...right.map(hidden), joined, ...extra];
}

function columnsOf(items: readonly Item[]): readonly Field[] {
  const [first] = items;
  if (items.length === 1 && first?.bare === true) return first.fields;
  return items.filter((entry) => entry.bare).flatMap((entry) => entry.fields);
}

function without(fields: readonly Field[], shared: readonly string[]): Field[] {
  return fields.filter((field) => !shared.includes(field.name));
}

/** A merged column shows what both sides show: they are equal. */
function mergedValue(value: Value, one: Value, other: Value): Value {
  const sources = new Map<Column, How>(value.sources);
  addChosen(sources, one.sources);
  addChosen(sources, other.sources);
  return sources.size === value.sources.size ? value : { ...value, sources, constants: 0 };
}

/** Inside a join without an alias, tables answer to `t.column` only; bare names go to the join. */
function hidden(entry: Item): Item {
  return { ...entry, bare: false };
}

export type { Sources };
export { columnValue, compositeFields, constant, rowValue, wholeRow };
