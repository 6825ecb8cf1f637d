// ALTER and DROP: names and columns that come to mean something else, and expressions that the server computes over stored rows.
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { touch } from './ddl.ts';
import { reachesOut } from './ddl-other.ts';
import { aside, defaultFlow, readExpressions } from './definitions.ts';
import { evaluate } from './expressions.ts';
import { item, lookup } from './from.ts';
import { Scope } from './scope.ts';
import { type AlterObjectSchemaStmt, type AlterTableStmt, as, type DropStmt, names, type RenameStmt } from './tree.ts';
import { columnValue, type Sources } from './value.ts';

/** Values that would stand under another name, where no mask finds them. */
function moved(analysis: Analysis, columns: readonly Column[]): void {
  for (const column of columns) {
    const sources: Sources = new Map([[column, 1 as const]]);
    analysis.columns.add(column);
    analysis.flow(sources, { kind: 'place', what: 'new-table' });
  }
}

/** Changes that leave a table's name, columns and rules as they are. */
const harmlessCommands: ReadonlySet<string> = new Set([
  'AT_ColumnDefault',
  'AT_DropNotNull',
  'AT_SetNotNull',
  'AT_SetStatistics',
  'AT_SetStorage',
  'AT_SetCompression',
  'AT_AddIndex',
  'AT_AddConstraint',
  'AT_AlterConstraint',
  'AT_ValidateConstraint',
  'AT_DropConstraint',
  'AT_ChangeOwner',
  'AT_ClusterOn',
  'AT_SetRelOptions',
  'AT_ResetRelOptions',
  'AT_EnableRowSecurity',
  'AT_DisableRowSecurity',
  'AT_AddIdentity',
  'AT_SetIdentity',
  'AT_DropIdentity',
]);

export function alterTable(analysis: Analysis, body: AlterTableStmt): void {
  analysis.barrier = true;
  const found = lookup(analysis, body.relation, 'ddl');
  const scope = new Scope(undefined);
  scope.items = [item(body.relation?.relname ?? '', found.fields, { relation: found.relation, open: found.open })];
  for (const node of body.cmds ?? []) {
    const command = as(node, 'AlterTableCmd');
    if (!harmlessCommands.has(command?.subtype ?? '')) {
      const other = as(command?.def, 'PartitionCmd')?.name?.relname ?? as(command?.def, 'RangeVar')?.relname;
      touch(analysis, [body.relation?.relname ?? '', ...(other === undefined ? [] : [other])]);
    }
    const definition = as(command?.def, 'ColumnDef');
    if (command?.def !== undefined) readExpressions(analysis, command.def, scope);
    if (command?.subtype?.includes('GenericOptions') === true || found.relation?.kind === 'f')
      analysis.sideDoor('foreign table', reachesOut);
    switch (command?.subtype) {
      case 'AT_ColumnDefault':
        aside(analysis, (inner) => defaultFlow(inner, evaluate(inner, command.def, scope), scope, command.name));
        break;
      case 'AT_AlterColumnType': {
        const column = found.relation?.columns.find((candidate) => candidate.name === command.name);
        const using = definition?.raw_default;
        // Whether the values there are fit the other type is told by failing.
        if (column !== undefined) analysis.useValue(columnValue(column), 'argument');
        if (using !== undefined && column !== undefined) {
          const value = evaluate(analysis, using, scope);
          analysis.flow(value.sources, { kind: 'column', column });
        }
        break;
      }
      case 'AT_SetExpression':
        aside(analysis, (inner) => defaultFlow(inner, evaluate(inner, command.def, scope), scope, undefined));
        break;
      case 'AT_AttachPartition': {
        const partition = as(command.def, 'PartitionCmd')?.name;
        const child = lookup(analysis, partition, 'ddl');
        moved(analysis, child.relation?.columns ?? []);
        break;
      }
      case 'AT_DetachPartition':
      case 'AT_DropInherit': {
        const child = lookup(analysis, as(command.def, 'PartitionCmd')?.name ?? as(command.def, 'RangeVar'), 'ddl');
        moved(analysis, child.relation?.columns ?? []);
        moved(analysis, found.relation?.columns ?? []);
        break;
      }
      case 'AT_AddInherit': {
        lookup(analysis, as(command.def, 'RangeVar'), 'ddl');
        moved(analysis, found.relation?.columns ?? []);
        break;
      }
      case 'AT_DropColumn':
        analysis.verbs.add('drop');
        break;
      default:
    }
  }
}

export function alterRename(analysis: Analysis, body: RenameStmt): void {
  analysis.barrier = true;
  touch(analysis, body.relation === undefined ? ['*'] : [body.relation.relname ?? '', body.newname ?? '']);
  const relations = ['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW', 'OBJECT_FOREIGN_TABLE'];
  if (body.relation === undefined) {
    if (body.renameType === 'OBJECT_SCHEMA') {
      for (const relation of analysis.catalog.relations.get(body.subname ?? '')?.values() ?? [])
        moved(analysis, relation.columns);
    }
    return;
  }
  const found = lookup(analysis, body.relation, 'ddl');
  if (body.renameType === 'OBJECT_COLUMN') {
    moved(analysis, found.relation?.columns.filter((column) => column.name === body.subname) ?? []);
  } else if (relations.includes(body.renameType ?? '')) {
    moved(analysis, found.relation?.columns ?? []);
  }
}

export function alterSchema(analysis: Analysis, body: AlterObjectSchemaStmt): void {
  analysis.barrier = true;
  touch(analysis, body.relation === undefined ? ['*'] : [body.relation.relname ?? '']);
  if (body.relation === undefined) return;
  moved(analysis, lookup(analysis, body.relation, 'ddl').relation?.columns ?? []);
}

const relationKinds = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_FOREIGN_TABLE',
  'OBJECT_SEQUENCE',
  'OBJECT_INDEX',
]);

export function dropStatement(analysis: Analysis, body: DropStmt): void {
  analysis.barrier = true;
  const { catalog, path } = analysis.around;
  for (const object of body.objects ?? []) {
    const parts = names(as(object, 'List')?.items);
    const table = parts[parts.length - 1] ?? '';
    const schema = parts.length > 1 ? parts[parts.length - 2] : undefined;
    if (relationKinds.has(body.removeType ?? '')) {
      const relation = catalog.relation(schema, table, path);
      const local = schema === undefined ? analysis.around.local.get(table)?.relation : undefined;
      analysis.table({ schema: local?.schema ?? relation?.schema ?? schema ?? '', table }, 'ddl');
      touch(analysis, [table]);
    } else if (
      body.removeType === 'OBJECT_TRIGGER' ||
      body.removeType === 'OBJECT_RULE' ||
      body.removeType === 'OBJECT_POLICY'
    ) {
      const owner = parts[parts.length - 2] ?? '';
      const relation = catalog.relation(parts.length > 2 ? parts[parts.length - 3] : undefined, owner, path);
      analysis.table({ schema: relation?.schema ?? '', table: owner }, 'ddl');
      touch(analysis, [owner]);
    } else {
      touch(analysis, ['*']);
    }
  }
}
