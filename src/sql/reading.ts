// The reading: what one statement does, as plain frozen data that no dialect shows through. Everything after sql/ sees only this.
import type { Dialect } from '../../protocols/gate.ts';

/** What a statement, or a part of it, does. Statement kinds without a verb of their own map to the nearest one, never to none. */
export type Verb =
  // read
  | 'select'
  | 'values'
  | 'table'
  | 'show'
  | 'explain'
  | 'fetch'
  | 'copy-to'
  // write
  | 'insert'
  | 'update'
  | 'delete'
  | 'merge'
  | 'replace'
  | 'truncate'
  | 'copy-from'
  | 'call'
  | 'do'
  | 'load'
  | 'refresh'
  | 'nextval'
  // ddl
  | 'create'
  | 'alter'
  | 'drop'
  | 'rename'
  | 'comment'
  | 'index'
  | 'cluster'
  | 'security-label'
  // session
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'set'
  | 'reset'
  | 'prepare'
  | 'execute'
  | 'deallocate'
  | 'declare'
  | 'close'
  | 'listen'
  | 'notify'
  | 'unlisten'
  | 'lock'
  | 'use'
  | 'discard'
  // admin
  | 'grant'
  | 'revoke'
  | 'vacuum'
  | 'analyze'
  | 'checkpoint'
  | 'kill'
  | 'file'
  | 'program'
  | 'handler'
  | 'flush'
  | 'admin';

export type VerbClass = 'read' | 'write' | 'ddl' | 'session' | 'admin';

/** A table, view, sequence or other relation by its resolved name. For MySQL `schema` is the database. */
export interface TableName {
  /** Empty where the name could not be resolved (see `Opaque`). Temporary tables are in `pg_temp`. */
  readonly schema: string;
  readonly table: string;
}

export interface ColumnName extends TableName {
  readonly column: string;
}

/** `schema.table.column`, as records and explanations write it. */
export function columnPath({ schema, table, column }: ColumnName): string {
  return `${schema}.${table}.${column}`;
}

export interface TableUse extends TableName {
  readonly access: 'read' | 'write' | 'ddl';
  /** False when the table is reached through a view, function, rule or foreign key, not named in the text. */
  readonly direct: boolean;
}

/**
 * How an output (or written value) depends on a source column: the value itself, something computed from it, or only
 * which rows or branch were chosen by it.
 */
export type Dependence = 'copied' | 'derived' | 'chosen';

export interface Source extends ColumnName {
  readonly how: Dependence;
}

export interface Output {
  readonly name: string;
  /** Every source column whose value this output can reveal; where uncertain, the larger set. */
  readonly sources: readonly Source[];
  /** The server alone decides how many columns there are (SHOW, EXPLAIN, CALL): the only output stands for each of them. */
  readonly everyColumn?: true;
  /** Some of its values may be none of a source: constants, a series, other rows beside the column's own. */
  readonly mixed?: boolean;
}

/** How a column stands in a place where its value steers something other than an output. */
export type UseKind =
  /** `col = constant-or-parameter`, `IN (...)`, `IS NULL`, `col = col` (see `with`); `constants` counts them. */
  | 'equality'
  /** count(col), count(DISTINCT col). */
  | 'count'
  /** Written to a column of a unique index: that it conflicts tells that the value is there. `constants` and `with` as for an equality. */
  | 'unique'
  | 'range'
  | 'pattern'
  | 'order'
  | 'group'
  | 'window'
  | 'distinct'
  | 'computed'
  | 'join'
  | 'min-max'
  | 'limit'
  | 'set-operation'
  | 'branch'
  | 'argument';

export interface ColumnUse {
  readonly column: ColumnName;
  readonly how: UseKind;
  /** For an equality with another column: that column, so that policy can see whether both stand under the same mask. */
  readonly with?: readonly ColumnName[];
  /** For an equality: how many constants or parameters the column meets here. */
  readonly constants?: number;
  /** MySQL: parameters (0-based) that the column, a text, meets whole only when they are bound as texts. */
  readonly textParameters?: readonly number[];
  /** 1-based character position in the statement's text, where known. */
  readonly position?: number;
}

/** A value that a statement stores or sends somewhere other than its result. */
export interface Flow {
  readonly from: readonly Source[];
  readonly into:
    | ({ readonly kind: 'column' } & ColumnName)
    | {
        readonly kind: 'place';
        readonly what:
          | 'new-table'
          | 'view'
          | 'function'
          | 'notify'
          | 'setting'
          | 'large-object'
          | 'comment'
          | 'file'
          | 'variable'
          | 'unknown';
      };
}

/** Literals and parameters written into columns, for the write-back check. */
export interface StoredValue {
  readonly column: ColumnName;
  readonly value:
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'parameter'; readonly index: number };
}

