// Rules of the file: when one applies to a statement. What denies must not miss, so where a reading is vague the larger set counts.
import type { RuleConfig } from '../config/types.ts';
import {
  type ColumnName,
  type Reading,
  type TableUse,
  type UnboundedWrite,
  type Verb,
  verbClass,
} from '../sql/reading.ts';
import { matcher, matchers, type PartMatcher } from './patterns.ts';
import type { Approvers } from './types.ts';

export interface Rule {
  readonly name: string;
  readonly verdict: 'deny' | 'hold' | 'allow';
  readonly message: string | undefined;
  readonly approvers: Approvers | undefined;
  readonly observe: boolean;
  readonly roles: ReadonlySet<string> | undefined;
  readonly groups: ReadonlySet<string> | undefined;
  readonly verbs: ReadonlySet<string> | undefined;
  readonly tables: readonly (readonly PartMatcher[])[] | undefined;
  readonly columns: readonly (readonly PartMatcher[])[] | undefined;
  readonly functions: readonly FunctionMatcher[] | undefined;
  readonly unbounded: boolean | undefined;
}

type FunctionMatcher = (name: string) => boolean;

/** Compiles a rule for a target; undefined where it is for other targets. */
export function compileRule(config: RuleConfig, target: string): Rule | undefined {
  const { on } = config;
  if (on.targets !== undefined && !on.targets.includes(target) && !on.targets.includes('*')) return undefined;
  return {
    name: config.name,
    verdict: config.verdict,
    message: config.message,
    approvers: config.approvers,
    observe: config.mode === 'observe',
    roles: on.roles && new Set(on.roles),
    groups: on.groups && new Set(on.groups),
    verbs: on.verbs && new Set<string>(on.verbs),
    tables: on.tables?.map((pattern) => matchers(pattern, false)),
    columns: on.columns?.map((pattern) => matchers(pattern, false)),
    functions: on.functions?.map(functionMatcher),
    unbounded: on.unbounded,
  };
}

/** Whether the rule concerns a session with these roles and groups at all. */
export function concerns(rule: Rule, roles: readonly string[], groups: readonly string[]): boolean {
  if (rule.roles !== undefined && !roles.some((role) => rule.roles?.has(role))) return false;
  return rule.groups === undefined || rule.groups.has('*') || groups.some((group) => rule.groups?.has(group));
}

/** A name with or without schema; a pattern without one fits functions of any schema. */
export function functionMatcher(pattern: string): FunctionMatcher {
  const whole = matcher(pattern, false);
  if (pattern.includes('.')) {
    const last = matcher(pattern.slice(pattern.lastIndexOf('.') + 1), false);
    return (name) => whole(name) || (!name.includes('.') && last(name));
  }
  return (name) => whole(name) || whole(name.slice(name.lastIndexOf('.') + 1));
}

export interface RuleMatch {
  /** In brackets behind the statement's summary: `no WHERE`. */
  readonly because: string | undefined;
}

/** Whether all conditions of the rule hold for a statement. */
export function applies(rule: Rule, reading: Reading): RuleMatch | undefined {
  // Most rules end here, for every statement: nothing is built before it.
  if (!reading.verbs.some((verb) => names(rule.verbs, verb))) return undefined;
  if (rule.tables !== undefined) {
    // With verbs that change things, the changed tables are meant; a table that is only read beside them is not.
    const changes =
      rule.verbs !== undefined && reading.verbs.every((verb) => !names(rule.verbs, verb) || namesItsTables(verb));
    const touched = reading.tables.filter((use) => !changes || use.access !== 'read');
    if (!touched.some((use) => tableFits(rule.tables, use))) return undefined;
  }
  if (rule.columns !== undefined) {
    const { columns } = rule;
    const fits = ({ schema, table, column }: ColumnName) =>
      columns.some(
        ([s, t, c]) => (schema === '' || s?.(schema) === true) && t?.(table) === true && c?.(column) === true,
      );
    if (!touchedColumns(reading).some(fits)) return undefined;
  }
  if (rule.functions !== undefined) {
    const { functions } = rule;
    if (!reading.functions.some((name) => functions.some((fits) => fits(name)))) return undefined;
  }
  if (rule.unbounded === undefined) return { because: undefined };
  const unbounded = reading.unbounded.filter((write) => isMeant(rule, write));
  if (unbounded.length > 0 !== rule.unbounded) return undefined;
  return { because: unbounded[0]?.why };
}

function names(wanted: ReadonlySet<string> | undefined, verb: Verb): boolean {
  return wanted === undefined || wanted.has(verb) || wanted.has(verbClass(verb));
}

const changing: ReadonlySet<Verb> = new Set<Verb>([
  'insert',
  'update',
  'delete',
  'merge',
  'replace',
  'truncate',
  'copy-from',
  'load',
  'create',
  'alter',
  'drop',
  'rename',
  'comment',
  'index',
]);

function namesItsTables(verb: Verb): boolean {
  return changing.has(verb);
}

function tableFits(patterns: Rule['tables'], { schema, table }: Pick<TableUse, 'schema' | 'table'>): boolean {
  return (
    patterns === undefined || patterns.some(([s, t]) => (schema === '' || s?.(schema) === true) && t?.(table) === true)
  );
}

function isMeant(rule: Rule, write: UnboundedWrite): boolean {
  return names(rule.verbs, write.verb) && tableFits(rule.tables, write.table);
}

/** Every column the reading speaks of. */
export function touchedColumns(reading: Reading): readonly ColumnName[] {
  return [
    ...reading.columns,
    ...(reading.outputs ?? []).flatMap((output) => output.sources),
    ...reading.uses.flatMap((use) => [use.column, ...(use.with ?? [])]),
    ...reading.flows.flatMap((flow): readonly ColumnName[] =>
      flow.into.kind === 'column' ? [...flow.from, flow.into] : flow.from,
    ),
    ...reading.stores.map((stored) => stored.column),
  ];
}
