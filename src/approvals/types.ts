// What is agreed between people and machines: held statements, grants, revocations, and the sessions they concern. Plain types.
import type { AuditSink } from '../audit/record.ts';
import type { Config } from '../config/types.ts';
import type { Identity } from '../identity/types.ts';
import type { Approvers } from '../policy/types.ts';
import type { Store } from '../store/types.ts';

/** Who acts: an identity whose token has been verified, or the operator of a machine that holds the file (and so the store). */
export type Person =
  | ({ readonly kind: 'identity' } & Pick<Identity, 'issuer' | 'subject' | 'name' | 'groups'>)
  | { readonly kind: 'operator'; readonly name: string };

/** What an identity is compared by. */
export type IdentityKey = Pick<Identity, 'issuer' | 'subject'>;

/** One person's word. */
export interface Opinion {
  /** `operator:root`, or the identity's name. */
  readonly by: string;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  readonly verdict: 'approve' | 'deny';
  readonly reason: string | undefined;
  /** The approver agreed to the shape of the statement for this long (holds), or cut the time asked for (grants). */
  readonly forMs: number | undefined;
  readonly at: Date;
}

/** What somebody says to a hold or a request. */
export interface Answer {
  readonly verdict: 'approve' | 'deny';
  readonly by: Person;
  readonly reason?: string | undefined;
  /** Holds: this statement's shape is agreed to for so long. Grants: for so long at most. Left out: once; as asked. */
  readonly forMs?: number | undefined;
}

/** Why an answer was not taken. Nothing has changed. */
export interface NotTaken {
  readonly kind: 'refused';
  readonly why: 'unknown' | 'over' | 'own' | 'not-approver' | 'twice' | 'gone' | 'invalid' | 'role';
  /** For a person. */
  readonly message: string;
}

export type Taken<T> = { readonly kind: 'taken'; readonly now: T } | NotTaken;

/** A parameter of a held statement as it is shown: `text` is what an approver sees, masked where it may be a masked value. */
export interface ShownParameter {
  readonly text: string | null;
  readonly masked: boolean;
}

/** What the target's EXPLAIN says about a held statement, or why it says nothing. */
export type Estimate =
  | { readonly kind: 'estimate'; readonly rows: number; readonly cost: number }
  | { readonly kind: 'none'; readonly why: string };

/** `approved` and not `released` means that the statement is about to run; `withdrawn`: client or gateway has gone. */
export type HoldState = 'pending' | 'approved' | 'denied' | 'withdrawn' | 'expired';

/** A held statement. */
export interface Hold {
  readonly id: string;
  readonly state: HoldState;
  readonly gateway: string;
  readonly session: string;
  /** The statement's audit record. */
  readonly record: string;
  readonly issuer: string;
  readonly subject: string;
  /** The identity's name. */
  readonly identity: string;
  readonly groups: readonly string[];
  readonly client: string;
  readonly target: string;
  readonly role: string;
  readonly rule: string;
  /** `held by rule "unbounded-writes": DELETE FROM orders (no WHERE)` */
  readonly message: string;
  /** The exact text that will run; literals are replaced where it touches masked columns. */
  readonly text: string;
  readonly parameters: readonly ShownParameter[];
  /** The shape of the statement: what `--for` agrees to. */
  readonly fingerprint: string;
  readonly estimate: Estimate;
  readonly approvers: Approvers;
  readonly created: Date;
  readonly expires: Date;
  readonly decided: Date | undefined;
  readonly released: Date | undefined;
  /** Why it was withdrawn, or the reason of who denied it. */
  readonly reason: string | undefined;
  readonly opinions: readonly Opinion[];
}

export type NewHold = Pick<
  Hold,
  | 'session'
  | 'record'
  | 'issuer'
  | 'subject'
  | 'identity'
  | 'groups'
  | 'client'
  | 'target'
  | 'role'
  | 'rule'
  | 'message'
  | 'text'
  | 'parameters'
  | 'fingerprint'
  | 'estimate'
  | 'approvers'
