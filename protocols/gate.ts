// The few questions a wire protocol asks of the gateway, as types only: admit, judge, shape rows, settle.
// Protocol folders import this file and nothing else of the product; the gateway implements it.

/** A value that is there already on the hot path and promised only when somebody must wait. */
export type MaybePromise<T> = T | Promise<T>;

export type Dialect = 'postgres' | 'mysql';

declare const brand: unique symbol;
/** Names one client connection in records and in the tag. */
export type SessionId = string & { readonly [brand]: 'session' };
/** Names one audit record; the tag of a statement carries it. */
export type RecordId = string & { readonly [brand]: 'record' };

/**
 * Why something was refused. Each protocol turns it into its own error message:
 * Postgres 42501 (policy), 28P01 (login), 57014 (approval), 54000 (limit), 53300 (unavailable), 0A000 (unsupported), 42601 (syntax);
 * MySQL 1142/42000 (policy, limit), 1045/28000 (login), 1317/70100 (approval), 1235/42000 (unsupported), 1064/42000 (syntax).
 */
export interface Refusal {
  readonly kind: 'policy' | 'login' | 'approval' | 'limit' | 'unavailable' | 'unsupported' | 'syntax';
  /** The name of the rule that decided; built-in rules have names too ("unreadable", "no-role", "masked-predicate", ...). */
  readonly rule: string;
  /** The whole message as the client sees it, e.g. `sallyport: denied by rule "no-drops": DROP TABLE customers`. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
  /** Holds the record's id, or what else helps a person. */
  readonly detail?: string;
  /** Overrides the SQLSTATE of the kind, where the server's own error is imitated (42P01, 42601). */
  readonly sqlstate?: string;
  /** 1-based character position in the statement text as the client sent it. */
  readonly position?: number;
}

/** What a client said before any proof: start-up packet or handshake response. */
export interface ClientHello {
  readonly dialect: Dialect;
  readonly user: string;
  readonly database: string | undefined;
  /** Postgres start-up parameters other than user and database; MySQL connection attributes. */
  readonly parameters: ReadonlyMap<string, string>;
  /** `address:port` as accepted. */
  readonly clientAddress: string;
  readonly loopback: boolean;
  readonly encrypted: boolean;
}

/** The proof to ask a client for. A verifier never holds what would log in elsewhere. */
export type Challenge =
  | { readonly kind: 'token' }
  | { readonly kind: 'scram-sha-256'; readonly verifier: ScramVerifier }
  /** SHA1(SHA1(password)); SHA256(SHA256(password)) for clients that have caching_sha2_password alone. */
  | { readonly kind: 'mysql-native'; readonly doubleSha1: Buffer; readonly doubleSha256?: Buffer }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** RFC 5802, as in pg_authid.rolpassword: what a server stores of a SCRAM password. */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The client's answer to the challenge: the token itself, or that the protocol has checked the verifier. */
export type Proof = { readonly kind: 'token'; readonly token: string } | { readonly kind: 'verified' };

export type Admission =
  | { readonly kind: 'admitted'; readonly session: GateSession }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** The gateway as a listener sees it. No method throws or rejects: what goes wrong inside is a refusal. */
export interface Gate {
  /** Which proof to ask of this client. */
  challenge(hello: ClientHello): MaybePromise<Challenge>;
  /** Verifies the proof, finds the target and opens the session's record. Nothing has been sent upstream before this says `admitted`. */
  admit(hello: ClientHello, proof: Proof): Promise<Admission>;
  /** The client could not prove the password of the verifier it was challenged with; the protocol refuses it in the server's own words. */
  unproven?(hello: ClientHello): void;
}

/** Where and as whom the gateway connects for a session. */
export interface Upstream {
  readonly target: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: UpstreamTls;
  /** Start-up parameters (Postgres) or connection attributes (MySQL) the gateway sets; they win over the client's. */
  readonly parameters: ReadonlyMap<string, string>;
  /** MySQL: system variables the gateway sets for the session; they are set again when the session is set back. */
  readonly settings?: ReadonlyMap<string, string>;
  /** MySQL: how long one statement may run, set under the name the server has for it. */
  readonly statementTimeoutMs?: number;
}

