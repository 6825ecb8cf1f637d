// Secrets of the configuration: read only when used, and never printed by accident.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { SecretError } from './errors.ts';

const hidden = '[secret]';

type Origin =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'literal'; readonly value: string };

/** A value that is looked up at each use, so that a rotated file or variable takes hold without a restart. */
export class Secret {
  readonly #origin: Origin;

  private constructor(origin: Origin) {
    this.#origin = origin;
    Object.freeze(this);
  }

  static env(name: string): Secret {
    return new Secret({ kind: 'env', name });
  }

  static file(path: string): Secret {
    return new Secret({ kind: 'file', path });
  }

  /** For a password that stands in a URL. */
  static literal(value: string): Secret {
    return new Secret({ kind: 'literal', value });
  }

  /** The secret itself. Throws SecretError where it is not there or empty; a file's last line end is not part of it. */
  reveal(): string {
    const value = this.#read();
    if (value === '') throw new SecretError(`${this.origin} is empty`);
    return value;
  }

  /** The same as bytes, for keys: a file is taken whole and as it is. */
  revealBytes(): Buffer {
    if (this.#origin.kind !== 'file') return Buffer.from(this.reveal(), 'utf8');
    const bytes = this.#readFile(this.#origin.path);
    if (bytes.length === 0) throw new SecretError(`${this.origin} is empty`);
    return bytes;
  }

  /** Where it comes from, for messages: `environment variable SHOP_PASSWORD`. */
  get origin(): string {
    const origin = this.#origin;
    if (origin.kind === 'env') return `environment variable ${origin.name}`;
    return origin.kind === 'file' ? `file ${origin.path}` : 'the configuration file';
  }

  #read(): string {
    switch (this.#origin.kind) {
      case 'env': {
        const value = process.env[this.#origin.name];
        if (value === undefined) throw new SecretError(`${this.origin} is not set`);
        return value;
      }
      case 'file':
        return this.#readFile(this.#origin.path)
          .toString('utf8')
          .replace(/\r?\n$/, '');
      case 'literal':
        return this.#origin.value;
    }
  }

  #readFile(path: string): Buffer {
    try {
      return readFileSync(path);
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
      throw new SecretError(`${this.origin} cannot be read (${code})`);
    }
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}
