// An allowed statement on its way: its record is opened for each run, its rows are shaped, its outcome is settled.
import type {
  Arrival,
  BoundParameters,
  Execution,
  Field,
  FieldMask,
  MaybePromise,
  Opened,
  Outcome,
  Plan,
  RecordId,
  Refusal,
  Shaped,
  ShapedCopy,
} from '../../protocols/gate.ts';
import { isoTime, newRecordId } from '../audit/index.ts';
import { Findings, planMask, redactionFor } from '../masking/index.ts';
import type { OutputMask, SessionPolicy, Verdict } from '../policy/index.ts';
import { type ColumnName, columnPath, type ReadResult, type ReadStatement, type Source } from '../sql/index.ts';
import { detectedIn } from './detection.ts';
import { type Approved, type HoldVerdict, holdRun, isApproved } from './holds.ts';
import { numbersMeetingTexts } from './number-parameters.ts';
import { copyOf, keepParameters } from './parameters.ts';
import type { RecordedText, Session } from './session.ts';
import { parametersWrittenBack } from './write-back.ts';

type Allowed = Extract<Verdict, { kind: 'allow' }>;

export interface AllowedStatement {
  readonly statement: ReadStatement;
  readonly verdict: Allowed;
  readonly record: RecordId;
  /** The statement's own text, as recorded. */
  readonly text: string;
  /** People have agreed to its run: its record is written. */
  readonly approved: Approved | undefined;
}

/** What a plan's records repeat for each run. */
interface Recorded {
  readonly verdict: Allowed;
  readonly text: RecordedText;
  readonly masked: readonly string[];
  readonly wouldBe: readonly string[];
}

/** Where the statement came from, so that it can be read anew. */
export interface Origin {
  readonly text: string;
  /** The session's epoch when it was read. */
  readonly epoch: number;
  /** Its place in a text of several statements. */
  readonly index: number;
  readonly arrival: Arrival;
}

export class StatementPlan implements Plan {
  readonly #session: Session;
  readonly #origin: Origin;
  readonly #record: RecordId;
  readonly #text: string;
  #statement: ReadStatement;
  #verdict: Allowed;
  #epoch: number;
  #runs = 0;
  /** Used up by the first run. */
  #approved: Approved | undefined;
  #latest: Run | undefined;
  #shared: Recorded | undefined;

  constructor(session: Session, allowed: AllowedStatement, origin: Origin) {
    this.#session = session;
    this.#origin = origin;
    this.#record = allowed.record;
    this.#text = allowed.text;
    this.#statement = allowed.statement;
    this.#verdict = allowed.verdict;
    this.#epoch = origin.epoch;
    this.#approved = allowed.approved;
  }

  get withholdsErrors(): boolean {
    return this.#verdict.touchesMasked;
  }

  get barrier(): boolean {
    return this.#statement.barrier;
  }

  get maxRows(): number | undefined {
    return this.#verdict.maxRows;
  }

