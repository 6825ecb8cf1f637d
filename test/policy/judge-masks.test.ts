// Verdicts by masks over hand-built readings, as a table: conditions, flows, outputs, and what cannot be read.
import { describe, expect, test } from 'vitest';
import { judge } from '../../src/policy/index.ts';
import {
  type Case,
  column,
  email,
  open,
  output,
  reading,
  session,
  short,
  source,
  ssn,
  ssnCopy,
  strict,
  uses,
} from './support.ts';

const cases: readonly Case[] = [
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

describe('masks', () => {
  test.each(cases)('%s', (_name, policy, part, expected) => {
    expect(short(judge(session(policy), reading(part)))).toBe(expected);
  });
});
