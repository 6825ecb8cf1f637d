// Other definitions and administration: what they name, what they hold, and which of them open a way past the gateway.
import type { Analysis } from './analysis.ts';
import type { Relation } from './catalog.ts';
import { creationSchema, touch } from './ddl.ts';
import { domainExpressions, readExpressions, unseenFunctions } from './definitions.ts';
import { evaluate } from './expressions.ts';
import { item, lookup, plainFields } from './from.ts';
import { Scope } from './scope.ts';
import { setStatement } from './settings.ts';
import { as, type CreateStmt, type Node, names, type RangeVar } from './tree.ts';
import { viewFields } from './views.ts';

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
  for (const entry of as(node, 'AlterFunctionStmt')?.actions ?? []) {
    const set = as(as(entry, 'DefElem')?.arg, 'VariableSetStmt');
    if (set !== undefined) setStatement(analysis, set);
  }
  if (as(node, 'DefineStmt')?.kind === 'OBJECT_COLLATION' && !deterministic(node))
    analysis.sideDoor('CREATE COLLATION', 'lets values that are only alike pass for equal');
  if (outward.has(kind)) analysis.sideDoor(kind.replace(/Stmt$/, ''), reachesOut);
  if (kind === 'ClusterStmt') {
    // Which columns the index has is not known here; afterwards the rows come in their order.
    if (relation === undefined) analysis.sideDoor('CLUSTER', 'puts the rows of every table in the order of an index');
    for (const field of relation === undefined ? [] : plainFields(relation)) analysis.useValue(field.value, 'order');
  }
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

/** Why a way past the gateway is none. */
export const reachesOut = 'reaches data, or sends it, where the gateway does not see it';
/** Kinds that open a way past the gateway: to other servers, to files, to subscribers. */
const outward: ReadonlySet<string> = new Set(
  `CreateForeignServerStmt CreateForeignTableStmt ImportForeignSchemaStmt CreateUserMappingStmt CreateFdwStmt AlterForeignServerStmt
   AlterUserMappingStmt AlterFdwStmt CreateSubscriptionStmt AlterSubscriptionStmt CreatePublicationStmt AlterPublicationStmt`.split(
    /\s+/,
  ),
);

/** A collation under which only equal texts are equal: said so, or not said otherwise. A copy of another is what that one is. */
function deterministic(node: Node): boolean {
  return (as(node, 'DefineStmt')?.definition ?? []).every((entry) => {
    const option = as(entry, 'DefElem');
    if (option?.defname !== 'deterministic') return option?.defname !== 'from';
    const value = as(option.arg, 'String')?.sval ?? as(as(option.arg, 'TypeName')?.names?.[0], 'String')?.sval;
    const said = value ?? as(option.arg, 'Boolean')?.boolval ?? as(option.arg, 'Integer')?.ival;
    return said === true || said === 1 || /^(true|on|1)$/i.test(String(said));
  });
}

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
