// What the console asks of the rest of the product, as types: where records, sessions, rules and decisions come from.
import type { SessionId } from '../../protocols/gate.ts';
import type { AuditFilter, Merged } from '../audit/index.ts';
import type { Person } from './people.ts';

/** Some items of a longer list; `next` is the cursor behind the last one, where there are more. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

export interface PageRequest {
  readonly limit: number;
  /** The cursor of the page before. */
  readonly after?: string | undefined;
}

/** Records, newest first, and what can be counted over them. Times are ISO 8601. */
export interface RecordSource {
  search(filter: AuditFilter, page: PageRequest): Promise<Page<Merged>>;
  record(id: string): Promise<Merged | undefined>;
  /** Statements by verdict in equal steps of time from `since` (included) to `until`. */
  counts(range: Range, stepMs: number): Promise<readonly Counts[]>;
  ruleHits(range: Range): Promise<readonly RuleHits[]>;
  identities(range: Range, page: PageRequest): Promise<Page<IdentitySummary>>;
  /** What one identity touched, the most used first. */
  touched(identity: string, issuer: string, range: Range): Promise<Touched>;
  /** Masked columns and how many statements had them masked. */
  maskedColumns(range: Range): Promise<readonly MaskedColumn[]>;
}

export interface Range {
  readonly since: string;
  readonly until: string;
}

export interface Counts {
  /** Where the step begins. */
  readonly time: string;
  readonly allow: number;
  readonly deny: number;
  readonly hold: number;
}

export interface RuleHits {
  readonly rule: string;
  readonly verdict: 'allow' | 'deny' | 'hold' | 'would-be';
  readonly count: number;
  readonly last: string;
}

export interface IdentitySummary {
  readonly identity: string;
  readonly issuer: string;
  readonly groups: readonly string[];
  readonly targets: readonly string[];
  readonly statements: number;
  readonly denied: number;
  readonly rows: number;
  readonly last: string;
}

export interface Touched {
  readonly summary: IdentitySummary | undefined;
  readonly tables: readonly { readonly target: string; readonly table: string; readonly count: number }[];
  readonly columns: readonly { readonly target: string; readonly column: string; readonly count: number }[];
  readonly verbs: readonly { readonly verb: string; readonly count: number }[];
}

export interface MaskedColumn {
  readonly target: string;
  readonly column: string;
  readonly count: number;
  readonly last: string;
}

/** A client connection that is open now. */
export interface SessionView {
  readonly id: SessionId;
  readonly identity: string;
  readonly issuer: string;
  readonly groups: readonly string[];
  readonly target: string;
  readonly client: string;
  /** Milliseconds since the epoch. */
  readonly started: number;
}

export interface SessionSource {
  list(): readonly SessionView[];
  /** False where no such session is open. */
  kill(id: string, by: Person, reason: string): Promise<boolean>;
}

export interface Health {
  readonly ok: boolean;
  readonly detail: Readonly<Record<string, string>>;
}
