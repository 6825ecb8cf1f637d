// What the console asks of the rest of the product, as types: where records, sessions, rules and decisions come from.
import type { SessionId } from '../../protocols/gate.ts';
import type { AuditFilter, Merged } from '../audit/index.ts';
import type { Approvers } from '../policy/types.ts';
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

/** A page of a search that may have had to stop: then it is short, or empty, and still has a next one. */
export interface FoundPage extends Page<Merged> {
  /** How far back it has looked (ISO 8601), where it has not looked at everything. */
  readonly reached: string | undefined;
}

/** Records, newest first, and what is counted over them. Times are ISO 8601; counts may begin a little before `since`. */
export interface RecordSource {
  /** Texts of statements may be cut; `record` has all of them. */
  search(filter: AuditFilter, page: PageRequest): Promise<FoundPage>;
  record(id: string): Promise<Merged | undefined>;
  /** Statements by verdict in equal steps of time from `since` (included) to `until`. */
  counts(range: Range, stepMs: number): Promise<readonly Counts[]>;
  ruleHits(range: Range): Promise<readonly RuleHits[]>;
  identities(range: Range, page: PageRequest): Promise<Page<IdentitySummary>>;
  identity(name: string, range: Range): Promise<IdentitySummary | undefined>;
  /** Columns that statements named, the most often masked first. */
  columns(range: Range, page: PageRequest): Promise<Page<ColumnSummary>>;
  /** What detectors found in values of columns that no mask lists. */
  detections(range: Range): Promise<readonly Detected[]>;
}

export interface Detected {
  readonly detector: string;
  /** Where the statements named only one. */
  readonly table: string | undefined;
  readonly statements: number;
  readonly values: number;
  readonly last: string;
}

export interface Range {
  readonly since: string;
  readonly until: string;
}

export interface Verdicts {
  readonly allow: number;
  readonly deny: number;
  readonly hold: number;
}

export interface Counts extends Verdicts {
  /** Where the step begins. */
  readonly time: string;
}

export interface RuleHits extends Verdicts {
  readonly rule: string;
  readonly last: string;
}

export interface IdentitySummary extends Verdicts {
  /** The name, as records have it. */
  readonly identity: string;
  readonly rows: number;
  /** The tables it used most, at most ten. */
  readonly tables: readonly string[];
  readonly last: string;
}

export interface ColumnSummary extends Verdicts {
  readonly column: string;
  /** Statements in whose result it was masked. */
  readonly masked: number;
  readonly last: string;
}

/** A client connection that is open now. */
export interface SessionView {
  readonly id: SessionId;
  readonly subject: string;
  readonly identity: string;
  readonly issuer: string;
  readonly groups: readonly string[];
  readonly target: string;
  readonly client: string;
  /** The id of its token (`jti`), and the user of its credential, where it has one: what can be revoked besides the identity. */
  readonly tokenId: string | undefined;
  readonly credential: string | undefined;
  /** Milliseconds since the epoch. */
  readonly started: number;
}

export interface SessionSource {
  /** Of all gateways that share the store. */
  list(): Promise<readonly SessionView[]>;
  /** Ends it, on whichever gateway it is, and records who did that and why. */
  kill(id: string, by: Person, reason: string): Promise<void>;
}

export interface Health {
  readonly ok: boolean;
  readonly detail: Readonly<Record<string, string>>;
}

/** A held statement, as the approvals room has it. */
export interface HoldView {
  readonly id: string;
  readonly state: 'pending' | 'approved' | 'denied' | 'withdrawn' | 'expired';
  readonly session: string;
  readonly record: string;
  readonly issuer: string;
  readonly subject: string;
  readonly identity: string;
  readonly groups: readonly string[];
  readonly target: string;
  readonly rule: string;
  readonly message: string;
  readonly text: string;
  readonly parameters: readonly { readonly text: string | null; readonly masked: boolean }[];
  readonly estimate:
    | { readonly kind: 'estimate'; readonly rows: number; readonly cost: number }
    | { readonly kind: 'none'; readonly why: string };
  readonly approvers: Approvers;
  readonly created: Date;
  readonly expires: Date;
  readonly decided: Date | undefined;
  readonly reason: string | undefined;
  readonly opinions: readonly OpinionView[];
}

/** A role asked for, or given, for a time. */
export interface GrantView {
  readonly id: string;
  readonly state: 'pending' | 'active' | 'denied' | 'withdrawn' | 'expired' | 'revoked';
  readonly issuer: string;
  readonly subject: string;
  readonly identity: string;
  readonly groups: readonly string[];
  readonly role: string;
  readonly reason: string;
  readonly forMs: number;
  readonly approvers: Approvers;
  readonly created: Date;
  readonly expires: Date;
  readonly ends: Date | undefined;
  readonly opinions: readonly OpinionView[];
}

export interface OpinionView {
  readonly by: string;
  readonly verdict: 'approve' | 'deny';
  readonly reason: string | undefined;
  readonly at: Date;
}

/** Whether an answer was taken, and else why not, in words for the person. */
export type Taken =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly why: string; readonly message: string };

export interface AnswerView {
  readonly verdict: 'approve' | 'deny';
  readonly reason: string;
  /** The shape of the statement is agreed to for so long; grants: for so long at most. */
  readonly forMs: number | undefined;
}

export interface RevocationView {
  readonly id: string;
  readonly kind: 'identity' | 'token' | 'session' | 'credential';
  /** What is revoked, in words. */
  readonly what: string;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  readonly by: string;
  readonly reason: string | undefined;
  readonly at: Date;
}

/** What can be revoked besides a session. */
export type Revocable =
  | { readonly kind: 'identity'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'token'; readonly tokenId: string }
  | { readonly kind: 'credential'; readonly user: string };

/** Held statements, grants and revocations. */
export interface DecisionSource {
  holds(which: 'waiting' | 'past'): Promise<readonly HoldView[]>;
  grants(which: 'waiting' | 'active' | 'past'): Promise<readonly GrantView[]>;
  decide(kind: 'hold' | 'grant', id: string, by: Person, answer: AnswerView): Promise<Taken>;
  revokeGrant(id: string, by: Person, reason: string): Promise<Taken>;
  revocations(): Promise<readonly RevocationView[]>;
  /** Ends what matches everywhere and refuses its logins until that is lifted. */
  revoke(what: Revocable, by: Person, reason: string): Promise<void>;
  liftRevocation(id: string, by: Person): Promise<boolean>;
  /** Calls back after any change anywhere; the returned function ends it. */
  watch(changed: () => void): () => void;
}
