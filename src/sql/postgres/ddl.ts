// Definitions: what they touch, and where they would carry values to: new tables, views, functions, triggers, other names.
import type { Analysis } from './analysis.ts';
import { TooDeep } from './analysis.ts';
import type { Column, FunctionFact, Relation } from './catalog.ts';
import { freeTag } from './code.ts';
import { condition } from './conditions.ts';
import { aside, defaultFlow, domainExpressions, readExpressions, rowsOf, unseenFunctions } from './definitions.ts';
import { evaluate } from './expressions.ts';
import { item, lookup, plainFields } from './from.ts';
import { bodyStatements, parameterColumns, parameterScope, sqlBody } from './functions.ts';
import { readPlpgsql } from './plpgsql.ts';
import { query, withQueries } from './queries.ts';
import { rowScope } from './rules.ts';
import { Scope } from './scope.ts';
import { statement } from './statements.ts';
import {
  type AlterObjectSchemaStmt,
  type AlterTableStmt,
  as,
  type CreateStmt,
  type CreateTableAsStmt,
  type CreateTrigStmt,
  type DropStmt,
  type Node,
  names,
  type RangeVar,
  type RenameStmt,
  type RuleStmt,
  type ViewStmt,
} from './tree.ts';
import { resolveType } from './types.ts';
import { columnValue, type Field, rootless, type Sources } from './value.ts';
import { viewFields } from './views.ts';

function created(analysis: Analysis, range: RangeVar | undefined): void {
  const schema = range?.relpersistence === 't' ? 'pg_temp' : (range?.schemaname ?? creationSchema(analysis));
  analysis.table({ schema, table: range?.relname ?? '' }, 'ddl');
  analysis.barrier = true;
  // A temporary table hides a permanent one; which of them a name means then depends on rollbacks we do not see.
  if (
    schema === 'pg_temp' &&
    analysis.inside === 0 &&
    analysis.catalog.relation(undefined, range?.relname ?? '', analysis.around.path) !== undefined
  ) {
    analysis.unreadable(
      'relation',
      range?.relname ?? '',
      'a temporary table would hide a table of the same name',
      range?.location,
    );
  }
}

/** The first schema of the path that exists and is named by the user. */
export function creationSchema(analysis: Analysis): string {
  return (
    analysis.around.path.find((schema) => !schema.startsWith('pg_') && analysis.catalog.schemas.has(schema)) ?? 'public'
  );
}

export function createTableAs(analysis: Analysis, body: CreateTableAsStmt, scope: Scope | undefined): void {
  analysis.verbs.add('create');
  analysis.literalSensitive = true;
  created(analysis, body.into?.rel);
  const view = body.objtype === 'OBJECT_MATVIEW' ? 'view' : 'new-table';
  const select = as(body.query, 'SelectStmt');
  let fields: readonly Field[];
  if (select !== undefined) {
    analysis.verbs.add('select');
    const plain = { ...select };
    delete plain.intoClause;
    const result = query(analysis, { SelectStmt: plain }, scope);
    fields = result.fields;
    for (const field of fields) analysis.flow(field.value.sources, { kind: 'place', what: view });
  } else {
    const result = body.query === undefined ? undefined : statement(analysis, body.query, scope);
    fields = result?.fields ?? [];
    for (const field of fields) analysis.flow(field.value.sources, { kind: 'place', what: view });
  }
  const aliases = names(body.into?.colNames);
  remember(
    analysis,
    body.into?.rel,
    fields.map((field, at) => ({ name: aliases[at] ?? field.name, value: field.value })),
  );
}

function remember(analysis: Analysis, range: RangeVar | undefined, fields: readonly Field[]): void {
  const name = range?.relname ?? '';
  const temporary = range?.relpersistence === 't' || range?.schemaname === 'pg_temp';
  const schema = temporary ? 'pg_temp' : (range?.schemaname ?? creationSchema(analysis));
  // Where one of this name is there already, which one a name means afterwards is for the next catalog to say.
  if (analysis.inside > 0 || analysis.catalog.relation(schema, name, []) !== undefined) touch(analysis, [name]);
  else analysis.effects.push({ kind: 'create', name, schema, fields });
}

export function touch(analysis: Analysis, touched: readonly string[]): void {
  analysis.effects.push({ kind: 'touch', names: analysis.inside > 0 ? ['*'] : touched });
}

