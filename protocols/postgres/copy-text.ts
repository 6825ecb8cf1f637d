// COPY's text format: a line a row, delimited fields, backslash escapes ("File Formats: Text Format", page of COPY).
import type { CopyFormat, RowMasks } from '../gate.ts';
import { type CopySink, MalformedCopy, type RowReader } from './copy-sink.ts';

const newline = 0x0a;
const backslash = 0x5c;
/** The letter after a backslash and the byte it stands for. */
const escapes = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
]);
const letters = new Map([...escapes].map(([letter, byte]) => [byte, letter]));

export function textRow(
  masks: NonNullable<RowMasks>,
  format: Extract<CopyFormat, { readonly kind: 'text' }>,
): RowReader {
  const { delimiter } = format;
  const nullText = Buffer.from(format.nullText);
  let header = format.header;
  return (bytes, at, end, sink) => {
    // A newline inside a value is written as an escape, so the next one ends the row.
    const stop = bytes.indexOf(newline, at);
    if (stop < 0 || stop >= end) return -1;
    if (header) {
      header = false;
      sink.copy(bytes, at, stop + 1);
      sink.endRow();
      return stop + 1;
    }
    let field = at;
    for (let column = 0; column < masks.length; column += 1) {
      const fieldEnd = endOfField(bytes, field, stop, delimiter);
      const last = column === masks.length - 1;
      if (last !== (fieldEnd === stop)) throw new MalformedCopy();
      const mask = masks[column];
      if (mask === undefined || isNull(bytes, field, fieldEnd, nullText)) sink.copy(bytes, field, fieldEnd);
      else {
        const value = sink.scratch(fieldEnd - field);
        const length = decodeField(bytes, field, fieldEnd, value);
        if (sink.mask(mask, value, 0, length)) encodeField(sink, delimiter);
        else sink.copy(nullText, 0, nullText.length);
      }
      sink.byte(last ? newline : delimiter);
      field = fieldEnd + 1;
    }
    sink.endRow();
    return stop + 1;
  };
}

function endOfField(bytes: Buffer, start: number, stop: number, delimiter: number): number {
  for (let i = start; i < stop; i += 1) {
    if (bytes[i] === backslash) i += 1;
    else if (bytes[i] === delimiter) return i;
  }
  return stop;
}

function isNull(bytes: Buffer, start: number, end: number, nullText: Buffer): boolean {
  return end - start === nullText.length && bytes.compare(nullText, 0, nullText.length, start, end) === 0;
}

function decodeField(bytes: Buffer, start: number, end: number, to: Buffer): number {
  let length = 0;
  for (let i = start; i < end; i += 1) {
    let byte = bytes[i] as number;
    if (byte === backslash && i + 1 < end) {
      i += 1;
      byte = bytes[i] as number;
      byte = escapes.get(byte) ?? byte;
    }
    to[length] = byte;
    length += 1;
  }
  return length;
}

function encodeField(sink: CopySink, delimiter: number): void {
  const { masked, maskedLength } = sink;
  for (let i = 0; i < maskedLength; i += 1) {
    const byte = masked[i] as number;
    const letter = letters.get(byte);
    // "CopyAttributeOutText": a delimiter that is itself a control character is escaped as it stands.
    if (byte === backslash || byte === delimiter) {
      sink.byte(backslash);
      sink.byte(byte);
    } else if (letter !== undefined) {
      sink.byte(backslash);
      sink.byte(letter);
    } else sink.byte(byte);
  }
}
