// INSERT, UPDATE, DELETE and MERGE: what they write where, whether that is bounded, and what RETURNING shows.
import { columnName } from '../facts.ts';
import type { Verb } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import type { Column, Relation } from './catalog.ts';
import { condition } from './conditions.ts';
import { withQueries } from './ctes.ts';
import { evaluate } from './expressions.ts';
import { fromItem, fromItems, item, lookup, relationFields } from './from.ts';
import { noRows, type QueryResult, selectStatement, targets } from './queries.ts';
import { restricts } from './restricts.ts';
import { applyRules, applyTriggers } from './rules.ts';
import { fieldNamed, type Item, Scope } from './scope.ts';
import { storeValue } from './stores.ts';
import {
  as,
  type DeleteStmt,
  type InsertStmt,
  kindOf,
  type MergeStmt,
  type Node,
  type RangeVar,
  type ResTarget,
  type ReturningClause,
  type UpdateStmt,
  type WithClause,
} from './tree.ts';
import { keepsValue, type TypeRef } from './types.ts';
import { addSources, chosen, type Field, fieldOf, type How, rootless, type Value } from './value.ts';

/** Reads a writing statement; undefined where the node is none. */
export function writeStatement(analysis: Analysis, node: Node, parent: Scope | undefined): QueryResult | undefined {
  switch (kindOf(node)) {
    case 'InsertStmt':
      return insert(analysis, as(node, 'InsertStmt') ?? {}, parent);
    case 'UpdateStmt':
      return update(analysis, as(node, 'UpdateStmt') ?? {}, parent);
    case 'DeleteStmt':
      return remove(analysis, as(node, 'DeleteStmt') ?? {}, parent);
    case 'MergeStmt':
      return merge(analysis, as(node, 'MergeStmt') ?? {}, parent);
    default:
      return undefined;
  }
}

interface Target {
  readonly item: Item;
  readonly relation: Relation | undefined;
}

function targetOf(analysis: Analysis, range: RangeVar | undefined): Target {
  const found = lookup(analysis, range, 'write');
  const name = range?.alias?.aliasname ?? range?.relname ?? '';
  const schema = range?.alias === undefined ? (range?.schemaname ?? found.relation?.schema) : undefined;
  // What a view shows is written through to its tables.
  if (found.relation?.definition !== undefined) {
    for (const field of found.fields) {
      if (!field.value.pure) continue;
      for (const column of field.value.sources.keys()) {
        if (column.table !== found.relation)
          analysis.table({ schema: column.table.schema, table: column.table.name }, 'write', false);
      }
    }
  }
  return {
    item: item(name, found.fields, { schema, relation: found.relation, open: found.open }),
    relation: found.relation,
  };
}

/** The columns a written column stands for: itself, and what a view shows through it. */
function written(target: Target, name: string): Column[] {
  const own = target.relation?.columns.find((column) => column.name === name);
  if (own === undefined) return [];
  if (target.relation?.definition === undefined) return [own];
  const value = fieldNamed(target.item.fields, name);
  return value?.pure === true ? [...value.sources.keys()] : [own];
}

function write(analysis: Analysis, target: Target, name: string, value: Value, node: Node | undefined): void {
  for (const column of written(target, name)) {
    analysis.columns.add(column);
    analysis.flow(value.sources, { kind: 'column', column });
    store(analysis, column, node);
    if (column.unique === true) conflicts(analysis, column, value);
    if (!fits(analysis, column, value)) analysis.useValue(value, 'argument');
  }
}

/** Whether every stored value of the one can stand in the other: a narrower type or a domain takes it or fails by what it is. */
function fits(analysis: Analysis, column: Column, value: Value): boolean {
  if (value.sources.size === 0) return true;
  for (const [source, how] of value.sources) {
    if (how === chosen || source === column) continue;
    if (source.type !== column.type && !keepsValue(analysis.catalog, source.type, plainType(column))) return false;
    if (analysis.catalog.types.get(column.type)?.kind === 'd' && source.type !== column.type) return false;
    if (column.limit !== undefined && column.limit !== source.limit) return false;
  }
  return true;
}

