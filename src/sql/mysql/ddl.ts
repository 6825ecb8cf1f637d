// CREATE, ALTER, DROP and RENAME: what is defined, and where values of columns go by it.
import type { Verb } from '../reading.ts';
import type { Analysis, LocalTable } from './analysis.ts';
import type { Column, Table } from './catalog.ts';
import { wireType } from './catalog.ts';
import { alterTable, definitions, tableOptions } from './ddl-table.ts';
import { lookup, plainFields } from './from.ts';
import { created } from './programs.ts';
import { query } from './queries.ts';
import { Scope } from './scope.ts';
import { everyTree, firstToken, has, kid, kidsOf, nameParts, type Tree } from './tree.ts';
import { addSources, chosenBy, columnValue, type Field, type How } from './value.ts';

/** A name that need not exist yet, as the table it would be. */
export function ddlName(analysis: Analysis, path: readonly string[]): { schema: string; table: string } {
  const name = path[path.length - 1] ?? '';
  const schema = path.length > 1 ? (path[path.length - 2] ?? '') : analysis.database;
  const known = analysis.catalog.table(schema, name);
  const found = { schema: known?.schema ?? analysis.catalog.schemaName(schema), table: known?.name ?? name };
  analysis.table(found, 'ddl');
  return found;
}

const kinds: Readonly<Record<string, Verb>> = {
  CreateIndex: 'index',
  CreateUdf: 'create',
};
/** Of the server as a whole, not of one database. */
const serverWide = /Tablespace|TableSpace|LogfileGroup|Server|UndoTablespace|SpatialReference|Role|Instance|Udf/;

export function createStatement(analysis: Analysis, tree: Tree): void {
  const part = tree.kids[1] ?? tree;
  analysis.verbs.add(kinds[part.kind] ?? 'create');
  analysis.barrier = true;
  if (serverWide.test(part.kind)) analysis.verbs.add('admin');
  switch (part.kind) {
    case 'CreateTable':
      createTable(analysis, part);
      return;
    case 'CreateView':
      createView(analysis, part);
      return;
    case 'CreateIndex': {
      analysis.changesCatalog = true;
      const target = kid(part, 'CreateIndexTarget');
      const found = lookup(analysis, nameParts(kid(target, 'TableRef')), 'ddl', firstToken(target)?.start);
      definitions(analysis, target, found.fields, found.table);
      return;
    }
    case 'CreateFunction':
    case 'CreateProcedure':
    case 'CreateEvent':
      analysis.changesCatalog = true;
      created(analysis, part, undefined);
      return;
    case 'CreateTrigger': {
      analysis.changesCatalog = true;
      const reference = kid(part, 'TableRef');
      const found = lookup(analysis, nameParts(reference), 'ddl', firstToken(reference)?.start);
      created(analysis, part, found.table);
      return;
    }
    case 'CreateUdf':
      analysis.verbs.add('program');
      analysis.changesCatalog = true;
      return;
    case 'CreateDatabase':
      analysis.changesCatalog = true;
      analysis.table({ schema: nameParts(kid(part, 'SchemaName'))[0] ?? '', table: '*' }, 'ddl');
      return;
    default:
      return;
  }
}

function createTable(analysis: Analysis, tree: Tree): void {
  const temporary = has(tree, 'TEMPORARY');
  const path = nameParts(kid(tree, 'TableName'));
  const name = ddlName(analysis, path);
  if (has(tree, 'REPLACE')) analysis.verbs.add('drop');
  const table: Table = { ...name, name: name.table, kind: 'table', columns: [], definition: undefined, triggers: [] };
  const fields: Field[] = [];
  const add = (field: string, type: number, from?: Field): void => {
    const column: Column = { table, name: field, type, notNull: false };
    table.columns.push(column);
    const own = columnValue(column);
    const sources = new Map<Column, How>(own.sources);
    if (from !== undefined) addSources(sources, from.value.sources);
    fields.push({
      name: field,
      value: { ...own, sources, pure: from === undefined || from.value.pure || from.value.sources.size === 0 },
    });
  };
  const like = kid(tree, 'TableRef');
  if (like !== undefined)
    for (const column of lookup(analysis, nameParts(like), 'read', firstToken(like)?.start).table?.columns ?? [])
      add(column.name, column.type);
  everyTree(kid(tree, 'TableElementList'), (each) => {
    if (each.kind === 'ColumnDefinition')
      add(
        nameParts(kid(each, 'ColumnName') ?? each.kids[0])[0] ?? '',
        wireType(firstToken(kid(kid(each, 'FieldDefinition'), 'DataType'))?.text ?? ''),
      );
  });
  const select = kid(kid(tree, 'DuplicateAsQueryExpression'), 'QueryExpressionOrParens');
  if (select !== undefined) {
    const result = query(analysis, select, new Scope(undefined));
    if (result.open) analysis.unread('rows', '*', 'the columns of the new table are not all known');
    for (const field of result.fields) {
      const from = { name: field.name, value: chosenBy(field.value, result.rows) };
      analysis.flow(from.value.sources, { kind: 'place', what: 'new-table' });
      if (!fields.some((known) => known.name.toLowerCase() === field.name.toLowerCase()))
        add(field.name, typeOf(field), from);
    }
  }
  definitions(analysis, tree, fields, table);
  tableOptions(analysis, tree);
  if (!temporary) {
    analysis.changesCatalog = true;
    return;
  }
  const local: LocalTable = { table, fields };
  const key = analysis.catalog.tableKey(name.schema, name.table);
  analysis.effect((state) => ({ ...state, temporary: new Map(state.temporary).set(key, local) }));
}

