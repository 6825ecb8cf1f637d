// COPY's csv format: quoted fields may hold delimiters and newlines; NULL is the null text without quotes ("File Formats: CSV Format").
import type { CopyFormat, RowMasks } from '../gate.ts';
import { type CopySink, MalformedCopy, type RowReader } from './copy-sink.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;

type Csv = Extract<CopyFormat, { readonly kind: 'csv' }>;

export function csvRow(masks: NonNullable<RowMasks>, format: Csv): RowReader {
  const { delimiter } = format;
  const nullText = Buffer.from(format.nullText);
  let header = format.header;
  return (bytes, at, end, sink) => {
    const stop = endOfRow(bytes, at, end, format);
    if (stop < 0) return -1;
    if (header) {
      header = false;
      sink.copy(bytes, at, stop + 1);
      sink.endRow();
      return stop + 1;
    }
    let field = at;
    for (let column = 0; column < masks.length; column += 1) {
      const fieldEnd = endOfField(bytes, field, stop, format);
      const last = column === masks.length - 1;
      if (last !== (fieldEnd === stop)) throw new MalformedCopy();
      const mask = masks[column];
      if (mask === undefined || isNull(bytes, field, fieldEnd, nullText)) sink.copy(bytes, field, fieldEnd);
      else {
        const value = sink.scratch(fieldEnd - field);
        const quoted = bytes[field] === format.quote;
        const length = unquote(bytes, field, fieldEnd, value, format);
        if (sink.mask(mask, value, 0, length)) writeField(sink, format, nullText, quoted, masks.length === 1);
        else sink.copy(nullText, 0, nullText.length);
      }
      sink.byte(last ? newline : delimiter);
      field = fieldEnd + 1;
    }
    sink.endRow();
    return stop + 1;
  };
}

function isNull(bytes: Buffer, start: number, end: number, nullText: Buffer): boolean {
  return end - start === nullText.length && bytes.compare(nullText, 0, nullText.length, start, end) === 0;
}

/** The newline that ends the row, or -1. */
function endOfRow(bytes: Buffer, start: number, end: number, format: Csv): number {
  let at = start;
  for (;;) {
    at = endOfField(bytes, at, end, format);
    if (at >= end) return -1;
    if (bytes[at] === newline) return at;
    at += 1;
  }
}

/** The delimiter or newline behind the field, or `end`. */
function endOfField(bytes: Buffer, start: number, end: number, format: Csv): number {
  const { delimiter, quote, escape: escaping } = format;
  let quoted = false;
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i];
    if (quoted) {
      // Where escape and quote are the same, a doubled quote leaves and enters again, which comes to the same.
      if (byte === escaping && escaping !== quote) i += 1;
      else if (byte === quote) quoted = false;
    } else if (byte === quote) quoted = true;
    else if (byte === delimiter || byte === newline) return i;
  }
  return end;
}

function unquote(bytes: Buffer, start: number, end: number, to: Buffer, format: Csv): number {
  const { quote, escape: escaping } = format;
  let length = 0;
  let quoted = false;
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i] as number;
    const next = i + 1 < end ? bytes[i + 1] : undefined;
    if (quoted && byte === escaping && (next === quote || next === escaping)) {
      i += 1;
      to[length] = bytes[i] as number;
      length += 1;
    } else if (byte === quote) quoted = !quoted;
    else {
      to[length] = byte;
      length += 1;
    }
  }
  return length;
}

function writeField(sink: CopySink, format: Csv, nullText: Buffer, quoted: boolean, single: boolean): void {
  const { delimiter, quote, escape: escaping } = format;
  const { masked, maskedLength } = sink;
  let quotes =
    quoted || (maskedLength === nullText.length && masked.compare(nullText, 0, nullText.length, 0, maskedLength) === 0);
  // A row that is only `\.` would read as the end of the data.
  if (single && maskedLength === 2 && masked[0] === 0x5c && masked[1] === 0x2e) quotes = true;
  for (let i = 0; i < maskedLength && !quotes; i += 1) {
    const byte = masked[i];
    quotes = byte === delimiter || byte === quote || byte === newline || byte === carriageReturn;
  }
  if (!quotes) {
    sink.copy(masked, 0, maskedLength);
    return;
  }
  sink.byte(quote);
  for (let i = 0; i < maskedLength; i += 1) {
    const byte = masked[i] as number;
    if (byte === quote || byte === escaping) sink.byte(escaping);
    sink.byte(byte);
  }
  sink.byte(quote);
}
