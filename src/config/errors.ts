// What is wrong with a configuration file, and where: one fault a place, all of them in one error.

/** One fault of the file. Lines and columns count from 1. */
export interface ConfigFault {
  /** The file as it was named to `loadConfig`. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the document, e.g. `rules[1].then`; empty for the document as a whole. */
  readonly path: string;
  /** What was expected there, in a form that never repeats a secret. */
  readonly expected: string;
}

/** The file cannot be used. `message` has one line `file:line:column: path: what was expected` for each fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_CONFIG';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

/** `file:line:column: path: what was expected`, as editors and terminals link it. */
export function formatFault(fault: ConfigFault): string {
  const path = fault.path === '' ? '' : `${fault.path}: `;
  return `${fault.file}:${fault.line}:${fault.column}: ${path}${fault.expected}`;
}

/** A secret the file names is not there (environment variable unset, file unreadable). Never holds the secret. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly code = 'ERR_SECRET';
}
