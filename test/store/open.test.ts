// The control database: opened once for all, shared by processes, with signals between them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type Store } from '../../src/store/index.ts';

let data = '';
let store: Store;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'sallyport-store-'));
  store = await openStore({ store: { kind: 'embedded' }, data }, { as: 'host' });
});

afterAll(async () => {
  await store.close();
  await rm(data, { recursive: true, force: true });
});

test('a visitor reaches the server that a host runs, and leaves it running', async () => {
  const visitor = await openStore({ store: undefined, data }, { as: 'visitor' });
  expect(await visitor.query('select name from sallyport.migrations')).toEqual(
    await store.query('select name from sallyport.migrations'),
  );
  await visitor.close();
  expect(await store.query<{ one: number }>('select $1::int as one', [1])).toEqual([{ one: 1 }]);
});

test('a transaction that fails leaves nothing behind', async () => {
  await store.query('create table sallyport.try (n int)');
  await expect(
    store.transaction(async ({ query }) => {
      await query('insert into sallyport.try values (1)');
      throw new Error('changed my mind');
    }),
  ).rejects.toThrow('changed my mind');
  expect(await store.query('select * from sallyport.try')).toEqual([]);
});

test('a signal reaches every listener that shares the store', async () => {
  const visitor = await openStore({ store: undefined, data }, { as: 'visitor' });
  const heard: (string | undefined)[] = [];
  await new Promise<void>((resolve) => {
    visitor.listen('try', (payload) => {
      heard.push(payload);
      // The first call says that the subscription stands.
      if (payload === undefined) void store.notify('try', 'hello');
      else resolve();
    });
  });
  expect(heard).toEqual([undefined, 'hello']);
  await visitor.close();
});

test('a lost connection comes back, and says that signals may have been missed', async () => {
  let missed = 0;
  const again = new Promise<void>((resolve) => {
    store.listen('lost', (payload) => {
      if (payload !== undefined) return;
      missed++;
      if (missed === 1) {
        void store.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen "lost"' and pid <> pg_backend_pid()`,
        );
      } else resolve();
    });
  });
  await again;
  expect(missed).toBe(2);
});
