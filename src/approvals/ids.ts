// Names of holds, grants and revocations: short enough to type, too many to guess.
import { randomBytes } from 'node:crypto';

// Crockford's alphabet: no letters that look alike.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** `h-7k3m9q2x4c`: 50 random bits behind the letter that says what it is. */
export function newId(kind: 'h' | 'g' | 'r'): string {
  let id = `${kind}-`;
  for (const byte of randomBytes(10)) id += alphabet.charAt(byte & 31);
  return id;
}
