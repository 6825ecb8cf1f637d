// One line of the journal and its link to the line before. The canonical form of a record is its line, byte for byte,
// without the newline: pino writes it once, and nothing ever has to be serialised again to check it.
import { hash } from 'node:crypto';
import pino from 'pino';
import type { SigningKey, VerifyingKey } from './keys.ts';

/** The link of the very first line. */
export const GENESIS = '0'.repeat(64);

/** What the journal itself writes into a chain, beside the records of the gateway. */
export interface SegmentHead {
  readonly event: 'segment';
  readonly time: string;
  readonly worker: string;
  readonly segment: number;
  readonly key: string;
  /** Where the other workers' chains stood, `[seq, hash]`: one chain cannot vanish without another telling of it. */
  readonly witness: Readonly<Record<string, readonly [number, string]>>;
}

export interface SegmentSeal {
  readonly event: 'seal';
  readonly time: string;
  readonly worker: string;
  readonly segment: number;
  readonly key: string;
  readonly lines: number;
}

/** SHA-256 of a line's bytes, in lower-case hexadecimal, as `sha256sum` prints it. */
export function hashLine(bytes: Buffer): string {
  return hash('sha256', bytes, 'hex');
}

/** Turns a record into a line by pino, newline and all. The `v` in front is the version of this format. */
export function lineWriter(): (record: object) => string {
  let line = '';
  const logger = pino(
    { base: null, timestamp: false, formatters: { level: () => ({ v: 1 }) } },
    {
      write(written: string) {
        line = written;
      },
    },
  );
  return (record) => {
    logger.info(record);
    return line;
  };
}

/** How a line goes on behind pino's last field: its number in the chain and the hash of the line before. */
export function linkOf(seq: number, prev: string): string {
  return `,"seq":${seq},"prev":"${prev}"}\n`;
}

/** A whole line with its link and, as its last field, the signature of everything before that. */
export function signedLine(line: string, link: string, key: SigningKey): string {
  const body = `${line.slice(0, -2)}${link.slice(0, -2)}`;
  return `${body},"sig":"${key.sign(Buffer.from(body))}"}\n`;
}

const SIGNATURE_LENGTH = ',"sig":""}'.length + 128;
const SIGNED = /,"sig":"([0-9a-f]{128})"\}$/;

/** True when the line ends in a signature of this key over all that stands before it. */
export function verifySignature(bytes: Buffer, key: VerifyingKey): boolean {
  const cut = bytes.length - SIGNATURE_LENGTH;
  if (cut <= 0) return false;
  const match = SIGNED.exec(bytes.toString('latin1', cut));
  return match?.[1] !== undefined && key.verify(bytes.subarray(0, cut), match[1]);
}

export interface Link {
  readonly seq: number;
  readonly prev: string;
  readonly signed: boolean;
}

const LINK = /,"seq":(0|[1-9][0-9]{0,15}),"prev":"([0-9a-f]{64})"(,"sig":"[0-9a-f]{128}")?\}$/;
/** The longest possible link: both fields, a 16-digit number and a signature. */
const LINK_LENGTH = 300;

/** Reads the link at a line's end without parsing the line; undefined where it has none. */
export function readLink(bytes: Buffer): Link | undefined {
  const match = LINK.exec(bytes.toString('latin1', Math.max(0, bytes.length - LINK_LENGTH)));
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { seq: Number(match[1]), prev: match[2], signed: match[3] !== undefined };
}
