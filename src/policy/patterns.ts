// Name patterns of the configuration: dotted parts, each literal or with `*`, parsed once and matched without allocation.
// What restricts (masks, rules) compares without regard to case, the larger set; what allows (roles) compares exactly.

/** One dotted name with wildcards, split into its parts; a part in double quotes may hold dots. */
export interface NamePattern {
  /** As written in the file. */
  readonly text: string;
  readonly parts: readonly string[];
}

/** Says whether a name fits a part of a pattern. */
export type PartMatcher = (name: string) => boolean;

/** Splits a pattern into exactly `count` parts; undefined where it has another number of parts, an empty part or an open quote. */
export function parsePattern(text: string, count: number): NamePattern | undefined {
  const parts: string[] = [];
  let at = 0;
  while (at <= text.length) {
    if (text[at] === '"') {
      const close = text.indexOf('"', at + 1);
      if (close < 0) return undefined;
      parts.push(text.slice(at + 1, close));
      at = close + 1;
      if (at < text.length && text[at] !== '.') return undefined;
      at += 1;
      continue;
    }
    const dot = text.indexOf('.', at);
    const end = dot < 0 ? text.length : dot;
    parts.push(text.slice(at, end));
    at = end + 1;
  }
  const wellFormed = parts.length === count && parts.every((part) => part !== '' && part.trim() === part);
  return wellFormed ? { text, parts } : undefined;
}

/** Compiles one part. `*` stands for any run of characters, the empty one included. */
export function matcher(part: string, exact: boolean): PartMatcher {
  if (/^\*+$/.test(part)) return () => true;
  const wanted = exact ? part : fold(part);
  const pieces = wanted.split('*');
  if (pieces.length === 1)
    return exact ? (name) => name === wanted : (name) => name === wanted || fold(name) === wanted;
  return (name) => fits(exact ? name : fold(name), pieces);
}

/** Compiles the parts of a pattern from `from` on, to be compared with as many names. */
export function matchers(pattern: NamePattern, exact: boolean, from = 0): readonly PartMatcher[] {
  return pattern.parts.slice(from).map((part) => matcher(part, exact));
}

/** Lower case is not enough: the Turkish dotless i and the like must not open a gap, so both mappings are applied. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** Greedy leftmost matching of the pieces between stars: linear, so that no pattern can make it slow. */
function fits(name: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