export function createTable(analysis: Analysis, body: CreateStmt): void {
  created(analysis, body.relation);
  const fields: Field[] = [];
  for (const parent of body.inhRelations ?? []) fields.push(...lookup(analysis, as(parent, 'RangeVar'), 'ddl').fields);
  for (const element of body.tableElts ?? []) {
    const column = as(element, 'ColumnDef');
    if (column !== undefined)
      fields.push({
        name: column.colname ?? '',
        value: { ...rootless, type: resolveType(analysis, column.typeName).oid },
      });
    const like = as(element, 'TableLikeClause');
    if (like !== undefined)
      fields.push(
        ...lookup(analysis, like.relation, 'ddl').fields.map((field) => ({
          name: field.name,
          value: { ...rootless, type: field.value.type },
        })),
      );
  }
  generic(analysis, { CreateStmt: body });
  readExpressions(analysis, body, rowsOf(body.relation?.relname ?? '', fields, undefined));
  remember(analysis, body.relation, fields);
}

export function createView(analysis: Analysis, body: ViewStmt): void {
  created(analysis, body.view);
  const result = query(analysis, body.query, undefined);
  for (const field of result.fields) analysis.flow(field.value.sources, { kind: 'place', what: 'view' });
  const aliases = names(body.aliases);
  remember(
    analysis,
    body.view,
    result.fields.map((field, at) => ({ name: aliases[at] ?? field.name, value: field.value })),
  );
}

/** A function that would hand out columns is a way around their masks wherever its caller stands: a flow into it. */
export function createFunction(analysis: Analysis, node: Node): void {
  analysis.barrier = true;
  const body = as(node, 'CreateFunctionStmt');
  const name = names(body?.funcname).join('.');
  touch(analysis, [`()${names(body?.funcname).pop() ?? ''}`]);
  let language = body?.sql_body === undefined ? '' : 'sql';
  let source = '';
  for (const entry of body?.options ?? []) {
    const option = as(entry, 'DefElem');
    if (option?.defname === 'language') language = (as(option.arg, 'String')?.sval ?? '').toLowerCase();
    if (option?.defname === 'as') source = names(as(option.arg, 'List')?.items)[0] ?? '';
    if (option?.defname === 'set') {
      const set = as(option.arg, 'VariableSetStmt');
      if (set !== undefined) statement(analysis, { VariableSetStmt: set }, undefined);
    }
  }
  const inputs = (body?.parameters ?? []).flatMap((entry) => {
    const parameter = as(entry, 'FunctionParameter');
    return parameter === undefined || parameter.mode === 'FUNC_PARAM_OUT' || parameter.mode === 'FUNC_PARAM_TABLE'
      ? []
      : [parameter];
  });
  const parameters = parameterColumns(
    inputs.map((parameter) => parameter.name ?? ''),
    inputs.map((parameter) => resolveType(analysis, parameter.argType).oid),
  );
  aside(analysis, (inner) => {
    for (const { defexpr } of inputs)
      if (defexpr !== undefined)
        inner.flow(evaluate(inner, defexpr, new Scope(undefined)).sources, { kind: 'place', what: 'function' });
  });
  if (language !== 'sql' && language !== 'plpgsql') {
    analysis.unreadable('function', name, `its body cannot be read (language ${language})`);
    return;
  }
  const trigger = names(body?.returnType?.names).pop() === 'trigger';
  if (trigger && language === 'plpgsql') rereadTrigger(analysis, names(body?.funcname), source);
  analysis.inside++;
  try {
    if (language === 'plpgsql') {
      const tag = freeTag(source);
      const args = inputs.map((parameter, at) => `${quoted(parameter.name ?? `p${at}`)} text`).join(', ');
      const outs = (body?.parameters ?? []).flatMap((entry) => {
        const parameter = as(entry, 'FunctionParameter');
        return parameter?.mode === 'FUNC_PARAM_OUT' || parameter?.mode === 'FUNC_PARAM_TABLE'
          ? [`OUT ${quoted(parameter.name ?? 'o')} text`]
          : [];
      });
      const kind =
        body?.is_procedure === true
          ? ''
          : trigger
            ? 'RETURNS trigger'
            : outs.length > 0
              ? returnsOuts(outs, body?.returnType?.setof === true || hasTable(body?.parameters))
              : body?.returnType?.setof === true
                ? 'RETURNS SETOF record'
                : 'RETURNS text';
      const all = [args, ...outs].filter((part) => part !== '').join(', ');
      readPlpgsql(
        analysis,
        `CREATE ${body?.is_procedure === true ? 'PROCEDURE' : 'FUNCTION'} f(${all}) ${kind} LANGUAGE plpgsql AS ${tag}${source}${tag}`,
        name,
        parameters,
        undefined,
      );
    } else {
      const nodes = body?.sql_body === undefined ? bodyStatements(source) : sqlBody(body.sql_body);
      for (const entry of nodes) {
        const result = statement(analysis, entry, parameterScope(name, parameters));
        for (const field of result?.fields ?? [])
          analysis.flow(field.value.sources, { kind: 'place', what: 'function' });
      }
    }
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError) throw error;
    analysis.unreadable('function', name, 'its body cannot be read');
  }
  analysis.inside--;
  const read = new Map([...analysis.columns].map((column) => [column, 2 as const]));
  analysis.flow(read, { kind: 'place', what: 'function' });
}

