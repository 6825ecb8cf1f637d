// Verdicts by roles and rules over hand-built readings, as a table.
import { describe, expect, test } from 'vitest';
import { judge } from '../../src/policy/index.ts';
import {
  type Case,
  deleteAll,
  drop,
  dropVerbs,
  everything,
  hold,
  noDrops,
  output,
  reader,
  reading,
  rule,
  session,
  short,
  source,
  table,
  unbounded,
  uses,
} from './support.ts';

const madeAtRunTime = { opaque: [{ kind: 'dynamic-sql', name: 'DO', why: 'runs SQL text made at run time' }] } as const;

const cases: readonly Case[] = [
  // What cannot be read may do anything.
  ['SQL made at run time needs a role without limits', { roles: [reader] }, madeAtRunTime, 'deny opaque-function'],
  ['and no rule in its way', { roles: [everything], rules: [noDrops] }, madeAtRunTime, 'deny opaque-function'],
  ['with both it passes', { roles: [everything] }, madeAtRunTime, 'allow'],
  [
    'compiled code that is not known to run SQL passes',
    { roles: [reader], rules: [noDrops] },
    { opaque: [{ kind: 'unseen', name: 'public.uuid_generate_v4', why: 'its body cannot be read (language c)' }] },
    'allow',
  ],
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
];

describe('roles and rules', () => {
  test.each(cases)('%s', (_name, policy, part, expected) => {
    expect(short(judge(session(policy), reading(part)))).toBe(expected);
  });
});
