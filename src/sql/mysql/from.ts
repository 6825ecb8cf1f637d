// FROM: tables, derived tables, JSON_TABLE and joins as items with columns of known lineage.
import type { TableUse } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { sideDoorTable } from './builtins.ts';
import type { Column, Table } from './catalog.ts';
import { compareValues, condition } from './conditions.ts';
import { evaluate } from './expressions.ts';
import { query } from './queries.ts';
import { type Item, named, outside, type Scope } from './scope.ts';
import { firstToken, has, kid, kidsOf, nameParts, operands, type Tree, tokensOf } from './tree.ts';
import { addChosen, columnValue, derive, either, type Field, type How, rootless } from './value.ts';
import { viewFields } from './views.ts';

/** What an entry of FROM brings into sight. */
interface Group {
  readonly items: readonly Item[];
  /** What `*` means, where a join has merged columns. */
  readonly fields: readonly Field[];
}

const empty: Group = { items: [], fields: [] };

/** Fills a scope from a list of table references; `rows` takes what decides which rows there are. */
export function fromList(analysis: Analysis, list: Tree | undefined, scope: Scope, rows: Map<Column, How>): void {
  const fields: Field[] = [];
  let merged = false;
  for (const reference of kidsOf(list, 'TableReference')) {
    const group = tableReference(analysis, reference, scope, rows);
    fields.push(...group.fields);
    if (group.fields.length !== group.items.reduce((sum, item) => sum + item.fields.length, 0)) merged = true;
  }
  if (merged) scope.joined = fields;
}

/** A table reference with its joins. Its items are in the scope afterwards, so that later ones may see them. */
function tableReference(analysis: Analysis, tree: Tree, scope: Scope, rows: Map<Column, How>): Group {
  analysis.enter();
  let group = empty;
  for (const part of tree.kids) {
    if (part.kind === 'TableFactor') group = tableFactor(analysis, part, scope, rows);
    else if (part.kind === 'EscapedTableReference') group = tableReference(analysis, part, scope, rows);
    else if (part.kind === 'JoinedTable') group = join(analysis, group, part, scope, rows);
  }
  analysis.leave();
  return group;
}

function tableFactor(analysis: Analysis, tree: Tree, scope: Scope, rows: Map<Column, How>): Group {
  const [part] = tree.kids;
  switch (part?.kind) {
    case 'SingleTable':
    case 'SingleTableParens':
      return single(analysis, part, scope);
    case 'DerivedTable':
      return added(scope, derivedTable(analysis, part, scope, rows));
    case 'TableReferenceListParens':
      return listInParens(analysis, part, scope, rows);
    case 'TableReferenceList':
      return listOf(analysis, part, scope, rows);
    case 'TableFunction':
      return added(scope, jsonTable(analysis, part, scope));
    default:
      analysis.unread('statement', part?.kind ?? '', `an entry of FROM of kind ${part?.kind ?? ''} is not read`);
      return added(scope, { name: '', schema: undefined, table: undefined, fields: [], open: true });
  }
}

function added(scope: Scope, item: Item): Group {
  scope.items.push(item);
  return { items: [item], fields: item.fields };
}

function listInParens(analysis: Analysis, tree: Tree, scope: Scope, rows: Map<Column, How>): Group {
  const inner = kid(tree, 'TableReferenceListParens');
  return inner === undefined
    ? listOf(analysis, kid(tree, 'TableReferenceList') ?? tree, scope, rows)
    : listInParens(analysis, inner, scope, rows);
}

function listOf(analysis: Analysis, list: Tree, scope: Scope, rows: Map<Column, How>): Group {
  const groups = kidsOf(list, 'TableReference').map((each) => tableReference(analysis, each, scope, rows));
  return { items: groups.flatMap((group) => group.items), fields: groups.flatMap((group) => group.fields) };
}

function single(analysis: Analysis, tree: Tree, scope: Scope): Group {
  const inner = kid(tree, 'SingleTableParens') ?? kid(tree, 'SingleTable');
  if (inner !== undefined) return single(analysis, inner, scope);
  const path = nameParts(kid(tree, 'TableRef'));
  const alias = aliasOf(tree);
  const name = path[path.length - 1] ?? '';
  if (path.length === 1) {
    const cte = scope.cte(name);
    if (cte !== undefined)
      return added(scope, {
        name: alias ?? name,
        schema: undefined,
        table: undefined,
        fields: cte.fields,
        open: cte.open,
      });
  }
  return added(scope, tableItem(analysis, path, alias, 'read', firstToken(tree)?.start));
}

export function aliasOf(tree: Tree | undefined): string | undefined {
  return tokensOf(kid(tree, 'TableAlias'))
    .filter((token) => token.kind !== 'operator' && !(token.kind === 'word' && token.text.toLowerCase() === 'as'))
    .pop()?.text;
}

export function tableItem(
  analysis: Analysis,
  path: readonly string[],
  alias: string | undefined,
  access: TableUse['access'],
  offset: number | undefined,
): Item {
  const found = lookup(analysis, path, access, offset);
  const schema = path.length > 1 ? path[0] : analysis.database;
  return {
    name: alias ?? path[path.length - 1] ?? '',
    schema: alias === undefined ? schema : undefined,
    table: found.table,
    fields: found.fields,
    open: found.table === undefined,
  };
}

export interface Found {
  readonly table: Table | undefined;
  readonly fields: readonly Field[];
}

