// Verdicts over hand-built readings, as a table: what is allowed, what is denied by which rule, what an output looks like.
import { describe, expect, test } from 'vitest';
import { judge, type Verdict } from '../../src/policy/index.ts';
import type { ColumnUse, Reading } from '../../src/sql/index.ts';
import {
  column,
  everything,
  output,
  type PolicyParts,
  reader,
  reading,
  rule,
  session,
  source,
  table,
} from './support.ts';

const ssn = { columns: ['shop.public.customers.ssn'], mask: { 'keep-last': 4 } };
const ssnCopy = { columns: ['shop.public.vault.ssn'], mask: { 'keep-last': 4 } };
const email = { columns: ['*.*.*.email'], mask: 'email' };
const strict = { columns: ['shop.public.customers.ssn'], predicates: 'deny' };
const open = { columns: ['shop.public.customers.ssn'], predicates: 'allow' };
const dropVerbs = { verbs: ['drop', 'truncate'] };
const noDrops = rule('no-drops', dropVerbs, 'deny');
const unbounded = rule('unbounded', { verbs: ['update', 'delete'], unbounded: true }, 'deny');
const hold = rule('ask', { verbs: ['delete'] }, 'hold', { approvers: { groups: ['dba'] } });

function uses(how: ColumnUse['how'], more: Partial<ColumnUse> = {}): Partial<Reading> {
  return { uses: [{ column: column('customers.ssn'), how, ...more }] };
}

const deleteAll: Partial<Reading> = {
  verbs: ['delete'],
  summary: 'DELETE FROM orders',
  tables: [table('orders', 'write')],
  unbounded: [{ verb: 'delete', table: { schema: 'public', table: 'orders' }, why: 'no WHERE' }],
};
const drop: Partial<Reading> = {
  verbs: ['drop'],
  summary: 'DROP TABLE customers',
  tables: [table('customers', 'ddl')],
};

/** What a verdict comes to, in short. */
function short(verdict: Verdict): string {
  if (verdict.kind !== 'allow') return `${verdict.kind} ${verdict.rule}`;
  const masks = verdict.masks.map((mask) =>
    mask === undefined ? '-' : mask.kind === 'redact' ? 'redact' : mask.mask.spec.kind,
  );
  return ['allow', ...masks].join(' ');
}

type Case = readonly [name: string, policy: PolicyParts, reading: Partial<Reading>, expected: string];

