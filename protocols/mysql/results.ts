// Rows on their way to the client: counted, masked, limited; and results that may not go on.
import type { MysqlField } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import { RowRoom } from '../shared/row-room.ts';
import { errorCode, header, maxPayload } from './constants.ts';
import type { Conversation, Rows } from './conversation.ts';
import { errPacket, refusalPacket } from './errors.ts';
import { decodeColumnDefinition, type ErrPacket } from './messages.ts';
import { frame, packetHeader, payloadLength } from './packets.ts';
import { MalformedRow, RowMasker } from './rows.ts';
import type { Run } from './run.ts';

const unmaskable = errPacket(
  errorCode.UNKNOWN,
  'HY000',
  'sallyport: a row could not be masked: it does not match its description',
);

export class Results {
  readonly room: RowRoom;
  readonly maxRowBytes: number;
  private readonly conversation: Conversation;
  private readonly output: Output;
  private readonly cancelUpstream: () => void;
  /** Whose rows come. */
  private run: Run | undefined;
  private rowsGoOn: Rows = null;
  /** The row that is passing in pieces is not for the client. */
  private dropping = false;

  /** `cancelUpstream` ends what the server runs. */
  constructor(conversation: Conversation, output: Output, cancelUpstream: () => void, maxRowBytes: number) {
    this.conversation = conversation;
    this.output = output;
    this.cancelUpstream = cancelUpstream;
    this.maxRowBytes = maxRowBytes;
    this.room = new RowRoom(output);
  }

  /** A result of `run` has been described by these packets (headers not included). Undefined: it may not be shown. */
  describe(run: Run, definitions: readonly Buffer[], binary: boolean, covered: boolean): Rows | undefined {
    if (!this.conversation.session.masks) return null;
    if (!covered) {
      this.cut(run, errPacket(errorCode.UNKNOWN, 'HY000', 'sallyport: a result that no plan covers'));
      return undefined;
    }
    const fields: MysqlField[] = definitions.map((definition) => decodeColumnDefinition(definition, binary));
    const shaped = run.plan.shape(fields, run.execution);
    if (shaped.kind === 'refused') {
      this.cut(run, refusalPacket(shaped.refusal));
      return undefined;
    }
    if (shaped.masks === undefined || !shaped.masks.some((mask) => mask !== undefined)) return null;
    return new RowMasker(shaped.masks, fields, binary, this.room);
  }

  /** The rows that come next belong to `run`. */
  begin(run: Run, rows: Rows): void {
    this.run = run;
    this.rowsGoOn = rows;
  }

  finish(): void {
    this.run = undefined;
    this.rowsGoOn = null;
  }

  get piecewise(): boolean {
    return this.rowsGoOn === null || this.run?.cut !== undefined;
  }

  /** Whole rows of one packet each. Returns the offset after the last one taken. */
  rows(chunk: Buffer, start: number, end: number): number {
    const { run, output, conversation, rowsGoOn: masker } = this;
    if (run === undefined) return start;
    const drop = run.cut !== undefined;
    const room = run.limit - run.rows;
    let { sequence } = conversation;
    let rows = 0;
    let bytes = 0;
    let at = start;
    while (end - at > packetHeader) {
      const length = payloadLength(chunk, at);
      const next = at + packetHeader + length;
      if (next > end || length === maxPayload || length === 0) break;
      const first = chunk[at + packetHeader] as number;
      if (first === header.ERR || first === header.EOF) break;
      if (drop) {
        at = next;
        continue;
      }
      if (rows >= room) {
        this.exceed(run);
        at = next;
        break;
      }
      if (masker === null) chunk[at + 3] = sequence;
      else {
        const sent = this.mask(run, masker, chunk, at, next, sequence);
        if (sent === 0) {
          at = next;
          break;
        }
        bytes += sent;
      }
      sequence = (sequence + 1) & 0xff;
      rows += 1;
      at = next;
    }
    if (masker !== null) masker.flush();
    else if (rows > 0) {
      const stop = run.cut === undefined || drop ? at : this.lastForwarded(chunk, start, rows);
      output.forward(chunk, start, stop);
      bytes = stop - start;
    }
    run.rows += rows;
    run.bytes += bytes;
    conversation.sequence = sequence;
    return at;
  }

  /** The offset after `rows` rows. */
  private lastForwarded(chunk: Buffer, start: number, rows: number): number {
    let at = start;
    for (let row = 0; row < rows; row++) at += packetHeader + payloadLength(chunk, at);
    return at;
  }

  private mask(run: Run, masker: RowMasker, chunk: Buffer, start: number, end: number, sequence: number): number {
    try {
      return masker.row(chunk, start, end, sequence, this.output);
    } catch (cause) {
      if (!(cause instanceof MalformedRow)) throw cause;
      this.cut(run, unmaskable);
      return 0;
    }
  }

  /** A row more than the plan allows has come: it is not for the client, nor is any after it. */
  private exceed(run: Run): void {
    this.cut(run, limitError(run.limit));
  }

  beginPieces(chunk: Buffer, at: number, first: boolean): void {
    const { run } = this;
    if (run === undefined) return;
    if (first) {
      if (run.cut === undefined && run.rows >= run.limit) this.exceed(run);
      this.dropping = run.cut !== undefined;
      if (!this.dropping) run.rows += 1;
    }
    if (!this.dropping) chunk[at + 3] = this.conversation.nextSequence();
  }

  piece(chunk: Buffer, start: number, end: number): void {
    if (this.dropping || this.run === undefined) return;
    this.run.bytes += end - start;
    this.output.forward(chunk, start, end);
  }

  tooLarge(): void {
    const { run, maxRowBytes } = this;
    if (run === undefined) return;
    this.cut(
      run,
      errPacket(
        errorCode.NOT_ALLOWED,
        '42000',
        `sallyport: a row is larger than the ${maxRowBytes} bytes that can be masked`,
      ),
    );
  }

  /** A row of several packets, to be masked. */
  longRow(payload: Buffer): void {
    const { run, rowsGoOn: masker, conversation } = this;
    if (run === undefined || run.cut !== undefined) return;
    if (run.rows >= run.limit) {
      this.exceed(run);
      return;
    }
    try {
      const bytes =
        masker === null ? frame(payload, conversation.sequence) : masker.longRow(payload, conversation.sequence);
      conversation.sequence = (conversation.sequence + framesIn(bytes)) & 0xff;
      run.rows += 1;
      run.bytes += bytes.length;
      this.output.push(bytes);
    } catch (cause) {
      if (!(cause instanceof MalformedRow)) throw cause;
      this.cut(run, unmaskable);
    }
  }

  /** Ends a result that may not go on: drops its rows, has the statement cancelled, and turns its end into `error`. */
  cut(run: Run, error: ErrPacket): void {
    if (run.cut !== undefined) return;
    run.cut = error;
    this.cancelUpstream();
  }
}

/** The error of a result with more rows than its plan allows. */
export function limitError(limit: number): ErrPacket {
  return errPacket(
    errorCode.NOT_ALLOWED,
    '42000',
    `sallyport: the result was ended after ${limit} rows (The role allows no more rows for one statement: ask for fewer, for example with LIMIT.)`,
  );
}

function framesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += packetHeader + payloadLength(bytes, at)) count += 1;
  return count;
}