/** Finds a table by its written name and records its use. */
export function lookup(
  analysis: Analysis,
  path: readonly string[],
  access: TableUse['access'],
  offset: number | undefined,
): Found {
  const name = path[path.length - 1] ?? '';
  const schema = path.length > 1 ? (path[path.length - 2] ?? '') : analysis.database;
  const { catalog, state } = analysis;
  const local = state.temporary.get(catalog.tableKey(schema, name));
  if (local !== undefined) {
    analysis.stateful = true;
    analysis.table({ schema: local.table.schema, table: local.table.name }, access);
    return local;
  }
  if (schema === '') {
    analysis.unread('relation', name, 'no database is selected', offset, {
      sqlstate: '3D000',
      message: 'No database selected',
    });
    analysis.table({ schema: '', table: name }, access);
    return { table: undefined, fields: [] };
  }
  const table = catalog.table(schema, name);
  if (table === undefined) {
    analysis.missed = true;
    analysis.missedNames.push(name);
    analysis.table({ schema: catalog.schemaName(schema), table: name }, access);
    const missing = { sqlstate: '42S02', message: `Table '${schema}.${name}' doesn't exist` };
    analysis.unread('relation', `${schema}.${name}`, 'no table or view of this name is known', offset, missing);
    return { table: undefined, fields: [] };
  }
  analysis.table({ schema: table.schema, table: table.name }, access);
  const why = access === 'read' ? sideDoorTable(table.schema, table.name) : undefined;
  if (why !== undefined) analysis.sideDoor(`${table.schema}.${table.name}`, why);
  return {
    table,
    fields: table.kind === 'view' && access !== 'ddl' ? viewFields(analysis, table) : plainFields(table),
  };
}

const tableFields = new WeakMap<Table, readonly Field[]>();

export function plainFields(table: Table): readonly Field[] {
  let fields = tableFields.get(table);
  if (fields === undefined) {
    fields = table.columns.map((column) => ({ name: column.name, value: columnValue(column) }));
    tableFields.set(table, fields);
  }
  return fields;
}

function derivedTable(analysis: Analysis, tree: Tree, scope: Scope, rows: Map<Column, How>): Item {
  const inner = has(tree, 'LATERAL') ? scope : outside(scope);
  const result = query(analysis, kid(tree, 'Subquery'), inner);
  addChosen(rows, result.rows);
  const names = nameParts(kid(tree, 'ColumnInternalRefList'));
  const fields = result.fields.map((field, at) => ({
    name: names[at] ?? field.name,
    value: { ...field.value, constants: 0 },
  }));
  return { name: aliasOf(tree) ?? '', schema: undefined, table: undefined, fields, open: result.open };
}

function jsonTable(analysis: Analysis, tree: Tree, scope: Scope): Item {
  const offset = firstToken(tree)?.start;
  const document = evaluate(analysis, operands(tree)[0], scope);
  // How many rows come out tells of the document.
  analysis.use(document, 'argument', offset);
  const fields: Field[] = [];
  const columns = (clause: Tree | undefined): void => {
    for (const column of kidsOf(clause, 'JtColumn')) {
      const nested = kid(column, 'ColumnsClause');
      if (nested !== undefined) columns(nested);
      else fields.push({ name: nameParts(column.kids[0]).pop() ?? '', value: derive([document]) });
    }
  };
  columns(kid(tree, 'ColumnsClause'));
  return { name: aliasOf(tree) ?? '', schema: undefined, table: undefined, fields, open: false };
}

function join(analysis: Analysis, left: Group, tree: Tree, scope: Scope, rows: Map<Column, How>): Group {
  const type = tree.kids[0];
  const reference = kid(tree, 'TableReference');
  const factor = kid(tree, 'TableFactor');
  const right =
    reference !== undefined
      ? tableReference(analysis, reference, scope, rows)
      : factor === undefined
        ? empty
        : tableFactor(analysis, factor, scope, rows);
  const items = [...left.items, ...right.items];
  const on = has(tree, 'ON') ? operands(tree).find((each) => !/JoinType$|^TableReference$/.test(each.kind)) : undefined;
  if (on !== undefined) addChosen(rows, condition(analysis, on, scope));
  const fields = [...left.fields, ...right.fields];
  let shared = nameParts(kid(kid(tree, 'IdentifierListWithParentheses'), 'IdentifierList'));
  if (type?.kind === 'NaturalJoinType') {
    if (items.some((item) => item.open)) analysis.unread('rows', '*', 'the columns of a NATURAL JOIN are not known');
    shared = left.fields.map((field) => field.name).filter((name) => named(right.fields, name).length > 0);
  }
  if (shared.length === 0) return { items, fields };
  return { items, fields: merge(analysis, left, right, shared, has(type, 'RIGHT'), rows, firstToken(tree)?.start) };
}

/** USING and NATURAL: shared columns come first, once, in the order of the first table (Natural join processing). */
function merge(
  analysis: Analysis,
  left: Group,
  right: Group,
  shared: readonly string[],
  rightJoin: boolean,
  rows: Map<Column, How>,
  offset: number | undefined,
): Field[] {
  const lower = new Set(shared.map((name) => name.toLowerCase()));
  const isShared = (field: Field) => lower.has(field.name.toLowerCase());
  const [one, other] = rightJoin ? [right, left] : [left, right];
  const first = one.fields.filter(isShared).map((field) => {
    const mate = named(other.fields, field.name)[0] ?? rootless;
    compareValues(analysis, 'equality', field.value, mate, offset, rows);
    // The merged column shows what both sides show: they are equal.
    return { name: field.name, value: either([field.value, mate]) };
  });
  const rest = (group: Group) => group.fields.filter((field) => !isShared(field));
  return [...first, ...rest(one), ...rest(other)];
}
