// Figures as the benchmarks print them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compared, spread, table } from '../../bench/support/metric.ts';

test('the spread of an even number of values has its median between the middle two', () => {
  expect(spread([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4 });
  expect(spread([5])).toEqual({ min: 5, median: 5, max: 5 });
});

test('every subject is compared with the same one, which stands alone', () => {
  const subjects = new Map([
    ['direct', [100, 120, 110]],
    ['gateway', [99, 104.5, 110]],
  ]);
  expect(compared('masking', 'rows', subjects, 'direct')).toEqual([
    { bench: 'masking', metric: 'direct.rows', value: 110 },
    { bench: 'masking', metric: 'gateway.rows', value: 104.5, against: 'direct.rows', ratio: 0.95 },
  ]);
});

test('a subject that is not there is compared with by nobody', () => {
  expect(compared('masking', 'cpu', new Map([['pipe', [0.3]]]), 'pgbouncer')).toEqual([
    { bench: 'masking', metric: 'pipe.cpu', value: 0.3 },
  ]);
});

test('figures stand under each other at the right', () => {
  expect(
    table([
      ['a', '1'],
      ['bcd', '10'],
    ]),
  ).toBe('a     1\nbcd  10');
});

test('a benchmark that is not there is refused, and those that are there are named', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/main.ts', 'nothing'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(status).toBe(2);
  expect(stderr).toMatch(/no benchmark is called nothing; there are: .*masking.*pgbench/);
});
