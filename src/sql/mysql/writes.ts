// INSERT, REPLACE, UPDATE, DELETE, LOAD DATA: what is written where, from what, and whether a condition bounds it.
import type { Verb } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { condition } from './conditions.ts';
import { evaluate } from './expressions.ts';
import { aliasOf, fromList, tableItem } from './from.ts';
import { applyTriggers } from './programs.ts';
import { orderBy, query, selectList, withClause } from './queries.ts';
import { fold, restricts } from './restricts.ts';
import { type Item, named, Scope } from './scope.ts';
import { firstToken, has, kid, kidsOf, nameParts, operands, type Tree, tokensOf } from './tree.ts';
import { addSources, chosenBy, constant, type Field, type How, reveals, rootless, type Value } from './value.ts';
import { assignVariable, variableName } from './variables.ts';

/** Reads a statement that writes rows; `returning` is the select list behind RETURNING. */
export function writeStatement(analysis: Analysis, tree: Tree, parent: Scope | undefined, returning?: Tree): void {
  const scope = new Scope(parent);
  withClause(analysis, kid(tree, 'WithClause'), scope);
  switch (tree.kind) {
    case 'InsertStatement':
      insert(analysis, 'insert', tree, scope, returning);
      return;
    case 'ReplaceStatement':
      insert(analysis, 'replace', tree, scope, returning);
      return;
    case 'UpdateStatement':
      update(analysis, tree, scope);
      return;
    case 'DeleteStatement':
      remove(analysis, tree, scope, returning);
      return;
    default:
      load(analysis, tree, scope);
      return;
  }
}

function target(analysis: Analysis, tree: Tree | undefined, alias?: string): Item {
  const reference = kid(tree, 'TableRef') ?? tree;
  const item = tableItem(analysis, nameParts(reference), alias, 'write', firstToken(reference)?.start);
  writesThrough(analysis, item);
  return item;
}

/** What a view shows is written through to its tables. */
function writesThrough(analysis: Analysis, item: Item): void {
  if (item.table?.kind !== 'view') return;
  for (const { table } of columnsBelow(item.fields))
    if (table !== item.table) analysis.table({ schema: table.schema, table: table.name }, 'write', false);
}

function columnsBelow(fields: readonly Field[]): Column[] {
  return fields.flatMap((field) =>
    field.value.pure ? [...field.value.sources].flatMap(([column, how]) => (how === 0 ? [] : [column])) : [],
  );
}

/** The columns a written column stands for: itself, and what a view shows through it. */
function written(analysis: Analysis, item: Item, name: string, offset?: number): Column[] {
  const [value] = named(item.fields, name);
  if (value === undefined) {
    if (item.open) return [];
    analysis.missed = true;
    analysis.missedNames.push(name);
    const missing = { sqlstate: '42S22', message: `Unknown column '${name}' in 'field list'` };
    analysis.unread('column', name, 'no column of this name is known', offset, missing);
    return [];
  }
  return [...value.sources].flatMap(([column, how]) => (how === 0 ? [] : [column]));
}

function write(analysis: Analysis, columns: readonly Column[], value: Value, tree: Tree | undefined): void {
  for (const column of columns) {
    analysis.columns.add(column);
    analysis.flow(value.sources, { kind: 'column', column });
    for (const [source, how] of value.sources)
      if (how !== 0 && source !== column && !holds(column, source)) analysis.use(value, 'argument');
    store(analysis, column, tree);
  }
}

/** Whether a column holds every value of another: what it does not hold is cut, with a warning at most, and compared as cut. */
function holds(column: Column, source: Column): boolean {
  if (column.declared === undefined || source.declared === undefined || column.declared === source.declared)
    return true;
  const [into, from] = [texts.exec(column.declared), texts.exec(source.declared)];
  if (into === null || from === null || into[3] !== from[3]) return false;
  return lengthOf(into) >= lengthOf(from);
}

const texts = /^((?:var)?char|tinytext|text|mediumtext|longtext)(?:\((\d+)\))?( .*)?$/;
const lengths: ReadonlyMap<string, number> = new Map([
  ['tinytext', 255],
  ['text', 65_535],
  ['mediumtext', 2 ** 24 - 1],
  ['longtext', 2 ** 32 - 1],
]);

