// Looks after sealed segments: gzips them, with a signed note of the archive's hash beside each, and removes what is
// older than the retention allows.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Disk } from './disk.ts';
import { isMissing } from './errors.ts';
import type { SigningKey, VerifyingKey } from './keys.ts';
import { listSegments, type SegmentFile, segmentName } from './segments.ts';

export interface Tidying {
  readonly folder: string;
  /** The segment that is being written; only older ones are touched. */
  readonly current: number;
  readonly compress: boolean;
  /** Segments last written before this time go; undefined keeps all. */
  readonly olderThan: number | undefined;
  readonly key: SigningKey;
  readonly disk: Disk;
  /** Records, before it happens, that the segments up to this one are removed. */
  beforeRemoval(upTo: number, details: { first: number; last: number; older_than: string }): Promise<void>;
}

/** Removes old segments first, then compresses the others. */
export async function tidySegments(tidying: Tidying): Promise<void> {
  let segments = (await listSegments(tidying.folder)).filter((segment) => segment.number < tidying.current);
  if (tidying.olderThan !== undefined) segments = await removeOld(segments, tidying, tidying.olderThan);
  for (const segment of segments) {
    if (tidying.compress && !segment.compressed) await compressSegment(segment, tidying);
  }
}

async function removeOld(
  segments: readonly SegmentFile[],
  tidying: Tidying,
  olderThan: number,
): Promise<SegmentFile[]> {
  let keep = 0;
  for (const segment of segments) {
    if ((await stat(segment.path)).mtimeMs >= olderThan) break;
    keep++;
  }
  const first = segments[0];
  const last = segments[keep - 1];
  if (first === undefined || last === undefined) return [...segments];
  await tidying.beforeRemoval(last.number, {
    first: first.number,
    last: last.number,
    older_than: new Date(olderThan).toISOString(),
  });
  for (const segment of segments.slice(0, keep)) {
    await tidying.disk.remove(segment.path);
    if (segment.compressed) await tidying.disk.remove(noteFile(tidying.folder, segment.number)).catch(() => {});
  }
  return segments.slice(keep);
}

function noteFile(folder: string, number: number): string {
  return join(folder, `${segmentName(number)}.gz.json`);
}

async function compressSegment(segment: SegmentFile, tidying: Tidying): Promise<void> {
  const archive = `${segment.path}.gz`;
  const scratch = `${archive}.new`;
  const digest = createHash('sha256');
  const gzip = createGzip({ level: 6 });
  gzip.on('data', (chunk: Buffer) => digest.update(chunk));
  const target = createWriteStream(scratch, { mode: 0o600, flush: true });
  await pipeline(createReadStream(segment.path), gzip, target);
  const times = await stat(segment.path);
  const body = JSON.stringify({
    v: 1,
    segment: segment.number,
    bytes: times.size,
    gzip_sha256: digest.digest('hex'),
    key: tidying.key.id,
  }).slice(0, -1);
  const note = `${body},"sig":"${tidying.key.sign(Buffer.from(body))}"}\n`;
  // The plain file goes last: until then a crash leaves it, and readers prefer it.
  await tidying.disk.replace(noteFile(tidying.folder, segment.number), Buffer.from(note), 0o600);
  await tidying.disk.rename(scratch, archive);
  await tidying.disk.syncDirectory(tidying.folder);
  await tidying.disk.remove(segment.path);
}

/**
 * Checks an archive against its signed note: gunzip alone would not see a changed byte of the gzip header or a bit of padding.
 * Says what is wrong, or undefined.
 */
export async function checkArchive(
  folder: string,
  segment: SegmentFile,
  keys: ReadonlyMap<string, VerifyingKey>,
): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(noteFile(folder, segment.number), 'utf8');
  } catch (error) {
    if (isMissing(error)) return 'the signed note of its archive is missing';
    throw error;
  }
  const match = /^(\{.*),"sig":"([0-9a-f]{128})"\}\n$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return 'the note of its archive is not a signed note';
  let note: Record<string, unknown>;
  try {
    note = JSON.parse(`${match[1]}}`) as Record<string, unknown>;
  } catch {
    return 'the note of its archive is not JSON';
  }
  const key = typeof note.key === 'string' ? keys.get(note.key) : undefined;
  if (key === undefined) return 'the key of its archive note is not known';
  if (!key.verify(Buffer.from(match[1]), match[2])) return 'the signature of its archive note does not hold';
  if (note.segment !== segment.number) return 'the note of its archive is for another segment';
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(segment.path)) digest.update(chunk as Buffer);
  return digest.digest('hex') === note.gzip_sha256 ? undefined : 'its archive was changed';
}
