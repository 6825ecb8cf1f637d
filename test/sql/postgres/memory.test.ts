// What the grammar costs in memory: V8's optimizing compiler must leave it alone (see `compileQuickly` in parser.ts).
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = `
  const { loadParser, parse } = await import('./src/sql/postgres/parser.ts');
  await loadParser();
  parse('select 1');
  const before = process.resourceUsage().maxRSS;
  for (let at = 0; at < 2000; at++) parse('select a, b from t join u using (id) where c = ' + at + ' order by a');
  // What is compiled in the background comes to its end.
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log(process.resourceUsage().maxRSS - before);
`;

test('two thousand statements take no 30 MB of compiling', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--import', 'tsx', '--max-semi-space-size=1', '--input-type=module', '--eval', script],
  ]);
  expect(Number(stdout) / 1024).toBeLessThan(30);
});
