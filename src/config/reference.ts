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
  const table = aligned([['key', 'what it is', 'default'], ...rows]);
  const missing = unavailableNames().map((name) => `- \`${name}\``);
  if (missing.length === 0) return `${table}\n`;
  return `${table}\n\nNot available yet (each is refused with its place in the file):\n\n${missing.join('\n')}\n`;
}

type Row = readonly [key: string, what: string, fallback: string];

/** A table as the formatter of the repository leaves it. */
function aligned(rows: readonly Row[]): string {
  const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [head, ...rest] = rows.map(line);
  return [head, line(widths.map((width) => '-'.repeat(width))), ...rest].join('\n');
}

function keys(node: SchemaNode, path: string): readonly Row[] {
  const inside = [node, ...(node.anyOf ?? [])];
  return inside.flatMap((part) => [
    ...Object.entries(part.properties ?? {}).flatMap(([name, child]) => {
      const at = path === '' ? name : `${path}.${name}`;
      const must = part.required?.includes(name) === true ? 'required' : defaultOf(child);
      const row: Row = [`\`${at}\``, (child.description ?? '').replaceAll('|', '\\|'), must];
      return [row, ...keys(child, at)];
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
