// A target's policy for identities: which roles hold, when, for whom masks apply, and what is kept between questions.
import { describe, expect, test } from 'vitest';
import { compilePolicy, judge } from '../../src/policy/index.ts';
import { column, config, email, everything, reader, reading, rule, ssn } from './support.ts';

const noon = new Date('2026-01-05T12:00:00Z');
const night = new Date('2026-01-05T23:00:00Z');
const byDay = { ...everything, name: 'day', hours: '07:00-19:00' };

describe('a target policy', () => {
  test('has no role for an identity without a group of any role', () => {
    const policy = compilePolicy(config({ roles: [reader] }), 'shop');
    expect(policy.forIdentity(['strangers'], [], noon)).toMatchObject({ kind: 'no-role', rule: 'no-role' });
    expect(policy.forIdentity([], [], noon)).toMatchObject({ kind: 'no-role' });
  });

  test('has no role on a target that no role names', () => {
    expect(compilePolicy(config({ roles: [reader] }), 'other').forIdentity(['crew'], [], noon)).toMatchObject({
      kind: 'no-role',
    });
    const anywhere = compilePolicy(config({ roles: [{ ...reader, targets: ['*'] }] }), 'other');
    expect(anywhere.forIdentity(['crew'], [], noon)).toMatchObject({ kind: 'session' });
  });

  test('gives a role of group * to everyone', () => {
    const policy = compilePolicy(config({ roles: [{ ...reader, groups: ['*'] }] }), 'shop');
    expect(policy.forIdentity([], [], noon)).toMatchObject({ kind: 'session', roles: ['reader'] });
  });

  test('gives granted roles besides, but only those of this target', () => {
    const policy = compilePolicy(
      config({
        roles: [
          reader,
          { ...everything, groups: ['dba'] },
          { ...everything, name: 'there', groups: ['dba'], targets: ['other'] },
        ],
      }),
      'shop',
    );
    expect(policy.forIdentity(['crew'], ['all', 'there', 'unknown'], noon)).toMatchObject({ roles: ['reader', 'all'] });
  });

  test('minds the hours of roles, and says that they change with time', () => {
    const policy = compilePolicy(config({ roles: [reader, byDay] }), 'shop');
    expect(policy.forIdentity(['crew'], [], noon)).toMatchObject({ roles: ['reader', 'day'], changesWithTime: true });
    expect(policy.forIdentity(['crew'], [], night)).toMatchObject({ roles: ['reader'], changesWithTime: true });
    const only = compilePolicy(config({ roles: [byDay] }), 'shop');
    expect(only.forIdentity(['crew'], [], night)).toMatchObject({
      kind: 'no-role',
      hint: expect.stringContaining('not at this hour'),
    });
    expect(only.forIdentity(['crew'], ['day'], night)).toMatchObject({ kind: 'no-role' });
  });

  test('excuses from a mask by a role only while the role holds', () => {
    const policy = compilePolicy(
      config({ roles: [reader, byDay], masks: [{ ...ssn, unless: { roles: ['day'] } }] }),
      'shop',
    );
    const masksAt = (time: Date) => {
      const session = policy.forIdentity(['crew'], [], time);
      return session.kind === 'session' && session.masksApply;
    };
    expect(masksAt(noon)).toBe(false);
    expect(masksAt(night)).toBe(true);
  });

  test('says which masks apply', () => {
    const masks = (mask: object) => {
      const session = compilePolicy(config({ masks: [mask] }), 'shop').forIdentity(['crew'], [], noon);
      return session.kind === 'session' && [session.masksApply, session.masksObserved];
    };
    expect(masks(ssn)).toEqual([true, false]);
    expect(masks({ ...ssn, mode: 'observe' })).toEqual([false, true]);
    expect(masks({ ...ssn, unless: { groups: ['crew'] } })).toEqual([false, false]);
    expect(masks({ ...ssn, columns: ['other.public.customers.ssn'] })).toEqual([false, false]);
  });

  test('finds the mask of a column, with the pattern that brought it', () => {
    const session = compilePolicy(config({ masks: [ssn, email] }), 'shop').forIdentity(['crew'], [], noon);
    if (session.kind !== 'session') throw new Error('no role');
    expect(session.maskFor(column('customers.ssn'))).toMatchObject({
      spec: { kind: 'keep-last' },
      pattern: 'shop.public.customers.ssn',
    });
    expect(session.maskFor(column('sales.leads.email'))).toMatchObject({
      spec: { kind: 'email' },
      pattern: '*.*.*.email',
    });
    expect(session.maskFor(column('customers.id'))).toBeUndefined();
    expect(session.maskFor(column('customers.id'))).toBeUndefined();
  });

  test('gives sessions alike the same object', () => {
    const policy = compilePolicy(
      config({ roles: [reader], rules: [rule('r', { verbs: ['drop'], groups: ['x'] }, 'deny')] }),
      'shop',
    );
    const first = policy.forIdentity(['crew'], [], noon);
    expect(policy.forIdentity(['crew', 'y'], [], night)).toBe(first);
    expect(policy.forIdentity(['crew', 'x'], [], noon)).not.toBe(first);
  });

  test('names masks that fit no column of the target', () => {
    const policy = compilePolicy(
      config({ masks: [ssn, { columns: ['shop.public.customers.snn', '*.*.*.email'] }] }),
      'shop',
    );
    expect(policy.masksWithoutColumn([column('customers.ssn'), column('customers.email')])).toEqual([
      'shop.public.customers.snn',
    ]);
  });

  test('throws for a target that is not in the file', () => {
    expect(() => compilePolicy(config({}), 'nowhere')).toThrow(RangeError);
  });

  test('keeps names with dots and quotes apart', () => {
    const session = compilePolicy(config({ masks: [{ columns: ['shop."my.schema".t.c'] }] }), 'shop').forIdentity(
      ['crew'],
      [],
      noon,
    );
    if (session.kind !== 'session') throw new Error('no role');
    expect(session.maskFor({ schema: 'my.schema', table: 't', column: 'c' })).toBeDefined();
    expect(session.maskFor({ schema: 'my', table: 'schema.t', column: 'c' })).toBeUndefined();
  });

  test('matches wildcards anywhere in a part, in time that does not explode', () => {
    const pattern = `shop.*.${'*a'.repeat(30)}*b.*`;
    const session = compilePolicy(
      config({ masks: [{ columns: [pattern, 'shop.*.cust*.*_number'] }] }),
      'shop',
    ).forIdentity(['crew'], [], noon);
    if (session.kind !== 'session') throw new Error('no role');
    const verdict = judge(
      session,
      reading({ outputs: [{ name: 'c', sources: [{ ...column(`${'a'.repeat(60)}c.x`), how: 'copied' }] }] }),
    );
    expect(verdict).toMatchObject({ kind: 'allow', masks: [undefined] });
    expect(session.maskFor(column('customers.card_number'))).toBeDefined();
    expect(session.maskFor(column('customers.number'))).toBeUndefined();
    expect(session.maskFor(column('cust._number'))).toBeDefined();
  });
});
