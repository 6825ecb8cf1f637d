// The signed head of a worker's chain: a small file beside the segments that says how far the chain had come,
// so that a cut tail shows. It is replaced as a whole, shortly after records are committed and when the journal closes.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './errors.ts';
import type { SigningKey, VerifyingKey } from './keys.ts';

export interface Head {
  readonly worker: string;
  readonly time: string;
  /** The oldest segment that retention has left. */
  readonly first: number;
  readonly segment: number;
  /** The last line: its number, its hash, where in its segment it starts and where it ends (newline included). */
  readonly seq: number;
  readonly hash: string;
  readonly start: number;
  readonly end: number;
  /** The journal was closed here in good order. */
  readonly closed: boolean;
  readonly key: string;
}

export function headFile(folder: string): string {
  return join(folder, 'head.json');
}

/** The head as the bytes of its file; the signature covers everything before it. */
export function sealHead(head: Head, key: SigningKey): Buffer {
  const body = serialise(head);
  return Buffer.from(`${body},"sig":"${key.sign(Buffer.from(body))}"}\n`);
}

export type HeadReading =
  | { readonly kind: 'head'; readonly head: Head }
  | { readonly kind: 'missing' }
  | { readonly kind: 'invalid'; readonly why: string };

/** Reads and checks a worker's head. Any byte that differs from what was signed makes it invalid. */
export async function readHead(folder: string, keys: ReadonlyMap<string, VerifyingKey>): Promise<HeadReading> {
  let bytes: Buffer;
  try {
    bytes = await readFile(headFile(folder));
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    throw error;
  }
  const match = /^(\{.*),"sig":"([0-9a-f]{128})"\}\n$/.exec(bytes.toString('utf8'));
  if (match?.[1] === undefined || match[2] === undefined) return { kind: 'invalid', why: 'it is not a signed head' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(`${match[1]}}`);
  } catch {
    return { kind: 'invalid', why: 'it is not JSON' };
  }
  if (!isHead(parsed)) return { kind: 'invalid', why: 'fields are missing' };
  const key = keys.get(parsed.key);
  if (key === undefined) return { kind: 'invalid', why: `its key ${JSON.stringify(parsed.key)} is not known` };
  if (!key.verify(Buffer.from(match[1]), match[2])) return { kind: 'invalid', why: 'its signature does not hold' };
  return { kind: 'head', head: parsed };
}

function serialise(head: Head): string {
  const { worker, time, first, segment, seq, hash, start, end, closed, key } = head;
  return JSON.stringify({ v: 1, worker, time, first, segment, seq, hash, start, end, closed, key }).slice(0, -1);
}

function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  return (
    ['worker', 'time', 'hash', 'key'].every((name) => typeof fields[name] === 'string') &&
    ['first', 'segment', 'seq', 'start', 'end'].every((name) => Number.isSafeInteger(fields[name])) &&
    typeof fields.closed === 'boolean'
  );
}
