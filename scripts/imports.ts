// Finds the import and export-from statements of a TypeScript source, type imports included, without a TypeScript parser.

export interface Import {
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
  /** `import type` or `export type`: gone at run time. */
  readonly typeOnly: boolean;
}

interface Token {
  readonly kind: 'word' | 'string' | 'punctuation' | 'regex' | 'number';
  readonly text: string;
  readonly line: number;
}

/** After these words a slash opens a regular expression; after any other word it divides. */
const beforeExpression = new Set(
  'return typeof case in of do else void delete instanceof new throw await yield'.split(' '),
);

/** Every module a source names: static and dynamic imports, re-exports, `import('x')` types, and require. */
export function importsOf(source: string): Import[] {
  const tokens = tokenize(source);
  const found: Import[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'string') continue;
    const before = tokens[at - 1];
    const second = tokens[at - 2];
    if (before === undefined) continue;
    const called = before.text === '(' && (second?.text === 'import' || second?.text === 'require');
    const opening = before.kind === 'word' && before.text !== 'import' ? openingOf(tokens, at - 1) : undefined;
    if (!called && before.text !== 'import' && opening === undefined) continue;
    const typeOnly =
      opening !== undefined && tokens[opening + 1]?.text === 'type' && tokens[opening + 2]?.text !== 'from';
    found.push({ specifier: token.text, line: token.line, typeOnly });
  }
  return found;
}

/** Where the import or export statement of this `from` begins; undefined for a variable or key of that name. */
function openingOf(tokens: readonly Token[], from: number): number | undefined {
  if (tokens[from]?.text !== 'from') return undefined;
  for (let at = from - 1; at >= 0; at--) {
    const { kind, text } = tokens[at] as Token;
    if (kind === 'word' && (text === 'import' || text === 'export')) return at;
    if (kind !== 'word' && !(kind === 'string' || ['{', '}', ',', '*'].includes(text))) return undefined;
  }
  return undefined;
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  /** Brace depths at which a template literal's `${` was opened. */
  const templates: number[] = [];
  let depth = 0;

  const push = (kind: Token['kind'], text: string, start = line) => tokens.push({ kind, text, line: start });
  const skipTo = (end: number) => {
    for (; at < end; at++) if (source.charCodeAt(at) === 10) line++;
  };
  const template = () => {
    // Stands after the opening backquote or the closing brace of a substitution.
    while (at < source.length) {
      const char = source[at];
      if (char === '\\') skipTo(at + 2);
      else if (char === '`') {
        at++;
        push('regex', '`');
        return;
      } else if (char === '$' && source[at + 1] === '{') {
        at += 2;
        templates.push(depth++);
        push('punctuation', '{');
        return;
      } else skipTo(at + 1);
    }
  };

  while (at < source.length) {
    const char = source.charAt(at);
    const rest = source[at + 1];
    if (/\s/.test(char)) skipTo(at + 1);
    else if (char === '/' && rest === '/') skipTo(endOf(source, '\n', at));
    else if (char === '/' && rest === '*') skipTo(endOf(source, '*/', at + 2) + 2);
    else if (char === '"' || char === "'") {
      const start = at++;
      while (at < source.length && source[at] !== char && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
      push('string', source.slice(start + 1, at));
      at++;
    } else if (char === '`') {
      at++;
      template();
    } else if (char === '/' && opensRegex(tokens.at(-1))) {
      at = endOfRegex(source, at);
      push('regex', '/');
    } else if (/[\w$]/.test(char) || char > '\x7f') {
      const start = at;
      while (at < source.length && (/[\w$]/.test(source.charAt(at)) || source.charAt(at) > '\x7f')) at++;
      push(/\d/.test(char) ? 'number' : 'word', source.slice(start, at));
    } else {
      at++;
      if (char === '{') depth++;
      if (char === '}') {
        depth--;
        if (templates.at(-1) === depth) {
          templates.pop();
          template();
          continue;
        }
      }
      push('punctuation', char);
    }
  }
  return tokens;
}

function endOf(source: string, what: string, from: number): number {
  const end = source.indexOf(what, from);
  return end === -1 ? source.length : end;
}

function opensRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === 'word') return beforeExpression.has(before.text);
  return before.kind === 'punctuation' && !')]}'.includes(before.text);
}

function endOfRegex(source: string, start: number): number {
  let at = start + 1;
  for (let inClass = false; at < source.length && source[at] !== '\n'; at++) {
    const char = source[at];
    if (char === '\\') at++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) return at + 1;
  }
  return at;
}