function hasTable(parameters: readonly Node[] | undefined): boolean {
  return (parameters ?? []).some((entry) => as(entry, 'FunctionParameter')?.mode === 'FUNC_PARAM_TABLE');
}

function returnsOuts(outs: readonly string[], set: boolean): string {
  if (!set) return '';
  return outs.length === 1 ? 'RETURNS SETOF text' : 'RETURNS SETOF record';
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A trigger function is read again here: only now is it known whose rows it gets. */
export function createTrigger(analysis: Analysis, body: CreateTrigStmt): void {
  analysis.barrier = true;
  const found = lookup(analysis, body.relation, 'ddl');
  touch(analysis, [body.relation?.relname ?? '']);
  const parts = names(body.funcname);
  const name = parts[parts.length - 1] ?? '';
  const facts = (analysis.catalog.functions.get(name) ?? []).filter((fact) =>
    parts.length > 1 ? fact.schema === parts[0] : analysis.around.path.includes(fact.schema),
  );
  if (facts.length === 0) {
    analysis.missed = true;
    analysis.missedNames.push(name);
    analysis.unreadable('function', parts.join('.'), 'no function of this name is known');
  }
  const rows = found.relation === undefined ? [] : plainFields(found.relation);
  if (body.whenClause !== undefined && found.relation !== undefined)
    condition(analysis, body.whenClause, rowScope(found.relation, rows, rows));
  for (const fact of facts) readTrigger(analysis, fact, rows);
}

/** A new body for a function that is a trigger already: it gets the rows of those tables. */
function rereadTrigger(analysis: Analysis, parts: readonly string[], source: string): void {
  const name = parts[parts.length - 1] ?? '';
  const tag = freeTag(source);
  for (const relation of analysis.catalog.relationsByOid.values()) {
    if (!relation.triggers.some((fact) => fact.name === name)) continue;
    const rows = plainFields(relation);
    aside(analysis, (inner) => {
      try {
        readPlpgsql(
          inner,
          `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS ${tag}${source}${tag}`,
          name,
          [],
          undefined,
          {
            old: rows,
            fresh: rows,
          },
        );
      } catch (error) {
        if (error instanceof TooDeep || error instanceof RangeError) throw error;
        inner.unreadable('function', parts.join('.'), 'its body cannot be read');
      }
    });
  }
}

function readTrigger(analysis: Analysis, fact: FunctionFact, rows: readonly Field[]): void {
  const name = `${fact.schema}.${fact.name}`;
  analysis.functions.add(name);
  if (fact.language !== 'plpgsql') {
    analysis.unreadable('function', name, `its body cannot be read (language ${fact.language})`);
    return;
  }
  analysis.inside++;
  try {
    readPlpgsql(analysis, fact.definition ?? '', name, [], undefined, { old: rows, fresh: rows });
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError) throw error;
    analysis.unreadable('function', name, 'its body cannot be read');
  }
  analysis.inside--;
}

export function ruleStatement(analysis: Analysis, body: RuleStmt): void {
  analysis.barrier = true;
  const found = lookup(analysis, body.relation, 'ddl');
  touch(analysis, [body.relation?.relname ?? '']);
  if (found.relation === undefined) return;
  const rows = plainFields(found.relation);
  for (const action of body.actions ?? []) {
    const result = statement(analysis, action, rowScope(found.relation, rows, rows));
    for (const field of result?.fields ?? []) analysis.flow(field.value.sources, { kind: 'place', what: 'view' });
  }
  condition(analysis, body.whereClause, rowScope(found.relation, rows, rows));
}

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

