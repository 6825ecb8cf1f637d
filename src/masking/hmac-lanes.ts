// HMAC-SHA-256 of four short values at once: each step of the hash is one SIMD instruction over four lanes. There is no such instruction in
// JavaScript, so a WebAssembly module is assembled here, from constants only.
import { ROUNDS } from './sha256.ts';

export const LANES = 4;

/** Memory of one key. Word `w` of lane `l` stands at `w * LANES + l`. */
export interface HmacLanes {
  /** The one block of each message, padded and with its length in bits, the block of the key included. */
  readonly block: Int32Array;
  /** The hashes after `run`. */
  readonly digest: Int32Array;
  run(): void;
}

// What of the WebAssembly interface is used; the libraries of TypeScript have it only with those of browsers.
interface WebAssemblyParts {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly run: () => void } };
}

// Where things stand in the module's memory, in bytes.
const VECTOR = 16;
const ROUNDS_AT = 0;
const INNER_AT = ROUNDS_AT + 64 * VECTOR;
const OUTER_AT = INNER_AT + 8 * VECTOR;
const BLOCK_AT = OUTER_AT + 8 * VECTOR;
const DIGEST_AT = BLOCK_AT + 16 * VECTOR;

const wasm = (globalThis as { readonly WebAssembly?: WebAssemblyParts }).WebAssembly;

/** Lanes for a key, given the states after its inner and its outer block. Undefined where WebAssembly or its SIMD is not to be had. */
export function hmacLanes(inner: Int32Array, outer: Int32Array): HmacLanes | undefined {
  if (wasm === undefined || compiled === undefined) return undefined;
  const { memory, run } = new wasm.Instance(compiled).exports;
  const spread = (words: Int32Array, at: number): void => {
    const view = new Int32Array(memory.buffer, at, words.length * LANES);
    for (let index = 0; index < view.length; index++) view[index] = words[index >> 2] as number;
  };
  spread(ROUNDS, ROUNDS_AT);
  spread(inner, INNER_AT);
  spread(outer, OUTER_AT);
  return {
    block: new Int32Array(memory.buffer, BLOCK_AT, 16 * LANES),
    digest: new Int32Array(memory.buffer, DIGEST_AT, 8 * LANES),
    run,
  };
}

// The assembler: instructions as arrays of bytes (WebAssembly core specification, 5 "Binary Format").

type Code = readonly number[];

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    const byte = rest & 0x7f;
    const last = rest >> 7 === ((byte & 0x40) === 0 ? 0 : -1);
    bytes.push(last ? byte : byte | 0x80);
    if (last) return bytes;
  }
}

const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const i32 = (value: number): Code => [0x41, ...signed(value)];
const simd = (operation: number): Code => [0xfd, ...unsigned(operation)];
const SPLAT = simd(0x11);
const AND = simd(0x4e);
const OR = simd(0x50);
const XOR = simd(0x51);
const LEFT = simd(0xab);
const RIGHT = simd(0xad);
const ADD = simd(0xae);
const END = 0x0b;
/** v128.load and v128.store with an alignment of 2^4; the address is 0, the place is the offset. */
const load = (at: number): Code => [...i32(0), ...simd(0x00), 4, ...unsigned(at)];
const store = (at: number, value: Code): Code => [...i32(0), ...value, ...simd(END), 4, ...unsigned(at)];

const rotated = (local: number, by: number): Code => [
  ...get(local),
  ...i32(by),
  ...RIGHT,
  ...get(local),
  ...i32(32 - by),
  ...LEFT,
  ...OR,
];
const sum = (local: number, first: number, second: number, third: number): Code => [
  ...rotated(local, first),
  ...rotated(local, second),
  ...XOR,
  ...rotated(local, third),
  ...XOR,
];
const scheduled = (local: number, first: number, second: number, shift: number): Code => [
  ...rotated(local, first),
  ...rotated(local, second),
  ...XOR,
  ...get(local),
  ...i32(shift),
  ...RIGHT,
  ...XOR,
];

// Local variables: the eight of the state, the sixteen of the schedule, and three in between.
const STATE = 0;
const WORDS = 8;
const TEMPORARY = 24;
const DIFFERENCE = 25;
const LOCALS = 27;

