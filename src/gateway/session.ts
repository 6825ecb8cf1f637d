// One admitted client connection as the protocol sees it: texts in, judgements out, every step recorded.
import type {
  Arrival,
  GateSession,
  Judgement,
  MaybePromise,
  RecordId,
  Refusal,
  SessionId,
  Upstream,
} from '../../protocols/gate.ts';
import { type AuditSink, isoTime, newRecordId, type StatementRecord } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import type { Identity } from '../identity/index.ts';
import type { MaskKey } from '../masking/index.ts';
import type { GatewayMetrics } from '../metrics/index.ts';
import { judge, type SessionPolicy, type Verdict } from '../policy/index.ts';
import type { Reading, ReadResult, ReadStatement, SqlReader, SqlSession } from '../sql/index.ts';
import { withoutLiterals } from '../sql/index.ts';
import type { Detection } from './detection.ts';
import type { CostGuard } from './guards/cost-guard.ts';
import type { SessionGuard } from './guards/index.ts';
import { type Approved, type HeldRun, type HoldDesk, holdText, isApproved } from './holds.ts';
import { Lifetime } from './lifetime.ts';
import { namesOf, noNames } from './names.ts';
import { type AllowedStatement, maskedColumns, StatementPlan } from './plan.ts';
import { refusalOf, timeoutIsFixed, tooLong } from './refusals.ts';
import { secondRead } from './second-reading.ts';
import { imitatesTag, type TagStem, tagged, tagStem } from './tag.ts';
import { literalsWrittenBack } from './write-back.ts';

export interface SessionParts {
  readonly id: SessionId;
  readonly identity: Identity;
  /** The issued credential it logged in with; undefined for a token. */
  readonly credential?: string | undefined;
  readonly client: string;
  readonly upstream: Upstream;
  readonly reader: SqlReader;
  readonly sql: SqlSession;
  /** The roles the identity holds now; asked again for each text, since hours and grants pass. */
  readonly policy: () => SessionPolicy | Refusal;
  readonly maskKey: MaskKey;
  /** Looks into the columns that no mask lists. */
  readonly detection: Detection | undefined;
  readonly maxStatementBytes: number;
  readonly audit: AuditSink;
  /** Counts how long judgements take. */
  readonly meter?: Pick<GatewayMetrics, 'judged'> | undefined;
  /** Wall clock in ms. */
  readonly now: () => number;
  /** `observe`: the second reader looks at shapes never seen before, off the statement's path; `enforce`: before anything is sent. */
  readonly secondReader: Config['secondReader'];
  /** Budgets and the loop breaker, where the file has them. */
  readonly guard?: SessionGuard | undefined;
  readonly costGuard?: CostGuard | undefined;
  readonly ended: (session: Session) => void;
  /** Who asks people about held statements. Left out: held statements are refused. */
  readonly holds?: HoldDesk | undefined;
  /** What to do about a denial that a role which can be asked for would turn. */
  readonly advice?: ((reading: Reading | undefined) => string | undefined) | undefined;
}

/** Implements the gate's session. The room-crossing happens here: sql reads, policy judges, audit records, masking plans. */
export class Session implements GateSession {
  readonly id: SessionId;
  readonly upstream: Upstream;
  readonly parts: SessionParts;
  readonly stem: TagStem;
  readonly started: number;
  /** When a statement was last put on record, in ms since the epoch. */
  lastStatement: number | undefined;
  readonly lifetime: Lifetime;
  /** Verdicts by reading: readings are shared by all runs of a shape, and a verdict depends on nothing else. */
  #verdicts = new WeakMap<Reading, Judged>();
  #judgedUnder: SessionPolicy | undefined;

  constructor(parts: SessionParts) {
    this.id = parts.id;
    this.upstream = parts.upstream;
    this.parts = parts;
    this.stem = tagStem(parts.identity.name, parts.identity.issuer, parts.id);
    this.started = parts.now();
    this.lifetime = new Lifetime(parts.now);
  }

  /** Sessions of one identity may end each other's statements (MySQL: COM_PROCESS_KILL). */
  get owner(): string {
    const { issuer, subject } = this.parts.identity;
    return `${issuer}\n${subject}`;
  }

  get masks(): boolean {
    const policy = this.parts.policy();
    return policy.kind === 'session' && (policy.masksApply || this.parts.detection !== undefined);
  }

