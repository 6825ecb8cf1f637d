// The parts of CREATE TABLE and ALTER TABLE by which values move or are tried out: generated columns, checks, partitions, names.
import type { Analysis } from './analysis.ts';
import type { Column, Table } from './catalog.ts';
import { condition } from './conditions.ts';
import { renamed } from './ddl.ts';
import { evaluate, evaluateAll } from './expressions.ts';
import { lookup } from './from.ts';
import { Scope } from './scope.ts';
import { everyTree, firstToken, has, kid, kidsOf, nameParts, operands, type Tree, tokensOf } from './tree.ts';
import { type Field, reveals } from './value.ts';

/** Reads the expressions in definitions over the columns of a table. */
export function definitions(
  analysis: Analysis,
  tree: Tree | undefined,
  fields: readonly Field[],
  table: Table | undefined,
): void {
  const scope = new Scope(undefined);
  scope.items = [{ name: table?.name ?? '', schema: table?.schema, table, fields, open: table === undefined }];
  everyTree(tree, (each) => {
    if (each.kind === 'CheckConstraint') {
      // Whether the rows there are fulfil it is told by failing.
      condition(analysis, operands(kid(each, 'ExprWithParentheses') ?? each)[0], scope);
    } else if (each.kind === 'FieldDefinition') {
      const expression = kid(each, 'ExprWithParentheses');
      if (expression !== undefined) generated(analysis, expression, columnNameOf(tree, each), scope, table);
    } else if (each.kind === 'ColumnAttribute' && has(each, 'DEFAULT')) {
      const expression = kid(each, 'ExprWithParentheses');
      if (expression !== undefined) generated(analysis, expression, columnNameOf(tree, each), scope, table);
    } else if (each.kind === 'KeyPartOrExpression' && has(each, 'ExprWithParentheses')) {
      for (const value of evaluateAll(analysis, operands(kid(each, 'ExprWithParentheses') ?? each), scope))
        analysis.use(value, 'computed', firstToken(each)?.start);
    } else if (each.kind === 'KeyPart' && has(each, 'FieldLength')) {
      // The beginnings of values that must be unique, or that are counted, are a grouping of the rows.
      const name = nameParts(each.kids[0])[0] ?? '';
      analysis.use(evaluate(analysis, named(name), scope), 'group', firstToken(each)?.start);
    } else if (/^PartitionDef(Key|Hash|RangeList)$|^SubPartitions$/.test(each.kind)) {
      partitioned(analysis, each, scope);
    }
  });
}

/** How many rows each partition has is told to everyone. */
function partitioned(analysis: Analysis, tree: Tree, scope: Scope): void {
  const names = nameParts(kid(tree, 'IdentifierList'));
  const values = names.map((name) => evaluate(analysis, named(name), scope));
  for (const each of tree.kids)
    if (each.kind === 'BitExpr' || each.kind.startsWith('SimpleExpr') || /FunctionCall$/.test(each.kind))
      values.push(evaluate(analysis, each, scope));
  for (const value of values) analysis.use(value, 'range', firstToken(tree)?.start);
}

function named(name: string): Tree {
  const token = { kind: 'identifier', raw: name, text: name, start: 0, end: 0, call: false, quote: '' } as const;
  return { kind: 'ColumnRef', kids: [{ kind: 'IDENTIFIER', kids: [], token }], token: undefined };
}

function generated(analysis: Analysis, expression: Tree, name: string, scope: Scope, table: Table | undefined): void {
  const value = evaluate(analysis, operands(expression)[0], scope);
  if (!reveals(value.sources) || table === undefined) return;
  const column: Column = table.columns.find((each) => each.name.toLowerCase() === name.toLowerCase()) ?? {
    table,
    name,
    type: 0,
    notNull: false,
  };
  analysis.flow(value.sources, { kind: 'column', column });
}

/** The column whose definition holds this part. */
function columnNameOf(tree: Tree | undefined, part: Tree): string {
  let name = '';
  everyTree(tree, (each) => {
    if (each.kind !== 'ColumnDefinition' && each.kind !== 'AlterListItem') return;
    let inside = false;
    everyTree(each, (inner) => {
      if (inner === part) inside = true;
    });
    if (!inside) return;
    const before = each.kids.slice(
      0,
      each.kids.findIndex((child) => child.kind === 'FieldDefinition'),
    );
    const names = before.filter((child) => !/^(ADD|COLUMN|CHANGE|MODIFY)$/.test(child.kind));
    name = nameParts(names[names.length - 1]).pop() ?? '';
  });
  return name;
}