function lengthOf(type: RegExpExecArray): number {
  return lengths.get(type[1] ?? '') ?? Number(type[2] ?? 1);
}

/** Literals and parameters that go into a column as they are. */
function store(analysis: Analysis, column: Column, tree: Tree | undefined): void {
  let at = tree;
  while (at !== undefined && at.kids.length > 0) {
    const inner = operands(at);
    if (inner.length !== 1 || /Unary|Not|Collate|Binary|Function/.test(at.kind)) return;
    at = inner[0];
  }
  const token = at?.token;
  if (token === undefined) return;
  if (token.kind === 'parameter') {
    const index = analysis.parameters.get(token);
    if (index !== undefined && analysis.given === undefined)
      analysis.stores.push({ column, token, value: { kind: 'parameter', index } });
  } else if (token.kind === 'string' || token.kind === 'nchar' || token.kind === 'number') {
    analysis.stores.push({ column, token, value: { kind: 'text', text: token.text } });
  }
}

function insert(analysis: Analysis, verb: Verb, tree: Tree, scope: Scope, returning: Tree | undefined): void {
  analysis.verbs.add(verb);
  const item = target(analysis, tree);
  const given = kid(tree, 'InsertFromConstructor');
  const from = kid(tree, 'InsertQueryExpression');
  const listed = kidsOf(kid(given ?? from, 'Fields'), 'InsertIdentifier').map((each) => nameParts(each).pop() ?? '');
  const names = listed.length > 0 || item.open ? listed : item.fields.map((field) => field.name);
  const columns = names.map((name) => written(analysis, item, name));
  const inserted = new Map<string, Value>();
  const inner = new Scope(scope);
  inner.items = [item];
  const put = (at: number, value: Value, expression: Tree | undefined): void => {
    write(analysis, columns[at] ?? [], value, expression);
    const name = (names[at] ?? '').toLowerCase();
    const before = inserted.get(name);
    inserted.set(name, before === undefined ? value : joined(before, value));
  };
  for (const row of kidsOf(kid(kid(given, 'InsertValues'), 'ValueList'), 'Values')) {
    row.kids
      .filter((each) => each.token?.text !== ',')
      .forEach((expression, at) => {
        put(at, evaluate(analysis, expression, inner), expression);
      });
  }
  if (from !== undefined) {
    const result = query(
      analysis,
      from.kids.find((each) => /^QueryExpression/.test(each.kind)),
      scope,
    );
    if (result.open) analysis.unread('rows', '*', 'the columns written are not all known');
    result.fields.forEach((field, at) => {
      put(at, chosenBy(field.value, result.rows), undefined);
    });
    sourcesInSight(analysis, from, inner);
  }
  const set = kid(tree, 'UpdateList');
  if (set !== undefined)
    for (const [name, value] of assignments(analysis, set, inner, [item])) inserted.set(name, value);
  const conflict = kid(kid(tree, 'InsertUpdateList'), 'UpdateList');
  if (conflict !== undefined) {
    analysis.verbs.add('update');
    const values = item.fields.map((field) => ({
      name: field.name,
      value: inserted.get(field.name.toLowerCase()) ?? rootless,
    }));
    const alias = nameParts(kid(tree, 'ValuesReference')?.kids[1])[0];
    const rows = inner.items;
    if (alias !== undefined)
      inner.items = [...rows, { name: alias, schema: undefined, table: undefined, fields: values, open: false }];
    assignments(analysis, conflict, inner, [item]);
    applyTriggers(analysis, item.table, 'update');
  }
  applyTriggers(analysis, item.table, 'insert');
  if (verb === 'replace') applyTriggers(analysis, item.table, 'delete');
  returns(analysis, returning, item, inserted, scope);
}

/** ON DUPLICATE KEY UPDATE may name the columns of the tables a SELECT reads. */
function sourcesInSight(analysis: Analysis, from: Tree, scope: Scope): void {
  const specification = firstOf(from, 'QuerySpecification');
  const list = kid(kid(specification, 'FromClause'), 'TableReferenceList');
  if (list === undefined) return;
  const trial = new Scope(scope.parent);
  const before = analysis.uses.length;
  fromList(analysis, list, trial, new Map());
  analysis.uses.length = before;
  scope.items.push(...trial.items);
}

