// Our own small random numbers (sfc32, seeded through splitmix32): the same seed gives the same shop on every machine.

export interface Random {
  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** `count` decimal digits. */
  digits(count: number): string;
}

/** A stream of its own for each list of numbers, so that one table's rows do not depend on another's. */
export function random(...seed: readonly number[]): Random {
  let mixed = 0x9e3779b9;
  for (const part of seed) mixed = splitmix(mixed ^ splitmix(part | 0));
  let a = splitmix(mixed);
  let b = splitmix(a);
  let c = splitmix(b);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4294967296;
  };
  for (let round = 0; round < 12; round++) next();
  const integer = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    integer,
    chance: (probability) => next() < probability,
    pick(from) {
      const picked = from[integer(0, from.length - 1)];
      if (picked === undefined) throw new RangeError('nothing to pick from');
      return picked;
    },
    digits(count) {
      let text = '';
      for (let at = 0; at < count; at++) text += integer(0, 9);
      return text;
    },
  };
}

function splitmix(state: number): number {
  let mixed = (state + 0x9e3779b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
