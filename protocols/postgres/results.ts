// Results on their way to the client: rows and copy data of the run they belong to, counted, limited and masked. What may not go
// on is cut: its rest is dropped, the statement cancelled, and its end turned into our error.
import type { PostgresField } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import { RowRoom } from '../shared/row-room.ts';
import { decodeCopyResponse, UpstreamProtocolError } from './backend.ts';
import type { Conversation } from './conversation.ts';
import { type CopyMasker, copyMasker } from './copy.ts';
import { type ErrorFields, errorFields, refusalFields } from './errors.ts';
import { int32 } from './frames.ts';
import { backend } from './letters.ts';
import { portalFields, type Reply, type Run } from './replies.ts';
import { MalformedRow, RowMasker } from './rows.ts';
import type { Fate } from './server-frames.ts';

const headerLength = 5;

export class Results {
  /** Nothing more of this group is for the client: it was told of an error that the server does not know. */
  muted = false;
  readonly room: RowRoom;
  private readonly conversation: Conversation;
  private readonly output: Output;
  private readonly cancelUpstream: () => void;
  private readonly maxFrameBytes: number;
  /** The run whose rows are arriving, found at its first row. */
  private current: Run | undefined;
  private copyOut: { readonly run: Run; readonly masker: CopyMasker | undefined } | undefined;

  /** `maxFrameBytes` is the largest row, or piece of copy data, that is collected to be masked. */
  constructor(conversation: Conversation, output: Output, cancelUpstream: () => void, maxFrameBytes: number) {
    this.conversation = conversation;
    this.output = output;
    this.cancelUpstream = cancelUpstream;
    this.maxFrameBytes = maxFrameBytes;
    this.room = new RowRoom(output);
  }

  /** The statement that rows belonged to is over. */
  finish(): void {
    this.current = undefined;
    this.copyOut = undefined;
  }

  /** Consecutive DataRows, as many as the chunk holds whole. At least one does. */
  rows(chunk: Buffer, start: number, length: number): number {
    const run = this.current ?? this.beginRows();
    const { output } = this;
    let at = start;
    let bytes = 0;
    let rows = 0;
    const room = run.limit - run.rows;
    const drop = run.cut !== undefined || this.muted;
    const masker = run.masker;
    while (length - at >= headerLength && chunk[at] === backend.DataRow) {
      const end = at + 1 + int32(chunk, at + 1);
      if (end > length || end < at + headerLength) break;
      if (drop) {
        at = end;
        continue;
      }
      if (rows >= room) {
        run.rows += rows;
        run.bytes += bytes;
        masker?.flush();
        return this.exceed(run, end);
      }
      if (masker === null) {
        output.forward(chunk, at, end);
        bytes += end - at;
      } else bytes += this.maskRow(run, masker, chunk, at, end);
      if (run.cut !== undefined) {
        at = end;
        break;
      }
      rows += 1;
      at = end;
    }
    run.rows += rows;
    run.bytes += bytes;
    masker?.flush();
    return at;
  }

  private maskRow(run: Run, masker: RowMasker | undefined, bytes: Buffer, start: number, end: number): number {
    try {
      if (masker === undefined) throw new MalformedRow();
      return masker.row(bytes, start, end, this.output);
    } catch (cause) {
      if (!(cause instanceof MalformedRow)) throw cause;
      this.cut(run, errorFields('XX000', 'sallyport: a row could not be masked: it does not match its description'));
      return 0;
    }
  }

  /** A row more than the plan allows has come: it is not for the client, nor is any after it. */
  private exceed(run: Run, next: number): number {
    run.exceeded = true;
    // A run with a row limit of its own stops there; any other is cancelled.
    if (run.serial) run.cut = limitError(run.limit);
    else this.cut(run, limitError(run.limit));
    return next;
  }

  /** Finds the run that rows belong to, and its masks. */
  private beginRows(): Run {
    const front = this.conversation.replies.front();
    let run: Run | undefined;
    if (front?.kind === 'execute') {
      run = front.run;
      if (run.masker === undefined) this.shapePortal(front, run);
    } else if (front?.kind === 'query') run = front.runs[front.index];
    if (run === undefined) throw new UpstreamProtocolError('rows that no statement has asked for');
    if (run.masker === undefined && run.cut === undefined) {
      if (this.conversation.session.masks)
        this.cut(run, errorFields('XX000', 'sallyport: rows came before their description'));
      else run.masker = null;
    }
    this.current = run;
    return run;
  }

  private shapePortal(reply: Extract<Reply, { kind: 'execute' }>, run: Run): void {
    if (!this.conversation.session.masks) {
      run.masker = null;
      return;
    }
    const { portal } = reply;
    const fields = portal?.fields ?? (portal === undefined ? undefined : portalFields(portal));
    if (fields === undefined)
      this.cut(run, errorFields('XX000', 'sallyport: the result was not described before its rows'));
    else this.shape(run, fields);
  }

