// The loop breaker: the same shape too often in too short a time pauses an identity.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LoopBreaker } from '../../../src/gateway/guards/loop-breaker.ts';

const config = { repeats: 3, withinMs: 1000, pauseMs: 5000 };

test('the one too many begins a pause, which ends by itself', () => {
  let now = 0;
  const paused: string[] = [];
  const breaker = new LoopBreaker({
    config: () => config,
    store: undefined,
    now: () => now,
    paused: (key, { why }) => paused.push(`${key}: ${why}`),
  });
  breaker.note('agent', 'a');
  breaker.note('agent', 'a');
  breaker.note('agent', 'b');
  expect(breaker.pause('agent')).toBeUndefined();
  breaker.note('agent', 'a');
  expect(breaker.pause('agent')).toEqual({ until: 5000, why: 'the same statement came 3 times in 1 s' });
  expect(breaker.pause('other')).toBeUndefined();
  expect(paused).toEqual(['agent: the same statement came 3 times in 1 s']);
  now = 5000;
  expect(breaker.pause('agent')).toBeUndefined();
});

test('it pauses exactly where some shape came `repeats` times within the time', () => {
  const events = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 700 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(events, (steps) => {
      let now = 0;
      const breaker = new LoopBreaker({ config: () => config, store: undefined, now: () => now });
      const times = new Map<string, number[]>();
      for (const [shape, wait] of steps) {
        now += wait;
        breaker.note('agent', shape);
        const seen = [...(times.get(shape) ?? []), now];
        times.set(shape, seen);
        const third = seen.at(-3);
        const expected = third !== undefined && now - third <= config.withinMs;
        expect(breaker.pause('agent') !== undefined).toBe(expected);
        if (expected) return;
      }
    }),
  );
});
