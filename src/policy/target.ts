// The policy of one target, compiled from the configuration, and what of it holds for one identity at one time.
import type { Config, Mode } from '../config/types.ts';
import type { ColumnName, TableName } from '../sql/reading.ts';
import { isWithin } from './hours.ts';
import { compileMask, findMask, isExcused, mayHoldMasked, type TargetMask } from './masks.ts';
import { matcher, type PartMatcher } from './patterns.ts';
import { compileRole, type Role } from './roles.ts';
import { compileRule, concerns, type Rule } from './rules.ts';
import type { ColumnMask } from './types.ts';

export interface TargetPolicy {
  readonly target: string;
  /**
   * What holds for an identity in these groups at this time. `granted` names roles it has besides (grants). The same answer
   * is the same object, so that what is derived from it can be kept.
   */
  forIdentity(groups: readonly string[], granted: readonly string[], now: Date): SessionPolicy | NoRole;
  /** Some mask of the file names the column, whether or not it applies to a session. */
  listed(column: ColumnName): boolean;
  /** Enforced masks that fit none of the target's columns: a slip in the file, worth a warning. */
  masksWithoutColumn(columns: Iterable<ColumnName>): readonly string[];
}

/** No role of the identity holds on this target now. */
export interface NoRole {
  readonly kind: 'no-role';
  readonly rule: 'no-role';
  readonly message: string;
  readonly hint: string;
}

export interface SessionPolicy {
  readonly kind: 'session';
  readonly target: string;
  /** Roles that hold now, in the order of the file. */
  readonly roles: readonly string[];
  /** A role of the identity has hours: ask `forIdentity` again when another minute has begun. */
  readonly changesWithTime: boolean;
  /** Some enforced mask may apply to this session. */
  readonly masksApply: boolean;
  /** Some mask in observe mode may. */
  readonly masksObserved: boolean;
  /** The mask of a column for this session. One with `observe` is to be recorded, not applied. */
  maskFor(column: ColumnName): ColumnMask | undefined;
  /** Whether an enforced mask may concern some column of a table; `columns` are the table's where they are known. */
  mayHoldMasked(table: TableName, columns: readonly string[] | undefined): boolean;
  /** For `judge`. */
  readonly parts: SessionParts;
}

export interface SessionParts {
  readonly mode: Mode;
  readonly roles: readonly Role[];
  readonly rules: readonly Rule[];
  readonly trusts: (name: string) => boolean;
}

const mostCachedSessions = 1000;
const mostCachedColumns = 20_000;

/** Compiles the policy of a target. Throws RangeError where the configuration has no such target. */
export function compilePolicy(config: Config, target: string): TargetPolicy {
  const targetConfig = config.targets.get(target);
  if (targetConfig === undefined) throw new RangeError(`the configuration has no target "${target}"`);
  const roles = config.roles
    .filter((role) => role.targets.includes(target) || role.targets.includes('*'))
    .map(compileRole);
  const rules = config.rules.map((rule) => compileRule(rule, target)).filter((rule) => rule !== undefined);
  const masks = config.masks.map((mask) => compileMask(mask, target)).filter((mask) => mask !== undefined);
  const trusts = trustList(targetConfig.trustedFunctions);
  const cache = new Map<string, SessionPolicy>();

  return {
    target,
    forIdentity(groups, granted, now) {
      const assigned = roles.filter((role) => isAssigned(role, groups) || granted.includes(role.name));
      const active = assigned.filter((role) => role.hours === undefined || isWithin(role.hours, now));
      if (active.length === 0 && config.mode === 'enforce') return noRole(target, assigned);
      const names = active.map((role) => role.name);
      const activeRules = rules.filter((rule) => concerns(rule, names, groups));
      const activeMasks = masks.filter((mask) => !isExcused(mask, names, groups));
      const changesWithTime = assigned.some((role) => role.hours !== undefined);
      const key = [
        active.map((role) => roles.indexOf(role)),
        activeRules.map((rule) => rules.indexOf(rule)),
        activeMasks.map((mask) => masks.indexOf(mask)),
        changesWithTime,
      ].join(' ');
      const known = cache.get(key);
      if (known !== undefined) return known;
      const session = makeSession(
        target,
        { mode: config.mode, roles: active, rules: activeRules, trusts },
        activeMasks,
        changesWithTime,
      );
      if (cache.size >= mostCachedSessions) cache.delete(cache.keys().next().value ?? '');
      cache.set(key, session);
      return session;
    },
    listed: (column) => findMask(masks, column) !== undefined,
    masksWithoutColumn(columns) {
      const open = new Set(masks.flatMap((mask) => mask.patterns));
      for (const { schema, table, column } of columns) {
        for (const pattern of open) {
          const [s, t, c] = pattern.parts;
          if (s?.(schema) === true && t?.(table) === true && c?.(column) === true) open.delete(pattern);
        }
        if (open.size === 0) break;
      }
      return [...open].map(({ mask }) => mask.pattern);
    },
  };
}

function isAssigned(role: Role, groups: readonly string[]): boolean {
  return role.groups.some((group) => group === '*' || groups.includes(group));
}

function noRole(target: string, assigned: readonly Role[]): NoRole {
  const names = assigned.map((role) => role.name).join(', ');
  return {
    kind: 'no-role',
    rule: 'no-role',
    message: `denied by rule "no-role": connecting to ${target}`,
    hint:
      assigned.length === 0
        ? `None of the identity's groups has a role on target "${target}". Roles name their groups in the gateway's configuration.`
        : `The identity has a role on target "${target}" (${names}), but not at this hour.`,
  };
}

function makeSession(
  target: string,
  parts: SessionParts,
  masks: readonly TargetMask[],
  changesWithTime: boolean,
): SessionPolicy {
  // By schema, table and column: no key has to be put together for a look-up.
  const known = new Map<string, Map<string, Map<string, ColumnMask | undefined>>>();
  let count = 0;
  const remember = ({ schema, table, column }: ColumnName, mask: ColumnMask | undefined): void => {
    if (count >= mostCachedColumns) {
      known.clear();
      count = 0;
    }
    count += 1;
    const tables = known.get(schema) ?? new Map<string, Map<string, ColumnMask | undefined>>();
    const columns = tables.get(table) ?? new Map<string, ColumnMask | undefined>();
    known.set(schema, tables.set(table, columns.set(column, mask)));
  };
  return Object.freeze({
    kind: 'session' as const,
    target,
    roles: Object.freeze(parts.roles.map((role) => role.name)),
    changesWithTime,
    masksApply: masks.some((mask) => !mask.observe),
    masksObserved: masks.some((mask) => mask.observe),
    maskFor(column: ColumnName) {
      if (masks.length === 0) return undefined;
      const columns = known.get(column.schema)?.get(column.table);
      const found = columns?.get(column.column);
      if (found !== undefined || columns?.has(column.column) === true) return found;
      const mask = findMask(masks, column);
      remember(column, mask);
      return mask;
    },
    mayHoldMasked: (table: TableName, columns: readonly string[] | undefined) => mayHoldMasked(masks, table, columns),
    parts,
  });
}

/** Trust is given by the whole name; an argument list behind it does not count. */
function trustList(names: readonly string[]): (name: string) => boolean {
  const list: readonly PartMatcher[] = names.map((name) => matcher(name, true));
  return (name) => {
    const plain = name.toLowerCase().replace(/\(.*$/s, '');
    return list.some((fits) => fits(plain));
  };
}
