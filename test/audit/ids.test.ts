// Names of records and sessions: ordered by time, never twice.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idMaker, newRecordId, newSessionId } from '../../src/audit/ids.ts';

test('ids of one process are unique and sort in the order they were made', () => {
  const ids = Array.from({ length: 100_000 }, () => newRecordId() as string);
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
  expect(newSessionId()).toMatch(/^[0-9a-hjkmnp-tv-z]{20}$/);
});

test('two workers at the same moment never make the same id', () => {
  const now = () => 1_790_000_000_000;
  const one = idMaker(now);
  const other = idMaker(now);
  const ids = Array.from({ length: 40_000 }, (_, index) => (index % 2 === 0 ? one() : other()));
  expect(new Set(ids).size).toBe(ids.length);
});

test('a clock that jumps about never brings an id twice or out of order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 44 }), { minLength: 2, maxLength: 200 }), (clock) => {
      let tick = 0;
      const make = idMaker(() => clock[tick++ % clock.length] ?? 0);
      const ids = Array.from({ length: 200 }, make);
      expect(new Set(ids).size).toBe(ids.length);
      expect([...ids].sort()).toEqual(ids);
    }),
  );
});
