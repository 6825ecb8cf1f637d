// What the authentication methods compute from a password and a challenge.
import { createHash, timingSafeEqual } from 'node:crypto';
import { Reader } from './bytes.ts';

const sha1 = (...parts: Uint8Array[]) => digest('sha1', parts);
const sha256 = (...parts: Uint8Array[]) => digest('sha256', parts);

function digest(algorithm: string, parts: readonly Uint8Array[]): Buffer {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function xor(left: Buffer, right: Uint8Array): Buffer {
  const result = Buffer.alloc(left.length);
  for (let at = 0; at < left.length; at++) result[at] = (left[at] as number) ^ (right[at % right.length] as number);
  return result;
}

/** mysql_native_password: SHA1(password) xor SHA1(challenge + SHA1(SHA1(password))). */
export function nativeResponse(password: string, challenge: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = sha1(Buffer.from(password));
  return xor(once, sha1(challenge, sha1(once)));
}

/** What a server keeps of a password for mysql_native_password. */
export function doubleSha1(password: Uint8Array): Buffer {
  return sha1(sha1(password));
}

/** Checks a response of mysql_native_password against SHA1(SHA1(password)). */
export function nativeMatches(response: Buffer, challenge: Buffer, stored: Buffer): boolean {
  if (response.length !== 20 || stored.length !== 20) return false;
  const once = xor(response, sha1(challenge, stored));
  return timingSafeEqual(sha1(once), stored);
}

/** caching_sha2_password, fast: SHA256(password) xor SHA256(SHA256(SHA256(password)) + challenge), the innermost hash being the first. */
export function cachingSha2Response(password: string, challenge: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = sha256(Buffer.from(password));
  return xor(once, sha256(sha256(once), challenge));
}

/** Checks a fast response of caching_sha2_password against SHA256(SHA256(password)). */
export function cachingSha2Matches(response: Buffer, challenge: Buffer, stored: Buffer): boolean {
  if (response.length !== 32 || stored.length !== 32) return false;
  const once = xor(response, sha256(stored, challenge));
  return timingSafeEqual(sha256(once), stored);
}

/** What the gateway keeps of a password for caching_sha2_password. */
export function doubleSha256(password: Uint8Array): Buffer {
  return sha256(sha256(password));
}

/** A password as it is hidden inside RSA: closed by a NUL, xored with the challenge over and over. */
export function hiddenPassword(password: Buffer, challenge: Buffer): Buffer {
  return xor(Buffer.concat([password, Buffer.from([0])]), challenge);
}

/** Takes `hiddenPassword` back. */
export function revealedPassword(hidden: Buffer, challenge: Buffer): Buffer {
  return new Reader(xor(hidden, challenge)).nulView();
}