>;

/** How waiting for a hold ended. */
export type HoldEnd =
  | { readonly kind: 'approved'; readonly hold: Hold }
  | { readonly kind: 'denied' | 'expired' | 'withdrawn'; readonly reason: string | undefined };

/** A hold that its gateway waits for. */
export interface PendingHold {
  readonly id: string;
  readonly expires: Date;
  /** Never rejects. When it says `approved`, the approval is on record and the statement may run, once. */
  readonly end: Promise<HoldEnd>;
  /** The client cancels or leaves. */
  withdraw(reason: string): void;
}

export interface Holds {
  /** Parks a statement. Rejects when the store cannot be written: the statement must then be refused. */
  request(hold: NewHold): Promise<PendingHold>;
  /** A standing approval (`--for`) of this shape for this identity, and who gave it. Undefined: none holds now. */
  agreed(of: IdentityKey & Pick<Hold, 'target' | 'rule' | 'fingerprint'>): StandingApproval | undefined;
  /** Newest first. Left out: those that wait. */
  list(filter?: ListFilter<HoldState>): Promise<readonly Hold[]>;
  get(id: string): Promise<Hold | undefined>;
  /** Takes a person's word. The statement is released or refused within a second, on whichever gateway holds it. */
  decide(id: string, answer: Answer): Promise<Taken<Hold>>;
  /** Calls `changed` after any change to holds anywhere (with the id, or undefined: look again). The returned function ends it. */
  watch(changed: (id: string | undefined) => void): () => void;
}

export interface ListFilter<State> {
  readonly states?: readonly State[] | undefined;
  readonly most?: number | undefined;
}

/** `this statement shape for N minutes`. */
export interface StandingApproval {
  readonly hold: string;
  readonly by: readonly string[];
  readonly until: Date;
}

export type GrantState = 'pending' | 'active' | 'denied' | 'withdrawn' | 'expired' | 'revoked';

/** A role for a time: asked for, decided, in force, over. */
export interface Grant {
  readonly id: string;
  readonly state: GrantState;
  readonly issuer: string;
  readonly subject: string;
  readonly identity: string;
  readonly groups: readonly string[];
  readonly role: string;
  readonly reason: string;
  readonly forMs: number;
  readonly approvers: Approvers;
  readonly created: Date;
  /** When a request that nobody has decided lapses. */
  readonly expires: Date;
  readonly starts: Date | undefined;
  readonly ends: Date | undefined;
  readonly opinions: readonly Opinion[];
  /** Who ended it early, and why. */
  readonly revoked: { readonly by: string; readonly reason: string | undefined; readonly at: Date } | undefined;
}

export interface GrantRequest {
  readonly identity: Identity;
  readonly role: string;
  readonly forMs: number;
  readonly reason: string;
}

export interface Grants {
  /** Asks for a role that the file lets be requested. A second request for the same role while one waits gives that one back. */
  request(request: GrantRequest): Promise<Taken<Grant>>;
  /** Newest first. Left out: those that wait or are in force. `of`: of this identity alone. */
  list(filter?: ListFilter<GrantState> & { readonly of?: IdentityKey | undefined }): Promise<readonly Grant[]>;
  get(id: string): Promise<Grant | undefined>;
  decide(id: string, answer: Answer): Promise<Taken<Grant>>;
  /** Ends a grant, or withdraws a request, now. Its holder may, an approver of the role may, and an operator may. */
  revoke(id: string, by: Person, reason: string | undefined): Promise<Taken<Grant>>;
  /** Roles granted to an identity now, from memory: what changed in the store is known within a second. */
  heldBy(identity: IdentityKey): readonly string[];
  watch(changed: (id: string | undefined) => void): () => void;
}

/** What is revoked. A revocation of an identity holds until it is lifted. */
export type Revoked =
  | { readonly kind: 'identity'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'token'; readonly tokenId: string }
  | { readonly kind: 'session'; readonly session: string }
  | { readonly kind: 'credential'; readonly user: string };

