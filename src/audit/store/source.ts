// What the shipper reads: the journal's own lines behind a place, up to what the signed head vouches for. So nothing is copied
// that the writer might still take back.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readLink } from '../chain.ts';
import { isMissing } from '../errors.ts';
import { type Head, headFile, readHead } from '../head.ts';
import { newRecordId } from '../ids.ts';
import type { VerifyingKey } from '../keys.ts';
import { readLines } from '../lines.ts';
import { parseEntry } from '../read.ts';
import type { AuditRecord } from '../record.ts';
import { listSegments } from '../segments.ts';

/** Where a chain has been copied to: everything before it is in the store. */
export interface Place {
  readonly segment: number;
  /** In the uncompressed segment: the start of a line. */
  readonly position: number;
  readonly seq: number;
}

export const BEGINNING: Place = { segment: 0, position: 0, seq: 0 };

/** A record, and where its line ends. */
export interface SourceRecord {
  readonly record: AuditRecord;
  readonly seq: number;
  readonly bytes: number;
  readonly position: number;
}

/** Some lines of a chain. */
export interface SourceChunk {
  readonly records: readonly SourceRecord[];
  readonly end: Place;
  /** Lines that are gone (retention), or are no records any more. */
  readonly missed: number;
}

/** Names a journal folder for as long as it lives, wherever it is moved to and whatever the host is called. */
export async function journalId(directory: string): Promise<string> {
  const file = join(directory, 'id');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const id = (await readFile(file, 'utf8')).trim();
      if (/^[0-9a-z]{20}$/.test(id)) return id;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    // Workers may start at the same moment: the first one's name stays.
    await writeFile(file, `${newRecordId()}\n`, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  }
  throw new Error(`${file} holds no name of a journal`);
}

/** Reads a worker's signed head, anew only when its file has changed. */
export class HeadWatch {
  readonly #folder: string;
  readonly #keys: () => Promise<ReadonlyMap<string, VerifyingKey>>;
  #seen = '';
  #head: Head | undefined;

  constructor(folder: string, keys: () => Promise<ReadonlyMap<string, VerifyingKey>>) {
    this.#folder = folder;
    this.#keys = keys;
  }

  /** Undefined where there is none, or none to be trusted. */
  async read(): Promise<Head | undefined> {
    const found = await stat(headFile(this.#folder)).catch(() => undefined);
    if (found === undefined) return undefined;
    const seen = `${found.ino} ${found.mtimeMs} ${found.size}`;
    if (seen !== this.#seen) {
      const reading = await readHead(this.#folder, await this.#keys());
      if (reading.kind === 'missing') return undefined;
      this.#seen = seen;
      this.#head = reading.kind === 'head' ? reading.head : undefined;
    }
    return this.#head;
  }
}

/** The records from a place on, a chunk of the file at a time, up to the head's last line. */
export async function* chunksOf(folder: string, worker: string, from: Place, head: Head): AsyncGenerator<SourceChunk> {
  // A journal set back to an older state ends before the place: it is copied anew, and what is there already stays.
  let place = from.seq > head.seq ? BEGINNING : from;
  for (const segment of await listSegments(folder)) {
    if (segment.number < place.segment || segment.number > head.segment) continue;
    const start = segment.number === place.segment ? place.position : 0;
    const to = segment.number === head.segment ? head.end : undefined;
    try {
      for await (const lines of readLines(segment.path, segment.compressed, start, to)) {
        const records: SourceRecord[] = [];
        let { seq } = place;
        let { position } = segment.number === place.segment ? place : { position: 0 };
        let missed = 0;
        for (const line of lines) {
          if (!line.complete || (to !== undefined && line.end > to)) continue;
          const at = readLink(line.bytes)?.seq;
          if (at !== undefined) {
            missed += Math.max(0, at - seq - 1);
            seq = Math.max(seq, at);
          }
          const entry = parseEntry(line.bytes, worker, segment.number);
          if (entry === 'damaged') missed++;
          else if (entry !== undefined) {
            records.push({ record: entry.record, seq: entry.seq, bytes: line.end - line.start, position: line.end });
          }
          position = line.end;
        }
        place = { segment: segment.number, position, seq };
        yield { records, end: place, missed };
      }
    } catch (error) {
      // Retention has removed it since it was listed: the next one shows how much is missing.
      if (!isMissing(error)) throw error;
    }
  }
}