function firstOf(tree: Tree | undefined, kind: string): Tree | undefined {
  if (tree === undefined || tree.kind === kind) return tree;
  for (const each of tree.kids) {
    const found = firstOf(each, kind);
    if (found !== undefined) return found;
  }
  return undefined;
}

function joined(one: Value, other: Value): Value {
  const sources = new Map<Column, How>(one.sources);
  addSources(sources, other.sources);
  return { ...rootless, sources };
}

/** `a = x, t.b = y`; gives the values by column. */
function assignments(
  analysis: Analysis,
  list: Tree | undefined,
  scope: Scope,
  targets: readonly Item[],
): Map<string, Value> {
  const assigned = new Map<string, Value>();
  for (const element of kidsOf(list, 'UpdateElement')) {
    const path = nameParts(kid(element, 'ColumnRef'));
    const name = path[path.length - 1] ?? '';
    const expression = element.kids[2];
    const value = evaluate(analysis, expression, scope);
    const meant = itemsOf(targets, path);
    const columns =
      meant.length === 0 ? [] : meant.flatMap((item) => written(analysis, item, name, firstToken(element)?.start));
    for (const item of meant) if (item.table !== undefined) touched(analysis, item);
    write(analysis, columns, value, expression);
    assigned.set(name.toLowerCase(), value);
  }
  return assigned;
}

function touched(analysis: Analysis, item: Item): void {
  const { table } = item;
  if (table === undefined) return;
  analysis.table({ schema: table.schema, table: table.name }, 'write');
  writesThrough(analysis, item);
}

/** The tables a written column may belong to. */
function itemsOf(items: readonly Item[], path: readonly string[]): Item[] {
  const name = path[path.length - 1] ?? '';
  const [first] = items;
  if (items.length === 1 && first !== undefined) return [first];
  if (path.length > 1) {
    const table = (path[path.length - 2] ?? '').toLowerCase();
    return items.filter((item) => item.name.toLowerCase() === table);
  }
  return items.filter((item) => item.open || named(item.fields, name).length > 0);
}

function update(analysis: Analysis, tree: Tree, scope: Scope): void {
  analysis.verbs.add('update');
  const rows = new Map<Column, How>();
  const inner = new Scope(scope);
  fromList(analysis, kid(tree, 'TableReferenceList'), inner, rows);
  const list = kid(tree, 'UpdateList');
  assignments(analysis, list, inner, inner.items);
  const where = kid(tree, 'WhereClause')?.kids[1];
  condition(analysis, where, inner);
  orderBy(analysis, kid(kid(tree, 'OrderClause'), 'OrderList'), 'order', [], inner, rows);
  const names = kidsOf(list, 'UpdateElement').map((element) => nameParts(kid(element, 'ColumnRef')));
  const targets = inner.items.filter((item) => names.some((path) => itemsOf(inner.items, path).includes(item)));
  bounded(analysis, 'update', targets, where, kid(tree, 'SimpleLimitClause'), inner);
  for (const item of targets) applyTriggers(analysis, item.table, 'update');
}

