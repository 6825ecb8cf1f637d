// Records for other programs: JSON lines, CSV for spreadsheets, and OCSF for security data lakes.
import type { Merged } from './join.ts';
import { toOcsf } from './ocsf.ts';

export type ExportFormat = 'jsonl' | 'csv' | 'ocsf';
export const EXPORT_FORMATS: readonly ExportFormat[] = ['jsonl', 'csv', 'ocsf'];

/** The records in a format, in pieces of whole lines. CSV begins with its header; `ocsf` is JSON lines too. */
export async function* exportRecords(records: AsyncIterable<Merged>, format: ExportFormat): AsyncGenerator<string> {
  const line =
    format === 'csv' ? csvRow : (record: Merged) => JSON.stringify(format === 'ocsf' ? toOcsf(record) : record);
  const end = format === 'csv' ? '\r\n' : '\n';
  let piece = format === 'csv' ? COLUMNS.join(',') + end : '';
  for await (const record of records) {
    piece += line(record) + end;
    if (piece.length > 1 << 16) {
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

const COLUMNS = [
  'time',
  'event',
  'record',
  'session',
  'identity',
  'issuer',
  'groups',
  'target',
  'client',
  'role',
  'verdict',
  'rule',
  'reason',
  'verbs',
  'tables',
  'columns',
  'masked',
  'fingerprint',
  'text',
  'outcome',
  'sqlstate',
  'rows',
  'bytes',
  'ms',
  'message',
  'details',
  'worker',
  'seq',
  'detected',
] as const;

function csvRow(record: Merged): string {
  const fields = record as unknown as Readonly<Record<string, unknown>>;
  return COLUMNS.map((name) => csvField(fields[name])).join(',');
}

/**
 * RFC 4180 quoting. A text that a spreadsheet would run as a formula gets an apostrophe in front, and so does one that
 * already starts with an apostrophe, so that taking one away brings every value back.
 */
export function csvField(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  let text: string;
  if (typeof value === 'string') text = value;
  else if (Array.isArray(value)) text = value.join(' ');
  else text = JSON.stringify(value);
  // Tab, return, line feed and full-width forms start formulas in some programs too; blanks in front are skipped by some.
  if (/^\s*[=+\-@\t\r\n'|%＝＋－＠]/.test(text) || /^[\t\r\n]/.test(text)) text = `'${text}`;
  // A NUL ends the file for some readers.
  text = text.replaceAll('\0', '\ufffd');
  return /[",\r\n;\t]|^\s|\s$|^'/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
