// The embedded server starts, takes statements and leaves nothing behind.
import { existsSync } from 'node:fs';
import pg from 'pg';
import { expect, test } from 'vitest';
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
