// A session's answers when the rooms around it fail: a refusal is still a refusal.
import { expect, test } from 'vitest';
import type { Refusal, SessionId, Upstream } from '../../protocols/gate.ts';
import { Session } from '../../src/gateway/session.ts';
import { maskKey } from '../../src/masking/index.ts';
import type { ReadResult, SqlReader, SqlSession } from '../../src/sql/index.ts';

const unreadable: ReadResult = { kind: 'unreadable', message: 'syntax error', position: 1, sqlstate: '42601' };
const forbidden: ReadResult = { kind: 'forbidden', rule: 'unsafe-setting', message: 'SET x', hint: 'Leave it.' };
const upstream: Upstream = {
  target: 'shop',
  host: '127.0.0.1',
  port: 1,
  database: 'shop',
  user: 'gateway',
  password: undefined,
  tls: { mode: 'disable' },
  parameters: new Map(),
};
const noRole: Refusal = { kind: 'policy', rule: 'no-role', message: 'sallyport: no role' };

function sessionWith(append: () => void | Promise<void>, read: ReadResult): Session {
  const sql: SqlSession = {
    epoch: 0,
    read: () => read,
    settled: () => undefined,
    transaction: () => undefined,
    parameter: () => undefined,
  };
  const reader: SqlReader = {
    dialect: 'postgres',
    session: () => sql,
    column: () => undefined,
    columns: () => undefined,
    columnType: () => undefined,
    typeInfo: () => undefined,
    refresh: async () => undefined,
    close: async () => undefined,
  };
  return new Session({
    id: 's1' as SessionId,
    identity: { issuer: 'i', subject: 's', name: 'n', groups: [], expiresAt: 0, tokenId: undefined, actors: [] },
    client: '127.0.0.1:1',
    upstream,
    reader,
    sql,
    policy: () => noRole,
    maskKey: maskKey('a secret for tests only', 'shop'),
    detection: undefined,
    maxStatementBytes: 100,
    secondReader: 'off',
    audit: { append },
    now: () => 0,
    ended: () => undefined,
  });
}

const broken: readonly (readonly [string, () => void | Promise<void>])[] = [
  [
    'throws',
    () => {
      throw new Error('the disk is full');
    },
  ],
  ['rejects', () => Promise.reject(new Error('the disk is full'))],
];

test.each(broken)('a statement is refused all the same when the journal %s', async (_how, append) => {
  expect(await sessionWith(append, unreadable).judge('selec', 'simple')).toMatchObject({
    kind: 'deny',
    refusal: { kind: 'syntax', sqlstate: '42601' },
  });
  expect(await sessionWith(append, forbidden).judge('set x = 1', 'simple')).toMatchObject({
    kind: 'deny',
    refusal: { rule: 'unsafe-setting' },
  });
  expect(await sessionWith(append, forbidden).judge('x'.repeat(101), 'simple')).toMatchObject({
    kind: 'deny',
    refusal: { kind: 'limit', rule: 'max-statement-bytes' },
  });
});

test('a syntax error keeps the words of the server and names no record; every other refusal names its record', async () => {
  const quiet = () => undefined;
  const syntax = await sessionWith(quiet, unreadable).judge('selec', 'simple');
  expect(syntax).toMatchObject({ refusal: { message: 'syntax error', position: 1 } });
  expect(syntax).not.toHaveProperty('refusal.detail');
  expect(await sessionWith(quiet, forbidden).judge('set x = 1', 'simple')).toMatchObject({
    refusal: { detail: expect.stringMatching(/^record \S+$/) },
  });
});
