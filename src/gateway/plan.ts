// An allowed statement on its way: its record is opened for each run, its rows are shaped, its outcome is settled.
import type {
  Arrival,
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
import { planMask, redactionFor } from '../masking/index.ts';
import type { OutputMask, SessionPolicy, Verdict } from '../policy/index.ts';
import { type ColumnName, columnPath, type ReadResult, type ReadStatement } from '../sql/index.ts';
import { refusalOf } from './refusals.ts';
import type { RecordedText, Session } from './session.ts';

type Allowed = Extract<Verdict, { kind: 'allow' }>;

export interface AllowedStatement {
  readonly statement: ReadStatement;
  readonly verdict: Allowed;
  readonly record: RecordId;
  /** The statement's own text, as recorded. */
  readonly text: string;
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
  #shared: Recorded | undefined;

  constructor(session: Session, allowed: AllowedStatement, origin: Origin) {
    this.#session = session;
    this.#origin = origin;
    this.#record = allowed.record;
    this.#text = allowed.text;
    this.#statement = allowed.statement;
    this.#verdict = allowed.verdict;
    this.#epoch = origin.epoch;
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

  open(): MaybePromise<Opened> {
    // Within one text the epoch moves by the text's own statements, which the reading has followed already.
    if (this.#origin.arrival === 'simple' || this.#epoch === this.#session.parts.sql.epoch) return this.#rejudge();
    const read = this.#session.parts.sql.read(this.#origin.text);
    return read instanceof Promise ? read.then((result) => this.#reread(result)) : this.#reread(read);
  }

  /** Settings have changed since the text was read and the server will plan anew: take the new reading. */
  #reread(result: ReadResult): MaybePromise<Opened> {
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
    return this.#rejudge();
  }

  #rejudge(): MaybePromise<Opened> {
    const verdict = this.#session.verdict(this.#statement.reading);
    if ('refusal' in verdict) return this.#refuse(verdict.refusal);
    if (verdict.kind !== 'allow') return this.#refuse(refusalOf(verdict));
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
    return { kind: 'opened', execution: new Run(this.#session, this.#statement, record) };
  }

  #refuse(refusal: Refusal): MaybePromise<Opened> {
    const refused = this.#session.refuse(this.#text, this.#statement, refusal, { prepared: this.#record });
    return refused instanceof Promise
      ? refused.then((kept): Opened => ({ kind: 'refused', refusal: kept }))
      : { kind: 'refused', refusal: refused };
  }

  shape(fields: readonly Field[]): Shaped {
    const { reader, policy, maskKey } = this.#session.parts;
    const held = policy();
    if (held.kind !== 'session') return { kind: 'refused', refusal: held };
    if (!held.masksApply) return { kind: 'rows', masks: undefined };
    const outputs = this.#statement.reading.outputs;
    const every = outputs?.length === 1 && outputs[0]?.everyColumn === true;
    if (outputs === undefined || (!every && outputs.length !== fields.length)) {
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
    let any = false;
    const masks = fields.map((field, index): FieldMask | undefined => {
      const chosen = enforced(this.#verdict.masks[every ? 0 : index]) ?? this.#witness(field, held);
      if (chosen === undefined) return undefined;
      any = true;
      return chosen.kind === 'mask' ? planMask(chosen.mask.spec, field, reader, maskKey) : redactionFor(field, reader);
    });
    return { kind: 'rows', masks: any ? masks : undefined };
  }

  /** The second witness: what the server says the column is, whatever our lineage says. */
  #witness(field: Field, policy: SessionPolicy): OutputMask | undefined {
    const column = witnessed(field, this.#session);
    const mask = column === undefined ? undefined : policy.maskFor(column);
    return column === undefined || mask === undefined || mask.observe ? undefined : { kind: 'mask', mask, column };
  }

  shapeCopy(columns: number, binary: boolean): ShapedCopy {
    const { reader, maskKey } = this.#session.parts;
    const { outputs, copy } = this.#statement.reading;
    const chosen = this.#verdict.masks.map(enforced);
    const any = chosen.some((mask) => mask !== undefined);
    if (copy === undefined || outputs?.length !== columns || (copy.format === 'binary') !== binary) {
      if (!any && !this.#session.masks) return { kind: 'copy', masks: undefined, format: { kind: 'binary' } };
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
      if (mask === undefined) return undefined;
      const typeOid = (mask.kind === 'mask' ? reader.columnType(mask.column) : undefined) ?? 0;
      const field: Field = {
        dialect: 'postgres',
        name: outputs[index]?.name ?? '',
        tableOid: 0,
        attnum: 0,
        typeOid,
        typmod: -1,
        binary,
      };
      return mask.kind === 'mask' && typeOid !== 0
        ? planMask(mask.mask.spec, field, reader, maskKey)
        : redactionFor(field, reader);
    });
    return {
      kind: 'copy',
      masks: any ? masks : undefined,
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
  readonly #session: Session;
  readonly #statement: ReadStatement;
  readonly #started = performance.now();

  constructor(session: Session, statement: ReadStatement, record: RecordId) {
    this.record = record;
    this.#session = session;
    this.#statement = statement;
  }

  settle(outcome: Outcome): void {
    const { audit, sql, now } = this.#session.parts;
    sql.settled(this.#statement, outcome.kind === 'completed');
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
      });
      if (written instanceof Promise) written.catch(() => undefined);
    } catch {
      // The opening record stands; the journal reports its own failure, and the next statement is refused.
    }
  }
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

function witnessed(field: Field, session: Session): ColumnName | undefined {
  if (field.dialect === 'postgres') {
    return field.tableOid === 0 ? undefined : session.parts.reader.column(field.tableOid, field.attnum);
  }
  return field.orgName === '' ? undefined : { schema: field.schema, table: field.orgTable, column: field.orgName };
}

/** A mask in observe mode is recorded and not applied. */
function enforced(mask: OutputMask | undefined): OutputMask | undefined {
  return mask?.kind === 'mask' && mask.mask.observe ? undefined : mask;
}

function maskedColumns(verdict: Allowed): readonly string[] {
  const columns = verdict.masks.flatMap((mask) =>
    mask === undefined ? [] : mask.kind === 'mask' ? [mask.column] : mask.because,
  );
  return [...new Set(columns.map(columnPath))];
}

function code(character: string): number {
  return character.charCodeAt(0);
}
