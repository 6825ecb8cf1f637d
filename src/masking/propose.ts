// Proposals from a sample: what mask a column should have, by what its values hold and, where they tell nothing, by its name.
import { detectorBits, find } from './detect.ts';
import { Findings, proposeMask } from './net.ts';
import { type Detector, detectors, type MaskSpec } from './spec.ts';

/** What a column holds, as far as proposals are concerned. */
export type SampleKind = 'text' | 'json' | 'number' | 'date' | 'other';

export interface ColumnProposal {
  readonly spec: MaskSpec;
  /** What the proposal rests on. */
  readonly by: 'content' | 'name';
  /** What was found, most frequent first, with the number of values (or of values at some path). */
  readonly found: readonly (readonly [Detector, number])[];
  /** How many values were looked at, NULL not counted. */
  readonly sampled: number;
}

const all = detectorBits(detectors);
/** Paths of documents that are kept apart; those beyond are counted for the whole value. */
const mostPaths = 500;
const deepest = 32;
/** Long numbers pass for card numbers one time in ten; a column of cards holds little else. */
const leastShareOfNumbers = 0.5;

/** Looks at the values of one column, one after the other. */
export class ColumnSample {
  readonly #name: string;
  readonly #kind: SampleKind;
  readonly #findings = new Findings();
  readonly #paths = new Map<string, Findings>();
  #sampled = 0;

  constructor(name: string, kind: SampleKind) {
    this.#name = name;
    this.#kind = kind;
  }

  /** Takes the next value that is not NULL, as text. */
  add(value: string): void {
    this.#sampled++;
    if (this.#kind === 'date' || this.#kind === 'other') return;
    const bits = bitsOf(value);
    if (bits === 0) return;
    this.#findings.add(bits);
    if (this.#kind === 'json') this.#lookInside(value);
  }

  #lookInside(value: string): void {
    try {
      this.#walk(JSON.parse(value), '$', 0);
    } catch {
      // No whole document (it may have been cut): the finding counts for the column.
      this.#at('$').add(bitsOf(value));
    }
  }

  #walk(value: unknown, path: string, depth: number): void {
    if (typeof value === 'object' && value !== null && depth < deepest) {
      if (Array.isArray(value)) for (const element of value) this.#walk(element, `${path}[*]`, depth + 1);
      else for (const [name, member] of Object.entries(value)) this.#walk(member, path + step(name), depth + 1);
      return;
    }
    const bits = bitsOf(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
    if (bits !== 0) this.#at(path).add(bits);
  }

  #at(path: string): Findings {
    const known = this.#paths.get(path);
    if (known !== undefined) return known;
    if (this.#paths.size >= mostPaths && path !== '$') return this.#at('$');
    const findings = new Findings();
    this.#paths.set(path, findings);
    return findings;
  }

  /** The mask to propose, or undefined where nothing speaks for one. */
  proposal(): ColumnProposal | undefined {
    const found = [...this.#findings.entries()].sort((left, right) => right[1] - left[1]);
    const spec = found.length === 0 ? undefined : this.#kind === 'json' ? this.#ofDocument() : this.#ofValues();
    if (spec !== undefined) return { spec, by: 'content', found, sampled: this.#sampled };
    const named = byName(this.#name, this.#kind);
    return named === undefined ? undefined : { spec: named, by: 'name', found: [], sampled: this.#sampled };
  }

  #ofValues(): MaskSpec | undefined {
    const proposal = proposeMask(this.#findings, this.#sampled);
    if (proposal === undefined || (this.#kind === 'number' && proposal.share < leastShareOfNumbers)) return undefined;
    return this.#kind === 'number' && proposal.spec.kind !== 'keep-last' ? { kind: 'redact' } : proposal.spec;
  }

  /** The paths with findings. Where one of them is the document itself, it is redacted whole. */
  #ofDocument(): MaskSpec {
    const paths = [...this.#paths.keys()].sort();
    if (paths.length === 0 || paths.includes('$')) return { kind: 'redact' };
    const onlyEmail = [...this.#paths.values()].every((findings) =>
      findings.entries().every(([detector]) => detector === 'email'),
    );
    return { kind: 'paths', paths, inner: onlyEmail ? { kind: 'email' } : { kind: 'redact' } };
  }
}

function bitsOf(value: string): number {
  const bytes = Buffer.from(value);
  return find(bytes, 0, bytes.length, all);
}

/** A step of a path as the configuration writes it; a name that it cannot write stands for every member. */
function step(name: string): string {
  if (/^[^.[\]*"'\s]+$/.test(name)) return `.${name}`;
  return name === '' || name.includes('"') ? '.*' : `["${name}"]`;
}

/** Words of column names, and the mask each speaks for where the values alone do not tell. The first that fits counts. */
const words: readonly (readonly [RegExp, readonly SampleKind[], MaskSpec])[] = [
  [
    /(^|_)(password|passwd|passphrase|pwd|secret|api_?key|access_?token|refresh_?token|private_?key|pin_?code|cvv2?|cvc)($|_)/,
    ['text', 'json', 'number'],
    { kind: 'redact' },
  ],
  [
    /(^|_)(ssn|social_?security(_?(no|number))?|national_?id|tax_?(id|number)|passport(_?(no|number))?|iban|(card|account)_?(no|number))($|_)/,
    ['text', 'number'],
    { kind: 'keep-last', count: 4 },
  ],
  [/(^|_)e_?mail(_?address)?($|_)/, ['text'], { kind: 'email' }],
  [/(^|_)(phone|mobile|cell|fax)(_?(no|number))?($|_)/, ['text', 'number'], { kind: 'keep-last', count: 2 }],
  [/(^|_)(birth_?(date|day)|date_?of_?birth|dob|born(_on)?)($|_)/, ['date', 'text'], { kind: 'year' }],
  [
    /(^|_)(first|last|full|family|given|middle|maiden)_?name($|_)|(^|_)surname($|_)/,
    ['text'],
    { kind: 'fake', of: 'name' },
  ],
  [/(^|_)(street|postal_?address|home_?address|address(_?line)?_?\d?)($|_)/, ['text', 'json'], { kind: 'redact' }],
  [/(^|_)(salary|income|wage)($|_)/, ['number', 'text'], { kind: 'redact' }],
];

function byName(name: string, kind: SampleKind): MaskSpec | undefined {
  // homeAddress and HOME_ADDRESS are one name.
  const plain = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[\s-]+/g, '_')
    .toLowerCase();
  return words.find(([pattern, kinds]) => kinds.includes(kind) && pattern.test(plain))?.[2];
}
