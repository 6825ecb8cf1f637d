// What the configuration vouches for is no longer opaque, whatever kind of function it is, and nothing else is touched.
import { expect, test } from 'vitest';
import type { Opaque } from '../../src/sql/index.ts';
import { withoutTrusted } from '../../src/sql/trust.ts';
import { reading } from '../policy/support.ts';

const fact = (kind: Opaque['kind'], name: string): Opaque => ({ kind, name, why: 'its body cannot be read' });

test('trusted functions of every kind are dropped, other things of that name are not', () => {
  const given = reading({
    opaque: [
      fact('function', 'public.report'),
      fact('dynamic-sql', 'Public.Report'),
      fact('unseen', 'public.report'),
      fact('unseen', 'public.other'),
      fact('relation', 'public.report'),
    ],
  });
  expect(withoutTrusted(given, new Set(['public.report'])).opaque).toEqual([
    fact('unseen', 'public.other'),
    fact('relation', 'public.report'),
  ]);
});

test('a reading without any is the same object, so that verdicts kept by it stay good', () => {
  const given = reading({ opaque: [fact('unseen', 'public.other')] });
  expect(withoutTrusted(given, new Set(['public.report']))).toBe(given);
  expect(withoutTrusted(given, new Set())).toBe(given);
});
