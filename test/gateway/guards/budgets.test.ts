// Budgets: what one identity may use, in windows of the clock, alone and over gateways that share a store.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Budgets } from '../../../src/gateway/guards/budgets.ts';
import { openStore, type Store } from '../../../src/store/index.ts';

const none = { sessions: undefined, statementsPerMinute: undefined, rowsPerMinute: undefined, bytesPerDay: undefined };

test('statements above the limit are refused until the next minute begins', () => {
  let now = 60_000 * 100 + 5000;
  const budgets = new Budgets({ store: undefined, gateway: 'a', now: () => now });
  const budget = { ...none, statementsPerMinute: 2 };
  expect(budgets.take('x', budget)).toBeUndefined();
  expect(budgets.take('x', budget)).toBeUndefined();
  expect(budgets.take('x', budget)).toEqual({ limit: 'statements-per-minute', most: 2, againInMs: 55_000 });
  expect(budgets.take('y', budget)).toBeUndefined();
  now += 55_000;
  expect(budgets.take('x', budget)).toBeUndefined();
});

test('rows count for the minute and bytes for the day they came in', () => {
  let now = 86_400_000 * 20_000;
  const budgets = new Budgets({ store: undefined, gateway: 'a', now: () => now });
  const budget = { ...none, rowsPerMinute: 100, bytesPerDay: 5000 };
  expect(budgets.take('x', budget)).toBeUndefined();
  budgets.used('x', 100, 4000);
  expect(budgets.take('x', budget)).toMatchObject({ limit: 'rows-per-minute' });
  now += 60_000;
  expect(budgets.take('x', budget)).toBeUndefined();
  budgets.used('x', 1, 1000);
  expect(budgets.take('x', budget)).toMatchObject({ limit: 'bytes-per-day', againInMs: 86_400_000 - 60_000 });
  now += 86_400_000;
  expect(budgets.take('x', budget)).toBeUndefined();
});

describe('over a store', () => {
  let data = '';
  let store: Store;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'sallyport-budgets-'));
    store = await openStore({ store: undefined, data }, { as: 'host' });
  });
  afterAll(async () => {
    await store.close();
    await rm(data, { recursive: true, force: true });
  });

  test('gateways add up what they let through, and one that starts anew knows of this day', async () => {
    const now = () => 86_400_000 * 20_001;
    const one = new Budgets({ store, gateway: 'one', now });
    const two = new Budgets({ store, gateway: 'two', now });
    const budget = { ...none, statementsPerMinute: 3, bytesPerDay: 1000 };
    one.take('x', budget);
    one.take('x', budget);
    two.take('x', budget);
    await one.share();
    await two.share();
    expect(two.take('x', budget)).toMatchObject({ limit: 'statements-per-minute' });
    one.used('x', 1, 1000);
    await one.close();
    const later = () => now() + 60_000;
    const anew = new Budgets({ store, gateway: 'three', now: later });
    anew.take('x', budget);
    await anew.share();
    expect(anew.take('x', budget)).toMatchObject({ limit: 'bytes-per-day' });
    await two.close();
    await anew.close();
  });
});
