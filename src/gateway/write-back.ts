// Write-back: agents write back what they read. A write that would store what a column's mask put out, in that column, is refused, so
// that a placeholder never takes the place of a value.
import type { BoundParameters, Dialect, Refusal } from '../../protocols/gate.ts';
import { looksMasked, type MaskKey } from '../masking/index.ts';
import type { SessionPolicy } from '../policy/index.ts';
import type { ColumnName, Reading, SqlReader, StoredValue } from '../sql/index.ts';

/** Postgres' text and MySQL's VAR_STRING, for columns whose type is not known. */
const textTypes: Readonly<Record<Dialect, number>> = { postgres: 25, mysql: 253 };

/** What the check needs besides the statement. */
export interface WriteBackParts {
  readonly policy: SessionPolicy;
  readonly reader: Pick<SqlReader, 'columnType' | 'typeInfo' | 'dialect'>;
  readonly maskKey: MaskKey;
}

/** The refusal of a statement whose literals are output of the mask of the column they are for. */
export function literalsWrittenBack(reading: Reading, parts: WriteBackParts): Refusal | undefined {
  return firstWrittenBack(reading, parts, ({ value }) => (value.kind === 'text' ? value : undefined));
}

/** The same for the parameters of one run. `undefined` stands for parameters too large to be kept: nothing is known of them. */
export function parametersWrittenBack(
  reading: Reading,
  parts: WriteBackParts,
  parameters: BoundParameters | undefined,
): Refusal | undefined {
  return firstWrittenBack(reading, parts, ({ value }) => {
    if (value.kind !== 'parameter') return undefined;
    if (parameters === undefined) return 'unknown';
    const bytes = value.index < parameters.count ? parameters.value(value.index) : undefined;
    return bytes === undefined ? undefined : { bytes, index: value.index, parameters };
  });
}

type Written =
  | 'unknown'
  | { readonly text: string }
  | { readonly bytes: Buffer; readonly index: number; readonly parameters: BoundParameters };

function firstWrittenBack(
  reading: Reading,
  parts: WriteBackParts,
  written: (stored: StoredValue) => Written | undefined,
): Refusal | undefined {
  if (reading.stores.length === 0 || !parts.policy.masksApply) return undefined;
  for (const stored of reading.stores) {
    const mask = parts.policy.maskFor(stored.column);
    if (mask === undefined || mask.observe) continue;
    const value = written(stored);
    if (value === undefined) continue;
    if (value === 'unknown') return tooLarge(reading, stored.column);
    if (isOutput(value, stored.column, mask.spec, parts)) return writtenBack(reading, stored.column);
  }
  return undefined;
}

function isOutput(
  value: Exclude<Written, 'unknown'>,
  column: ColumnName,
  spec: Parameters<typeof looksMasked>[0],
  { reader, maskKey }: WriteBackParts,
): boolean {
  const { dialect } = reader;
  const declared = reader.columnType(column) ?? textTypes[dialect];
  try {
    if ('text' in value) {
      return looksMasked(spec, { dialect, type: declared, binary: false }, reader, maskKey, value.text);
    }
    const { bytes, index, parameters } = value;
    const binary = parameters.binary(index);
    const type = binary ? parameters.type(index) || declared : declared;
    return looksMasked(spec, { dialect, type, binary }, reader, maskKey, bytes);
  } catch {
    // What cannot be looked at is taken for the worse.
    return true;
  }
}

function writtenBack(reading: Reading, { table, column }: ColumnName): Refusal {
  return refusal(
    `${reading.summary} (the value for ${table}.${column} is what its mask shows in place of the real one)`,
    `Column ${column} is masked: what was read from it is not what it holds, and writing it back would destroy the stored value. Leave the column out of the statement, or write a value of your own.`,
  );
}

function tooLarge(reading: Reading, { table, column }: ColumnName): Refusal {
  return refusal(
    `${reading.summary} (the parameters are too large to tell whether ${table}.${column} would get what its mask shows)`,
    `Column ${column} is masked. Write it with a statement of its own, or with smaller parameters.`,
  );
}

function refusal(what: string, hint: string): Refusal {
  const rule = 'masked-write-back';
  return { kind: 'policy', rule, message: `sallyport: denied by rule "${rule}": ${what}`, hint };
}
