// HMAC-SHA-256 over bytes in place (FIPS 180-4, RFC 2104): the key's two blocks are hashed once, so that a short value costs two
// rounds of compression and no object. node:crypto gives the same result (tests compare) at ten times the cost for each short value.

/** The first 32 bits of the fractional parts of the cube roots (square roots) of the first primes. */
function primeRoots(length: number, root: (prime: number) => number): Int32Array {
  const words = new Int32Array(length);
  for (let candidate = 2, found = 0; found < length; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) prime = false;
    if (prime) words[found++] = Math.floor((root(candidate) % 1) * 2 ** 32);
  }
  return words;
}

const K = primeRoots(64, Math.cbrt);
const INITIAL = primeRoots(8, Math.sqrt);

const BLOCK = 64;
const W = new Int32Array(16);

/**
 * One compression of the block in W into `state`, unrolled by source text: each of the sixteen schedule words and eight state words
 * is a local variable, which is twice as fast as the loop over arrays. The text is made from constants only.
 */
const compress = unrolled();

function unrolled(): (state: Int32Array, W: Int32Array) => void {
  const lines = ['let p = 0, q = 0;'];
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  names.forEach((name, index) => {
    lines.push(`let ${name} = S[${index}];`);
  });
  for (let index = 0; index < 16; index++) lines.push(`let w${index} = W[${index}];`);
  const rotate = (name: string, by: number) => `((${name} >>> ${by}) | (${name} << ${32 - by}))`;
  for (let round = 0; round < 64; round++) {
    const word = `w${round & 15}`;
    if (round >= 16) {
      lines.push(`p = w${(round + 1) & 15}; q = w${(round + 14) & 15};`);
      const small0 = `(${rotate('p', 7)} ^ ${rotate('p', 18)} ^ (p >>> 3))`;
      const small1 = `(${rotate('q', 17)} ^ ${rotate('q', 19)} ^ (q >>> 10))`;
      lines.push(`${word} = (${word} + w${(round + 9) & 15} + ${small0} + ${small1}) | 0;`);
    }
    const [a, b, c, d, e, f, g, h] = names as [string, string, string, string, string, string, string, string];
    const big1 = `(${rotate(e, 6)} ^ ${rotate(e, 11)} ^ ${rotate(e, 25)})`;
    const big0 = `(${rotate(a, 2)} ^ ${rotate(a, 13)} ^ ${rotate(a, 22)})`;
    lines.push(`p = (${h} + ${big1} + (${g} ^ (${e} & (${f} ^ ${g}))) + ${K[round]} + ${word}) | 0;`);
    lines.push(`${d} = (${d} + p) | 0; ${h} = (p + ${big0} + ((${a} & ${b}) | (${c} & (${a} | ${b})))) | 0;`);
    names.unshift(names.pop() as string);
  }
  names.forEach((name, index) => {
    lines.push(`S[${index}] = (S[${index}] + ${name}) | 0;`);
  });
  return new Function('S', 'W', lines.join('\n')) as (state: Int32Array, W: Int32Array) => void;
}

/** Puts 64 bytes into W as big-endian words. */
function load(bytes: Uint8Array, at: number): void {
  for (let index = 0, from = at; index < 16; index++, from += 4) {
    W[index] =
      ((bytes[from] as number) << 24) |
      ((bytes[from + 1] as number) << 16) |
      ((bytes[from + 2] as number) << 8) |
      (bytes[from + 3] as number);
  }
}

/** Puts the `rest` bytes after the last whole block into W, with the end mark after them, and zeros to the end of the block. */
function loadRest(bytes: Uint8Array, at: number, rest: number): void {
  const whole = rest >> 2;
  let from = at;
  for (let index = 0; index < whole; index++, from += 4) {
    W[index] =
      ((bytes[from] as number) << 24) |
      ((bytes[from + 1] as number) << 16) |
      ((bytes[from + 2] as number) << 8) |
      (bytes[from + 3] as number);
  }
  let word = 0x80;
  for (let index = whole * 4 + 3; index > rest; index--) word <<= 8;
  for (let index = rest - 1, shift = 24 - 8 * ((rest - 1) & 3); index >= whole * 4; index--, shift += 8) {
    word |= (bytes[at + index] as number) << shift;
  }
  W[whole] = word;
  for (let index = whole + 1; index < 16; index++) W[index] = 0;
}

