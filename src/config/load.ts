// Loading the configuration file: read, parse, check the shape, the references and what is available, resolve.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { formatPath, parseConfigText } from './document.ts';
import { ConfigError, type ConfigFault } from './errors.ts';
import { checkReferences } from './references.ts';
import { resolveConfig } from './resolve.ts';
import { checkShape, type ShapeFault } from './shape.ts';
import type { Config } from './types.ts';
import { checkAvailable, type UnavailableSetting, unavailableSettings } from './unavailable.ts';

export interface LoadOptions {
  /** Settings to refuse as not available yet. Left out: the table of unavailable.ts. */
  readonly unavailable?: readonly UnavailableSetting[];
}

/** Loads and checks a configuration file. Throws ConfigError with every fault found. */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<Config> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    throw new ConfigError([{ file: path, line: 1, column: 1, path: '', expected: unreadable(cause) }]);
  }
  return parseConfig(text, path, options);
}

/** The same for a text that is at hand; `path` names it in faults and is where relative paths start from. */
export function parseConfig(text: string, path: string, options: LoadOptions = {}): Config {
  const document = parseConfigText(text);
  if (!('position' in document)) {
    throw new ConfigError(document.map((fault) => ({ file: path, path: '', ...fault })));
  }
  const located = (fault: ShapeFault): ConfigFault => ({
    file: path,
    ...document.position(fault.path, fault.at),
    path: formatPath(fault.path),
    expected: fault.expected,
  });
  const shape = checkShape(document.value);
  const missing = checkAvailable(document.value, options.unavailable ?? unavailableSettings);
  const faults = 'content' in shape ? [...checkReferences(shape.content), ...missing] : [...shape.faults, ...missing];
  if (faults.length > 0 || !('content' in shape)) {
    throw new ConfigError(faults.map(located).sort((a, b) => a.line - b.line || a.column - b.column));
  }
  const file = resolve(path);
  return resolveConfig(shape.content, file, dirname(file));
}

function unreadable(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'expected a file, but there is none';
    case 'EISDIR':
      return 'expected a file, not a folder';
    case 'EACCES':
      return 'expected a file that may be read';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'expected a text in UTF-8';
    default:
      return `expected a file that can be read (${String(code ?? 'unknown error')})`;
  }
}