  private shape(run: Run, fields: readonly PostgresField[]): void {
    if (!this.conversation.session.masks) {
      run.masker = null;
      return;
    }
    if (run.plan === undefined) {
      this.cut(run, errorFields('XX000', 'sallyport: a result that no plan covers'));
      return;
    }
    const shaped = run.plan.shape(fields, run.execution);
    if (shaped.kind === 'refused') this.cut(run, refusalFields(shaped.refusal));
    else if (shaped.masks?.some((mask) => mask !== undefined)) run.masker = new RowMasker(shaped.masks, this.room);
    else run.masker = null;
  }

  /** A RowDescription in answer to a simple query: a new result of `run`. */
  begin(run: Run, describe: () => readonly PostgresField[]): void {
    this.current = undefined;
    if (run.cut !== undefined) return;
    run.masker = undefined;
    if (this.conversation.session.masks) this.shape(run, describe());
    else run.masker = null;
  }

  /** Ends a result that may not go on: drops its rows, has the statement cancelled, and turns its end into `error`. */
  cut(run: Run, error: ErrorFields): void {
    if (run.cut !== undefined) return;
    run.cut = error;
    this.cancelUpstream();
  }

  /** A DataRow or CopyData of `total` bytes that has not arrived whole. */
  partial(type: number, total: number): 'whole' | Fate {
    return type === backend.DataRow ? this.partialRow(total) : this.partialCopy(total);
  }

  private partialRow(total: number): 'whole' | Fate {
    const run = this.current ?? this.beginRows();
    if (run.cut !== undefined || this.muted) return 'drop';
    if (run.rows >= run.limit) {
      this.exceed(run, 0);
      return 'drop';
    }
    if (run.masker === null) {
      run.rows += 1;
      run.bytes += total;
      return 'keep';
    }
    if (total <= this.maxFrameBytes) return 'whole';
    this.cut(run, this.tooLarge('a row', total));
    return 'drop';
  }

  private partialCopy(total: number): 'whole' | Fate {
    const copy = this.copyOut;
    if (copy === undefined) throw new UpstreamProtocolError('copy data outside of a copy');
    const { run, masker } = copy;
    if (run.cut !== undefined || this.muted) return 'drop';
    if (masker === undefined) {
      run.bytes += total;
      return 'keep';
    }
    if (total <= this.maxFrameBytes) return 'whole';
    this.cut(run, this.tooLarge('copy data', total));
    return 'drop';
  }

  private tooLarge(what: string, total: number): ErrorFields {
    const { maxFrameBytes } = this;
    return errorFields(
      '54000',
      `sallyport: ${what} of ${total} bytes is larger than the ${maxFrameBytes} bytes that can be masked`,
    );
  }

  /** CopyOutResponse: copy data of `run` follows. */
  beginCopy(run: Run, bytes: Buffer, start: number, end: number): Fate {
    let masker: CopyMasker | undefined;
    if (this.conversation.session.masks) {
      if (run.plan === undefined) this.cut(run, errorFields('XX000', 'sallyport: copy data that no plan covers'));
      else {
        const { binary, columns } = decodeCopyResponse(bytes, start, end);
        const shaped = run.plan.shapeCopy(columns, binary, run.execution);
        if (shaped.kind === 'refused') this.cut(run, refusalFields(shaped.refusal));
        else if (shaped.masks?.some((mask) => mask !== undefined)) {
          masker = copyMasker(shaped.masks, shaped.format, this.maxFrameBytes);
        }
      }
    }
    this.copyOut = { run, masker };
    return run.cut === undefined ? 'keep' : 'drop';
  }

  copyData(bytes: Buffer, start: number, end: number): Fate {
    const copy = this.copyOut;
    if (copy === undefined) throw new UpstreamProtocolError('copy data outside of a copy');
    const { run, masker } = copy;
    if (run.cut !== undefined || this.muted) return 'drop';
    if (masker === undefined) {
      run.bytes += end - start;
      return 'keep';
    }
    const masked = masker.data(bytes.subarray(start + headerLength, end));
    if (masked === undefined) {
      this.cut(run, errorFields('XX000', 'sallyport: copy data could not be masked'));
      return 'drop';
    }
    if (masked.length > 0) {
      run.bytes += masked.length;
      this.output.push(masked);
    }
    return 'drop';
  }

  copyDone(): Fate {
    const copy = this.copyOut;
    if (copy === undefined) throw new UpstreamProtocolError('the end of a copy that has not begun');
    if (copy.run.cut !== undefined || this.muted) return 'drop';
    const rest = copy.masker?.end();
    if (rest !== undefined && rest.length > 0) {
      copy.run.bytes += rest.length;
      this.output.push(rest);
    }
    return 'keep';
  }
}

/** The error of a result with more rows than its plan allows. */
export function limitError(limit: number): ErrorFields {
  return errorFields(
    '54000',
    `sallyport: the result was ended after ${limit} rows`,
    'The role allows no more rows for one statement: ask for fewer, for example with LIMIT.',
  );
}
