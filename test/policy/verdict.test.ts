// What a verdict says besides its kind: message, hint, limits, approvers, what would have been.
import { describe, expect, test } from 'vitest';
import { judge } from '../../src/policy/index.ts';
import type { Reading } from '../../src/sql/index.ts';
import {
  column,
  deleteAll,
  drop,
  email,
  everything,
  hold,
  noDrops,
  output,
  reader,
  reading,
  session,
  source,
  ssn,
  table,
  unbounded,
  uses,
} from './support.ts';

describe('a verdict', () => {
  test('names the rule and the statement, and the way out', () => {
    expect(judge(session({ rules: [noDrops] }), reading(drop))).toMatchObject({
      kind: 'deny',
      message: 'denied by rule "no-drops": DROP TABLE customers',
      role: 'all',
    });
    expect(judge(session({ rules: [unbounded] }), reading(deleteAll))).toMatchObject({
      message: 'denied by rule "unbounded": DELETE FROM orders (no WHERE)',
      hint: 'Add a condition that picks the rows you mean.',
    });
    expect(judge(session({ rules: [{ ...noDrops, message: 'Ask the DBA.' }] }), reading(drop))).toMatchObject({
      hint: 'Ask the DBA.',
    });
    expect(judge(session({ roles: [reader] }), reading(deleteAll))).toMatchObject({
      message: 'denied by rule "no-role": DELETE FROM orders',
      hint: 'Roles of this session (reader) allow read, not delete.',
      role: undefined,
    });
    expect(judge(session({ masks: [ssn] }), reading(uses('range', { position: 33 })))).toMatchObject({
      message: 'denied by rule "masked-predicate": SELECT FROM customers (customers.ssn in a range)',
      position: 33,
    });
  });

  test('imitates the server about a name that is not there', () => {
    const missing = { sqlstate: '42P01', message: 'relation "nope" does not exist' };
    const opaque = [{ kind: 'relation' as const, name: 'nope', why: 'not found', position: 15, missing }];
    expect(judge(session({ masks: [ssn] }), reading({ opaque }))).toMatchObject({
      kind: 'deny',
      ...missing,
      position: 15,
    });
  });

  test('carries the limits of the role that allows it', () => {
    const small = { ...reader, 'max-rows': 10, 'statement-timeout': '2s' };
    expect(judge(session({ roles: [small, everything] }), reading())).toMatchObject({
      role: 'reader',
      maxRows: 10,
      statementTimeoutMs: 2000,
    });
    expect(judge(session({ roles: [small, everything] }), reading(deleteAll))).toMatchObject({
      role: 'all',
      maxRows: undefined,
    });
  });

  test('of a hold has the approvers and what is allowed afterwards', () => {
    const verdict = judge(
      session({ rules: [hold], masks: [ssn] }),
      reading({ ...deleteAll, outputs: [output(source('customers.ssn'))] }),
    );
    expect(verdict).toMatchObject({
      kind: 'hold',
      rule: 'ask',
      message: 'held by rule "ask": DELETE FROM orders',
      approvers: { groups: ['dba'], count: 1, timeoutMs: 600_000 },
      after: { kind: 'allow', masks: [{ kind: 'mask' }] },
    });
  });

  test('records what observed rules and masks would have done', () => {
    const verdict = judge(
      session({ rules: [{ ...noDrops, mode: 'observe' }], masks: [{ ...ssn, mode: 'observe' }] }),
      reading({ ...drop, ...uses('range'), outputs: [output(source('customers.ssn'))] }),
    );
    expect(verdict).toMatchObject({ kind: 'allow', touchesMasked: false });
    expect(verdict.wouldBe.map((decision) => decision.rule)).toEqual(['no-drops', 'masked-predicate']);
    expect(verdict.kind === 'allow' && verdict.masks[0]).toMatchObject({ kind: 'mask', mask: { observe: true } });
  });

  test('denies nothing when the whole file observes, and says what it would have done', () => {
    const observing = session({ roles: [], rules: [noDrops], masks: [ssn], more: { mode: 'observe' } }, ['nobody']);
    const verdict = judge(
      observing,
      reading({ ...drop, ...uses('range'), opaque: [{ kind: 'statement', name: '', why: 'unknown' }] }),
    );
    expect(verdict.kind).toBe('allow');
    expect(verdict.wouldBe.map((decision) => decision.rule)).toEqual([
      'unreadable',
      'no-role',
      'no-drops',
      'masked-predicate',
    ]);
  });

  test('withholds errors where a masked column is touched, or a table written that may have one', () => {
    const touches = (part: Partial<Reading>, facts?: Parameters<typeof judge>[2]) => {
      const verdict = judge(session({ masks: [ssn, email] }), reading(part), facts);
      return verdict.kind === 'allow' && verdict.touchesMasked;
    };
    expect(touches({ columns: [column('customers.ssn')] })).toBe(true);
    expect(touches({ outputs: [output(source('customers.ssn', 'chosen'))] })).toBe(true);
    expect(touches({ columns: [column('customers.id')] })).toBe(false);
    const insert: Partial<Reading> = { verbs: ['insert'], tables: [table('orders', 'write')] };
    expect(touches(insert)).toBe(true);
    expect(touches(insert, { columns: () => ['id', 'total'] })).toBe(false);
    expect(touches(insert, { columns: () => ['id', 'email'] })).toBe(true);
  });
});
