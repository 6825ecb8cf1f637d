// A slice of the random run (`npm run random-queries` is the whole): no statement tells a canary, or the two worlds apart.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { statements } from './queries.ts';
import { Worlds } from './worlds.ts';

const runs = Number(process.env.SALLYPORT_RANDOM_QUERIES ?? 2_000);
let worlds: Worlds;
beforeAll(async () => {
  worlds = await Worlds.open();
}, 60_000);
afterAll(() => worlds.close());

it('random statements tell nothing of masked values', async () => {
  await fc.assert(
    fc.asyncProperty(statements, async (sql) => {
      const answer = await worlds.try(sql);
      expect(answer.kind === 'leaked' ? `${sql}\n${answer.how}` : undefined).toBeUndefined();
    }),
    { numRuns: runs },
  );
}, 300_000);
