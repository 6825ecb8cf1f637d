// The parse tree of PostgreSQL's own grammar, as libpg-query hands it over: typed access to its nodes.
import type { Node } from '@pgsql/types';

export type * from '@pgsql/types';

type Union<T> = (T extends unknown ? (member: T) => void : never) extends (member: infer M) => void ? M : never;
/** Node kinds by name. */
export type Kinds = Union<Node>;
export type Kind = keyof Kinds;

/** The kind of a node: its only key. */
export function kindOf(node: Node): Kind {
  for (const key in node) return key as Kind;
  return 'A_Star';
}

/** The body of a node if it is of this kind. */
export function as<K extends Kind>(node: Node | undefined, kind: K): Kinds[K] | undefined {
  return node === undefined ? undefined : (node as unknown as Partial<Kinds>)[kind];
}

/** The text of a String node. */
export function text(node: Node | undefined): string {
  return as(node, 'String')?.sval ?? '';
}

/** The texts of a list of String nodes: a qualified name. */
export function names(nodes: readonly Node[] | undefined): string[] {
  return (nodes ?? []).map(text);
}

/** Calls `visit` for every node below `root` (and for `root`), whatever its kind. */
export function everyNode(root: unknown, visit: (kind: string, body: Record<string, unknown>) => void): void {
  const stack: unknown[] = [root];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (Array.isArray(item)) {
      for (const element of item) stack.push(element);
    } else if (typeof item === 'object' && item !== null) {
      for (const [key, value] of Object.entries(item)) {
        if (typeof value !== 'object' || value === null) continue;
        const first = key.charCodeAt(0);
        // Node kinds start with a capital letter, fields with a small one.
        if (first >= 65 && first <= 90 && !Array.isArray(value)) visit(key, value as Record<string, unknown>);
        stack.push(value);
      }
    }
  }
}

/** Whether two trees say the same, wherever they stand in the text. */
export function sameTree(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  for (const key of keys) {
    if (key === 'location' || key.endsWith('_start') || key.endsWith('_end')) continue;
    if (!sameTree((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key])) return false;
  }
  return true;
}
