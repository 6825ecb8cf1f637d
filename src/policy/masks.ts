// Masks of a target: which of them applies to a column, for a session that is not excused. The first in the file wins.
import type { MaskConfig } from '../config/types.ts';
import type { MaskSpec } from '../masking/spec.ts';
import type { ColumnName, TableName } from '../sql/reading.ts';
import { matcher, matchers, type PartMatcher } from './patterns.ts';
import type { ColumnMask } from './types.ts';

export interface TargetMask {
  readonly unlessRoles: ReadonlySet<string>;
  readonly unlessGroups: ReadonlySet<string>;
  readonly observe: boolean;
  /** [schema, table, column] each, with the mask as it stands in verdicts. */
  readonly patterns: readonly { readonly parts: readonly PartMatcher[]; readonly mask: ColumnMask }[];
}

/** The part of a mask that concerns a target; undefined where none of its patterns does. */
export function compileMask(config: MaskConfig, target: string): TargetMask | undefined {
  const patterns = config.columns
    .filter((pattern) => matcher(pattern.parts[0] ?? '', false)(target))
    .map((pattern) => ({
      parts: matchers(pattern, false, 1),
      mask: Object.freeze({
        spec: config.spec,
        predicates: config.predicates,
        pattern: pattern.text,
        observe: config.mode === 'observe',
      }),
    }));
  if (patterns.length === 0) return undefined;
  return {
    unlessRoles: new Set(config.unless.roles),
    unlessGroups: new Set(config.unless.groups),
    observe: config.mode === 'observe',
    patterns,
  };
}

export function isExcused(mask: TargetMask, roles: readonly string[], groups: readonly string[]): boolean {
  return roles.some((role) => mask.unlessRoles.has(role)) || groups.some((group) => mask.unlessGroups.has(group));
}

const strictness = { allow: 0, equality: 1, deny: 2 } as const;

/** At least as strict about conditions as another. */
export function asStrict(left: ColumnMask, right: ColumnMask): boolean {
  return strictness[left.predicates] >= strictness[right.predicates];
}

/** Finds the mask of a column among those that apply: enforced ones before observed ones, the strictest predicates of all. */
export function findMask(masks: readonly TargetMask[], column: ColumnName): ColumnMask | undefined {
  let enforced: ColumnMask | undefined;
  let observed: ColumnMask | undefined;
  for (const { patterns } of masks) {
    for (const { parts, mask } of patterns) {
      if (!fits(parts, column)) continue;
      if (mask.observe) observed = joined(observed, mask);
      else enforced = joined(enforced, mask);
    }
  }
  return enforced ?? observed;
}

/** The first mask says what replaces the value; conditions are as strict as any of them says. */
function joined(first: ColumnMask | undefined, next: ColumnMask): ColumnMask {
  if (first === undefined) return next;
  return asStrict(first, next) ? first : Object.freeze({ ...first, predicates: next.predicates });
}

function fits(parts: readonly PartMatcher[], { schema, table, column }: ColumnName): boolean {
  const [schemaPart, tablePart, columnPart] = parts;
  // An unresolved schema could be any: the larger set.
  const schemaFits = schema === '' || schemaPart?.(schema) === true;
  return schemaFits && tablePart?.(table) === true && columnPart?.(column) === true;
}

/** Whether an enforced mask may concern a column of this table; `columns` narrows it where the table's columns are known. */
export function mayHoldMasked(
  masks: readonly TargetMask[],
  { schema, table }: TableName,
  columns: readonly string[] | undefined,
): boolean {
  return masks.some(
    (mask) =>
      !mask.observe &&
      mask.patterns.some(({ parts: [schemaPart, tablePart, columnPart] }) => {
        if (!(schema === '' || schemaPart?.(schema) === true) || tablePart?.(table) !== true) return false;
        return columns === undefined || columns.some((column) => columnPart?.(column) === true);
      }),
  );
}

/** Two masks that turn the same value into the same thing. */
export function sameSpec(left: MaskSpec, right: MaskSpec): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}
