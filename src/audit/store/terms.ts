// The exact words of a record as numbers, for one index over all of them: what a filter asks for is looked up as terms and then
// compared as it is, so two words with the same number cost a look and never bring a wrong record.

export type TermKind =
  | 'identity'
  | 'group'
  | 'target'
  | 'table'
  | 'column'
  | 'verdict'
  | 'rule'
  | 'verb'
  | 'fingerprint'
  | 'session'
  | 'event'
  | 'ms'
  | 'rows';

/** FNV-1a over the kind and the word. Terms lie in the store: another function would need all of them anew. */
export function term(kind: TermKind, word: string | number): number {
  const text = `${kind}\n${word}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash | 0;
}

/** Durations and row counts have the term of their power of two; the highest class holds all above. */
const CLASSES = 48;

function classOf(value: number): number {
  return value < 1 ? 0 : Math.min(CLASSES - 1, Math.floor(Math.log2(value)) + 1);
}

export function sizeTerm(kind: 'ms' | 'rows', value: number): number {
  return term(kind, classOf(value));
}

/** The terms of all values that are at least this large, and of some that are a little smaller. */
export function sizeTerms(kind: 'ms' | 'rows', least: number): number[] {
  const terms: number[] = [];
  for (let index = classOf(Math.max(0, least)); index < CLASSES; index++) terms.push(term(kind, index));
  return terms;
}