function plainType(column: Column): TypeRef {
  return { oid: column.type, name: '', array: false, limited: column.limit !== undefined };
}

/** What is written to a unique column meets all that is there. */
function conflicts(analysis: Analysis, column: Column, value: Value): void {
  const constants = value.constants > 0 ? value.constants : (value.listed ?? 0);
  if (constants > 0) analysis.uses.push({ column, how: 'unique', constants, offset: undefined });
  else if (value.pure) {
    const others = [...value.sources].flatMap(([other, how]) => (how === chosen ? [] : [other]));
    analysis.uses.push({ column, how: 'unique', with: others, offset: undefined });
  }
  // Computed values, a series for one, would try out any number.
  else analysis.uses.push({ column, how: 'join', offset: undefined });
}

function store(analysis: Analysis, column: Column, node: Node | undefined): void {
  storeValue(analysis, columnName(column), node);
}

function insert(analysis: Analysis, body: InsertStmt, parent: Scope | undefined): QueryResult {
  analysis.verbs.add('insert');
  const scope = new Scope(parent);
  withQueries(analysis, body.withClause, scope);
  const target = targetOf(analysis, body.relation);
  const listed = (body.cols ?? []).flatMap((node) => as(node, 'ResTarget') ?? []);
  const all = target.relation?.columns.map((column) => column.name) ?? [];
  const columns = listed.length > 0 ? listed.map((column) => column.name ?? '') : all;
  const rows = new Map<Column, How>();
  const select = as(body.selectStmt, 'SelectStmt');
  const inserted = new Map<string, Value>();
  if (select !== undefined) {
    const direct = select.valuesLists !== undefined && select.withClause === undefined;
    if (!direct && !isBareSelect(select)) analysis.verbs.add('select');
    const result = selectStatement(analysis, select, scope);
    for (const [column, how] of result.rows) rows.set(column, how);
    const single = result.fields.length === 1 ? result.fields[0]?.value.fields : undefined;
    const given: readonly Field[] = single !== undefined && columns.length > 1 ? single : result.fields;
    given.forEach((field, at) => {
      const name = columns[at];
      if (name === undefined) return;
      write(analysis, target, name, { ...field.value }, undefined);
      inserted.set(name, field.value);
    });
    if (result.open) analysis.unreadable('rows', '*', 'the columns written are not all known');
    if (direct) {
      for (const list of select.valuesLists ?? []) {
        (as(list, 'List')?.items ?? []).forEach((node, at) => {
          for (const column of written(target, columns[at] ?? '')) store(analysis, column, node);
        });
      }
    } else {
      (select.targetList ?? []).forEach((node, at) => {
        for (const column of written(target, columns[at] ?? '')) store(analysis, column, as(node, 'ResTarget')?.val);
      });
    }
  }
  const inner = new Scope(scope);
  inner.items = [target.item];
  const conflict = body.onConflictClause;
  if (conflict !== undefined) {
    analysis.verbs.add('insert');
    const excluded: Item = {
      ...target.item,
      name: 'excluded',
      schema: undefined,
      bare: false,
      fields: target.item.fields.map((field) => ({ name: field.name, value: inserted.get(field.name) ?? rootless })),
    };
    inner.items = [target.item, excluded];
    for (const element of conflict.infer?.indexElems ?? []) {
      const index = as(element, 'IndexElem');
      if (index?.expr !== undefined) evaluate(analysis, index.expr, inner);
    }
    if (conflict.action === 'ONCONFLICT_UPDATE') {
      analysis.verbs.add('update');
      assignments(analysis, conflict.targetList, target, inner);
      condition(analysis, conflict.whereClause, inner);
    }
    inner.items = [target.item];
  }
  applyRules(analysis, target.relation, 'insert', inserted);
  applyTriggers(analysis, target.relation);
  return returning(analysis, body.returningClause, inner, rows, target, inserted);
}

function isBareSelect(select: { fromClause?: Node[]; op?: string }): boolean {
  return select.fromClause === undefined && select.op === 'SETOP_NONE';
}

