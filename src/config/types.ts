// The configuration as the rest of the product sees it: frozen, defaults filled in, durations in milliseconds, sizes in
// bytes, paths absolute, patterns and hours parsed. Secrets stay lazy.
import type { Dialect } from '../../protocols/gate.ts';
import type { Detector, MaskSpec } from '../masking/spec.ts';
import type { Hours, NamePattern } from '../policy/index.ts';
import type { Approvers } from '../policy/types.ts';
import type { Verb, VerbClass } from '../sql/reading.ts';
import type { Secret } from './secret.ts';
import type { Address } from './values.ts';

/** `observe`: judged and recorded as it would have been, nothing enforced. */
export type Mode = 'enforce' | 'observe';

export interface Config {
  /** Absolute path of the file. */
  readonly file: string;
  /** The file's folder: what relative paths start from. */
  readonly folder: string;
  /** Where the gateway keeps its own keys and state. */
  readonly data: string;
  readonly listen: ListenConfig;
  /** Tokens are accepted without TLS from other machines too. */
  readonly insecure: boolean;
  readonly identity: IdentityConfig;
  readonly credentials: CredentialsConfig | undefined;
  readonly targets: ReadonlyMap<string, TargetConfig>;
  readonly roles: readonly RoleConfig[];
  readonly rules: readonly RuleConfig[];
  readonly masks: readonly MaskConfig[];
  /** Key of `hash` and `fake`. Undefined: a random key in the data folder (see `loadMaskKey`). */
  readonly maskKey: Secret | undefined;
  readonly secondReader: 'off' | 'observe' | 'enforce';
  readonly mode: Mode;
  readonly audit: AuditConfig;
  readonly store: StoreConfig | undefined;
  readonly limits: LimitsConfig;
  readonly loopBreaker: LoopBreakerConfig | undefined;
  readonly notifications: NotificationsConfig | undefined;
  readonly console: ConsoleConfig | undefined;
  /** Postgres: the client's own application_name reaches the server instead of the tag. */
  readonly keepApplicationName: boolean;
  /** Worker processes. */
  readonly workers: number;
}

export interface ListenConfig {
  readonly postgres: Address | undefined;
  readonly mysql: Address | undefined;
  readonly console: Address | undefined;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

export interface IdentityConfig {
  readonly issuers: readonly IssuerConfig[];
  /** A session may outlive its token by this long. */
  readonly graceMs: number;
  readonly saml: SamlConfig | undefined;
}

export type IssuerConfig = RemoteIssuerConfig | LocalIssuerConfig;

interface CommonIssuerConfig {
  /** Exactly as in the `iss` claim. */
  readonly issuer: string;
  /** A token must name at least one of these in `aud`. */
  readonly audience: readonly string[];
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly clockSkewMs: number;
  /** Tokens that stay valid for longer than this are refused. */
  readonly maxLifetimeMs: number;
  readonly claims: ClaimsConfig;
  /** Groups every identity of this issuer has. */
  readonly groups: readonly string[];
}

export interface RemoteIssuerConfig extends CommonIssuerConfig {
  readonly kind: 'remote';
  readonly keys: KeySourceConfig;
}

export interface LocalIssuerConfig extends CommonIssuerConfig {
  readonly kind: 'local';
  /** Folder of the signing key. */
  readonly folder: string;
}

export type KeySourceConfig = { readonly timeoutMs: number; readonly maxAgeMs: number; readonly cooldownMs: number } & (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'discovery'; readonly url: string }
);

export type SignatureAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA';

/** Claim paths; the first that the token has is taken. */
export interface ClaimsConfig {
  readonly subject: readonly string[];
  readonly name: readonly string[];
  readonly groups: readonly string[];
}

export interface SamlConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly certificate: string;
  readonly groupsAttribute: string;
  /** What a confirmation of the subject must name as its recipient. */
  readonly recipient: string | undefined;
}

export interface CredentialsConfig {
  readonly maxLifetimeMs: number;
}

