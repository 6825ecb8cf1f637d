// The second net on a result's columns: wraps what would pass unmasked, counts what the detectors find, and redacts it where asked to;
// and proposes masks from what they found in a sample.
import type { Field, FieldMask } from '../../protocols/gate.ts';
import { detectorBits, find } from './detect.ts';
import { copyRun, plannedMask } from './mask.ts';
import { formatOf, redactionFor, typeOf } from './plan.ts';
import { type Detector, detectors, type MaskSpec } from './spec.ts';
import type { TypeLookup } from './types-postgres.ts';
import type { ValueType } from './valuetype.ts';

/** How many values each detector has found something in; one for a statement's record, or for a column of a sample. */
export class Findings {
  readonly #counts = new Uint32Array(detectors.length);

  /** Adds the detectors in `bits`. */
  add(bits: number): void {
    for (let index = 0; index < detectors.length; index++) {
      if ((bits & (1 << index)) !== 0) this.#counts[index] = (this.#counts[index] as number) + 1;
    }
  }

  count(detector: Detector): number {
    return this.#counts[detectors.indexOf(detector)] ?? 0;
  }

  /** What was found at all, with its count. */
  entries(): readonly (readonly [Detector, number])[] {
    return detectors.map((name) => [name, this.count(name)] as const).filter(([, count]) => count > 0);
  }
}

/**
 * A mask for a column that has none: in `report` mode every value passes and is counted, in `mask` mode values in which something is
 * found are redacted whole. Undefined where the type cannot hold what the detectors look for.
 */
export function detectingMask(
  field: Field,
  types: TypeLookup,
  names: readonly Detector[],
  mode: 'report' | 'mask',
  findings: Findings,
): FieldMask | undefined {
  const type = typeOf(field, types);
  const bits = detectorBits(names);
  if (bits === 0 || !isSearched(type, formatOf(field) === 'text')) return undefined;
  if (mode === 'report') {
    const look = (bytes: Buffer, start: number, end: number): void => {
      const found = find(bytes, start, end, bits);
      if (found !== 0) findings.add(found);
    };
    return plannedMask(
      1,
      0,
      (from, start, end, to, at) => {
        look(from, start, end);
        return copyRun(from, start, end, to, at);
      },
      (bytes, start, end) => {
        look(bytes, start, end);
        return true;
      },
    );
  }
  const redacted = redactionFor(field, types);
  return plannedMask(
    Math.max(1, redacted.slope),
    redacted.offset,
    (from, start, end, to, at) => {
      const found = find(from, start, end, bits);
      if (found === 0) return copyRun(from, start, end, to, at);
      findings.add(found);
      return redacted.write(from, start, end, to, at);
    },
    // A value with findings is counted by the write that follows.
    (bytes, start, end) => find(bytes, start, end, bits) === 0,
  );
}

/** Text of all kinds, in any format; numbers long enough for a card only where they are digits on the wire. */
function isSearched(type: ValueType, text: boolean): boolean {
  switch (type.family) {
    case 'text':
      return type.encoding !== 'other';
    case 'json':
    case 'jsonb':
      return true;
    case 'integer':
      return text && type.size === 8;
    case 'numeric':
      return text;
    case 'array':
      return isSearched(type.element, text);
    case 'composite':
      return type.fields.some((part) => isSearched(part.type, text));
    default:
      return type.family === 'plain' && type.text?.toString() === '<redacted/>';
  }
}

/** The mask proposed for a column in which a detector finds something. */
const proposals: Readonly<Record<Detector, MaskSpec>> = {
  card: { kind: 'keep-last', count: 4 },
  email: { kind: 'email' },
  iban: { kind: 'keep-last', count: 4 },
  phone: { kind: 'keep-last', count: 2 },
  ssn: { kind: 'keep-last', count: 4 },
  token: { kind: 'redact' },
  'private-key': { kind: 'redact' },
};

export interface Proposal {
  readonly detector: Detector;
  readonly spec: MaskSpec;
  /** The share of the sampled values with a finding, 0 to 1. */
  readonly share: number;
}

/**
 * The mask to propose for a column of which `sampled` values were looked at. Where only some values have findings, or of several kinds,
 * the column is free text: it is proposed to be redacted.
 */
export function proposeMask(findings: Findings, sampled: number): Proposal | undefined {
  const [first, ...others] = [...findings.entries()].sort((left, right) => right[1] - left[1]);
  if (first === undefined || sampled === 0) return undefined;
  const [detector, count] = first;
  const share = Math.min(1, count / sampled);
  const whole = share >= 0.8 && others.every(([, other]) => other < count / 2);
  return { detector, spec: whole ? proposals[detector] : { kind: 'redact' }, share };
}
