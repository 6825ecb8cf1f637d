// HMAC-SHA-256 over bytes in place (FIPS 180-4, RFC 2104): the key's two blocks are hashed once, so that a short value costs two
// rounds of compression and no object. node:crypto gives the same result (tests compare) at ten times the cost for each short value.

import { type HmacLanes, hmacLanes, LANES } from './hmac-lanes.ts';
import { INITIAL, ROUNDS } from './sha256.ts';

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
      lines.push(`${word} = (((${word} + w${(round + 9) & 15}) | 0) + ((${small0} + ${small1}) | 0)) | 0;`);
    }
    const [a, b, c, d, e, f, g, h] = names as [string, string, string, string, string, string, string, string];
    const big1 = `(${rotate(e, 6)} ^ ${rotate(e, 11)} ^ ${rotate(e, 25)})`;
    const big0 = `(${rotate(a, 2)} ^ ${rotate(a, 13)} ^ ${rotate(a, 22)})`;
    // What does not wait for the round before is added first: the sums are a chain, and the compiler keeps their order.
    const choice = `(${g} ^ (${e} & (${f} ^ ${g})))`;
    const majority = `((${a} & ${b}) | (${c} & (${a} | ${b})))`;
    lines.push(`p = (((((((${h} + ${ROUNDS[round]}) | 0) + ${word}) | 0) + ${choice}) | 0) + ${big1}) | 0;`);
    lines.push(`${d} = (${d} + p) | 0; ${h} = (p + ((${big0} + ${majority}) | 0)) | 0;`);
    names.unshift(names.pop() as string);
  }
  names.forEach((name, index) => {
    lines.push(`S[${index}] = (S[${index}] + ${name}) | 0;`);
  });
  return new Function('S', 'W', lines.join('\n')) as (state: Int32Array, W: Int32Array) => void;
}

/** The longest value that fits one block with the end mark and the length. */
export const SHORT = BLOCK - 9;

/**
 * Puts a value of at most `SHORT` bytes into lane `lane` of a block of lanes (see hmac-lanes.ts), with the end mark and the length.
 * `view` is of the same bytes.
 */
export function loadLane(
  block: Int32Array,
  lane: number,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): void {
  let at = start;
  let word = lane;
  for (; at + 4 <= end; at += 4, word += LANES) block[word] = view.getInt32(at);
  let last = 0x80;
  for (let index = end - at; index < 3; index++) last <<= 8;
  for (let shift = 24; at < end; at++, shift -= 8) last |= (bytes[at] as number) << shift;
  block[word] = last;
  for (word += LANES; word < 15 * LANES; word += LANES) block[word] = 0;
  block[15 * LANES + lane] = (BLOCK + end - start) * 8;
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
  /**
   * 32 bits that follow from three others and the key. The masks end a hash with them, so that the gateway knows its own hashes
   * when somebody writes them back. They add no secrecy and need none.
   */
  check(first: number, second: number, third: number): number;
  /** The same hash for four short values at once; undefined where the machine has no way to. All masks of the key share them. */
  lanes(): HmacLanes | undefined;
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
  const update = (bytes: Uint8Array, start: number, end: number): void => {
    state.set(inner);
    finish(state, bytes, start, end);
    // The outer message is one block: the inner hash, the end mark and the length of 96 bytes in bits.
    for (let index = 0; index < 8; index++) W[index] = state[index] as number;
    W[8] = 0x80000000 | 0;
    for (let index = 9; index < 15; index++) W[index] = 0;
    W[15] = (BLOCK + 32) * 8;
    state.set(outer);
    compress(state, W);
  };
  const name = Buffer.from('check');
  update(name, 0, name.length);
  const seed = state[0] as number;
  let lanes: HmacLanes | undefined | null = null;
  return {
    lanes() {
      if (lanes === null) lanes = hmacLanes(inner, outer);
      return lanes;
    },
    update,
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
    check(first, second, third) {
      let mixed = seed;
      mixed = Math.imul(mixed ^ first, 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 15) ^ second, 0xc2b2ae35);
      mixed = Math.imul(mixed ^ (mixed >>> 13) ^ third, 0x27d4eb2f);
      return (mixed ^ (mixed >>> 16)) >>> 0;
    },
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
