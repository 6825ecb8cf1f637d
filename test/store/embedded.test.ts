// The embedded server starts, takes statements and leaves nothing behind.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { binaries } from '../../src/store/binaries.ts';
import { startEmbedded } from '../../src/store/embedded.ts';

test('a scratch server accepts a login by password and is gone after stop', async () => {
  const server = await startEmbedded();
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  const { rows } = await client.query('select 6 * 7 as answer');
  await client.end();
  await server.stop();
  expect(rows).toEqual([{ answer: 42 }]);
  expect(existsSync(server.directory)).toBe(false);
});

test('a server that cannot start is an error with its log, and nothing hangs', async () => {
  await expect(startEmbedded({ settings: { no_such_setting: '1' } })).rejects.toThrow(
    /did not start[\s\S]*no_such_setting/,
  );
});

test.runIf(process.getuid?.() === 0)(
  'as root, the programs are where the user of the server can run them',
  async () => {
    const { folder, owner } = await binaries();
    expect(owner?.uid).toBeGreaterThan(0);
    expect(spawnSync(join(folder, 'postgres'), ['--version'], { ...owner, cwd: '/' }).status).toBe(0);
  },
);