  open(parameters: BoundParameters | undefined): MaybePromise<Opened> {
    const approved = this.#approved;
    this.#approved = undefined;
    // Within one text the epoch moves by the text's own statements, which the reading has followed already.
    if (this.#origin.arrival === 'simple' || this.#epoch === this.#session.parts.sql.epoch) {
      return this.#rejudge(approved, parameters);
    }
    const read = this.#session.parts.sql.read(this.#origin.text);
    if (!(read instanceof Promise)) return this.#reread(read, approved, parameters);
    // Parameters are views of bytes that are gone by then.
    const kept = parameters === undefined ? undefined : copyOf(parameters);
    return read.then((result) => this.#reread(result, approved, kept));
  }

  /** Settings have changed since the text was read and the server will plan anew: take the new reading. */
  #reread(
    result: ReadResult,
    approved: Approved | undefined,
    parameters: BoundParameters | undefined,
  ): MaybePromise<Opened> {
    const statement = result.kind === 'read' ? result.statements[this.#origin.index] : undefined;
    if (statement === undefined) {
      return this.#refuse({
        kind: 'policy',
        rule: 'unreadable',
        message:
          'sallyport: denied by rule "unreadable": the prepared statement can no longer be read in the present state of the session',
        hint: 'Prepare the statement again.',
      });
    }
    this.#statement = statement;
    this.#epoch = this.#session.parts.sql.epoch;
    return this.#rejudge(approved, parameters);
  }

  #rejudge(approved: Approved | undefined, parameters: BoundParameters | undefined): MaybePromise<Opened> {
    const judged = this.#session.verdict(this.#statement.reading);
    if ('refusal' in judged) return this.#refuse(judged.refusal);
    if (judged.kind === 'deny') return this.#refuse(this.#session.denial(judged, this.#statement.reading));
    const { costGuard } = this.#session.parts;
    const { reading } = this.#statement;
    if (judged.kind === 'hold' || costGuard?.asks(reading) !== true) return this.#proceed(judged, approved, parameters);
    const kept = parameters === undefined ? undefined : copyOf(parameters);
    const explained = { reading, text: this.#text, parameters: keepParameters(kept) };
    return costGuard
      .judge(judged, explained)
      .then((verdict) =>
        verdict.kind === 'deny'
          ? this.#refuse(this.#session.denial(verdict, reading))
          : this.#proceed(verdict, approved, kept),
      );
  }

  #proceed(
    judged: Allowed | HoldVerdict,
    approved: Approved | undefined,
    parameters: BoundParameters | undefined,
  ): MaybePromise<Opened> {
    if (judged.kind === 'hold' && isApproved(approved, judged, this.#statement)) {
      // Looked at when it was held, with the very parameters it runs with.
      this.#verdict = judged.after;
      return this.#opened(approved.record);
    }
    if (this.#origin.arrival === 'extended') {
      const refusal = this.#numberMeetsText(parameters) ?? this.#writtenBack(parameters);
      if (refusal !== undefined) return this.#refuse(refusal);
    }
    if (judged.kind === 'hold') return this.#hold(judged, parameters);
    const verdict = judged;
    const conduct = this.#session.parts.guard?.opening(this.#statement.reading, verdict.role);
    if (conduct !== undefined) return this.#refuse(conduct);
    this.#verdict = verdict;
    const again = this.#runs++ > 0;
    const record = again ? newRecordId() : this.#record;
    try {
      const { text, masked, wouldBe } = this.#recorded(verdict);
      const written = this.#session.record(record, text, this.#statement.reading, {
        verdict: 'allow',
        rule: verdict.rule,
        reason: undefined,
        role: verdict.role,
        masked,
        wouldBe,
        prepared: again ? this.#record : undefined,
      });
      if (!(written instanceof Promise)) return this.#opened(record);
      return written.then(
        () => this.#opened(record),
        () => unrecordable,
      );
    } catch {
      return unrecordable;
    }
  }

  /** Each run of a held statement is decided on with its own parameters. */
  #hold(verdict: HoldVerdict, parameters: BoundParameters | undefined): MaybePromise<Opened> {
    // What is approved is what is shown, so what cannot be shown cannot be held.
    if (this.#origin.arrival === 'extended' && parameters === undefined) return this.#refuse(tooLargeToHold(verdict));
    const { parts } = this.#session;
    const again = this.#runs++ > 0;
    const record = again ? newRecordId() : this.#record;
    const run = {
      statement: this.#statement,
      verdict,
      text: this.#text,
      whole: undefined,
      parameters: keepParameters(parameters),
      masked: maskedColumns(verdict.after),
      record,
      prepared: again ? this.#record : undefined,
    };
    const { fingerprint } = this.#statement.reading;
    const kept = parameters === undefined ? undefined : copyOf(parameters);
    return holdRun(this.#session, parts.holds, run, () => {
      this.#approved = { rule: verdict.rule, fingerprint, record };
      return this.open(kept);
    });
  }

  #numberMeetsText(parameters: BoundParameters | undefined): Refusal | undefined {
    const held = this.#session.parts.policy();
    return held.kind === 'session' ? numbersMeetingTexts(this.#statement.reading, held, parameters) : undefined;
  }

  #writtenBack(parameters: BoundParameters | undefined): Refusal | undefined {
    const { reading } = this.#statement;
    if (reading.stores.length === 0) return undefined;
    const { reader, maskKey, policy } = this.#session.parts;
    const held = policy();
    return held.kind === 'session'
      ? parametersWrittenBack(reading, { policy: held, reader, maskKey }, parameters)
      : undefined;
  }

  /** What the records of all runs under one verdict share. The same reading under other masks is another verdict. */
  #recorded(verdict: Allowed): Recorded {
    let known = this.#shared;
    if (known?.verdict !== verdict) {
      known = {
        verdict,
        text: this.#session.recorded(this.#text, this.#statement.reading),
        masked: maskedColumns(verdict),
        wouldBe: verdict.wouldBe.map(({ rule }) => rule),
      };
      this.#shared = known;
    }
    return known;
  }

  #opened(record: RecordId): Opened {
    this.#latest = new Run(this.#session, this.#statement, record, this.#verdict.role);
    return { kind: 'opened', execution: this.#latest };
  }

  #refuse(refusal: Refusal): MaybePromise<Opened> {
    const refused = this.#session.refuse(this.#text, this.#statement, refusal, { prepared: this.#record });
    return refused instanceof Promise
      ? refused.then((kept): Opened => ({ kind: 'refused', refusal: kept }))
      : { kind: 'refused', refusal: refused };
  }

  shape(fields: readonly Field[], execution?: Execution): Shaped {
    const { reader, policy, maskKey, detection } = this.#session.parts;
    const held = policy();
    if (held.kind !== 'session') return { kind: 'refused', refusal: held };
    if (!held.masksApply && detection === undefined) return { kind: 'rows', masks: undefined };
    const outputs = this.#statement.reading.outputs;
    // The server decides how many columns there are, and each can hold what the reading says of the one.
    const every = outputs?.length === 1 && outputs[0]?.everyColumn === true;
    if (held.masksApply && !every && outputs?.length !== fields.length) {
      return {
        kind: 'refused',
        refusal: {
          kind: 'policy',
          rule: 'masked-shape',
          message: `sallyport: denied by rule "masked-shape": the server returns ${fields.length} columns where the statement reads as ${outputs?.length ?? 'none'}`,
          hint: 'Name the columns you need instead of *.',
        },
      };
    }
    const findings = this.#findings(execution);
    const masks = fields.map((field, index): FieldMask | undefined => {
      const place = every ? 0 : index;
      const chosen = enforced(this.#verdict.masks[place]) ?? this.#witness(field, held);
      if (chosen === undefined) {
        const sources = outputs?.[place]?.sources ?? [];
        return detection?.mask(field, [...sources, ...witnesses(field, this.#session)], reader, findings);
      }
      return chosen.kind === 'mask' ? planMask(chosen.mask.spec, field, reader, maskKey) : redactionFor(field, reader);
    });
    return { kind: 'rows', masks: masks.some((mask) => mask !== undefined) ? masks : undefined };
  }

  #findings(execution: Execution | undefined): Findings {
    return (execution instanceof Run ? execution : this.#latest)?.findings ?? new Findings();
  }

  /** The second witness: what the server says the column is, whatever our lineage says. */
  #witness(field: Field, policy: SessionPolicy): OutputMask | undefined {
    const [column] = witnesses(field, this.#session);
    const mask = column === undefined ? undefined : policy.maskFor(column);
    return column === undefined || mask === undefined || mask.observe ? undefined : { kind: 'mask', mask, column };
  }

  shapeCopy(columns: number, binary: boolean, execution?: Execution): ShapedCopy {
    const { reader, maskKey, detection } = this.#session.parts;
    const { outputs, copy } = this.#statement.reading;
    const chosen = this.#verdict.masks.map(enforced);
    const findings = this.#findings(execution);
    if (copy === undefined || outputs?.length !== columns || (copy.format === 'binary') !== binary) {
      if (!this.#session.masks) return { kind: 'copy', masks: undefined, format: { kind: 'binary' } };
      return {
        kind: 'refused',
        refusal: {
          kind: 'policy',
          rule: 'masked-shape',
          message: 'sallyport: denied by rule "masked-shape": the copied columns do not match the statement as read',
          hint: 'Use SELECT, or name the columns in COPY.',
        },
      };
    }
    const masks = chosen.map((mask, index): FieldMask | undefined => {
      const sources = outputs[index]?.sources ?? [];
      const column = mask === undefined ? plainCopy(sources) : mask.kind === 'mask' ? mask.column : undefined;
      const typeOid = (column === undefined ? undefined : reader.columnType(column)) ?? 0;
      const field: Field = {
        dialect: 'postgres',
        name: outputs[index]?.name ?? '',
        tableOid: 0,
        attnum: 0,
        typeOid,
        typmod: -1,
        binary,
      };
      if (mask === undefined) return detection?.mask(field, sources, reader, findings);
      return mask.kind === 'mask' && typeOid !== 0
        ? planMask(mask.mask.spec, field, reader, maskKey)
        : redactionFor(field, reader);
    });
    return {
      kind: 'copy',
      masks: masks.some((mask) => mask !== undefined) ? masks : undefined,
      format:
        copy.format === 'binary'
          ? { kind: 'binary' }
          : copy.format === 'text'
            ? { kind: 'text', delimiter: code(copy.delimiter), nullText: copy.nullText, header: copy.header }
            : {
                kind: 'csv',
                delimiter: code(copy.delimiter),
                quote: code(copy.quote),
                escape: code(copy.escape),
                nullText: copy.nullText,
                header: copy.header,
              },
    };
  }
}

/** One run between its two records. */
class Run implements Execution {
  readonly record: RecordId;
  /** What the second net has found in its rows. */
  readonly findings = new Findings();
  readonly #session: Session;
  readonly #statement: ReadStatement;
  readonly #role: string;
  readonly #started = performance.now();

  constructor(session: Session, statement: ReadStatement, record: RecordId, role: string) {
    this.#role = role;
    session.lifetime.ran(1);
    this.record = record;
    this.#session = session;
    this.#statement = statement;
  }

  settle(outcome: Outcome): void {
    const { audit, sql, now, guard } = this.#session.parts;
    sql.settled(this.#statement, outcome.kind === 'completed');
    guard?.settled(this.#role, outcome);
    this.#session.lifetime.ran(-1);
    try {
      const written = audit.append({
        event: 'settled',
        time: isoTime(now()),
        session: this.#session.id,
        record: this.record,
        outcome: outcome.kind,
        sqlstate: outcome.kind === 'failed' ? outcome.sqlstate : undefined,
        tag: outcome.kind === 'completed' ? outcome.tag : undefined,
        rows: outcome.rows,
        bytes: outcome.bytes,
        ms: Math.round((performance.now() - this.#started) * 1000) / 1000,
        ...detectedIn(this.findings),
      });
      if (written instanceof Promise) written.catch(() => undefined);
    } catch {
      // The opening record stands; the journal reports its own failure, and the next statement is refused.
    }
  }
}

function tooLargeToHold({ rule }: HoldVerdict): Refusal {
  return {
    kind: 'limit',
    rule,
    message: `sallyport: denied by rule "${rule}": the parameters are too large to be shown to an approver`,
    hint: 'Send the values in smaller parts.',
  };
}

const unrecordable: Opened = {
  kind: 'refused',
  refusal: {
    kind: 'unavailable',
    rule: 'unrecordable',
    message: 'sallyport: denied by rule "unrecordable": the record of this statement could not be kept',
    hint: 'The audit journal cannot be written (disk full?). Ask the operator of the gateway.',
  },
};

/** The column that the server names for a result column, or none. */
function witnesses(field: Field, session: Session): readonly ColumnName[] {
  if (field.dialect === 'postgres') {
    const column = field.tableOid === 0 ? undefined : session.parts.reader.column(field.tableOid, field.attnum);
    return column === undefined ? [] : [column];
  }
  return field.orgName === '' ? [] : [{ schema: field.schema, table: field.orgTable, column: field.orgName }];
}

/** The column an output is a copy of, where there is only one. */
function plainCopy(sources: readonly Source[]): ColumnName | undefined {
  const [only] = sources;
  return sources.length === 1 && only?.how === 'copied' ? only : undefined;
}

/** A mask in observe mode is recorded and not applied. */
function enforced(mask: OutputMask | undefined): OutputMask | undefined {
  return mask?.kind === 'mask' && mask.mask.observe ? undefined : mask;
}

/** Columns whose values come masked, as records write them. */
export function maskedColumns(verdict: Allowed): readonly string[] {
  const columns = verdict.masks.flatMap((mask) =>
    mask === undefined ? [] : mask.kind === 'mask' ? [mask.column] : mask.because,
  );
  return [...new Set(columns.map(columnPath))];
}

function code(character: string): number {
  return character.charCodeAt(0);
}
