// JSON paths as the mask `paths` knows them: a small part of SQL/JSON's, read into steps.

export type Step =
  | { readonly kind: 'member'; readonly name: Buffer }
  | { readonly kind: 'element'; readonly index: number }
  | { readonly kind: 'any' }
  | { readonly kind: 'descend' };

/**
 * Reads `$.contact.ssn`, `$.items[*].card`, `$['odd name'][0]`, `$.*`, `$..ssn`. Undefined where the path is none of these.
 */
export function parsePath(path: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  const token =
    /\.\.|\.(?=\[)|\.?\*|\[\s*(?:\*|(\d+)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*\]|\.?"((?:[^"\\]|\\.)*)"|\.?([^\s.[\]"'*]+)/y;
  if (!path.startsWith('$')) return undefined;
  token.lastIndex = 1;
  while (token.lastIndex < path.length) {
    const match = token.exec(path);
    if (match === null) return undefined;
    const name = match[2] ?? match[3] ?? match[4];
    if (match[0] === '..') steps.push({ kind: 'descend' });
    else if (match[0] === '.') continue;
    else if (match[1] !== undefined) steps.push({ kind: 'element', index: Number(match[1]) });
    else if (name !== undefined) steps.push({ kind: 'member', name: Buffer.from(name.replace(/\\(.)/gs, '$1')) });
    else if (match[5] !== undefined) steps.push({ kind: 'member', name: Buffer.from(match[5]) });
    else steps.push({ kind: 'any' });
  }
  return steps.at(-1)?.kind === 'descend' ? undefined : steps;
}
