// What the gateway asks of a dialect's reader: one reader a target, one SqlSession a client connection.
import type { Dialect, MaybePromise } from '../../protocols/gate.ts';
import type { ColumnName, Reading } from './reading.ts';

/** One target's reader: grammar, catalog and cache. */
export interface SqlReader {
  readonly dialect: Dialect;
  /** Server settings as reported at login that decide how text is read. */
  session(settings: ReadonlyMap<string, string>): SqlSession;
  /** The catalog's word on a result column the server names (Postgres: table oid and attnum). The second witness. */
  column(tableOid: number, attnum: number): ColumnName | undefined;
  /** The columns of a table as the catalog has it; undefined where it has none of that name. */
  columns(schema: string, table: string): readonly string[] | undefined;
  /** The declared type of a column: type oid for Postgres (base type of a domain), wire type byte for MySQL. Undefined when not known. */
  columnType(column: ColumnName): number | undefined;
  /** Type facts for masks: element type of an array, base type of a domain, label set of an enum... Undefined for plain types. */
  typeInfo(typeOid: number): TypeInfo | undefined;
  /** Asks for a fresh catalog; resolves when it is in use. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface TypeInfo {
  readonly name: string;
  readonly kind: 'base' | 'array' | 'domain' | 'enum' | 'composite' | 'range' | 'multirange' | 'pseudo';
  /** Element of an array, base of a domain, subtype of a range. */
  readonly of?: number;
  readonly labels?: readonly string[];
  readonly fields?: readonly { readonly name: string; readonly type: number }[];
  readonly notNull?: boolean;
}

/** The reader's view of one session: search_path, prepared statements, cursors, temporary tables, sql_mode. */
export interface SqlSession {
  /** Grows whenever an earlier reading may no longer hold (search_path, temporary tables, catalog). */
  readonly epoch: number;
  /** Reads a text in the session's present state. Waits only when the catalog must be asked. Never throws. */
  read(text: string): MaybePromise<ReadResult>;
  /** One run of a statement is over: its effects on the session (SET, PREPARE, DECLARE, CREATE TEMP...) take hold if `ok`. */
  settled(statement: ReadStatement, ok: boolean): void;
  transaction(status: 'I' | 'T' | 'E'): void;
  /** MySQL: the server has set the session back to what it was after the login; its settings are told by `parameter` next. */
  reset?(): void;
  /** ParameterStatus or session tracking. A string says why the session can no longer be read safely. */
  parameter(name: string, value: string): string | undefined;
}

export interface ReadStatement {
  readonly reading: Reading;
  /** The statement's own part of the text, in UTF-16 offsets. */
  readonly start: number;
  readonly end: number;
  /** See Plan.barrier. */
  readonly barrier: boolean;
}

export type ReadResult =
  | { readonly kind: 'read'; readonly statements: readonly ReadStatement[] }
  /** The grammar refuses the text; message, 1-based character position, hint and detail as the server would give them. */
  | {
      readonly kind: 'unreadable';
      readonly message: string;
      readonly position: number | undefined;
      readonly sqlstate: string;
      readonly hint?: string;
      readonly detail?: string;
    }
  /** Readable, but never to be sent: a setting that would change how text is read, and the like. */
  | { readonly kind: 'forbidden'; readonly rule: string; readonly message: string; readonly hint: string };
