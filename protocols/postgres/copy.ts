// Masks put into the data of COPY ... TO STDOUT. The data is one stream of rows in one of three formats; the server sends a row in each
// CopyData, and so do we, but nothing here depends on it: a row may cross messages and a message may hold several rows.
import type { CopyFormat, RowMasks } from '../gate.ts';
import { binaryRow } from './copy-binary.ts';
import { csvRow } from './copy-csv.ts';
import { CopySink, MalformedCopy, type RowReader } from './copy-sink.ts';
import { textRow } from './copy-text.ts';

export interface CopyMasker {
  /** The payload of one CopyData; returns whole CopyData messages (possibly none), or undefined when the data cannot be masked. */
  data(payload: Buffer): Buffer | undefined;
  /** The data is over: undefined when it ended inside a row, which then never left. */
  end(): Buffer | undefined;
}

/** Reads rows of `format` and masks them. A row longer than `maxRowBytes` is not collected: `data` gives up. */
export function copyMasker(masks: NonNullable<RowMasks>, format: CopyFormat, maxRowBytes: number): CopyMasker {
  const sink = new CopySink();
  const readRow = reader(masks, format);
  let rest: Buffer = Buffer.alloc(0);
  let failed = false;
  return {
    data(payload) {
      if (failed) return undefined;
      const bytes = rest.length === 0 ? payload : Buffer.concat([rest, payload]);
      let at = 0;
      try {
        while (at < bytes.length) {
          const next = readRow(bytes, at, bytes.length, sink);
          if (next < 0) break;
          at = next;
        }
        if (bytes.length - at > maxRowBytes) throw new MalformedCopy();
      } catch (cause) {
        if (!(cause instanceof MalformedCopy)) throw cause;
        failed = true;
        sink.take();
        return undefined;
      }
      // The payload lies in a buffer that is used again.
      rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
      return sink.take();
    },
    end() {
      return failed || rest.length > 0 ? undefined : sink.take();
    },
  };
}

function reader(masks: NonNullable<RowMasks>, format: CopyFormat): RowReader {
  switch (format.kind) {
    case 'text':
      return textRow(masks, format);
    case 'csv':
      return csvRow(masks, format);
    case 'binary':
      return binaryRow(masks);
  }
}
