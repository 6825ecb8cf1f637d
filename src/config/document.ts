// The YAML text as data, and the way back: from a path in the data to its line and column in the text.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

export type Path = readonly (string | number)[];

/** 1-based. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface ConfigDocument {
  readonly value: unknown;
  /** Where the value at a path stands, or the nearest part around it that is there. `key`: where its key stands. */
  position(path: Path, at?: 'value' | 'key'): Position;
}

export interface DocumentFault extends Position {
  readonly expected: string;
}

/** More than this is no configuration; reading it could only be an attempt to exhaust memory. */
const longestText = 4 * 1024 * 1024;

/** Parses YAML 1.2 strictly: one document, no repeated keys, no unknown tags. */
export function parseConfigText(text: string): ConfigDocument | readonly DocumentFault[] {
  if (text.length > longestText) return [{ line: 1, column: 1, expected: 'expected a file of at most 4 MiB' }];
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    return problems
      .slice(0, 20)
      .map((problem) => ({ ...place(problem.pos[0]), expected: describe(problem.code, problem.message) }));
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch {
    return [{ line: 1, column: 1, expected: 'expected YAML whose aliases can be resolved and do not multiply' }];
  }
  const root: Node | null = document.contents;
  return {
    value,
    position(path, at = 'value') {
      let node: unknown = root;
      let offset = root?.range?.[0] ?? 0;
      for (const [index, step] of path.entries()) {
        if (isAlias(node)) node = node.resolve(document);
        if (isMap(node)) {
          const pair = node.items.find(
            (item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === String(step),
          );
          if (pair === undefined) break;
          const keyStart = rangeStart(pair.key);
          const wantsKey = at === 'key' && index === path.length - 1;
          const valueStart = isEmpty(pair.value) ? undefined : rangeStart(pair.value);
          offset = (wantsKey ? keyStart : valueStart) ?? keyStart ?? offset;
          node = pair.value;
        } else if (isSeq(node)) {
          const item = node.items[Number(step)];
          if (item === undefined) break;
          offset = rangeStart(item) ?? offset;
          node = item;
        } else break;
      }
      return place(offset);
    },
  };
}

/** A key without a value has an empty node whose place helps nobody: the key's own is shown. */
function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.range != null && node.range[0] === node.range[1];
}

function rangeStart(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined;
  const start: unknown = node.range[0];
  return typeof start === 'number' ? start : undefined;
}

/** Our words for the parser's commonest errors; its own otherwise, with what could quote the text cut off. */
function describe(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'expected each key once; this one stands here twice';
    case 'MULTIPLE_DOCS':
      return 'expected one YAML document, not several divided by ---';
    case 'TAB_AS_INDENT':
      return 'expected spaces for indentation, not tabs';
    case 'TAG_RESOLVE_FAILED':
      return 'expected no YAML tags';
    default: {
      const words = message.split(/[\n:"]/)[0] ?? '';
      return `expected YAML (${words.trim().replace(/\.$/, '')})`;
    }
  }
}

/** `rules[1].then`, `targets.shop.tls`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const plain = /^[A-Za-z0-9_-]+$/.test(step) ? step : JSON.stringify(step);
    return text === '' ? plain : `${text}.${plain}`;
  }, '');
}

/** The value at a path, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Object.hasOwn(at, step) ? (at as Record<string | number, unknown>)[step] : undefined;
  }
  return at;
}
