// Masks put into DataRow frames as they stream: in place where the masked value has the same length, else rows are copied, with
// their masked values, into a buffer that is used again. Nothing is allocated for a row.
import type { DeferredWrite, FieldMask, RowMasks } from '../gate.ts';
import type { Output } from './output.ts';

/** A DataRow that does not fit its length or its description: its result must not go on. */
export class MalformedRow extends Error {
  constructor() {
    super('a DataRow does not match its description');
    this.name = 'MalformedRow';
  }
}

const roomSize = 256 * 1024;
/** Runs are copied eight bytes at a time, and the last step may write this many bytes too far. */
const overrun = 7;
/** After a value that did not fit in place, this many of its column are copied before in place is tried again. */
const copiedValues = 4096;

/** Buffers that masked rows are written to. They are lent to the socket and come back when it has taken everything. */
export class RowRoom {
  private readonly output: Output;
  private free: Buffer[] = [];
  private lent: Buffer[] = [];
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = viewOf(this.bytes);
  /** Where the next row begins. */
  at = 0;

  constructor(output: Output) {
    this.output = output;
  }

  /** Makes room for `length` bytes at `at`; what stands before `at` has been forwarded. */
  reserve(length: number): void {
    if (this.bytes.length - this.at >= length) return;
    if (this.bytes.length > 0) this.lent.push(this.bytes);
    this.use(
      length <= roomSize ? (this.free.pop() ?? Buffer.allocUnsafeSlow(roomSize)) : Buffer.allocUnsafeSlow(length),
    );
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.at = 0;
  }

  /** Moves the unfinished row `[from, at)` to where `length` more bytes are free; says where it stands now. */
  move(from: number, at: number, length: number): void {
    const started = this.bytes.subarray(from, at);
    this.lent.push(this.bytes);
    this.use(Buffer.allocUnsafeSlow(Math.max((at - from + length) * 2, roomSize)));
    started.copy(this.bytes, 0);
  }

  /** Called after each flush: takes buffers back once the socket has let go of them. */
  recycle(): void {
    if (!this.output.settled) {
      // The socket still reads from the current buffer, but never beyond what was forwarded: rows go on behind it.
      return;
    }
    for (const buffer of this.lent) if (buffer.length === roomSize && this.free.length < 4) this.free.push(buffer);
    this.lent.length = 0;
    this.at = 0;
    // A buffer made for one large row is not kept.
    if (this.bytes.length > roomSize) this.use(Buffer.alloc(0));
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

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Copies `[start, end)` and answers the offset after it. Steps of eight bytes are several times faster than single bytes, and than a call
 * into the engine below some hundred bytes. Up to `overrun` bytes after the run are written too: the caller has room for them and
 * writes over them, or sends nothing of them.
 */
function copyRun(
  from: Buffer,
  fromView: DataView,
  start: number,
  end: number,
  to: Buffer,
  toView: DataView,
  at: number,
): number {
  if (end - start > 400 || end + overrun > from.length) {
    from.copy(to, at, start, end);
    return at + end - start;
  }
  let target = at;
  for (let i = start; i < end; i += 8, target += 8) {
    toView.setInt32(target, fromView.getInt32(i, true), true);
    toView.setInt32(target + 4, fromView.getInt32(i + 4, true), true);
  }
  return at + end - start;
}
