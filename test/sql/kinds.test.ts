// Every statement kind of the grammar is classified: a new one must not slip through as something harmless.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { innerKinds, otherKinds, utilities } from '../../src/sql/postgres/utilities.ts';

it('every statement kind of the grammar has a verb or a reader of its own', () => {
  const types = readFileSync(
    createRequire(import.meta.url)
      .resolve('@pgsql/types')
      .replace(/index\.js$/, 'types.d.ts'),
    'utf8',
  );
  const kinds = [...types.matchAll(/export interface (\w+Stmt) /g)].map((match) => match[1] ?? '');
  expect(kinds.length).toBeGreaterThan(100);
  const known = new Set<string>([...utilities.keys(), ...otherKinds, ...innerKinds]);
  expect(kinds.filter((kind) => !known.has(kind))).toEqual([]);
});
