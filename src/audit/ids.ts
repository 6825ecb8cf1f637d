// Names for records and sessions: 20 characters that sort by time and are unique across workers without asking anybody.
import { randomBytes } from 'node:crypto';
import type { RecordId, SessionId } from '../../protocols/gate.ts';

// Crockford's alphabet: its order is ASCII order, and it has no letters that look alike.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const PER_MILLISECOND = 32 ** 3;

/** 45 bits of milliseconds (to the year 3084), 15 bits of counter, 40 random bits drawn once for each maker. */
export function idMaker(now: () => number = Date.now, random: Uint8Array = randomBytes(8)): () => string {
  let node = '';
  for (let index = 0; index < 8; index++) node += ALPHABET.charAt((random[index] ?? 0) & 31);
  let time = 0;
  let prefix = '';
  let counter = PER_MILLISECOND;
  return () => {
    const current = now();
    // A clock that steps back, or a full millisecond, must not bring a name twice: the id's time only moves forward.
    if (current > time || counter >= PER_MILLISECOND) {
      time = Math.max(current, time + 1);
      prefix = encode(time);
      counter = 0;
    }
    const id =
      prefix +
      ALPHABET.charAt(counter >>> 10) +
      ALPHABET.charAt((counter >>> 5) & 31) +
      ALPHABET.charAt(counter & 31) +
      node;
    counter++;
    return id;
  };
}

function encode(time: number): string {
  let text = '';
  let rest = time;
  for (let index = 0; index < 9; index++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

const next = idMaker();

/** A name for one audit record. Later names of this process sort after earlier ones. */
export function newRecordId(): RecordId {
  return next() as RecordId;
}

/** A name for one client connection. */
export function newSessionId(): SessionId {
  return next() as SessionId;
}
