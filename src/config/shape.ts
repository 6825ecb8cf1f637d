// Whether the file has the right shape: runs the schema and turns its issues into words, with a suggestion for a misspelt key.
import type { z } from 'zod';
import { type Path, valueAt } from './document.ts';
import { type FileContent, fileSchema, jsonSchema } from './schema.ts';
import { nearest } from './suggest.ts';

/** A fault before its place in the text is looked up. */
export interface ShapeFault {
  readonly path: Path;
  /** Whether the key or the value at the path is at fault. */
  readonly at: 'key' | 'value';
  readonly expected: string;
}

type Issue = z.core.$ZodIssue;

export function checkShape(
  value: unknown,
): { readonly content: FileContent } | { readonly faults: readonly ShapeFault[] } {
  const result = fileSchema.safeParse(value);
  if (result.success) return { content: result.data };
  return { faults: result.error.issues.flatMap((issue) => explain(issue, [], value)) };
}

function explain(issue: Issue, around: Path, root: unknown): readonly ShapeFault[] {
  const path: Path = [...around, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], at: 'key', expected: unknownKey(path, key, root) }));
    case 'invalid_key':
      return [{ path, at: 'key', expected: issue.issues[0]?.message ?? 'expected another key' }];
    case 'invalid_union': {
      // The alternative whose outer form fits is the one that was meant; its own complaints help more than the list of forms.
      const meant = issue.errors.filter(
        (issues) => !issues.some((inner) => inner.path.length === 0 && isWrongForm(inner)),
      );
      const only = meant[0];
      if (meant.length === 1 && only !== undefined) return only.flatMap((inner) => explain(inner, path, root));
      return [wrong(path, issue.message, root)];
    }
    default:
      return [wrong(path, issue.message, root)];
  }
}

function isWrongForm(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function wrong(path: Path, message: string, root: unknown): ShapeFault {
  const found = valueAt(root, path);
  const last = path.at(-1);
  if (found === undefined && typeof last === 'string') {
    const what = message.replace(/^expected /, '');
    return { path: path.slice(0, -1), at: 'value', expected: `expected the key "${last}" (${what})` };
  }
  return { path, at: 'value', expected: `${message}${but(found, path, message)}` };
}

/** What was found instead, where that cannot be a secret and is not said already. */
function but(found: unknown, path: Path, message: string): string {
  if (/, not /.test(message)) return '';
  if (found === null) return ', not nothing';
  if (Array.isArray(found)) return /\b(at least|once)\b/.test(message) ? '' : ', not a list';
  if (typeof found === 'object') return /\bkey\b|^expected \{|at least|one of/.test(message) ? '' : ', not a mapping';
  if (path.some((step) => /password|secret|key|url|store|token/i.test(String(step)))) {
    return typeof found === 'string' ? '' : `, not a ${typeof found}`;
  }
  const shown = JSON.stringify(found) ?? typeof found;
  return shown.length > 60 ? '' : `, not ${shown}`;
}

function unknownKey(path: Path, key: string, root: unknown): string {
  const known = knownKeys(path);
  const suggestion = nearest(key, known);
  if (suggestion !== undefined) return `unknown key "${key}", did you mean "${suggestion}"?`;
  const given = valueAt(root, path);
  const missing = known.filter((other) => typeof given !== 'object' || given === null || !Object.hasOwn(given, other));
  return missing.length === 0 ? `unknown key "${key}"` : `unknown key "${key}", expected ${missing.join(', ')}`;
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** The keys the schema knows at a path. */
function knownKeys(path: Path): readonly string[] {
  let nodes: readonly SchemaNode[] = [jsonSchema() as SchemaNode];
  for (const step of path) {
    nodes = nodes.flatMap(alternatives).flatMap((node) => {
      if (typeof step === 'number') return node.items === undefined ? [] : [node.items];
      const own = node.properties?.[step];
      if (own !== undefined) return [own];
      return typeof node.additionalProperties === 'object' ? [node.additionalProperties] : [];
    });
  }
  return nodes.flatMap(alternatives).flatMap((node) => Object.keys(node.properties ?? {}));
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(alternatives);
}