function assignments(
  analysis: Analysis,
  list: readonly Node[] | undefined,
  target: Target,
  scope: Scope,
): Map<string, Value> {
  const assigned = new Map<string, Value>();
  for (const node of list ?? []) {
    const item = as(node, 'ResTarget');
    const name = item?.name ?? '';
    const multi = as(item?.val, 'MultiAssignRef');
    let value: Value;
    let stored: Node | undefined = item?.val;
    if (multi !== undefined) {
      // (a, b) = (SELECT ...): each column takes its part of the row.
      const all = evaluate(analysis, multi.source, scope);
      const at = (multi.colno ?? 1) - 1;
      value = all.fields?.[at]?.value ?? all;
      stored = as(multi.source, 'RowExpr')?.args?.[at];
    } else {
      value = evaluate(analysis, item?.val, scope);
    }
    const inner = item?.indirection?.map((step) => as(step, 'A_Indices'));
    for (const index of inner ?? []) {
      for (const part of [index?.lidx, index?.uidx])
        if (part !== undefined) analysis.useValue(evaluate(analysis, part, scope), 'argument');
    }
    write(analysis, target, name, value, stored);
    assigned.set(name, value);
  }
  return assigned;
}

function bounded(analysis: Analysis, verb: Verb, target: Target, where: Node | undefined, scope: Scope): void {
  const table = { schema: target.relation?.schema ?? '', table: target.relation?.name ?? target.item.name };
  if (where === undefined) {
    analysis.unbounded.push({ verb, table, why: 'no WHERE' });
    return;
  }
  const verdict = restricts(analysis, where, scope, target.item);
  if (!verdict.restricts) analysis.unbounded.push({ verb, table, why: `WHERE does not restrict: ${verdict.why}` });
}

/** What UPDATE, DELETE and MERGE begin with: WITH queries, the target, and a scope for what stands beside it. */
interface Begun {
  readonly target: Target;
  readonly scope: Scope;
  readonly rows: Map<Column, How>;
}

function begin(
  analysis: Analysis,
  verb: Verb,
  body: { readonly withClause?: WithClause; readonly relation?: RangeVar },
  parent: Scope | undefined,
): Begun {
  analysis.verbs.add(verb);
  const outer = new Scope(parent);
  withQueries(analysis, body.withClause, outer);
  const target = targetOf(analysis, body.relation);
  const scope = new Scope(outer);
  scope.items = [target.item];
  return { target, scope, rows: new Map() };
}

/** Conditions decide which rows are written, and so which come back. */
function decides(analysis: Analysis, { scope, rows }: Begun, where: Node | undefined): void {
  for (const column of condition(analysis, where, scope).sources.keys()) rows.set(column, 0);
}

/** What they end with: rules and triggers of the target, and RETURNING. */
function finish(
  analysis: Analysis,
  { target, scope, rows }: Begun,
  events: readonly Verb[],
  assigned: ReadonlyMap<string, Value>,
  clause: ReturningClause | undefined,
): QueryResult {
  for (const event of events) applyRules(analysis, target.relation, event, assigned);
  applyTriggers(analysis, target.relation);
  return returning(analysis, clause, scope, rows, target, assigned);
}

function update(analysis: Analysis, body: UpdateStmt, parent: Scope | undefined): QueryResult {
  const begun = begin(analysis, 'update', body, parent);
  fromItems(analysis, body.fromClause, begun.scope, begun.rows);
  const assigned = assignments(analysis, body.targetList, begun.target, begun.scope);
  decides(analysis, begun, body.whereClause);
  bounded(analysis, 'update', begun.target, body.whereClause, begun.scope);
  return finish(analysis, begun, ['update'], assigned, body.returningClause);
}

function remove(analysis: Analysis, body: DeleteStmt, parent: Scope | undefined): QueryResult {
  const begun = begin(analysis, 'delete', body, parent);
  fromItems(analysis, body.usingClause, begun.scope, begun.rows);
  decides(analysis, begun, body.whereClause);
  bounded(analysis, 'delete', begun.target, body.whereClause, begun.scope);
  return finish(analysis, begun, ['delete'], new Map(), body.returningClause);
}

