// The texts inside PL/pgSQL trees: where an assignment's value begins.

/**
 * The part of `target := value` behind its operator: the first `:=` or `=` that stands outside of brackets, strings, quoted names and
 * comments. Undefined where there is none.
 */
export function assignedPart(source: string): string | undefined {
  let depth = 0;
  for (let at = 0; at < source.length; at++) {
    const char = source[at];
    const next = source[at + 1];
    if (char === '-' && next === '-') {
      at = before(source.indexOf('\n', at), source);
    } else if (char === '/' && next === '*') {
      at = commentEnd(source, at);
    } else if (char === "'" || char === '"') {
      at = before(source.indexOf(char, at + 1), source);
    } else if (char === '(' || char === '[') {
      depth++;
    } else if (char === ')' || char === ']') {
      depth--;
    } else if (depth === 0 && char === ':' && next === '=') {
      return source.slice(at + 2);
    } else if (depth === 0 && char === '=') {
      return source.slice(at + 1);
    }
  }
  return undefined;
}

function before(found: number, source: string): number {
  return found < 0 ? source.length : found;
}

/** Comments nest. */
function commentEnd(source: string, from: number): number {
  let depth = 0;
  for (let at = from; at < source.length; at++) {
    if (source.startsWith('/*', at)) {
      depth++;
      at++;
    } else if (source.startsWith('*/', at)) {
      at++;
      if (--depth === 0) return at;
    }
  }
  return source.length;
}
