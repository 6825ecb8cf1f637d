// The key pair that hides a token from onlookers where a client without TLS insists on RSA (caching_sha2_password). Tokens are long, and
// OAEP holds no more than the modulus less 42 bytes: so the modulus has 8192 bits, the most that client libraries take (1024 bytes).
// Two primes of that size take minutes to find; eight of 1024 bits, each as hard to find out as those of a 2048-bit key, take
// half a second (multi-prime RSA, RFC 8017, section 3). Node cannot import such a key, so the private operation stands here.
import { createHash, createPublicKey, generatePrime, timingSafeEqual } from 'node:crypto';

const primeBits = 1024;
const primeCount = 8;
const modulusBytes = (primeBits * primeCount) / 8;
const exponent = 65537n;
const hashLength = 20;

export interface RsaKey {
  /** As AuthMoreData carries it. */
  readonly publicPem: Buffer;
  /** RSAES-OAEP with SHA-1, as the method has it; undefined for what was not encrypted for this key. */
  decrypt(cipher: Buffer): Buffer | undefined;
}

interface Part {
  readonly prime: bigint;
  readonly exponent: bigint;
  /** Chinese remainders: the cofactor times its inverse modulo the prime. */
  readonly weight: bigint;
}

let made: Promise<RsaKey> | undefined;

/** The key pair of this process, made when it is first asked for. */
export function rsaKey(): Promise<RsaKey> {
  made ??= make();
  return made;
}

async function make(): Promise<RsaKey> {
  const primes: bigint[] = [];
  while (primes.length < primeCount) {
    const prime = await randomPrime();
    if ((prime - 1n) % exponent !== 0n && !primes.includes(prime)) primes.push(prime);
  }
  const modulus = primes.reduce((product, prime) => product * prime, 1n);
  const parts: Part[] = primes.map((prime) => {
    const cofactor = modulus / prime;
    return {
      prime,
      exponent: inverse(exponent, prime - 1n),
      weight: (cofactor * inverse(cofactor % prime, prime)) % modulus,
    };
  });
  const jwk = { kty: 'RSA', n: bytesOf(modulus).toString('base64url'), e: 'AQAB' };
  const publicPem = Buffer.from(createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
  return { publicPem, decrypt: (cipher) => decrypt(cipher, modulus, parts) };
}

function randomPrime(): Promise<bigint> {
  return new Promise((resolve, reject) => {
    // The two highest bits of a generated prime are set, so that a product has its full length.
    generatePrime(primeBits, { bigint: true }, (error, prime) => (error ? reject(error) : resolve(prime)));
  });
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (b > 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function bytesOf(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(modulusBytes * 2, '0'), 'hex');
}

function decrypt(cipher: Buffer, modulus: bigint, parts: readonly Part[]): Buffer | undefined {
  if (cipher.length !== modulusBytes) return undefined;
  const value = BigInt(`0x${cipher.toString('hex')}`);
  if (value >= modulus) return undefined;
  let sum = 0n;
  for (const part of parts) sum += power(value, part.exponent, part.prime) * part.weight;
  return unpad(bytesOf(sum % modulus));
}

const emptyLabel = createHash('sha1').digest();

/** EME-OAEP decoding, RFC 8017 section 7.1.2. */
function unpad(encoded: Buffer): Buffer | undefined {
  const maskedSeed = encoded.subarray(1, 1 + hashLength);
  const maskedBlock = encoded.subarray(1 + hashLength);
  const seed = xor(maskedSeed, generateMask(maskedBlock, hashLength));
  const block = xor(maskedBlock, generateMask(seed, maskedBlock.length));
  const separator = block.indexOf(1, hashLength);
  const labelFits = timingSafeEqual(block.subarray(0, hashLength), emptyLabel);
  const padded = separator !== -1 && block.subarray(hashLength, separator).every((byte) => byte === 0);
  return encoded[0] === 0 && labelFits && padded ? block.subarray(separator + 1) : undefined;
}

/** MGF1 with SHA-1. */
function generateMask(seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  const counter = Buffer.alloc(4);
  for (let index = 0; index * hashLength < length; index++) {
    counter.writeUInt32BE(index);
    blocks.push(createHash('sha1').update(seed).update(counter).digest());
  }
  return Buffer.concat(blocks, length);
}

function xor(left: Buffer, right: Buffer): Buffer {
  const result = Buffer.alloc(left.length);
  for (let at = 0; at < left.length; at++) result[at] = (left[at] as number) ^ (right[at] as number);
  return result;
}
