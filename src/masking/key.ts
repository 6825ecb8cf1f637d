// The key of the masks `hash` and `fake`: made from the configured secret, different for every target.
import { createHmac } from 'node:crypto';
import { type KeyedHash, keyedHash } from './hmac.ts';

/** The keyed hash of one target. Holds no secret that could be read back. */
export interface MaskKey {
  readonly hash: KeyedHash;
}

/** A key for the target: the same secret gives hashes of two targets that cannot be joined. */
export function maskKey(secret: Buffer | string, target: string): MaskKey {
  const bytes = createHmac('sha256', secret).update('sallyport mask key\0').update(target).digest();
  const hash = keyedHash(bytes);
  bytes.fill(0);
  return { hash };
}