/** Hashes the message after the first block, which `state` has taken in already, and ends it. */
function finish(state: Int32Array, bytes: Uint8Array, start: number, end: number): void {
  let at = start;
  for (; end - at >= BLOCK; at += BLOCK) {
    load(bytes, at);
    compress(state, W);
  }
  const rest = end - at;
  loadRest(bytes, at, rest);
  if (rest >= BLOCK - 8) {
    compress(state, W);
    W.fill(0);
  }
  // The length in bits, with the first block of the key.
  const bits = (BLOCK + end - start) * 8;
  W[14] = Math.floor(bits / 2 ** 32);
  W[15] = bits | 0;
  compress(state, W);
}

const HEX = Buffer.from('0123456789abcdef');

/** The keyed hash of the last `update`, and ways to write it out. One value at a time. */
export interface KeyedHash {
  update(bytes: Uint8Array, start: number, end: number): void;
  /** The first `length` hex digits, at most 64. */
  hex(length: number, to: Buffer, at: number): number;
  /** The first `length` bytes, at most 32. */
  raw(length: number, to: Buffer, at: number): number;
  /** A whole number from 0 to `most` (at most 2^53 - 1), from 53 bits of the hash. */
  whole(most: number): number;
  /** A 32-bit word of the hash, 0 to 7, unsigned. */
  word(index: number): number;
}

/** A keyed hash with the key of a target. Holds no copy of the key, only the two states made from it. */
export function keyedHash(key: Uint8Array): KeyedHash {
  const block = new Uint8Array(BLOCK);
  block.set(shortKey(key));
  const inner = padState(block, 0x36);
  const outer = padState(block, 0x5c);
  block.fill(0);
  const state = new Int32Array(8);
  const word = (index: number): number => (state[index] as number) >>> 0;
  return {
    update(bytes, start, end) {
      state.set(inner);
      finish(state, bytes, start, end);
      // The outer message is one block: the inner hash, the end mark and the length of 96 bytes in bits.
      for (let index = 0; index < 8; index++) W[index] = state[index] as number;
      W[8] = 0x80000000 | 0;
      for (let index = 9; index < 15; index++) W[index] = 0;
      W[15] = (BLOCK + 32) * 8;
      state.set(outer);
      compress(state, W);
    },
    hex(length, to, at) {
      for (let index = 0; index < length; index++) {
        const nibble = ((state[index >> 3] as number) >>> (28 - 4 * (index & 7))) & 15;
        to[at + index] = HEX[nibble] as number;
      }
      return at + length;
    },
    raw(length, to, at) {
      for (let index = 0; index < length; index++) {
        to[at + index] = ((state[index >> 2] as number) >>> (24 - 8 * (index & 3))) & 0xff;
      }
      return at + length;
    },
    whole(most) {
      const value = (word(0) >>> 11) * 2 ** 32 + word(1);
      return most >= Number.MAX_SAFE_INTEGER ? value : value % (most + 1);
    },
    word,
  };
}

/** A key longer than a block is hashed first (RFC 2104); ours are 32 bytes, so this only serves other callers. */
function shortKey(key: Uint8Array): Uint8Array {
  if (key.length > BLOCK) throw new RangeError('a mask key has at most 64 bytes');
  return key;
}

function padState(block: Uint8Array, pad: number): Int32Array {
  const state = Int32Array.from(INITIAL);
  load(
    block.map((byte) => byte ^ pad),
    0,
  );
  compress(state, W);
  return state;
}