/** Engines that read what lies elsewhere, as their options say. */
const foreignEngines = /^(federated|federatedx|connect|spider|merge|mrg_myisam|s3|sequence|oqgraph|mroonga|sphinx)$/;

export function tableOptions(analysis: Analysis, tree: Tree): void {
  everyTree(tree, (each) => {
    if (each.kind !== 'CreateTableOption') return;
    const words = tokensOf(each).map((token) => token.text.toLowerCase());
    const [first] = words;
    if (first === 'engine' && foreignEngines.test(words[words.length - 1] ?? ''))
      analysis.unread(
        'relation',
        `engine ${words[words.length - 1]}`,
        'tables of this engine show what lies elsewhere',
      );
    if (first === 'connection')
      analysis.unread('relation', 'CONNECTION', 'the table shows what lies on another server');
    if (words[1] === 'directory') analysis.verbs.add('file');
    if (first === 'union') {
      for (const reference of kidsOf(kid(each, 'TableRefList'), 'TableRef'))
        for (const field of lookup(analysis, nameParts(reference), 'read', firstToken(reference)?.start).fields)
          analysis.flow(field.value.sources, { kind: 'place', what: 'new-table' });
    }
  });
}

export function alterTable(analysis: Analysis, tree: Tree): void {
  const reference = kid(tree, 'TableRef');
  const path = nameParts(reference);
  const { table, fields } = lookup(analysis, path, 'ddl', firstToken(reference)?.start);
  definitions(analysis, kid(tree, 'AlterTableActions'), fields, table);
  tableOptions(analysis, tree);
  everyTree(kid(tree, 'AlterTableActions'), (each) => {
    if (each.kind === 'AlterListItem') item(analysis, each, path, table);
    else if (each.kind === 'AlterPartition') partition(analysis, each, fields, table);
    else if (each.kind === 'AlterOrderList') {
      const scope = new Scope(undefined);
      scope.items = [{ name: table?.name ?? '', schema: undefined, table, fields, open: false }];
      for (const name of nameParts(each))
        if (!/^(asc|desc)$/i.test(name)) analysis.use(evaluate(analysis, named(name), scope), 'order');
    }
  });
}

function item(analysis: Analysis, tree: Tree, path: readonly string[], table: Table | undefined): void {
  const [first, second] = tree.kids;
  if (first?.kind === 'DROP' || first?.kind === 'MODIFY' || first?.kind === 'CHANGE') noteColumn(analysis, tree, table);
  if (first?.kind === 'RENAME') {
    const target = kid(tree, 'TableName');
    if (target !== undefined) {
      analysis.verbs.add('rename');
      renamed(analysis, path, nameParts(target), firstToken(tree)?.start);
      return;
    }
    if (second?.kind !== 'COLUMN') return;
  } else if (first?.kind !== 'CHANGE') return;
  // A column under another name keeps its values.
  const from = nameParts(kid(tree, 'ColumnInternalRef')).pop() ?? '';
  const names = tree.kids.filter(
    (each) => !/^(RENAME|CHANGE|COLUMN|TO|ColumnInternalRef|FieldDefinition|Place)$/.test(each.kind),
  );
  const to = nameParts(names[0]).pop() ?? '';
  const column = table?.columns.find((each) => each.name.toLowerCase() === from.toLowerCase());
  if (column === undefined || table === undefined || to.toLowerCase() === from.toLowerCase()) return;
  analysis.flow(new Map([[column, 1]]), { kind: 'column', column: { ...column, name: to } });
}

function noteColumn(analysis: Analysis, tree: Tree, table: Table | undefined): void {
  const name = nameParts(kid(tree, 'ColumnInternalRef')).pop()?.toLowerCase();
  const column = table?.columns.find((each) => each.name.toLowerCase() === name);
  if (column !== undefined) analysis.columns.add(column);
}

function partition(analysis: Analysis, tree: Tree, fields: readonly Field[], table: Table | undefined): void {
  if (has(tree, 'DROP') || has(tree, 'TRUNCATE')) {
    analysis.verbs.add(has(tree, 'DROP') ? 'drop' : 'truncate');
    return;
  }
  if (!has(tree, 'EXCHANGE')) return;
  // The rows of one table become those of the other.
  const reference = kid(tree, 'TableRef');
  const other = lookup(analysis, nameParts(reference), 'write', firstToken(reference)?.start);
  fields.forEach((field, at) => {
    const there = other.table?.columns[at];
    const here = table?.columns[at];
    if (there !== undefined) analysis.flow(field.value.sources, { kind: 'column', column: there });
    const back = other.fields[at];
    if (here !== undefined && back !== undefined) analysis.flow(back.value.sources, { kind: 'column', column: here });
  });
}
