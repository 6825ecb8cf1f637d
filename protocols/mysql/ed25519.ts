// MariaDB's client_ed25519: a plain Ed25519 signature (RFC 8032), except that the secret is the password itself, of any length, where
// the RFC has 32 random bytes. Node signs with those only, so the curve is computed here. Used once a login; not constant-time.
import { createHash } from 'node:crypto';

const p = 2n ** 255n - 19n;
/** Order of the base point. */
const order = 2n ** 252n + 27742317777372353535851937790883648493n;

function modulo(value: bigint, by: bigint = p): bigint {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = modulo(base);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = modulo(result * square);
    square = modulo(square * square);
  }
  return result;
}

const inverse = (value: bigint) => power(value, p - 2n);
const d = modulo(-121665n * inverse(121666n));

/** Extended homogeneous coordinates: x = X/Z, y = Y/Z, x y = T/Z. */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint];

const baseX = 15112221349535400772501151409588531511454012693041857206046113283949847762202n;
const baseY = modulo(4n * inverse(5n));
const base: Point = [baseX, baseY, 1n, modulo(baseX * baseY)];

/** RFC 8032, 5.1.4. */
function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = modulo((y1 - x1) * (y2 - x2));
  const b = modulo((y1 + x1) * (y2 + x2));
  const c = modulo(2n * t1 * t2 * d);
  const e = modulo(2n * z1 * z2);
  return [modulo((b - a) * (e - c)), modulo((e + c) * (b + a)), modulo((e - c) * (e + c)), modulo((b - a) * (b + a))];
}

function multiply(scalar: bigint): Point {
  let result: Point = [0n, 1n, 1n, 0n];
  let doubled = base;
  for (let left = scalar; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = add(result, doubled);
    doubled = add(doubled, doubled);
  }
  return result;
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function bytesOf(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}

function encodePoint([x, y, z]: Point): Buffer {
  const scale = inverse(z);
  const bytes = bytesOf(modulo(y * scale));
  if ((modulo(x * scale) & 1n) === 1n) bytes[31] = (bytes[31] as number) | 0x80;
  return bytes;
}

function sha512(...parts: Buffer[]): Buffer {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The 64 bytes a client answers to the server's 32-byte challenge. */
export function ed25519Response(password: Buffer, challenge: Buffer): Buffer {
  const secret = sha512(password);
  const scalarBytes = Buffer.from(secret.subarray(0, 32));
  scalarBytes[0] = (scalarBytes[0] as number) & 248;
  scalarBytes[31] = ((scalarBytes[31] as number) & 63) | 64;
  const scalar = littleEndian(scalarBytes);
  const publicKey = encodePoint(multiply(scalar));
  const nonce = modulo(littleEndian(sha512(secret.subarray(32), challenge)), order);
  const commitment = encodePoint(multiply(nonce));
  const hashed = modulo(littleEndian(sha512(commitment, publicKey, challenge)), order);
  return Buffer.concat([commitment, bytesOf(modulo(nonce + hashed * scalar, order))]);
}
