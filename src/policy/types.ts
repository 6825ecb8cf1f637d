// The words of a verdict: plain data between policy (which decides) and the gateway (which carries it out).
import type { MaskSpec } from '../masking/spec.ts';
import type { ColumnName } from '../sql/index.ts';

/** A mask as it applies to one column for one session. */
export interface ColumnMask {
  readonly spec: MaskSpec;
  readonly predicates: 'allow' | 'equality' | 'deny';
  /** The pattern of the file that brought it, for records and explanations. */
  readonly pattern: string;
  /** `mode: observe` on the mask or the file: recorded, not applied. */
  readonly observe: boolean;
}

/** What happens to one output column. */
export type OutputMask =
  /** The column's own mask: the output is a plain copy of it. */
  | { readonly kind: 'mask'; readonly mask: ColumnMask; readonly column: ColumnName }
  /** Computed from masked columns: replaced whole, never in part. */
  | { readonly kind: 'redact'; readonly because: readonly ColumnName[] };

export type Verdict =
  | {
      readonly kind: 'allow';
      readonly role: string;
      readonly rule: string | undefined;
      readonly masks: readonly (OutputMask | undefined)[];
      /** True when the statement touches a masked column anywhere: its server errors and notices are withheld. */
      readonly touchesMasked: boolean;
      readonly maxRows: number | undefined;
      readonly statementTimeoutMs: number | undefined;
      /** What would have been decided by rules in observe mode. */
      readonly wouldBe: readonly Decision[];
    }
  | ({ readonly kind: 'deny'; readonly role: string | undefined; readonly wouldBe: readonly Decision[] } & Decision)
  | ({
      readonly kind: 'hold';
      readonly role: string;
      readonly approvers: Approvers;
      readonly wouldBe: readonly Decision[];
      /** The verdict once a person has agreed. */
      readonly after: Extract<Verdict, { kind: 'allow' }>;
    } & Decision);

/** A rule and what it says, in words a client can act on. */
export interface Decision {
  readonly kind: 'deny' | 'hold';
  readonly rule: string;
  /** `denied by rule "no-drops": DROP TABLE customers`, without the `sallyport: ` in front. */
  readonly message: string;
  readonly hint: string;
  readonly position?: number;
  /** Imitates the server's own error (missing relation). */
  readonly sqlstate?: string;
}

export interface Approvers {
  readonly groups: readonly string[];
  readonly count: number;
  readonly timeoutMs: number;
}