/** One compression of the block in the schedule, from the state at `from`; the sums with that state are left to the caller. */
function compression(from: number, out: number[]): void {
  let names = Array.from({ length: 8 }, (_value, index) => STATE + index);
  for (let index = 0; index < 8; index++) out.push(...load(from + index * VECTOR), ...set(STATE + index));
  // The majority of a, b and c is b ^ ((a ^ b) & (b ^ c)), and b ^ c is the a ^ b of the round before.
  let now = DIFFERENCE;
  let before = DIFFERENCE + 1;
  out.push(...get(STATE + 1), ...get(STATE + 2), ...XOR, ...set(before));
  for (let round = 0; round < 64; round++) {
    const word = WORDS + (round & 15);
    if (round >= 16) {
      out.push(...get(word), ...get(WORDS + ((round + 9) & 15)), ...ADD);
      out.push(...scheduled(WORDS + ((round + 1) & 15), 7, 18, 3), ...ADD);
      out.push(...scheduled(WORDS + ((round + 14) & 15), 17, 19, 10), ...ADD, ...set(word));
    }
    const [a, b, , d, e, f, g, h] = names as [number, number, number, number, number, number, number, number];
    out.push(...get(h), ...load(ROUNDS_AT + round * VECTOR), ...ADD, ...get(word), ...ADD);
    out.push(...get(g), ...get(e), ...get(f), ...get(g), ...XOR, ...AND, ...XOR, ...ADD);
    out.push(...sum(e, 6, 11, 25), ...ADD, ...set(TEMPORARY));
    out.push(...get(d), ...get(TEMPORARY), ...ADD, ...set(d));
    out.push(...get(a), ...get(b), ...XOR, ...set(now));
    out.push(...get(TEMPORARY), ...get(b), ...get(now), ...get(before), ...AND, ...XOR, ...ADD);
    out.push(...sum(a, 2, 13, 22), ...ADD, ...set(h));
    [now, before] = [before, now];
    names = [h, ...names.slice(0, 7)];
  }
}

function body(): number[] {
  const out: number[] = [];
  for (let index = 0; index < 16; index++) out.push(...load(BLOCK_AT + index * VECTOR), ...set(WORDS + index));
  compression(INNER_AT, out);
  // The outer message is one block: the inner hash, the end mark, and the length of 96 bytes in bits.
  for (let index = 0; index < 8; index++) {
    out.push(...get(STATE + index), ...load(INNER_AT + index * VECTOR), ...ADD, ...set(WORDS + index));
  }
  for (let index = 8; index < 16; index++) {
    out.push(...i32(index === 8 ? 0x80000000 | 0 : index === 15 ? 96 * 8 : 0), ...SPLAT, ...set(WORDS + index));
  }
  compression(OUTER_AT, out);
  for (let index = 0; index < 8; index++) {
    const at = index * VECTOR;
    out.push(...store(DIGEST_AT + at, [...get(STATE + index), ...load(OUTER_AT + at), ...ADD]));
  }
  out.push(END);
  return out;
}

function moduleBytes(): Uint8Array {
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
  const one = (item: Code): Code => [1, ...item];
  const name = (text: string): Code => [...unsigned(text.length), ...Buffer.from(text)];
  const v128 = 0x7b;
  const code = [...one([LOCALS, v128]), ...body()];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // A type of no parameters and no results, a function of it, one page of memory, both exported.
    ...section(1, one([0x60, 0, 0])),
    ...section(3, one([0])),
    ...section(5, one([0, 1])),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('run'), 0, 0]),
    ...section(10, one([...unsigned(code.length), ...code])),
  ]);
}

/**
 * The module's code. It runs once as this file is loaded, since code that first runs later may stay as the quick compiler made it (see
 * `compileQuickly` in src/sql/postgres/parser.ts).
 */
const compiled = compile();

function compile(): object | undefined {
  if (wasm === undefined) return undefined;
  try {
    const code = new wasm.Module(moduleBytes());
    new wasm.Instance(code).exports.run();
    return code;
  } catch {
    // A machine without SIMD.
    return undefined;
  }
}
