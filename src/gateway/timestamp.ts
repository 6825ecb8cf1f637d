// The time of a record, in the form records have it.

let lastMs = Number.NaN;
let lastText = '';

/** ISO 8601 in UTC with milliseconds. Statements of the same millisecond share one rendering. */
export function timestamp(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
