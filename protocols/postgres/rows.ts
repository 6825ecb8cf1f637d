// Masks put into DataRow frames as they stream: in place where the masked value has the same length, else rows are copied, with
// their masked values, into a buffer that is used again. Nothing is allocated for a row.
import type { DeferredWrite, FieldMask, RowMasks } from '../gate.ts';
import { copiedValues, copyRun, overrun, viewOf } from '../shared/copy-run.ts';
import type { Output } from '../shared/output.ts';
import type { RowRoom } from '../shared/row-room.ts';

/** A DataRow that does not fit its length or its description: its result must not go on. */
export class MalformedRow extends Error {
  constructor() {
    super('a DataRow does not match its description');
    this.name = 'MalformedRow';
  }
}

/** The masks of one result, ready for its rows. */
export class RowMasker {
  private readonly columns: number;
  private readonly masked: Int32Array;
  private readonly masks: readonly FieldMask[];
  /** How each mask writes, and those of them that must be flushed. */
  private readonly writers: readonly Pick<DeferredWrite, 'write'>[];
  private readonly open: readonly DeferredWrite[];
  private readonly room: RowRoom;
  /** For each mask: how many values are still to be copied without a try in place. */
  private readonly copying: Int32Array;
  /** The chunk that rows came in last, and a view of it. */
  private chunk: Buffer = Buffer.alloc(0);
  private view: DataView = viewOf(this.chunk);

  constructor(masks: NonNullable<RowMasks>, room: RowRoom) {
    this.columns = masks.length;
    const masked: number[] = [];
    const used: FieldMask[] = [];
    masks.forEach((mask, column) => {
      if (mask === undefined) return;
      masked.push(column);
      used.push(mask);
    });
    this.masked = Int32Array.from(masked);
    this.masks = used;
    this.writers = used.map((mask) => mask.deferred ?? mask);
    this.open = used.flatMap(({ deferred }) => (deferred === undefined ? [] : [deferred]));
    this.copying = new Int32Array(used.length);
    this.room = room;
  }

  /** Completes the rows forwarded so far. Called before they are sent. */
  flush(): void {
    for (let index = 0; index < this.open.length; index += 1) (this.open[index] as DeferredWrite).flush();
  }

  /** Nothing of the row has been forwarded; the rows before it are completed. */
  private malformed(): MalformedRow {
    this.flush();
    return new MalformedRow();
  }

  /**
   * Masks the DataRow `bytes[start, end)` and forwards it; its bytes are complete after `flush`. The bytes may be changed where they
   * stand. Returns the length of the row as it goes out; throws MalformedRow, with nothing forwarded, when the row does not fit.
   */
  row(bytes: Buffer, start: number, end: number, output: Output): number {
    if (bytes !== this.chunk) {
      this.chunk = bytes;
      this.view = viewOf(bytes);
    }
    const { view, masked, masks, writers, copying, room } = this;
    if (end - start < 7 || view.getInt16(start + 5) !== this.columns) throw this.malformed();
    let at = start + 7;
    let column = 0;
    /** Everything in [pending, at) goes out as it came. */
    let pending = start;
    let out = room.bytes;
    let outView = room.view;
    /** Where the row goes to, and how far it is written; -1 while every mask fits in place. */
    let from = -1;
    let to = -1;
    for (let next = 0; next < masked.length; next += 1) {
      const wanted = masked[next] as number;
      for (; column < wanted; column += 1) {
        if (at + 4 > end) throw this.malformed();
        const length = view.getInt32(at);
        at += length > 0 ? 4 + length : 4;
      }
      if (at + 4 > end) throw this.malformed();
      const length = view.getInt32(at);
      column += 1;
      if (length < 0) {
        // NULL is -1, and nothing else is below zero.
        if (length !== -1) throw this.malformed();
        at += 4;
        continue;
      }
      const stop = at + 4 + length;
      if (stop > end) throw this.malformed();
      const mask = masks[next] as FieldMask;
      const left = copying[next] as number;
      if (left === 0) {
        if (mask.inPlace(bytes, at + 4, stop)) {
          at = stop;
          continue;
        }
        copying[next] = copiedValues;
      } else copying[next] = left - 1;
      if (from < 0) {
        room.reserve((end - start) * 2 + 256);
        out = room.bytes;
        outView = room.view;
        from = room.at;
        to = from;
      }
      // Room for this value and for what follows unmasked.
      const needed = at - pending + 4 + mask.bound(length) + (end - stop) + overrun;
      if (out.length - to < needed) {
        this.flush();
        room.move(from, to, needed);
        to -= from;
        from = 0;
        out = room.bytes;
        outView = room.view;
      }
      to = copyRun(bytes, view, pending, at, out, outView, to);
      const written = (writers[next] as DeferredWrite).write(bytes, at + 4, stop, out, to + 4);
      outView.setInt32(to, written < 0 ? -1 : written - to - 4);
      to = written < 0 ? to + 4 : written;
      at = stop;
      pending = stop;
    }
    if (column === this.columns && at !== end) throw this.malformed();
    if (from < 0) {
      output.forward(bytes, start, end);
      return end - start;
    }
    // What is left fits: the last value's room was reserved with all that follows it.
    to = copyRun(bytes, view, pending, end, out, outView, to);
    outView.setInt32(from + 1, to - from - 1);
    output.forward(out, from, to);
    room.at = to;
    return to - from;
  }
}