export type Revocation = Revoked & {
  readonly id: string;
  readonly by: string;
  readonly reason: string | undefined;
  readonly at: Date;
};

/** What a login or session is checked by. `credential` is the user name of an issued credential, where it logged in with one. */
export type Subject = Pick<Identity, 'issuer' | 'subject' | 'tokenId'> & {
  readonly session?: string | undefined;
  readonly credential?: string | undefined;
};

export interface Revocations {
  /** Every gateway that shares the store ends matching sessions and refuses new logins of them within a second. */
  add(what: Revoked, by: Person, reason?: string | undefined): Promise<Revocation>;
  /** Takes a revocation back: new logins pass again. False: there is none of this id. */
  lift(id: string, by: Person): Promise<boolean>;
  list(): Promise<readonly Revocation[]>;
  /** From memory. */
  isRevoked(subject: Subject): Revocation | undefined;
  /** Called for each revocation that becomes known after this. The returned function ends it. */
  onRevoked(heard: (revocation: Revocation) => void): () => void;
  /** False when the list could not be compared with the store for a while: what has been revoked since is not known. */
  readonly current: boolean;
}

/** A client connection as the registry knows it. */
export interface SessionEntry {
  readonly id: string;
  readonly gateway: string;
  readonly issuer: string;
  readonly subject: string;
  readonly identity: string;
  readonly groups: readonly string[];
  readonly target: string;
  readonly client: string;
  readonly tokenId: string | undefined;
  readonly credential: string | undefined;
  readonly started: Date;
  readonly lastStatement: Date | undefined;
}

export interface Sessions {
  /** A session has begun on this gateway. Nothing waits: the store knows it a moment later. `lastStatement` is asked now and then (ms). */
  begun(entry: Omit<SessionEntry, 'gateway' | 'lastStatement'>, lastStatement: () => number | undefined): void;
  ended(id: string): void;
  /** Of all gateways that are alive. */
  list(): Promise<readonly SessionEntry[]>;
}

/** Just-in-time access of one gateway or command. */
export interface Approvals {
  /** This process, in the store's tables. */
  readonly gateway: string;
  readonly holds: Holds;
  readonly grants: Grants;
  readonly revocations: Revocations;
  readonly sessions: Sessions;
  /** Grows whenever what is held in memory (grants, standing approvals, revocations) has changed. */
  readonly version: number;
  /** A process of this name has crashed, as whoever watches it knows: its sessions are forgotten and its holds withdrawn now. */
  gone(gateway: string): Promise<void>;
  /** Takes the roles and notifications of a new file. */
  reload(config: Config): void;
  /** Resolves when this process stands in the store and knows what it holds; a gateway waits for it before it listens. */
  ready(): Promise<void>;
  /** Withdraws the holds of this process, removes its sessions and stops. The store stays open. */
  close(): Promise<void>;
}

export interface ApprovalsOptions {
  readonly store: Store;
  readonly config: Config;
  /**
   * Where a gateway writes the records of what happens; a gateway also delivers notifications. Left out: a command, which leaves
   * both to the gateways.
   */
  readonly audit?: AuditSink | undefined;
  /** What the process is called in the store. Left out: a name of its own. */
  readonly gateway?: string | undefined;
  /** Wall clock in ms. */
  readonly now?: (() => number) | undefined;
  readonly log?: ((message: string, cause?: unknown) => void) | undefined;
  readonly timing?: Partial<Timing> | undefined;
}

export interface Timing {
  /** A gateway says that it is alive this often, and compares what it holds in memory. */
  readonly heartbeatMs: number;
  /** A gateway that has not said so for this long is gone: its holds are withdrawn and its sessions forgotten. */
  readonly goneMs: number;
  /** What is held in memory and could not be compared for this long is not trusted: grants count no longer. */
  readonly staleMs: number;
  /** First wait after a notification that failed; doubled each time. */
  readonly retryMs: number;
}
