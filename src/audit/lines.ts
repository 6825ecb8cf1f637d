// Cuts a segment, plain or gzipped, into its lines without decoding them.
import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { isMissing } from './errors.ts';

export interface Line {
  /** Without the newline. A view of the file's bytes. */
  readonly bytes: Buffer;
  /** Where it starts in the (uncompressed) segment, and where it ends, newline included. */
  readonly start: number;
  readonly end: number;
  /** False for what stands behind the last newline. */
  readonly complete: boolean;
}

const NEWLINE = 0x0a;

/**
 * Yields the lines from a position (a line's start) on, as many at a time as a chunk of the file holds. A plain segment
 * that has been compressed since it was listed is read from its archive.
 */
export async function* readLines(path: string, compressed: boolean, from = 0, to?: number): AsyncGenerator<Line[]> {
  if (to !== undefined && to <= from) return;
  let handle: FileHandle;
  let packed = compressed;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (compressed || !isMissing(error)) throw error;
    handle = await open(`${path}.gz`, 'r');
    packed = true;
  }
  const end = to === undefined ? {} : { end: to - 1 };
  const stream = packed
    ? handle.createReadStream().pipe(createGunzip())
    : handle.createReadStream({ start: from, highWaterMark: 1 << 18, ...end });
  try {
    yield* cut(stream as AsyncIterable<Buffer>, packed ? 0 : from, from);
  } finally {
    stream.destroy();
    await handle.close().catch(() => {});
  }
}

async function* cut(stream: AsyncIterable<Buffer>, at0: number, from: number): AsyncGenerator<Line[]> {
  let start = at0;
  let carried: Buffer[] = [];
  let carriedLength = 0;
  for await (const chunk of stream) {
    const lines: Line[] = [];
    let at = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, at);
      if (newline < 0) break;
      let bytes = chunk.subarray(at, newline);
      if (carriedLength > 0) {
        bytes = Buffer.concat([...carried, bytes]);
        carried = [];
        carriedLength = 0;
      }
      const lineEnd = start + bytes.length + 1;
      if (start >= from) lines.push({ bytes, start, end: lineEnd, complete: true });
      start = lineEnd;
      at = newline + 1;
    }
    if (at < chunk.length) {
      carried.push(chunk.subarray(at));
      carriedLength += chunk.length - at;
    }
    if (lines.length > 0) yield lines;
  }
  if (carriedLength > 0) {
    yield [{ bytes: Buffer.concat(carried), start, end: start + carriedLength, complete: false }];
  }
}