/** Other definitions and administration: the relations they name, and the expressions they hold. */
export function generic(analysis: Analysis, node: Node): void {
  analysis.barrier = true;
  let relation: Relation | undefined;
  const kind = Object.keys(node)[0] ?? '';
  const access = kind === 'RefreshMatViewStmt' ? 'write' : 'ddl';
  const nested: Node[] = [];
  const seen = (range: RangeVar): void => {
    const found = lookup(analysis, range, access);
    relation ??= found.relation;
  };
  const self = kind === 'CreateStmt' ? (node as { CreateStmt: CreateStmt }).CreateStmt.relation : undefined;
  const walk = (item: unknown, key: string): void => {
    if (item === self && self !== undefined) return;
    if (Array.isArray(item)) {
      for (const element of item) walk(element, key);
      return;
    }
    if (typeof item !== 'object' || item === null) return;
    if ('relname' in item) {
      if (key !== 'sequence' || kind !== 'CreateSeqStmt') seen(item as RangeVar);
      return;
    }
    for (const [name, child] of Object.entries(item)) {
      if (name === 'SelectStmt' || name === 'SubLink') nested.push({ [name]: child } as unknown as Node);
      else if (name !== 'TypeName') walk(child, name);
    }
  };
  walk(node, '');
  if (!quiet.has(kind)) touch(analysis, ['*']);
  if (kind === 'CreateSeqStmt') {
    const sequence = as(node, 'CreateSeqStmt')?.sequence;
    analysis.table({ schema: sequence?.schemaname ?? creationSchema(analysis), table: sequence?.relname ?? '' }, 'ddl');
  }
  if (kind === 'GrantStmt' && as(node, 'GrantStmt')?.is_grant !== true) swap(analysis);
  if (kind === 'GrantRoleStmt' && as(node, 'GrantRoleStmt')?.is_grant !== true) swap(analysis);
  if (kind === 'VacuumStmt' && as(node, 'VacuumStmt')?.is_vacuumcmd !== true) {
    analysis.verbs.delete('vacuum');
    analysis.verbs.add('analyze');
  }
  const scope = new Scope(undefined);
  if (relation !== undefined) {
    scope.items = [item(relation.name, plainFields(relation), { schema: relation.schema, relation })];
  }
  for (const entry of nested) evaluate(analysis, entry, scope);
  if (kind === 'CreateDomainStmt' || kind === 'AlterDomainStmt') domainExpressions(analysis, node);
  else if (kind !== 'CreateStmt') readExpressions(analysis, node, scope);
  unseenFunctions(analysis, node);
  if (outward.has(kind)) analysis.sideDoor(kind.replace(/Stmt$/, ''), reachesOut);
  if (kind === 'RefreshMatViewStmt') {
    // An error of the refresh quotes the new rows.
    for (const field of relation === undefined ? [] : viewFields(analysis, relation))
      for (const column of field.value.sources.keys()) analysis.below.add(column);
  }
  if (kind === 'CommentStmt' || kind === 'SecLabelStmt') commented(analysis, node);
}

/** Kinds after which every name still means what the catalog says. */
const quiet: ReadonlySet<string> = new Set(
  `CreateStmt RefreshMatViewStmt CommentStmt SecLabelStmt IndexStmt ReindexStmt ClusterStmt GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt VacuumStmt
   CreateTableSpaceStmt CreatePolicyStmt AlterPolicyStmt CreateRoleStmt AlterRoleStmt DropRoleStmt CreateSeqStmt AlterSeqStmt CreateEnumStmt AlterEnumStmt
   CreateRangeStmt CreateStatsStmt AlterStatsStmt AlterOwnerStmt CreatePublicationStmt AlterPublicationStmt CreatedbStmt DropdbStmt`.split(
    /\s+/,
  ),
);

const reachesOut = 'reaches data, or sends it, where the gateway does not see it';
/** Kinds that open a way past the gateway: to other servers, to files, to subscribers. */
const outward: ReadonlySet<string> = new Set(
  `CreateForeignServerStmt CreateForeignTableStmt ImportForeignSchemaStmt CreateUserMappingStmt CreateFdwStmt AlterForeignServerStmt
   AlterUserMappingStmt AlterFdwStmt CreateSubscriptionStmt AlterSubscriptionStmt CreatePublicationStmt AlterPublicationStmt`.split(
    /\s+/,
  ),
);

function swap(analysis: Analysis): void {
  analysis.verbs.delete('grant');
  analysis.verbs.add('revoke');
}

function commented(analysis: Analysis, node: Node): void {
  const body = as(node, 'CommentStmt') ?? as(node, 'SecLabelStmt');
  const parts = names(as(body?.object, 'List')?.items);
  const column = body?.objtype === 'OBJECT_COLUMN';
  const path = column ? parts.slice(0, -1) : parts;
  const table = path[path.length - 1];
  if (table === undefined || (!column && body?.objtype !== 'OBJECT_TABLE' && body?.objtype !== 'OBJECT_VIEW')) return;
  const relation = analysis.catalog.relation(
    path.length > 1 ? path[path.length - 2] : undefined,
    table,
    analysis.around.path,
  );
  analysis.table({ schema: relation?.schema ?? '', table }, 'ddl');
}

export { withQueries };