/** A write whose condition does not restrict it. */
export interface UnboundedWrite {
  readonly verb: Verb;
  readonly table: TableName;
  /** For a person: "no WHERE", "WHERE 1 = 1 is always true". */
  readonly why: string;
}

/** Something the reader could not see through. Refused while masks apply, unless the config trusts it. */
export interface Opaque {
  /**
   * `function` and `dynamic-sql` may run any SQL; `unseen` is a function that cannot be seen into but is not known to run SQL (compiled
   * code, a stored program whose verbs and tables are noted).
   */
  readonly kind: 'function' | 'dynamic-sql' | 'unseen' | 'relation' | 'column' | 'rows' | 'statement';
  /** Name, schema-qualified where known: what the config's trust list names. */
  readonly name: string;
  readonly why: string;
  readonly position?: number;
  /** For a missing relation or the like: the server's own SQLSTATE and message, to be imitated. */
  readonly missing?: { readonly sqlstate: string; readonly message: string };
}

/** Whether it is a function, a stored program or SQL made at run time: what the config's trust list can name. */
export function isFunction({ kind }: Pick<Opaque, 'kind'>): boolean {
  return kind === 'function' || kind === 'dynamic-sql' || kind === 'unseen';
}

/** A side door that hands out values of tables it does not name: pg_stats, pg_stat_activity, EXPLAIN text, ... */
export interface SideDoor {
  readonly name: string;
  readonly why: string;
}

export interface Reading {
  readonly dialect: Dialect;
  /** Every verb in the statement, the outermost first, no repeats. Never empty. */
  readonly verbs: readonly Verb[];
  /** A few words for messages: `DROP TABLE customers`, `DELETE FROM orders`. No literals. */
  readonly summary: string;
  /** Same for statements that differ only in literals. */
  readonly fingerprint: string;
  readonly tables: readonly TableUse[];
  /** Columns read or written by name, for records and rules. */
  readonly columns: readonly ColumnName[];
  /** Columns that views, rules and triggers read on their own: they are no use of the statement's, but its errors may quote them. */
  readonly below?: readonly ColumnName[];
  /** Functions called, schema-qualified where resolved, lower case. */
  readonly functions: readonly string[];
  readonly unbounded: readonly UnboundedWrite[];
  /** Undefined where the statement returns no rows. */
  readonly outputs: readonly Output[] | undefined;
  readonly uses: readonly ColumnUse[];
  readonly flows: readonly Flow[];
  readonly stores: readonly StoredValue[];
  readonly opaque: readonly Opaque[];
  readonly sideDoors: readonly SideDoor[];
  /** For COPY ... TO: its options, so that masks can be put into the data. */
  readonly copy?: CopyOptions;
  /** Settings this statement changes, lower case, with the value where it is a constant. */
  readonly settings: readonly { readonly name: string; readonly value: string | undefined }[];
}

export interface CopyOptions {
  readonly direction: 'to' | 'from';
  readonly place: 'client' | 'file' | 'program';
  readonly format: 'text' | 'csv' | 'binary';
  readonly delimiter: string;
  readonly nullText: string;
  readonly quote: string;
  readonly escape: string;
  readonly header: boolean;
}

const classes: Record<VerbClass, readonly Verb[]> = {
  read: ['select', 'values', 'table', 'show', 'explain', 'fetch', 'copy-to'],
  write: [
    'insert',
    'update',
    'delete',
    'merge',
    'replace',
    'truncate',
    'copy-from',
    'call',
    'do',
    'load',
    'refresh',
    'nextval',
  ],
  ddl: ['create', 'alter', 'drop', 'rename', 'comment', 'index', 'cluster', 'security-label'],
  session: [
    'begin',
    'commit',
    'rollback',
    'savepoint',
    'set',
    'reset',
    'prepare',
    'execute',
    'deallocate',
    'declare',
    'close',
    'listen',
    'notify',
    'unlisten',
    'lock',
    'use',
    'discard',
  ],
  admin: ['grant', 'revoke', 'vacuum', 'analyze', 'checkpoint', 'kill', 'file', 'program', 'handler', 'flush', 'admin'],
};

const classOf = new Map<Verb, VerbClass>(
  (Object.entries(classes) as [VerbClass, readonly Verb[]][]).flatMap(([name, verbs]) =>
    verbs.map((verb) => [verb, name] as const),
  ),
);

/** The class a role's `allow` list may name in place of the verb. */
export function verbClass(verb: Verb): VerbClass {
  return classOf.get(verb) ?? 'admin';
}

/** All verbs, in the order of their classes; the config schema lists them. */
export const verbs: readonly Verb[] = Object.values(classes).flat();
export const verbClasses = Object.keys(classes) as readonly VerbClass[];