  judge(text: string, arrival: Arrival): MaybePromise<Judgement> {
    const begun = performance.now();
    const judgement = this.#judgeText(text, arrival);
    return this.parts.meter === undefined ? judgement : this.parts.meter.judged(judgement, begun);
  }

  #judgeText(text: string, arrival: Arrival): MaybePromise<Judgement> {
    if (text.length > this.parts.maxStatementBytes || Buffer.byteLength(text) > this.parts.maxStatementBytes) {
      return this.#denied(`(a text of ${text.length} characters)`, undefined, tooLong(this.parts.maxStatementBytes));
    }
    const read = this.parts.sql.read(text);
    return read instanceof Promise
      ? read.then((result) => this.#decide(text, result, arrival))
      : this.#decide(text, read, arrival);
  }

  /** `approved`: what people have agreed to meanwhile, by the statement's place in the text. */
  #decide(
    text: string,
    read: ReadResult,
    arrival: Arrival,
    approved?: ReadonlyMap<number, Approved>,
  ): MaybePromise<Judgement> {
    if (read.kind === 'unreadable') {
      const refusal: Refusal = {
        kind: 'syntax',
        rule: 'unreadable',
        message: read.message,
        sqlstate: read.sqlstate,
        ...(read.position === undefined ? {} : { position: read.position }),
        ...(read.hint === undefined ? {} : { hint: read.hint }),
        ...(read.detail === undefined ? {} : { detail: read.detail }),
      };
      return this.#denied(text, undefined, refusal);
    }
    if (read.kind === 'forbidden') {
      return this.#denied(text, undefined, {
        kind: 'policy',
        rule: read.rule,
        message: `sallyport: denied by rule "${read.rule}": ${read.message}`,
        hint: read.hint,
      });
    }
    const allowed: AllowedStatement[] = [];
    const held = new Map<number, HeldRun>();
    for (const [index, statement] of read.statements.entries()) {
      const own = textOf(text, read.statements, statement);
      const judged = this.verdict(statement.reading, own);
      if ('refusal' in judged) return this.#denied(this.#whole(text, read.statements), statement, judged.refusal);
      if (judged.kind === 'deny') {
        const refusal = this.denial(judged, statement.reading);
        return this.#denied(this.#whole(text, read.statements), statement, refusal, judged);
      }
      const verdict = judged.kind === 'hold' ? judged.after : judged;
      const agreed = approved?.get(index);
      allowed.push({ statement, verdict, record: agreed?.record ?? newRecordId(), text: own, approved: agreed });
      // A run with parameters is held when they are known (see Plan.open).
      if (judged.kind !== 'hold' || arrival === 'extended' || isApproved(agreed, judged, statement)) continue;
      const whole = own === text ? undefined : this.#whole(text, read.statements);
      const masked = maskedColumns(verdict);
      const record = newRecordId();
      held.set(index, {
        statement,
        verdict: judged,
        text: own,
        whole,
        parameters: [],
        masked,
        record,
        prepared: undefined,
      });
    }
    if (held.size > 0) return this.#hold(text, held);
    // A text without a statement (empty, or only a comment) has no plan and still carries a tag: the server answers it as empty.
    const first = allowed[0]?.record ?? newRecordId();
    const epoch = this.parts.sql.epoch;
    const plans = allowed.map((each, index) => new StatementPlan(this, each, { text, epoch, index, arrival }));
    return { kind: 'allow', text: tagged(text, this.stem, first), plans };
  }

  /** A text of several statements as it may be recorded under the reading of one: what the others touch counts too. */
  #whole(text: string, statements: readonly ReadStatement[]): string {
    if (statements.length <= 1 || statements.every(({ reading }) => this.shows(text, reading))) return text;
    return withoutLiterals(text, this.parts.reader.dialect);
  }

  /** Asks people about the held statements of a text. What they agree to is judged anew before it is sent. */
  #hold(text: string, held: ReadonlyMap<number, HeldRun>): Promise<Judgement> {
    const approved = new Map(
      [...held].map(([index, { verdict, statement, record }]): [number, Approved] => [
        index,
        { rule: verdict.rule, fingerprint: statement.reading.fingerprint, record },
      ]),
    );
    return holdText(this, this.parts.holds, [...held.values()], async () =>
      this.#decide(text, await this.parts.sql.read(text), 'simple', approved),
    );
  }

  /** A denial in the words of the gate, with the way to a role that would turn it. */
  denial(verdict: Extract<Verdict, { kind: 'deny' }>, reading: Reading): Refusal {
    const refusal = refusalOf(verdict);
    const advice = verdict.sqlstate === undefined ? this.parts.advice?.(reading) : undefined;
    return advice === undefined ? refusal : { ...refusal, hint: `${refusal.hint ?? ''} ${advice}`.trim() };
  }

  /** The verdict on a reading under the roles held now. */
  verdict(reading: Reading, text?: string): Judged {
    const policy = this.parts.policy();
    if (policy.kind !== 'session') return { refusal: policy };
    if (policy !== this.#judgedUnder) {
      this.#judgedUnder = policy;
      this.#verdicts = new WeakMap();
    }
    const known = this.#verdicts.get(reading);
    if (known !== undefined) return known;
    const disputed = this.#secondRead(reading, text);
    const verdict = disputed === undefined ? this.#judged(policy, reading) : { refusal: disputed };
    this.#verdicts.set(reading, verdict);
    return verdict;
  }

  /** What the second reader sees otherwise is recorded, and with `enforce` refused. */
  #secondRead(reading: Reading, text: string | undefined): Refusal | undefined {
    return secondRead(this.parts.secondReader, reading, text, ({ message, details }) =>
      this.#event('disagreement', message, { ...details, fingerprint: reading.fingerprint }),
    );
  }

  #judged(policy: SessionPolicy, reading: Reading): Judged {
    const verdict = judge(policy, reading, this.parts.reader);
    if (verdict.kind !== 'deny') {
      const { reader, maskKey } = this.parts;
      const refusal = literalsWrittenBack(reading, { policy, reader, maskKey });
      if (refusal !== undefined) return { refusal };
    }
    const ran = verdict.kind === 'hold' ? verdict.after : verdict;
    const limited = ran.kind === 'allow' && ran.statementTimeoutMs !== undefined;
    return limited && reading.settings.some(({ name }) => timeouts.has(name)) ? { refusal: timeoutIsFixed } : verdict;
  }

  #denied(
    text: string,
    statement: ReadStatement | undefined,
    refusal: Refusal,
    verdict?: Exclude<Verdict, { kind: 'allow' }>,
  ): MaybePromise<Judgement> {
    const refused = this.refuse(text, statement, refusal, {
      verdict: verdict?.kind ?? 'deny',
      role: verdict?.role,
      wouldBe: (verdict?.wouldBe ?? []).map(({ rule }) => rule),
    });
    return refused instanceof Promise
      ? refused.then((kept): Judgement => ({ kind: 'deny', refusal: kept }))
      : { kind: 'deny', refusal: refused };
  }

  /** Records a refusal and gives it as the client gets it, naming the record. It stands whether or not its record could be kept. */
  refuse(
    text: string,
    statement: ReadStatement | undefined,
    refusal: Refusal,
    decided: Partial<Pick<StatementRecord, 'verdict' | 'role' | 'wouldBe' | 'prepared'>>,
  ): MaybePromise<Refusal> {
    const record = newRecordId();
    // A syntax error is answered in the server's own words and nothing else.
    const told = refusal.kind === 'syntax' ? refusal : { ...refusal, detail: `record ${record}` };
    try {
      const reading = statement?.reading;
      this.parts.guard?.refused(refusal.rule, reading?.fingerprint ?? text.slice(0, 200));
      const written = this.record(record, this.recorded(text, reading), reading, {
        verdict: 'deny',
        rule: refusal.rule,
        reason: refusal.message,
        role: undefined,
        masked: [],
        wouldBe: [],
        prepared: undefined,
        ...decided,
      });
      if (!(written instanceof Promise)) return told;
      return written.then(
        () => told,
        () => told,
      );
    } catch {
      return told;
    }
  }

  /** An event of this session that nobody waits for; the journal reports its own failure. */
  #event(
    event: 'disagreement' | 'session-end',
    message: string,
    details: Readonly<Record<string, string | number>>,
  ): void {
    const { identity, audit, client, now } = this.parts;
    try {
      const written = audit.append({
        event,
        time: isoTime(now()),
        record: newRecordId(),
        session: this.id,
        identity: identity.name,
        issuer: identity.issuer,
        groups: identity.groups,
        target: this.upstream.target,
        client,
        message,
        details,
      });
      if (written instanceof Promise) written.catch(() => undefined);
    } catch {
      // Nothing waits for this record.
    }
  }

  /** Writes the opening record of a statement. Throws or rejects when the record cannot be kept. */
  record(
    record: RecordId,
    text: RecordedText,
    reading: Reading | undefined,
    decided: Pick<StatementRecord, 'verdict' | 'rule' | 'reason' | 'role' | 'masked' | 'wouldBe' | 'prepared'>,
  ): void | Promise<void> {
    const { identity, audit, client, now } = this.parts;
    const names = reading === undefined ? noNames : namesOf(reading);
    const time = now();
    this.lastStatement = time;
    // Written out and in one shape: this runs once for every run of every statement.
    return audit.append({
      event: 'statement',
      time: isoTime(time),
      record,
      session: this.id,
      identity: identity.name,
      issuer: identity.issuer,
      groups: identity.groups,
      target: this.upstream.target,
      client,
      text: text.text,
      fingerprint: reading?.fingerprint ?? '',
      verbs: reading?.verbs ?? [],
      tables: names.tables,
      columns: names.columns,
      lineage: names.lineage,
      imitatesTag: text.imitatesTag,
      verdict: decided.verdict,
      rule: decided.rule,
      reason: decided.reason,
      role: decided.role,
      masked: decided.masked,
      wouldBe: decided.wouldBe,
      prepared: decided.prepared,
    });
  }

  /** A text as it is recorded. It depends on the roles held now, through their masks. */
  recorded(text: string, reading: Reading | undefined): RecordedText {
    return { text: this.#recordedText(text, reading), imitatesTag: imitatesTag(text) };
  }

  #recordedText(text: string, reading: Reading | undefined): string {
    return this.shows(text, reading) ? text : withoutLiterals(text, this.parts.reader.dialect);
  }

  /** Whether literals and parameters may be shown: none that may be a masked value, a password or a key stays in a record. */
  shows(text: string, reading: Reading | undefined): boolean {
    if (reading === undefined || secretWords.test(text)) return false;
    const policy = this.parts.policy();
    if (policy.kind !== 'session') return false;
    return !policy.masksApply || !reading.columns.some((column) => policy.maskFor(column) !== undefined);
  }

  parameter(name: string, value: string): Refusal | undefined {
    const why = this.parts.sql.parameter(name, value);
    if (why === undefined) return undefined;
    return {
      kind: 'policy',
      rule: 'unsafe-setting',
      message: `sallyport: denied by rule "unsafe-setting": ${why}`,
      hint: 'The session ends since its statements can no longer be read as the server reads them. Reset the setting on the role or database.',
    };
  }

  reset(): void {
    this.parts.sql.reset?.();
  }

  transaction(status: 'I' | 'T' | 'E'): void {
    this.parts.sql.transaction(status);
  }

  onEnd(listener: (refusal: Refusal) => void): void {
    this.lifetime.onEnd(listener);
  }

  /** Ends the session from the gateway's side: the client gets the refusal as its last message. */
  terminate(refusal: Refusal): void {
    this.lifetime.end(refusal);
  }

  end(cause: string): void {
    this.lifetime.close();
    this.parts.ended(this);
    this.#event('session-end', cause, { ms: this.parts.now() - this.started });
  }
}

/** What a record says of a statement's text. */
export interface RecordedText {
  readonly text: string;
  readonly imitatesTag: boolean;
}

/** A verdict, or a refusal of the gateway's own before or beside it. */
type Judged = Verdict | { readonly refusal: Refusal };

/** Under which names the dialects have it. */
const timeouts: ReadonlySet<string> = new Set(['statement_timeout', 'max_statement_time', 'max_execution_time']);

const secretWords = /password|identified|secret|credential|conninfo|encrypted|token|private key/i;

/** The part of a text of several statements that is this one's; the whole text where there is only one. */
function textOf(text: string, all: readonly ReadStatement[], one: ReadStatement): string {
  return all.length === 1 ? text : text.slice(one.start, one.end).trim();
}
