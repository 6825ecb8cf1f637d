// What the demo prints on a terminal and in a file.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { serverLog } from '../../src/demo/server-log.ts';
import { show } from '../../src/demo/show.ts';

test('in a file a step is one line with its time, without colour', async () => {
  const out = new PassThrough();
  await show(out).step(
    'loading',
    async () => 3,
    (count) => `loaded ${count}`,
  );
  expect(String(out.read())).toMatch(/^ {2}✓ loaded 3 \d+\.\d s\n$/);
});

test('on a terminal the line of a step is rewritten while it runs', async () => {
  const out = Object.assign(new PassThrough(), { isTTY: true });
  await show(out).step('loading', async (tell) => {
    tell('half of it');
    await new Promise((resolve) => setTimeout(resolve, 250));
  });
  const text = String(out.read());
  expect(text).toContain('loading: half of it');
  expect(text).toContain('\r\x1b[2K');
});

test('a step that fails is marked and throws on', async () => {
  const out = new PassThrough();
  await expect(show(out).step('loading', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(String(out.read())).toMatch(/✗ loading/);
});

test('the newest line of the log that holds every part is found, also when it comes late', async () => {
  const log = serverLog();
  log.add('LOG: a 1\nLOG: a 2');
  expect(await log.find(['LOG', 'a'])).toBe('LOG: a 2');
  setTimeout(() => log.add('LOG: b'), 60);
  expect(await log.find(['b'])).toBe('LOG: b');
  expect(await log.find(['c'], 30)).toBeUndefined();
});
