// The reference part of docs/configuration.md, made from the schema: one row a key, and what is not available yet.
import { jsonSchema } from './schema.ts';
import { unavailableNames } from './unavailable.ts';

interface SchemaNode {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** Between these lines the page is written by `npm run schema`. */
export const referenceMarks = { begin: '<!-- reference: begin -->', end: '<!-- reference: end -->' } as const;

/** The page with its reference written anew. */
export function withReference(page: string): string {
  const begin = page.indexOf(referenceMarks.begin);
  const end = page.indexOf(referenceMarks.end);
  if (begin < 0 || end < begin) throw new Error('the page has no place for the reference');
  return `${page.slice(0, begin + referenceMarks.begin.length)}\n\n${reference()}\n${page.slice(end)}`;
}

function reference(): string {
  const rows = keys(jsonSchema() as SchemaNode, '');
  const table = ['| key | what it is | default |', '| --- | --- | --- |', ...rows].join('\n');
  const missing = unavailableNames().map((name) => `- \`${name}\``);
  return `${table}\n\nNot available yet (each is refused with its place in the file):\n\n${missing.join('\n')}\n`;
}

function keys(node: SchemaNode, path: string): readonly string[] {
  const inside = [node, ...(node.anyOf ?? [])];
  return inside.flatMap((part) => [
    ...Object.entries(part.properties ?? {}).flatMap(([name, child]) => {
      const at = path === '' ? name : `${path}.${name}`;
      const must = part.required?.includes(name) === true ? 'required' : defaultOf(child);
      return [`| \`${at}\` | ${(child.description ?? '').replaceAll('|', '\\|')} | ${must} |`, ...keys(child, at)];
    }),
    ...(part.items === undefined ? [] : keys(part.items, `${path}[]`)),
    ...(typeof part.additionalProperties === 'object' ? keys(part.additionalProperties, `${path}.NAME`) : []),
  ]);
}

function defaultOf(node: SchemaNode): string {
  const value = node.default;
  if (value === undefined || typeof value === 'object') return '';
  return `\`${String(value)}\``;
}
