// The configuration that the demo writes is one that `check` accepts, with its secret in a file for its owner alone.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { writeSettings } from '../../src/demo/settings.ts';

test("the demo's file loads, with nothing in it that is not available", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-demo-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const settings = await writeSettings({
    folder,
    listen: { postgres: 6432, mysql: 6306, console: undefined },
    crm: { port: 3306, user: 'gateway', password: 'neither this' },
    upstream: { port: 5432, user: 'gateway', password: 'not in the file' },
  });
  const config = await loadConfig(settings.file);
  expect([...config.targets.keys()]).toEqual(['shop', 'crm']);
  expect(config.rules.map(({ name }) => name)).toEqual(['no-drops', 'no-unbounded-writes']);
  expect(config.masks).toHaveLength(6);
  const text = await readFile(settings.file, 'utf8');
  expect(text).not.toContain('not in the file');
  expect(text).not.toContain('neither this');
  expect(/\$schema=(.*)/.exec(text)?.[1]).toMatch(/schema\/sallyport\.schema\.json$/);
  expect((await stat(join(folder, 'shop-password'))).mode & 0o777).toBe(0o600);
});
