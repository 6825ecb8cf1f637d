// The shape of audit records: what stands on a line of the journal. Times are ISO 8601 UTC with milliseconds.
import type { RecordId, SessionId } from '../../protocols/gate.ts';

interface Common {
  readonly time: string;
  readonly session: SessionId;
  readonly identity: string;
  readonly issuer: string;
  readonly groups: readonly string[];
  readonly target: string;
  readonly client: string;
}

/** Which source columns one output column of a statement can reveal, and how: `schema.table.column` each. */
export interface OutputLineage {
  readonly name: string;
  readonly copied?: readonly string[];
  readonly derived?: readonly string[];
  readonly chosen?: readonly string[];
}

/** Written at the verdict, before any effect. */
export interface StatementRecord extends Common {
  readonly event: 'statement';
  readonly record: RecordId;
  readonly role: string | undefined;
  /** The client's text. Literals compared with or written to masked columns are replaced by `?`. */
  readonly text: string;
  readonly fingerprint: string;
  readonly verbs: readonly string[];
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  /** The first outputs of a statement that returns rows. Left out where no column flows into any of them. */
  readonly lineage?: readonly OutputLineage[] | undefined;
  readonly verdict: 'allow' | 'deny' | 'hold';
  readonly rule: string | undefined;
  readonly reason: string | undefined;
  readonly masked: readonly string[];
  readonly wouldBe: readonly string[];
  /** The prepared statement's first record, for later runs of it. */
  readonly prepared: RecordId | undefined;
  /** The client's text held a comment that imitates the tag. */
  readonly imitatesTag: boolean;
}

/** Written when the run is over; refused statements have none. */
export interface SettledRecord {
  readonly event: 'settled';
  readonly time: string;
  readonly session: SessionId;
  readonly record: RecordId;
  readonly outcome: 'completed' | 'failed' | 'not-run' | 'lost';
  readonly sqlstate: string | undefined;
  readonly tag: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
  /** How many values each detector has found something in, in columns without a mask. Left out where nothing was found. */
  readonly detected?: Readonly<Record<string, number>>;
}

/** Logins, refused logins, ends, kills, issued credentials, approvals, configuration reloads. */
export interface EventRecord {
  readonly event:
    | 'login'
    | 'login-refused'
    | 'session-end'
    | 'credential'
    | 'approval'
    | 'grant'
    | 'revocation'
    | 'gateway'
    | 'disagreement';
  readonly time: string;
  readonly record: RecordId;
  readonly session: SessionId | undefined;
  readonly identity: string | undefined;
  readonly issuer: string | undefined;
  readonly groups: readonly string[];
  readonly target: string | undefined;
  readonly client: string | undefined;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

export type AuditRecord = StatementRecord | SettledRecord | EventRecord;

/** Where records go. `append` keeps the order of its calls. */
export interface AuditSink {
  /**
   * Durable mode: resolves when the record is on disk. Fast mode: returns at once.
   * Rejects, or throws, with an AuditError when the record cannot be kept; the caller must then refuse the statement.
   */
  append(record: AuditRecord): void | Promise<void>;
}
