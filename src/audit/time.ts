// The time as records write it: ISO 8601, UTC, milliseconds.

let lastMs = Number.NaN;
let last = '';

/** As `toISOString` of a Date; records made in the same millisecond share the text. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    last = new Date(ms).toISOString();
    lastMs = ms;
  }
  return last;
}