export interface TargetConfig {
  readonly name: string;
  readonly dialect: Dialect;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: Secret | undefined;
  readonly tls: TargetTls;
  readonly connectTimeoutMs: number;
  /** Functions the reading may leave unread, schema-qualified, lower case. */
  readonly trustedFunctions: readonly string[];
  readonly maxStatementBytes: number;
  /** Start-up parameters the gateway sets on every upstream session. */
  readonly settings: ReadonlyMap<string, string>;
  readonly catalogRefreshMs: number;
  readonly detectors: { readonly action: 'report' | 'mask'; readonly kinds: readonly Detector[] } | undefined;
  readonly costGuard:
    | {
        readonly rows: number | undefined;
        readonly cost: number | undefined;
        readonly verdict: 'deny' | 'hold';
        /** Set where it is held. */
        readonly approvers: Approvers | undefined;
      }
    | undefined;
}

export interface TargetTls {
  readonly mode: 'disable' | 'require' | 'verify-ca' | 'verify-full';
  /** Paths of PEM files. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface RoleConfig {
  readonly name: string;
  /** `*` alone stands for every verified identity. */
  readonly groups: readonly string[];
  readonly targets: readonly string[];
  readonly allow: readonly (Verb | VerbClass)[];
  /** schema.table. Undefined: all. */
  readonly tables: readonly NamePattern[] | undefined;
  readonly hours: Hours | undefined;
  readonly maxRows: number | undefined;
  readonly statementTimeoutMs: number | undefined;
  readonly budgets: BudgetsConfig | undefined;
  readonly request: { readonly approvers: Approvers; readonly maxDurationMs: number } | undefined;
}

export interface BudgetsConfig {
  readonly sessions: number | undefined;
  readonly statementsPerMinute: number | undefined;
  readonly rowsPerMinute: number | undefined;
  readonly bytesPerDay: number | undefined;
}

export interface RuleConfig {
  readonly name: string;
  readonly on: RuleConditions;
  readonly verdict: 'deny' | 'hold' | 'allow';
  /** For the client, beside the rule's name. */
  readonly message: string | undefined;
  readonly approvers: Approvers | undefined;
  readonly mode: Mode;
}

/** All that are given must hold; within one, any entry will do. */
export interface RuleConditions {
  readonly verbs: readonly (Verb | VerbClass)[] | undefined;
  /** schema.table */
  readonly tables: readonly NamePattern[] | undefined;
  /** schema.table.column */
  readonly columns: readonly NamePattern[] | undefined;
  readonly functions: readonly string[] | undefined;
  readonly unbounded: boolean | undefined;
  readonly targets: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly groups: readonly string[] | undefined;
}

export interface MaskConfig {
  /** target.schema.table.column */
  readonly columns: readonly NamePattern[];
  readonly spec: MaskSpec;
  readonly unless: { readonly roles: readonly string[]; readonly groups: readonly string[] };
  readonly predicates: 'allow' | 'equality' | 'deny';
  readonly mode: Mode;
}

export interface AuditConfig {
  /** Folder of the journal. */
  readonly journal: string;
  readonly durable: boolean;
  readonly rotation: { readonly bytes: number; readonly ageMs: number };
  /** Sealed segments older than this are removed. Undefined: never. */
  readonly retentionMs: number | undefined;
  readonly compress: boolean;
  readonly export: { readonly otlp: string } | undefined;
}

export type StoreConfig = { readonly kind: 'embedded' } | { readonly kind: 'postgres'; readonly url: Secret };

export interface LimitsConfig {
  readonly loginTimeoutMs: number;
  readonly idleTimeoutMs: number | undefined;
  readonly drainTimeoutMs: number;
  readonly sessions: number;
  readonly sessionsPerIdentity: number | undefined;
  /** Connections that have not logged in yet. */
  readonly unauthenticated: number;
}

export interface LoopBreakerConfig {
  readonly repeats: number;
  readonly withinMs: number;
  readonly pauseMs: number;
}

export interface NotificationsConfig {
  readonly webhook: { readonly url: string; readonly secret: Secret; readonly format: 'json' | 'slack' };
}

export interface ConsoleConfig {
  readonly issuer: string | undefined;
  readonly clientId: string | undefined;
  readonly viewers: readonly string[];
  readonly approvers: readonly string[];
  readonly admins: readonly string[];
}
