// Where the journal's files lie: <journal>/<worker>/<number>.jsonl, a folder for each worker's chain; sealed ones may be gzipped.
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AuditError, isMissing } from './errors.ts';

export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly compressed: boolean;
}

const NAME = /^([0-9]{8,})\.jsonl(\.gz)?$/;
const WORKER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Names in the journal folder that are no worker's. */
const RESERVED = new Set(['keys']);

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.jsonl`;
}

/** Refuses names that would leave the journal folder or hide in it. */
export function checkWorkerName(worker: string): string {
  if (!WORKER.test(worker) || RESERVED.has(worker)) {
    throw new AuditError('unusable', `"${worker}" cannot name a worker: letters, digits, dots, dashes, at most 64`);
  }
  return worker;
}

/** The workers that have a chain here, by name. */
export async function listWorkers(journal: string): Promise<string[]> {
  const entries = await readdir(journal, { withFileTypes: true }).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isDirectory() && WORKER.test(entry.name) && !RESERVED.has(entry.name))
    .map((entry) => entry.name)
    .sort();
}

/** A worker's segments in order. Where a crash left both forms of one, the plain file stands: it was not removed yet. */
export async function listSegments(folder: string): Promise<SegmentFile[]> {
  const names = await readdir(folder).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const found = new Map<number, SegmentFile>();
  for (const name of names) {
    const match = NAME.exec(name);
    if (match?.[1] === undefined) continue;
    const number = Number(match[1]);
    const compressed = match[2] !== undefined;
    if (compressed && found.has(number)) continue;
    found.set(number, { number, path: join(folder, name), compressed });
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
}

/** A listed segment as it is now: compressed meanwhile, or gone. */
export async function currentForm(segment: SegmentFile): Promise<SegmentFile | undefined> {
  if (await isThere(segment.path)) return segment;
  const path = `${segment.path}.gz`;
  return !segment.compressed && (await isThere(path)) ? { ...segment, path, compressed: true } : undefined;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
