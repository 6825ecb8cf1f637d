// Runs of untouched bytes between masked values, copied fast.

/** Runs are copied eight bytes at a time, and the last step may write this many bytes too far. */
export const overrun = 7;

/** After a value that did not fit in place, this many of its column are copied before in place is tried again. */
export const copiedValues = 4096;

/** A view of exactly these bytes. */
export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Copies `[start, end)` and answers the offset after it. Steps of eight bytes are several times faster than single bytes, and than a call
 * into the engine below some hundred bytes. Up to `overrun` bytes after the run are written too: the caller has room for them and
 * writes over them, or sends nothing of them.
 */
export function copyRun(
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
