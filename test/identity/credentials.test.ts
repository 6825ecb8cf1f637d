// Looking credentials up: many at once share a query, and an answer is never older than its question.
import { expect, test } from 'vitest';
import { credentialFinder, isCredentialUser, keepingFinder } from '../../src/identity/index.ts';
import type { Queries } from '../../src/store/types.ts';

const name = (n: number) => `sp-${'abcdefghijkl'.slice(0, 11)}${'abcdefghijklmnopqrstuvwxyz234567'[n % 32]}`;
const key = Buffer.alloc(32).toString('base64');

function row(user: string) {
  return {
    user_name: user,
    target: 'shop',
    scram: `SCRAM-SHA-256$4096:${key}$${key}:${key}`,
    mysql_native: Buffer.alloc(20),
    mysql_sha2: Buffer.alloc(32),
    identity: { issuer: 'i', subject: user, name: user, groups: [], expiresAt: 1, actors: [] },
    expires: 1000,
    revoked: false,
  };
}

function slowStore(answer: (users: readonly string[]) => readonly object[]) {
  const asked: (readonly string[])[] = [];
  const store: Queries = {
    async query<T extends object>(_text: string, values: readonly unknown[] = []) {
      const users = values[0] as readonly string[];
      asked.push(users);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return answer(users) as readonly T[];
    },
  };
  return { store, asked };
}

test('lookups that come together share a query', async () => {
  const { store, asked } = slowStore((users) => users.map(row));
  const find = credentialFinder(store);
  const found = await Promise.all(Array.from({ length: 1000 }, (_, n) => find(name(n))));
  expect(found.map((each) => each?.identity.subject)).toEqual(Array.from({ length: 1000 }, (_, n) => name(n)));
  // The first alone, the others in parts of 500.
  expect(asked.length).toBe(3);
  expect(asked[1]).toHaveLength(32);
});

test('what was asked for while a query ran is asked for anew', async () => {
  let there = false;
  const { store } = slowStore((users) => (there ? users.map(row) : []));
  const find = credentialFinder(store);
  const first = find(name(1));
  const second = find(name(1));
  await expect(first).resolves.toBeUndefined();
  there = true;
  await expect(second).resolves.toMatchObject({ user: name(1), identity: { tokenId: undefined } });
});

test('a store that fails fails those that asked, and no others', async () => {
  let broken = true;
  const { store } = slowStore((users) => {
    if (broken) throw new Error('gone');
    return users.map(row);
  });
  const find = credentialFinder(store);
  await expect(find(name(1))).rejects.toThrow('gone');
  broken = false;
  await expect(find(name(1))).resolves.toMatchObject({ user: name(1) });
});

test('names that no credential has are not asked for', async () => {
  const { store, asked } = slowStore(() => []);
  const find = credentialFinder(store);
  for (const user of ['agent', 'sp-', 'sp-ABCDEFGHIJKL', "sp-abcdefghijk'", `${name(1)}x`]) {
    expect(isCredentialUser(user)).toBe(false);
    expect(await find(user)).toBeUndefined();
  }
  expect(asked).toEqual([]);
});

test('what was found is kept for a minute and not beyond its end; what was not found, or is revoked, is asked for again', async () => {
  let revoked = false;
  let now = 1_000_000;
  const { store, asked } = slowStore((users) =>
    users.filter((user) => user !== name(9)).map((user) => ({ ...row(user), expires: now + 90_000, revoked })),
  );
  const find = keepingFinder(credentialFinder(store), () => now);
  for (let turn = 0; turn < 3; turn += 1) await expect(find(name(1))).resolves.toMatchObject({ user: name(1) });
  expect(asked).toHaveLength(1);
  now += 61_000;
  await find(name(1));
  expect(asked).toHaveLength(2);
  for (let turn = 0; turn < 2; turn += 1) await expect(find(name(9))).resolves.toBeUndefined();
  expect(asked).toHaveLength(4);
  revoked = true;
  now += 61_000;
  for (let turn = 0; turn < 2; turn += 1) await expect(find(name(1))).resolves.toMatchObject({ revoked: true });
  expect(asked).toHaveLength(6);
});