export interface UpstreamTls {
  readonly mode: 'disable' | 'require' | 'verify-ca' | 'verify-full';
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** How a statement reached us; decides what the server will do with a text of several statements. */
export type Arrival = 'simple' | 'extended';

/** One admitted client connection. Calls are made in the order of the client's messages, one at a time. */
export interface GateSession {
  readonly id: SessionId;
  readonly upstream: Upstream;
  /** MySQL: who may end this session, or what it runs, from another one: sessions of the same owner. Left out: nobody. */
  readonly owner?: string;
  /** True when some mask may apply to this session: the relay must then know the shape of every result before its rows. */
  readonly masks: boolean;
  /** Judges a text as sent. A text the server would split (simple query) yields one plan for each statement, in order. */
  judge(text: string, arrival: Arrival): MaybePromise<Judgement>;
  /**
   * The upstream reported a run-time parameter (ParameterStatus, session tracking). A refusal means that the session
   * can no longer be read safely and must end with this error.
   */
  parameter(name: string, value: string): Refusal | undefined;
  /** Transaction state after each ReadyForQuery or OK: idle, in a transaction, failed transaction. */
  transaction(status: 'I' | 'T' | 'E'): void;
  /**
   * MySQL: the server is about to set the session back to what it was after the login (COM_RESET_CONNECTION): no temporary tables, user
   * variables or prepared statements, settings as reported by `parameter` next. Left out: the command is refused.
   */
  reset?(): void;
  /** Registers what to do when the session must end (identity expired or revoked, killed by a person). Called at most once. */
  onEnd(listener: (refusal: Refusal) => void): void;
  /** Writes the session's closing record. The relay calls it exactly once, when both sides are gone. */
  end(cause: string): void;
}

export type Judgement =
  /** Send `text` (the client's text with the tag appended) and treat each statement by its plan. */
  | { readonly kind: 'allow'; readonly text: string; readonly plans: readonly Plan[] }
  /** Nothing of the text is sent; the record is written already. */
  | { readonly kind: 'deny'; readonly refusal: Refusal }
  /** A person must decide. Tell the client `notice` (if its protocol can), wait, and call `withdraw` when it cancels or leaves. */
  | {
      readonly kind: 'hold';
      readonly notice: string;
      readonly decision: Promise<Exclude<Judgement, { kind: 'hold' }>>;
      withdraw(): void;
    };

/** An allowed statement. A prepared statement keeps its plan and opens one execution for each run. */
export interface Plan {
  /**
   * Opens the record of one run. In durable mode it resolves when the record is on disk; only then may the statement be sent.
   * Also judges anew where the session's state has changed since the text was read, and looks at the parameters:
   * `refused` means that this run must not be sent.
   */
  open(parameters: BoundParameters | undefined): MaybePromise<Opened>;
  /**
   * What to do with the rows of a result the server described. Called once for each RowDescription, not for each row. What the masks find
   * is counted for `execution`; left out: for the run opened last.
   */
  shape(fields: readonly Field[], execution?: Execution): Shaped;
  /** What to do with COPY ... TO STDOUT data of this statement. `columns` and `binary` are as in CopyOutResponse. */
  shapeCopy(columns: number, binary: boolean, execution?: Execution): ShapedCopy;
  /** Server error and notice texts of this statement may carry masked values: forward only severity, SQLSTATE and position. */
  readonly withholdsErrors: boolean;
  /** The next statement may read differently once this one has run: finish it before the next is judged. */
  readonly barrier: boolean;
  /**
   * MySQL: this statement may answer with any number of results (CALL, EXECUTE, a compound statement). It is carried out only where
   * it is alone in its text, since the results of others could not be told from its own. Left out: not known.
   */
  readonly manyResults?: boolean;
  /** The result ends with an error after this many rows. */
  readonly maxRows: number | undefined;
}

export type Opened =
  | { readonly kind: 'opened'; readonly execution: Execution }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** A person must decide on this run, with these parameters. Handled like a judgement of the same name. */
  | {
      readonly kind: 'hold';
      readonly notice: string;
      readonly decision: Promise<Exclude<Opened, { kind: 'hold' }>>;
      withdraw(): void;
    };

/** One run of a statement, from its opening record to its settling record. */
export interface Execution {
  readonly record: RecordId;
  /** Called exactly once. `rows` and `bytes` are what went to the client; a failed run carries its SQLSTATE. */
  settle(outcome: Outcome): void;
}

export type Outcome =
  | { readonly kind: 'completed'; readonly tag: string; readonly rows: number; readonly bytes: number }
  | { readonly kind: 'failed'; readonly sqlstate: string; readonly rows: number; readonly bytes: number }
  /** Sent, but never reached: an earlier statement of the same text or pipeline failed, or the connection ended. */
  | { readonly kind: 'not-run'; readonly rows: 0; readonly bytes: 0 }
  | { readonly kind: 'lost'; readonly rows: number; readonly bytes: number };

/** Parameters of one Bind or COM_STMT_EXECUTE as they stand on the wire. Views: valid only during the call that passes them. */
export interface BoundParameters {
  readonly count: number;
  /** Type oid (Postgres) or type byte (MySQL) where the client or the server named one, else 0. */
  type(index: number): number;
  binary(index: number): boolean;
  /** The raw bytes, or undefined for NULL. */
  value(index: number): Buffer | undefined;
}

/** A result column as the server describes it. */
export type Field = PostgresField | MysqlField;

export interface PostgresField {
  readonly dialect: 'postgres';
  readonly name: string;
  /** pg_class oid, or 0 where the column is no plain table column. */
  readonly tableOid: number;
  /** pg_attribute attnum, or 0. */
  readonly attnum: number;
  readonly typeOid: number;
  readonly typmod: number;
  readonly binary: boolean;
}

export interface MysqlField {
  readonly dialect: 'mysql';
  readonly name: string;
  readonly schema: string;
  /** Alias and real table name; the real one is empty for an expression. */
  readonly table: string;
  readonly orgTable: string;
  readonly orgName: string;
  readonly type: number;
  readonly charset: number;
  readonly length: number;
  readonly flags: number;
  readonly decimals: number;
  readonly binary: boolean;
}

/** One mask for each column, or undefined where the column passes; the whole is undefined when every row passes untouched. */
export type RowMasks = readonly (FieldMask | undefined)[] | undefined;

export type Shaped =
  | { readonly kind: 'rows'; readonly masks: RowMasks }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export type ShapedCopy =
  | { readonly kind: 'copy'; readonly masks: RowMasks; readonly format: CopyFormat }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** How COPY writes its rows (options of the statement). Single-byte characters as their codes. */
export type CopyFormat =
  | { readonly kind: 'binary' }
  | { readonly kind: 'text'; readonly delimiter: number; readonly nullText: string; readonly header: boolean }
  | {
      readonly kind: 'csv';
      readonly delimiter: number;
      readonly quote: number;
      readonly escape: number;
      readonly nullText: string;
      readonly header: boolean;
    };

/**
 * Replaces one value on the wire, for one column's type and format. NULL values are never passed in and stay NULL.
 * Implementations allocate nothing and never throw for malformed input (they redact it instead).
 */
export interface FieldMask {
  /**
   * Rewrites `bytes[start, end)` where it stands if the masked value has exactly the same length and says true;
   * otherwise leaves the bytes alone and says false.
   */
  inPlace(bytes: Buffer, start: number, end: number): boolean;
  /** The most bytes `write` can put out for a value of `length` bytes. */
  bound(length: number): number;
  /**
   * Writes the masked value of `from[start, end)` to `to` at `at`, where `bound(end - start)` bytes are free, and returns
   * the offset after it, or -1 when the masked value is NULL. `from` and `to` never overlap.
   */
  write(from: Buffer, start: number, end: number, to: Buffer, at: number): number;
  /** For masks that are cheaper over several values at once. A caller that does not know of it uses `write`. */
  readonly deferred?: DeferredWrite | undefined;
}

/**
 * A `write` that may leave its bytes open: the value's length is final when it returns, its bytes after `flush`. The caller flushes before
 * it moves or sends them. `from` is not read after the call.
 */
export interface DeferredWrite {
  write(from: Buffer, start: number, end: number, to: Buffer, at: number): number;
  flush(): void;
}