function typeOf(field: Field): number {
  const [first] = field.value.sources.keys();
  return field.value.pure ? (first?.type ?? 0) : 0;
}

function createView(analysis: Analysis, tree: Tree): void {
  analysis.changesCatalog = true;
  const reference = kid(tree, 'ViewName') ?? kid(tree, 'ViewRef');
  ddlName(analysis, nameParts(reference));
  const result = query(analysis, kid(kid(tree, 'ViewTail'), 'ViewSelect'), new Scope(undefined));
  for (const field of result.fields)
    analysis.flow(chosenBy(field.value, result.rows).sources, { kind: 'place', what: 'view' });
}

export function alterStatement(analysis: Analysis, tree: Tree): void {
  const part = tree.kids[1] ?? tree;
  analysis.verbs.add('alter');
  analysis.barrier = true;
  analysis.changesCatalog = true;
  switch (part.kind) {
    case 'AlterTable':
      alterTable(analysis, part);
      return;
    case 'AlterView':
      createView(analysis, part);
      return;
    case 'AlterEvent':
      created(analysis, part, undefined);
      return;
    case 'AlterDatabase':
      analysis.table({ schema: nameParts(kid(part, 'SchemaRef'))[0] ?? analysis.database, table: '*' }, 'ddl');
      return;
    default:
      if (serverWide.test(part.kind) || part.kind === 'INSTANCE') analysis.verbs.add('admin');
  }
}

export function dropStatement(analysis: Analysis, tree: Tree): void {
  const part = tree.kids[1] ?? tree;
  analysis.verbs.add('drop');
  analysis.barrier = true;
  if (serverWide.test(part.kind)) analysis.verbs.add('admin');
  switch (part.kind) {
    case 'DropTable':
    case 'DropView': {
      const list = kid(part, 'TableRefList') ?? kid(part, 'ViewRefList');
      for (const reference of list?.kids.filter((each) => each.kids.length > 0) ?? []) {
        const name = ddlName(analysis, nameParts(reference));
        const key = analysis.catalog.tableKey(name.schema, name.table);
        if (analysis.state.temporary.has(key))
          analysis.effect((state) => {
            const temporary = new Map(state.temporary);
            temporary.delete(key);
            return { ...state, temporary };
          });
      }
      analysis.changesCatalog = !has(part, 'TEMPORARY');
      return;
    }
    case 'DropDatabase':
      analysis.changesCatalog = true;
      analysis.table({ schema: nameParts(kid(part, 'SchemaRef'))[0] ?? '', table: '*' }, 'ddl');
      return;
    case 'DropIndex':
      analysis.changesCatalog = true;
      ddlName(analysis, nameParts(kid(part, 'TableRef')));
      return;
    case 'DropTrigger':
    case 'DropFunction':
    case 'DropProcedure':
    case 'DropEvent':
      analysis.changesCatalog = true;
      return;
    default:
      return;
  }
}

/** A table under another name keeps its values: they flow into columns that other masks stand over. */
export function renameTables(analysis: Analysis, tree: Tree): void {
  analysis.verbs.add('rename');
  analysis.barrier = true;
  analysis.changesCatalog = true;
  for (const pair of kidsOf(tree, 'RenamePair'))
    renamed(analysis, nameParts(kid(pair, 'TableRef')), nameParts(kid(pair, 'TableName')), firstToken(pair)?.start);
}

export function renamed(
  analysis: Analysis,
  from: readonly string[],
  to: readonly string[],
  offset: number | undefined,
): void {
  const found = lookup(analysis, from, 'ddl', offset);
  const name = ddlName(analysis, to);
  if (found.table === undefined) return;
  const table: Table = { ...found.table, schema: name.schema, name: name.table };
  for (const field of plainFields(found.table))
    analysis.flow(field.value.sources, {
      kind: 'column',
      column: { table, name: field.name, type: 0, notNull: false },
    });
}
