// A short slice of the mutation fuzzer; `npm run fuzz` runs it at length.
import { expect, test } from 'vitest';
import { postgresServer } from '../../support/postgres.ts';
import { directions, fuzz } from './fuzz.ts';

const server = postgresServer();
const seed = Number(process.env.SALLYPORT_SEED ?? Date.now() % 2 ** 31);
const count = Number(process.env.SALLYPORT_RUNS ?? 150);

test.each(directions)(`mutants of the %s neither crash nor hang nor leak (seed ${seed})`, async (direction) => {
  expect((await fuzz(server(), direction, count, seed)).problems).toEqual([]);
});