function merge(analysis: Analysis, body: MergeStmt, parent: Scope | undefined): QueryResult {
  const begun = begin(analysis, 'merge', body, parent);
  const { target, scope: inner, rows } = begun;
  inner.items = [];
  const source = body.sourceRelation === undefined ? [] : fromItem(analysis, body.sourceRelation, inner, rows);
  // RETURNING * shows the source first (parse_merge.c).
  inner.items = [...source, target.item];
  decides(analysis, begun, body.joinCondition);
  const joined =
    body.joinCondition === undefined
      ? { restricts: false, why: 'no condition' }
      : restricts(analysis, body.joinCondition, inner, target.item);
  const assigned = new Map<string, Value>();
  for (const node of body.mergeWhenClauses ?? []) {
    const when = as(node, 'MergeWhenClause');
    if (when === undefined) continue;
    decides(analysis, begun, when.condition);
    const verb = when.commandType === 'CMD_DELETE' ? 'delete' : when.commandType === 'CMD_UPDATE' ? 'update' : 'insert';
    if (when.commandType === 'CMD_NOTHING') continue;
    analysis.verbs.add(verb);
    if (verb === 'insert') {
      const list = (when.targetList ?? []).flatMap((entry) => as(entry, 'ResTarget')?.name ?? []);
      const columns = list.length > 0 ? list : (target.relation?.columns.map((column) => column.name) ?? []);
      (when.values ?? []).forEach((entry, at) => {
        const value = evaluate(analysis, entry, inner);
        write(analysis, target, columns[at] ?? '', value, entry);
        assigned.set(columns[at] ?? '', value);
      });
    } else {
      for (const [name, value] of assignments(analysis, when.targetList, target, inner)) assigned.set(name, value);
      const others = when.matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE';
      const own =
        when.condition === undefined
          ? { restricts: false, why: 'no condition' }
          : restricts(analysis, when.condition, inner, target.item);
      if (!own.restricts && (others || !joined.restricts)) {
        const why = others ? 'every row without a match' : `the join does not restrict: ${joined.why}`;
        analysis.unbounded.push({
          verb,
          table: { schema: target.relation?.schema ?? '', table: target.relation?.name ?? target.item.name },
          why,
        });
      }
    }
  }
  const events = (['insert', 'update', 'delete'] as const).filter((event) => analysis.verbs.has(event));
  return finish(analysis, begun, events, assigned, body.returningClause);
}

function returning(
  analysis: Analysis,
  clause: ReturningClause | undefined,
  scope: Scope,
  rows: Map<Column, How>,
  target: Target,
  assigned: ReadonlyMap<string, Value>,
): QueryResult {
  if (clause === undefined || (clause.exprs ?? []).length === 0) return { ...noRows, rows };
  // New values show what was written as well as what the column holds.
  const fields = target.item.fields.map((field) => ({
    name: field.name,
    value: after(field.value, assigned.get(field.name)),
  }));
  const fresh: Item = { ...target.item, fields };
  const options = (clause.options ?? []).flatMap((node) => as(node, 'ReturningOption') ?? []);
  const named = (option: string, fallback: string) =>
    options.find((entry) => entry.option === option)?.value ?? fallback;
  const [before, now] = [named('RETURNING_OPTION_OLD', 'old'), named('RETURNING_OPTION_NEW', 'new')];
  const inner = new Scope(scope.parent);
  inner.ctes = scope.ctes;
  inner.items = [
    ...scope.items.map((entry) => (entry === target.item ? fresh : entry)),
    { ...target.item, name: before, schema: undefined, bare: false },
    { ...fresh, name: now, schema: undefined, bare: false },
  ];
  const { fields: outputs, open } = targets(analysis, clause.exprs, inner);
  return { fields: outputs, rows, open };
}

function after(value: Value, assigned: Value | undefined): Value {
  if (assigned === undefined || assigned.sources.size === 0) return value;
  const sources = new Map<Column, How>(value.sources);
  addSources(sources, assigned.sources, undefined);
  return { ...value, sources, pure: false };
}

export type { ResTarget };
export { fieldOf, relationFields };
