// COPY's binary format: a signature and header, tuples of length-prefixed fields, and a trailer of -1 ("File Formats: Binary Format").
import type { RowMasks } from '../gate.ts';
import { MalformedCopy, type RowReader } from './copy-sink.ts';
import { int16, int32 } from './frames.ts';

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

export function binaryRow(masks: NonNullable<RowMasks>): RowReader {
  let begun = false;
  return (bytes, start, end, sink) => {
    let at = start;
    if (!begun) {
      at = endOfHeader(bytes, at, end);
      if (at < 0) return -1;
      // The header travels in the first row's message, as the server sends it.
      begun = true;
      sink.copy(bytes, start, at);
      return at;
    }
    if (at + 2 > end) return -1;
    const count = int16(bytes, at);
    if (count === -1) {
      sink.copy(bytes, at, at + 2);
      sink.endRow();
      return at + 2;
    }
    if (count !== masks.length) throw new MalformedCopy();
    const stop = endOfTuple(bytes, at + 2, end, count);
    if (stop < 0) return -1;
    sink.copy(bytes, at, at + 2);
    at += 2;
    for (const mask of masks) {
      const length = int32(bytes, at);
      const next = at + 4 + Math.max(length, 0);
      if (mask === undefined || length < 0) sink.copy(bytes, at, next);
      else if (sink.mask(mask, bytes, at + 4, next)) {
        sink.int32(sink.maskedLength);
        sink.copy(sink.masked, 0, sink.maskedLength);
      } else sink.int32(-1);
      at = next;
    }
    sink.endRow();
    return at;
  };
}

function endOfHeader(bytes: Buffer, at: number, end: number): number {
  const length = signature.length + 8;
  if (at + length > end) return -1;
  if (bytes.compare(signature, 0, signature.length, at, at + signature.length) !== 0) throw new MalformedCopy();
  const extension = int32(bytes, at + signature.length + 4);
  if (extension < 0) throw new MalformedCopy();
  return at + length + extension > end ? -1 : at + length + extension;
}

function endOfTuple(bytes: Buffer, start: number, end: number, count: number): number {
  let at = start;
  for (let i = 0; i < count; i += 1) {
    if (at + 4 > end) return -1;
    const length = int32(bytes, at);
    if (length < -1) throw new MalformedCopy();
    at += 4 + Math.max(length, 0);
    if (at > end) return -1;
  }
  return at;
}
