// A short slice of the mutation fuzzer; `npm run fuzz mysql` runs it at length.
import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

const seed = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const count = Number(process.env.SALLYPORT_RUNS ?? 150);

test.each(['client', 'login', 'server', 'server login'] as const)(
  `mutants of the %s neither crash nor hang nor leak (seed ${seed})`,
  async (direction) => {
    expect((await fuzz(direction, count, seed)).problems).toEqual([]);
  },
);