function remove(analysis: Analysis, tree: Tree, scope: Scope, returning: Tree | undefined): void {
  analysis.verbs.add('delete');
  const inner = new Scope(scope);
  const rows = new Map<Column, How>();
  const list = kid(tree, 'TableReferenceList');
  let targets: Item[];
  if (list === undefined) {
    targets = [target(analysis, kid(tree, 'TableRef'), aliasOf(tree))];
    inner.items = [...targets];
  } else {
    fromList(analysis, list, inner, rows);
    const names = kidsOf(kid(tree, 'TableAliasRefList'), 'TableRefWithWildcard').map((each) =>
      tokensOf(each)
        .filter((token) => token.kind !== 'operator')
        .map((token) => token.text.toLowerCase()),
    );
    targets = inner.items.filter((item) =>
      names.some(
        (path) =>
          item.name.toLowerCase() === path[path.length - 1] ||
          (item.table?.name.toLowerCase() === path[path.length - 1] && path.length > 1),
      ),
    );
    for (const item of targets) touched(analysis, item);
    if (targets.length < names.length)
      analysis.unread(
        'relation',
        names.map((path) => path.join('.')).join(', '),
        'a table to delete from is not among those read',
      );
  }
  const where = kid(tree, 'WhereClause')?.kids[1];
  condition(analysis, where, inner);
  orderBy(analysis, kid(kid(tree, 'OrderClause'), 'OrderList'), 'order', [], inner, rows);
  bounded(analysis, 'delete', targets, where, kid(tree, 'SimpleLimitClause'), inner);
  for (const item of targets) applyTriggers(analysis, item.table, 'delete');
  const [first] = targets;
  if (first !== undefined) returns(analysis, returning, first, new Map(), scope);
}

/** With a LIMIT up to this many rows a write counts as bounded. */
const mostLimit = 1000;

function bounded(
  analysis: Analysis,
  verb: Verb,
  targets: readonly Item[],
  where: Tree | undefined,
  limit: Tree | undefined,
  scope: Scope,
): void {
  if (limit !== undefined) {
    analysis.boundSensitive = true;
    const most = fold(kid(limit, 'LimitOption')?.kids[0]);
    if (typeof most === 'number' && most <= mostLimit) return;
  }
  const tables = new Set<unknown>();
  for (const item of targets) {
    if (item.table !== undefined) tables.add(item.table);
    for (const field of item.fields) for (const column of field.value.sources.keys()) tables.add(column.table);
  }
  const verdict = where === undefined ? joinRestricts(scope) : restricts(analysis, where, scope, tables);
  if (verdict === undefined || verdict.restricts) return;
  const why = where === undefined ? verdict.why : `WHERE does not restrict: ${verdict.why}`;
  for (const item of targets)
    analysis.unbounded.push({
      verb,
      table: { schema: item.table?.schema ?? '', table: item.table?.name ?? item.name },
      why,
    });
}

function joinRestricts(scope: Scope): { restricts: boolean; why: string } {
  // A join alone may well match every row.
  return { restricts: false, why: scope.items.length > 1 ? 'no WHERE beside the join' : 'no WHERE' };
}

/** RETURNING shows the rows as they were or have become. */
function returns(
  analysis: Analysis,
  list: Tree | undefined,
  item: Item,
  inserted: ReadonlyMap<string, Value>,
  parent: Scope,
): void {
  if (list === undefined) return;
  const fields = item.fields.map((field) => {
    const came = inserted.get(field.name.toLowerCase());
    if (came === undefined || !reveals(came.sources)) return field;
    const sources = new Map<Column, How>(field.value.sources);
    addSources(sources, came.sources);
    return { name: field.name, value: { ...field.value, sources, pure: false } };
  });
  const scope = new Scope(parent);
  scope.items = [{ ...item, fields }];
  analysis.outputs = selectList(analysis, list, scope).fields;
}

function load(analysis: Analysis, tree: Tree, scope: Scope): void {
  analysis.verbs.add('load');
  if (!has(tree, 'LOCAL')) {
    analysis.verbs.add('file');
    analysis.sideDoor('LOAD', 'reads a file of the server, which holds its tables and its logs');
  }
  const item = target(analysis, tree);
  const inner = new Scope(scope);
  inner.items = [item];
  const tail = kid(tree, 'LoadDataFileTail');
  const list = kid(kid(tail, 'LoadDataFileTargetList'), 'FieldOrVariableList');
  const names = kidsOf(list, 'ColumnRef').map((each) => nameParts(each).pop() ?? '');
  for (const name of list === undefined ? item.fields.map((field) => field.name) : names)
    write(analysis, written(analysis, item, name), rootless, undefined);
  for (const variable of kidsOf(list, 'UserVariable'))
    assignVariable(analysis, variableName(variable), { ...constant('text'), constants: 0 });
  assignments(analysis, kid(tail, 'UpdateList'), inner, [item]);
  applyTriggers(analysis, item.table, 'insert');
}
