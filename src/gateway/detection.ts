// The second net in a session: looks by content into the result columns that no mask of the file lists, and counts or redacts what
// it finds.
import type { Field, FieldMask } from '../../protocols/gate.ts';
import type { Config, TargetConfig } from '../config/index.ts';
import { type Detector, detectingMask, type Findings, type TypeLookup } from '../masking/index.ts';
import type { TargetPolicy } from '../policy/index.ts';
import type { ColumnName, Source } from '../sql/index.ts';

/** Postgres' type oid of text. */
const TEXT = 25;

export interface Detection {
  /**
   * The mask that looks into a result column, given the columns it can show; undefined where it is left alone. A column that the file
   * lists is: whoever sees it unmasked does so by the file's word.
   */
  mask(
    field: Field,
    columns: readonly (ColumnName | Source)[],
    types: TypeLookup,
    findings: Findings,
  ): FieldMask | undefined;
}

/** The detectors of a target as its configuration asks for them. Under `mode: observe` they only count. */
export function detectionOf(
  { detectors }: TargetConfig,
  mode: Config['mode'],
  policy: TargetPolicy,
): Detection | undefined {
  if (detectors === undefined) return undefined;
  const action = mode === 'observe' ? 'report' : detectors.action;
  const kinds: readonly Detector[] = detectors.kinds;
  return {
    mask(field, columns, types, findings) {
      const listed = columns.some((column) => !('how' in column && column.how === 'chosen') && policy.listed(column));
      return listed ? undefined : detectingMask(typed(field), types, kinds, action, findings);
    },
  };
}

/** COPY names no types: what is not known to be of another one is looked at as text, where the data is text. */
function typed(field: Field): Field {
  return field.dialect === 'postgres' && field.typeOid === 0 && !field.binary ? { ...field, typeOid: TEXT } : field;
}

/** The part of a settling record that says what was found. */
export function detectedIn(findings: Findings): { readonly detected?: Readonly<Record<string, number>> } {
  const entries = findings.entries();
  return entries.length === 0 ? {} : { detected: Object.fromEntries(entries) };
}