const cases: readonly Case[] = [
  // Roles.
  ['a role that allows reading allows SELECT', { roles: [reader] }, {}, 'allow'],
  ['a role that allows reading does not allow DELETE', { roles: [reader] }, deleteAll, 'deny no-role'],
  [
    'a write inside a read is not allowed by a reading role',
    { roles: [reader] },
    { verbs: ['select', 'delete'] },
    'deny no-role',
  ],
  ['single verbs can be allowed', { roles: [{ ...reader, allow: ['delete'] }] }, deleteAll, 'allow'],
  [
    'one role must allow all verbs of a statement',
    { roles: [reader, { ...reader, name: 'w', allow: ['delete'] }] },
    { verbs: ['select', 'delete'] },
    'deny no-role',
  ],
  ["transactions are everyone's", { roles: [reader] }, { verbs: ['begin'], tables: [] }, 'allow'],
  [
    'drivers may set and reset',
    { roles: [reader] },
    { verbs: ['set'], tables: [], settings: [{ name: 'extra_float_digits', value: '3' }] },
    'allow',
  ],
  [
    'SET ROLE takes more than reading',
    { roles: [reader] },
    { verbs: ['set'], tables: [], settings: [{ name: 'role', value: 'postgres' }] },
    'deny no-role',
  ],
  [
    'SET GLOBAL takes more than reading',
    { roles: [reader] },
    { verbs: ['set'], tables: [], settings: [{ name: 'global.max_connections', value: '1' }] },
    'deny no-role',
  ],
  [
    'SET ROLE is allowed with session',
    { roles: [{ ...reader, allow: ['read', 'session'] }] },
    { verbs: ['set'], tables: [], settings: [{ name: 'role', value: 'postgres' }] },
    'allow',
  ],
  ['LISTEN takes session', { roles: [reader] }, { verbs: ['listen'], tables: [] }, 'deny no-role'],
  ['a PREPARE is judged by what it stands for', { roles: [reader] }, { verbs: ['prepare', 'delete'] }, 'deny no-role'],
  ['EXPLAIN of a read is a read', { roles: [reader] }, { verbs: ['explain', 'select'] }, 'allow'],
  [
    'COPY to a program takes admin',
    { roles: [{ ...reader, allow: ['read', 'write', 'ddl', 'session'] }] },
    { verbs: ['copy-to', 'program'] },
    'deny no-role',
  ],
  // Tables of roles.
  ['a table of the patterns is allowed', { roles: [{ ...reader, tables: ['public.*'] }] }, {}, 'allow'],
  ['a table beside the patterns is not', { roles: [{ ...reader, tables: ['sales.*'] }] }, {}, 'deny no-role'],
  [
    'every table must be among the patterns',
    { roles: [{ ...reader, tables: ['public.customers'] }] },
    { tables: [table('customers'), table('salaries')] },
    'deny no-role',
  ],
  ['patterns of roles mind the case', { roles: [{ ...reader, tables: ['public.Customers'] }] }, {}, 'deny no-role'],
  [
    'a table behind a view needs no pattern',
    { roles: [{ ...reader, tables: ['public.v'] }] },
    { tables: [table('v'), table('secret.t', 'read', false)] },
    'allow',
  ],
  [
    'the catalog may be read under any patterns',
    { roles: [{ ...reader, tables: ['public.*'] }] },
    { tables: [table('pg_catalog.pg_class'), table('information_schema.tables')] },
    'allow',
  ],
  [
    'the catalog may not be written for that',
    { roles: [{ ...everything, tables: ['public.*'] }] },
    { verbs: ['update'], tables: [table('pg_catalog.pg_class', 'write')] },
    'deny no-role',
  ],
  [
    "temporary tables are the session's own",
    { roles: [{ ...reader, tables: ['public.*'] }] },
    { tables: [table('pg_temp.scratch')] },
    'allow',
  ],
  [
    "MySQL's own schemas are not metadata but for information_schema",
    { roles: [{ ...reader, tables: ['crm.*'] }] },
    { dialect: 'mysql', tables: [table('mysql.user')] },
    'deny no-role',
  ],
  [
    'a missing table under patterns is refused as the server would',
    { roles: [{ ...reader, tables: ['public.*'] }] },
    {
      tables: [{ ...table('nope'), schema: '' }],
      opaque: [
        {
          kind: 'relation',
          name: 'nope',
          why: 'not found',
          missing: { sqlstate: '42P01', message: 'relation "nope" does not exist' },
        },
      ],
    },
    'deny unresolved',
  ],
  [
    'a missing table without patterns is left to the server',
    { roles: [reader] },
    {
      tables: [{ ...table('nope'), schema: '' }],
      opaque: [
        {
          kind: 'relation',
          name: 'nope',
          why: 'not found',
          missing: { sqlstate: '42P01', message: 'relation "nope" does not exist' },
        },
      ],
    },
    'allow',
  ],
  [
    'an unresolved table under patterns is denied',
    { roles: [{ ...reader, tables: ['public.*'] }] },
    { tables: [{ ...table('x'), schema: '' }] },
    'deny no-role',
  ],
  // Rules.
  ['a rule denies its verb', { rules: [noDrops] }, drop, 'deny no-drops'],
  ['a rule leaves other verbs alone', { rules: [noDrops] }, {}, 'allow'],
  ['a rule finds its verb anywhere in the statement', { rules: [noDrops] }, { verbs: ['do', 'drop'] }, 'deny no-drops'],
  ['a rule may name a class of verbs', { rules: [rule('r', { verbs: ['ddl'] }, 'deny')] }, drop, 'deny r'],
  ['an unbounded write is denied', { rules: [unbounded] }, deleteAll, 'deny unbounded'],
  ['a bounded write is not', { rules: [unbounded] }, { ...deleteAll, unbounded: [] }, 'allow'],
  [
    'an unbounded write of another verb is not meant',
    { rules: [{ ...unbounded, on: { verbs: ['update'], unbounded: true } }] },
    { ...deleteAll, verbs: ['update', 'delete'] },
    'allow',
  ],
  [
    'unbounded: false means bounded writes',
    { rules: [rule('r', { verbs: ['delete'], unbounded: false }, 'deny')] },
    deleteAll,
    'allow',
  ],
  ['deny beats hold', { rules: [hold, rule('never', { verbs: ['delete'] }, 'deny')] }, deleteAll, 'deny never'],
  ['hold beats allow', { rules: [rule('fine', { verbs: ['delete'] }, 'allow'), hold] }, deleteAll, 'hold ask'],
  [
    'an allow rule gives no right that no role gives',
    { roles: [reader], rules: [rule('fine', { verbs: ['delete'] }, 'allow')] },
    deleteAll,
    'deny no-role',
  ],
  [
    'the first rule that denies is named',
    { rules: [noDrops, rule('later', { verbs: ['drop'] }, 'deny')] },
    drop,
    'deny no-drops',
  ],
  ['a rule on a table finds it', { rules: [rule('r', { tables: ['public.customers'] }, 'deny')] }, {}, 'deny r'],
  ['a rule on a table minds no case', { rules: [rule('r', { tables: ['PUBLIC.Customers'] }, 'deny')] }, {}, 'deny r'],
  [
    'a rule on a table finds it behind a view',
    { rules: [rule('r', { tables: ['secret.*'] }, 'deny')] },
    { tables: [table('v'), table('secret.t', 'read', false)] },
    'deny r',
  ],
  [
    'a rule on deletes of a table leaves a read of it beside alone',
    { rules: [rule('r', { verbs: ['delete'], tables: ['public.customers'] }, 'deny')] },
    { ...deleteAll, tables: [table('orders', 'write'), table('customers')] },
    'allow',
  ],
  [
    'an unresolved table may be any',
    { rules: [rule('r', { tables: ['public.customers'] }, 'deny')] },
    { tables: [{ ...table('customers'), schema: '' }] },
    'deny r',
  ],
  [
    'a rule on a column finds it in the output',
    { rules: [rule('r', { columns: ['*.*.ssn'] }, 'deny')] },
    { outputs: [output(source('customers.ssn', 'derived'))] },
    'deny r',
  ],
  [
    'a rule on a column finds it in a condition',
    { rules: [rule('r', { columns: ['*.*.ssn'] }, 'deny')] },
    uses('range'),
    'deny r',
  ],
  [
    'a rule on a function finds it without schema',
    { rules: [rule('r', { functions: ['pg_sleep'] }, 'deny')] },
    { functions: ['pg_catalog.pg_sleep'] },
    'deny r',
  ],
  [
    'a rule on functions takes wildcards',
    { rules: [rule('r', { functions: ['pg_read_*'] }, 'deny')] },
    { functions: ['pg_catalog.pg_read_file'] },
    'deny r',
  ],
  [
    'a rule on a function of a schema fits an unresolved one',
    { rules: [rule('r', { functions: ['dblink.connect'] }, 'deny')] },
    { functions: ['connect'] },
    'deny r',
  ],
  [
    'all conditions of a rule must hold',
    { rules: [rule('r', { verbs: ['drop'], tables: ['public.orders'] }, 'deny')] },
    drop,
    'allow',
  ],
  [
    'a rule for other targets does not count here',
    { rules: [rule('no-drops', { ...dropVerbs, targets: ['other'] }, 'deny')] },
    drop,
    'allow',
  ],
  [
    'a rule for other groups does not count',
    { rules: [rule('no-drops', { ...dropVerbs, groups: ['interns'] }, 'deny')] },
    drop,
    'allow',
  ],
  [
    "a rule for the identity's group counts",
    { rules: [rule('no-drops', { ...dropVerbs, groups: ['crew'] }, 'deny')] },
    drop,
    'deny no-drops',
  ],
  [
    "a rule for the identity's role counts",
    { rules: [rule('no-drops', { ...dropVerbs, roles: ['all'] }, 'deny')] },
    drop,
    'deny no-drops',
  ],
  ['a rule in observe mode is not enforced', { rules: [{ ...noDrops, mode: 'observe' }] }, drop, 'allow'],
  // What cannot be read.
  [
    'an opaque statement is denied, masks or not',
    {},
    { opaque: [{ kind: 'statement', name: '', why: 'unknown statement' }] },
    'deny unreadable',
  ],
  [
    'an opaque function is allowed where no masks apply',
    {},
    { opaque: [{ kind: 'function', name: 'public.f', why: 'written in C' }] },
    'allow',
  ],
  [
    'an opaque function is denied while masks apply',
    { masks: [ssn] },
    { opaque: [{ kind: 'function', name: 'public.f', why: 'written in C' }] },
    'deny opaque-function',
  ],
  [
    'a trusted function is allowed',
    { masks: [ssn], target: { 'trusted-functions': ['public.f'] } },
    { opaque: [{ kind: 'function', name: 'public.f(integer)', why: 'written in C' }] },
    'allow',
  ],
  [
    'trust in a bare name does not reach another schema',
    { masks: [ssn], target: { 'trusted-functions': ['f'] } },
    { opaque: [{ kind: 'function', name: 'evil.f', why: 'written in C' }] },
    'deny opaque-function',
  ],
  [
    'dynamic SQL is denied while masks apply',
    { masks: [ssn] },
    { opaque: [{ kind: 'dynamic-sql', name: 'query_to_xml', why: 'runs a text' }] },
    'deny opaque-function',
  ],
  [
    'an unresolved column is denied while masks apply',
    { masks: [ssn] },
    { opaque: [{ kind: 'column', name: 'x', why: 'ambiguous' }] },
    'deny unresolved',
  ],
  [
    'a side door is closed while masks apply',
    { masks: [ssn] },
    { sideDoors: [{ name: 'pg_stats', why: 'shows values' }] },
    'deny side-door',
  ],
  ['a side door is open where no masks apply', {}, { sideDoors: [{ name: 'pg_stats', why: 'shows values' }] }, 'allow'],
  [
    'masks of another target close nothing here',
    { masks: [{ columns: ['other.*.*.ssn'] }] },
    { sideDoors: [{ name: 'pg_stats', why: 'shows values' }] },
    'allow',
  ],
  // Conditions on masked columns.
  ['equality with a constant is allowed', { masks: [ssn] }, uses('equality', { constants: 1 }), 'allow'],
  ['IS NULL is allowed', { masks: [ssn] }, uses('equality', { constants: 0 }), 'allow'],
  ['a hundred constants are allowed', { masks: [ssn] }, uses('equality', { constants: 100 }), 'allow'],
  ['a hundred and one are not', { masks: [ssn] }, uses('equality', { constants: 101 }), 'deny masked-predicate'],
  [
    'constants are counted over the whole statement',
    { masks: [ssn, email] },
    {
      uses: [
        { column: column('customers.ssn'), how: 'equality', constants: 60 },
        { column: column('customers.email'), how: 'equality', constants: 60 },
      ],
    },
    'deny masked-predicate',
  ],
  [
    'constants for unmasked columns do not count',
    { masks: [ssn] },
    { uses: [{ column: column('customers.id'), how: 'equality', constants: 5000 }] },
    'allow',
  ],
  [
    'equality with an unmasked column is denied',
    { masks: [ssn] },
    uses('equality', { with: [column('guesses.ssn')] }),
    'deny masked-predicate',
  ],
  [
    'whichever side the masked column stands on',
    { masks: [ssn] },
    { uses: [{ column: column('guesses.ssn'), how: 'equality', with: [column('customers.ssn')] }] },
    'deny masked-predicate',
  ],
  [
    'equality with a column under the same mask is allowed',
    { masks: [ssn, ssnCopy] },
    uses('equality', { with: [column('vault.ssn')] }),
    'allow',
  ],
  [
    'equality with a column under another mask is denied',
    { masks: [ssn, email] },
    uses('equality', { with: [column('customers.email')] }),
    'deny masked-predicate',
  ],
  ['count is allowed', { masks: [ssn] }, uses('count'), 'allow'],
  ['count is allowed even where conditions are not', { masks: [strict] }, uses('count'), 'allow'],
  ...(
    [
      'range',
      'pattern',
      'order',
      'group',
      'window',
      'distinct',
      'computed',
      'join',
      'min-max',
      'limit',
      'set-operation',
      'branch',
      'argument',
    ] as const
  ).map((how): Case => [`${how} of a masked column is denied`, { masks: [ssn] }, uses(how), 'deny masked-predicate']),
  [
    'range of an unmasked column is allowed',
    { masks: [ssn] },
    { uses: [{ column: column('customers.id'), how: 'range' }] },
    'allow',
  ],
  [
    'predicates: deny forbids equality too',
    { masks: [strict] },
    uses('equality', { constants: 1 }),
    'deny masked-predicate',
  ],
  ['predicates: allow lets a range through', { masks: [open] }, uses('range'), 'allow'],
  ['the strictest predicates of several masks hold', { masks: [open, strict] }, uses('range'), 'deny masked-predicate'],
  ['a mask in observe mode forbids nothing', { masks: [{ ...ssn, mode: 'observe' }] }, uses('range'), 'allow'],
  [
    'an excused role may compare as it likes',
    { masks: [{ ...ssn, unless: { roles: ['all'] } }] },
    uses('range'),
    'allow',
  ],
  [
    'an excused group may compare as it likes',
    { masks: [{ ...ssn, unless: { groups: ['crew'] } }] },
    uses('range'),
    'allow',
  ],
  [
    'excuses for others do not help',
    { masks: [{ ...ssn, unless: { groups: ['fraud'] } }] },
    uses('range'),
    'deny masked-predicate',
  ],
  // Flows.
  [
    'a masked value into an unmasked column is denied',
    { masks: [ssn] },
    { flows: [{ from: [source('customers.ssn')], into: { kind: 'column', ...column('notes.text') } }] },
    'deny masked-flow',
  ],
  [
    'a copy under the same mask is allowed',
    { masks: [ssn, ssnCopy] },
    { flows: [{ from: [source('customers.ssn')], into: { kind: 'column', ...column('vault.ssn') } }] },
    'allow',
  ],
  [
    'a computed value under the same mask is another value',
    { masks: [ssn, ssnCopy] },
    { flows: [{ from: [source('customers.ssn', 'derived')], into: { kind: 'column', ...column('vault.ssn') } }] },
    'deny masked-flow',
  ],
  [
    'a copy into a column that shows nothing is allowed',
    { masks: [ssn, { columns: ['shop.public.vault.x'] }] },
    { flows: [{ from: [source('customers.ssn')], into: { kind: 'column', ...column('vault.x') } }] },
    'allow',
  ],
  [
    'but not where its conditions are freer',
    { masks: [ssn, { columns: ['shop.public.vault.x'], predicates: 'allow' }] },
    { flows: [{ from: [source('customers.ssn')], into: { kind: 'column', ...column('vault.x') } }] },
    'deny masked-flow',
  ],
  [
    'a masked value into a new table is denied',
    { masks: [ssn] },
    {
      verbs: ['create', 'select'],
      flows: [{ from: [source('customers.ssn', 'derived')], into: { kind: 'place', what: 'new-table' } }],
    },
    'deny masked-flow',
  ],
  [
    'a masked value into a notification is denied',
    { masks: [ssn] },
    { flows: [{ from: [source('customers.ssn')], into: { kind: 'place', what: 'notify' } }] },
    'deny masked-flow',
  ],
  [
    'unmasked values may go where they like',
    { masks: [ssn] },
    { flows: [{ from: [source('customers.id')], into: { kind: 'place', what: 'new-table' } }] },
    'allow',
  ],
  [
    'rows chosen by a masked column are a matter of conditions',
    { masks: [ssn] },
    { flows: [{ from: [source('customers.ssn', 'chosen')], into: { kind: 'place', what: 'new-table' } }] },
    'allow',
  ],
  // Outputs.
  [
    'a copied column gets its own mask',
    { masks: [ssn] },
    { outputs: [output(source('customers.id')), output(source('customers.ssn'))] },
    'allow - keep-last',
  ],
  [
    'a computed column is redacted whole',
    { masks: [ssn] },
    { outputs: [output(source('customers.ssn', 'derived'))] },
    'allow redact',
  ],
  [
    'copies of two columns under one mask get it',
    { masks: [ssn, ssnCopy] },
    { outputs: [output(source('customers.ssn'), source('vault.ssn'))] },
    'allow keep-last',
  ],
  [
    'copies of columns under different masks are redacted',
    { masks: [ssn, email] },
    { outputs: [output(source('customers.ssn'), source('customers.email'))] },
    'allow redact',
  ],
  [
    'a copy beside an unmasked column gets the mask',
    { masks: [ssn] },
    { outputs: [output(source('customers.ssn'), source('customers.name'))] },
    'allow keep-last',
  ],
  [
    'a copy beside a computed masked one is redacted',
    { masks: [ssn, email] },
    { outputs: [output(source('customers.ssn'), source('customers.email', 'derived'))] },
    'allow redact',
  ],
  [
    'an output only chosen by a masked column is left',
    { masks: [ssn] },
    { outputs: [output(source('customers.ssn', 'chosen'), source('customers.name'))] },
    'allow -',
  ],
  [
    'patterns of masks mind no case',
    { masks: [{ ...ssn, columns: ['SHOP.Public.CUSTOMERS.Ssn'] }] },
    { outputs: [output(source('customers.ssn'))] },
    'allow keep-last',
  ],
  [
    'the first mask of a column wins',
    { masks: [ssn, { columns: ['*.*.*.ssn'], mask: 'hash' }] },
    { outputs: [output(source('customers.ssn'))] },
    'allow keep-last',
  ],
  [
    'an enforced mask wins over an earlier observed one',
    {
      masks: [
        { ...ssn, mode: 'observe' },
        { columns: ['*.*.*.ssn'], mask: 'hash' },
      ],
    },
    { outputs: [output(source('customers.ssn'))] },
    'allow hash',
  ],
  ['a column that is not listed is left', { masks: [ssn] }, { outputs: [output(source('orders.ssn'))] }, 'allow -'],
  [
    'an unresolved column may be a masked one',
    { masks: [ssn] },
    { outputs: [output({ ...source('customers.ssn'), schema: '' })] },
    'allow keep-last',
  ],
];

describe('judge', () => {
  test.each(cases)('%s', (_name, policy, part, expected) => {
    expect(short(judge(session(policy), reading(part)))).toBe(expected);
  });
});

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
