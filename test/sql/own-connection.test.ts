// The gateway's own connection to a target: one use at a time, opened again after a loss.
import { expect, test } from 'vitest';
import { OwnConnection } from '../../src/sql/own-connection.ts';

function connections() {
  const opened: { readonly number: number; ended: boolean; end(): Promise<void> }[] = [];
  let lose: (number: number) => void = () => undefined;
  const own = new OwnConnection<(typeof opened)[number]>(async (lost) => {
    const connection = {
      number: opened.length + 1,
      ended: false,
      async end() {
        this.ended = true;
      },
    };
    opened.push(connection);
    lose = (number) => lost(opened[number - 1] ?? connection);
    return connection;
  });
  return { own, opened, lose: (number: number) => lose(number) };
}

test('uses come one after the other, on one connection, and a failed one does no harm', async () => {
  const { own, opened } = connections();
  const order: string[] = [];
  const slow = own.use(async ({ number }) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    order.push(`slow on ${number}`);
  });
  const failed = own.use(async () => Promise.reject(new Error('no')));
  const last = own.use(async ({ number }) => order.push(`last on ${number}`));
  await expect(failed).rejects.toThrow('no');
  await Promise.all([slow, last]);
  expect(order).toEqual(['slow on 1', 'last on 1']);
  expect(opened).toHaveLength(1);
});

test('a lost connection is opened again; the loss of an older one is no news', async () => {
  const { own, lose } = connections();
  await own.use(async () => undefined);
  lose(1);
  expect(await own.use(async ({ number }) => number)).toBe(2);
  lose(1);
  expect(await own.use(async ({ number }) => number)).toBe(2);
});

test('once closed it ends its connection and opens no other', async () => {
  const { own, opened } = connections();
  await own.use(async () => undefined);
  await own.close();
  expect(opened[0]?.ended).toBe(true);
  await expect(own.use(async () => undefined)).rejects.toThrow('the reader is closed');
  expect(opened).toHaveLength(1);
});
