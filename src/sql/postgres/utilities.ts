// The verb of every statement kind that is not a query: the table a test compares with the grammar's own list.
import type { Verb } from '../reading.ts';
import { noRows, type QueryResult } from './queries.ts';
import type { Kind } from './tree.ts';
import { rootless } from './value.ts';

const table: readonly (readonly [Verb, string])[] = [
  ['explain', 'ExplainStmt'],
  ['prepare', 'PrepareStmt'],
  ['execute', 'ExecuteStmt'],
  ['deallocate', 'DeallocateStmt'],
  ['declare', 'DeclareCursorStmt'],
  ['fetch', 'FetchStmt'],
  ['close', 'ClosePortalStmt'],
  ['do', 'DoStmt'],
  ['call', 'CallStmt'],
  ['set', 'VariableSetStmt ConstraintsSetStmt'],
  ['show', 'VariableShowStmt'],
  ['admin', 'AlterSystemStmt LoadStmt'],
  ['truncate', 'TruncateStmt'],
  ['lock', 'LockStmt'],
  ['notify', 'NotifyStmt'],
  ['listen', 'ListenStmt'],
  ['unlisten', 'UnlistenStmt'],
  ['checkpoint', 'CheckPointStmt'],
  ['discard', 'DiscardStmt'],
  ['refresh', 'RefreshMatViewStmt'],
  ['comment', 'CommentStmt'],
  ['security-label', 'SecLabelStmt'],
  ['index', 'IndexStmt ReindexStmt'],
  ['cluster', 'ClusterStmt'],
  ['rename', 'RenameStmt'],
  [
    'create',
    `CreateTableAsStmt CreateStmt CreateForeignTableStmt ViewStmt CreateFunctionStmt CreateTrigStmt RuleStmt CreateSchemaStmt CreateTableSpaceStmt
     CreateExtensionStmt CreateFdwStmt CreateForeignServerStmt CreateUserMappingStmt ImportForeignSchemaStmt CreatePolicyStmt CreateAmStmt
     CreateEventTrigStmt CreatePLangStmt CreateRoleStmt CreateSeqStmt DefineStmt CreateDomainStmt CreateOpClassStmt CreateOpFamilyStmt
     CreateStatsStmt CompositeTypeStmt CreateEnumStmt CreateRangeStmt CreatedbStmt CreateConversionStmt CreateCastStmt CreateTransformStmt
     CreatePublicationStmt CreateSubscriptionStmt`,
  ],
  [
    'alter',
    `AlterTableStmt AlterCollationStmt AlterDomainStmt AlterTableSpaceOptionsStmt AlterTableMoveAllStmt AlterExtensionStmt
     AlterExtensionContentsStmt AlterFdwStmt AlterForeignServerStmt AlterUserMappingStmt AlterPolicyStmt AlterEventTrigStmt AlterRoleStmt
     AlterRoleSetStmt AlterSeqStmt AlterOpFamilyStmt AlterStatsStmt AlterFunctionStmt AlterObjectDependsStmt AlterObjectSchemaStmt
     AlterOwnerStmt AlterOperatorStmt AlterTypeStmt AlterEnumStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt
     AlterTSDictionaryStmt AlterTSConfigurationStmt AlterPublicationStmt AlterSubscriptionStmt ReassignOwnedStmt`,
  ],
  [
    'drop',
    'DropStmt DropTableSpaceStmt DropUserMappingStmt DropRoleStmt DropdbStmt DropOwnedStmt DropSubscriptionStmt',
  ],
  ['grant', 'GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt'],
  ['vacuum', 'VacuumStmt'],
];

/** Statement kinds and their verbs. Queries, writes, COPY and transactions are told apart by their contents. */
export const utilities: ReadonlyMap<Kind, Verb> = new Map(
  table.flatMap(([verb, kinds]) =>
    kinds
      .trim()
      .split(/\s+/)
      .map((kind) => [kind as Kind, verb] as const),
  ),
);

/** Kinds read by themselves, for the test. */
export const otherKinds: readonly string[] = [
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CopyStmt',
  'TransactionStmt',
  'ReturnStmt',
];
/** Kinds that never come from a text a client sends: nodes inside others, or of PL/pgSQL. */
export const innerKinds: readonly string[] = ['RawStmt', 'SetOperationStmt', 'PLAssignStmt', 'ReplicaIdentityStmt'];

export function rowsOfUtility(_kind: Kind): QueryResult | undefined {
  return undefined;
}

export { noRows, rootless };
