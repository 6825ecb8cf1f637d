// Roles: which verbs and which tables they allow, compiled once for a target.
import type { RoleConfig } from '../config/types.ts';
import { type Reading, type TableUse, type Verb, verbClass, verbClasses } from '../sql/reading.ts';
import type { Hours } from './hours.ts';
import { matchers, type PartMatcher } from './patterns.ts';

export interface Role {
  readonly name: string;
  readonly groups: readonly string[];
  readonly hours: Hours | undefined;
  readonly maxRows: number | undefined;
  readonly statementTimeoutMs: number | undefined;
  readonly allowed: ReadonlySet<string>;
  /** [schema, table] each; undefined: all tables. */
  readonly tables: readonly (readonly PartMatcher[])[] | undefined;
}

export function compileRole(config: RoleConfig): Role {
  return {
    name: config.name,
    groups: config.groups,
    hours: config.hours,
    maxRows: config.maxRows,
    statementTimeoutMs: config.statementTimeoutMs,
    allowed: new Set<string>(config.allow),
    tables: config.tables?.map((pattern) => matchers(pattern, true)),
  };
}

/** Why a role does not allow a statement; undefined where it does. */
export type Shortfall =
  | { readonly kind: 'verb'; readonly verb: Verb }
  | { readonly kind: 'setting'; readonly setting: string }
  | { readonly kind: 'table'; readonly table: TableUse };

export function shortfall(role: Role, reading: Reading): Shortfall | undefined {
  for (const verb of reading.verbs) {
    if (!allowsVerb(role, verb)) return { kind: 'verb', verb };
  }
  const setting = reading.settings.find(({ name }) => changesRights(name));
  if (setting !== undefined && !role.allowed.has('session') && !role.allowed.has('set')) {
    return { kind: 'setting', setting: setting.name };
  }
  if (role.tables === undefined) return undefined;
  for (const table of reading.tables) {
    if (table.direct && !allowsTable(role.tables, table)) return { kind: 'table', table };
  }
  return undefined;
}

/**
 * Drivers send these by themselves (a transaction around a query, a reset before a connection goes back to its pool), and
 * alone they touch no data: every role has them. What a PREPARE or DECLARE stands for is among the verbs besides.
 */
const housekeeping: ReadonlySet<Verb> = new Set<Verb>([
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'prepare',
  'execute',
  'deallocate',
  'declare',
  'close',
  'set',
  'reset',
  'unlisten',
  'discard',
  'use',
]);

function allowsVerb(role: Role, verb: Verb): boolean {
  return housekeeping.has(verb) || role.allowed.has(verb) || role.allowed.has(verbClass(verb));
}

/** Settings by which a session becomes somebody else, drops checks or changes the server for all: no housekeeping. */
function changesRights(setting: string): boolean {
  return /^(role|session_authorization|session_replication_role|local_preload_libraries|dynamic_library_path)$|^(@@)?(global|persist|persist_only)\./.test(
    setting,
  );
}

/** Metadata that drivers and tools read at every turn; what there hands out data is a side door of the reading. */
const metadata: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema']);

function allowsTable(tables: readonly (readonly PartMatcher[])[], use: TableUse): boolean {
  if (use.access === 'read' && metadata.has(use.schema.toLowerCase())) return true;
  // The session's own temporary tables: what flows into them is watched where masks apply.
  if (use.schema === 'pg_temp') return true;
  if (use.schema === '') return false;
  return tables.some(([schema, table]) => schema?.(use.schema) === true && table?.(use.table) === true);
}

/** Whether a role allows every verb on every table. */
export function allowsEverything({ allowed, tables }: Role): boolean {
  return tables === undefined && verbClasses.every((each) => allowed.has(each));
}

/** For messages: what the roles of a target allow. */
export function describeAllowed(roles: readonly Role[]): string {
  const words = new Set(roles.flatMap((role) => [...role.allowed]));
  const classes: readonly string[] = verbClasses;
  return [...words].sort((a, b) => order(classes, a) - order(classes, b)).join(', ');
}

function order(classes: readonly string[], word: string): number {
  const at = classes.indexOf(word);
  return at < 0 ? classes.length : at;
}
