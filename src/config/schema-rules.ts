// The file's schema, the part that decides: roles, rules and masks.
import { z } from 'zod';
import { parseHours } from '../policy/index.ts';
import {
  approvers,
  choice,
  count,
  duration,
  flag,
  mode,
  name,
  names,
  pattern,
  size,
  someNames,
  text,
  verbOrClass,
} from './schema-values.ts';

export const role = z.strictObject(
  {
    name: name('a role name').describe('Stands in records and refusals.'),
    groups: names('group').describe(
      'Identities in any of these groups have the role; "*" is everyone with a valid token.',
    ),
    targets: someNames('target').describe('Targets it holds on; "*" is all.'),
    allow: z
      .array(verbOrClass, { error: 'expected a list such as [read] or [select, insert]' })
      .min(1, 'expected at least one verb or class of verbs')
      .describe('What it allows: read, write, ddl, session, admin, or single verbs.'),
    tables: z
      .array(pattern(2, 'schema.table'), { error: 'expected a list of patterns schema.table' })
      .min(1, 'expected at least one pattern; leave the key out for all tables')
      .optional()
      .describe('Tables it allows, schema.table with wildcards. Left out: all.'),
    hours: z
      .string({ error: 'expected hours such as "Mon-Fri 07:00-19:00 Europe/Berlin"' })
      .transform((value, context) => {
        const hours = parseHours(value);
        if (typeof hours !== 'string') return hours;
        context.issues.push({ code: 'custom', message: hours, input: value });
        return z.NEVER;
      })
      .optional()
      .describe('When it holds: "Mon-Fri 07:00-19:00 Europe/Berlin"; several windows divided by ";".'),
    'max-rows': count().optional().describe('A result ends with an error after this many rows.'),
    'statement-timeout': duration().optional().describe('A statement is cancelled after this long.'),
    budgets: z
      .strictObject({
        sessions: count().optional().describe('Sessions at a time for one identity.'),
        'statements-per-minute': count().optional().describe('Statements a minute for one identity.'),
        'rows-per-minute': count().optional().describe('Rows a minute for one identity.'),
        'bytes-per-day': size().optional().describe('Bytes a day for one identity.'),
      })
      .optional()
      .describe('What one identity may use up.'),
    request: z
      .strictObject({
        approvers: approvers().describe('Who may grant it.'),
        'max-duration': duration().prefault('8h').describe('Longest time it may be granted for.'),
      })
      .optional()
      .describe('Identities outside the groups may ask for this role for a time.'),
  },
  { error: 'expected a role, e.g. { name: support, groups: [crew-support], targets: [shop], allow: [read] }' },
);

const conditions = z
  .strictObject(
    {
      verbs: z
        .array(verbOrClass, { error: 'expected a list of verbs' })
        .min(1, 'expected at least one verb')
        .optional()
        .describe('What the statement does.'),
      tables: z
        .array(pattern(2, 'schema.table'), { error: 'expected a list of patterns schema.table' })
        .min(1, 'expected at least one pattern')
        .optional()
        .describe('Tables it touches, schema.table with wildcards.'),
      columns: z
        .array(pattern(3, 'schema.table.column'), { error: 'expected a list of patterns schema.table.column' })
        .min(1, 'expected at least one pattern')
        .optional()
        .describe('Columns it touches, schema.table.column with wildcards.'),
      functions: someNames('function')
        .optional()
        .describe('Functions it calls, with or without schema, wildcards allowed.'),
      unbounded: flag().optional().describe('True: it holds a write whose condition does not restrict it.'),
      targets: someNames('target').optional().describe('Only on these targets.'),
      roles: someNames('role').optional().describe('Only for identities with one of these roles.'),
      groups: someNames('group').optional().describe('Only for identities in one of these groups.'),
    },
    { error: 'expected conditions, e.g. { verbs: [drop, truncate] }' },
  )
  .refine((value) => Object.keys(value).length > 0, 'expected at least one condition, e.g. { verbs: [drop] }');

export const rule = z
  .strictObject(
    {
      name: name('a rule name').describe('Stands in records and refusals.'),
      on: conditions.describe('When it applies: all conditions given must hold.'),
      // biome-ignore lint/suspicious/noThenProperty: the file's own word for what a rule does; never a promise.
      then: choice('deny', 'hold', 'allow').describe('deny beats hold beats allow.'),
      message: text('a message').optional().describe('Said to the client when the rule refuses.'),
      approvers: approvers().optional().describe('Who decides when the rule holds.'),
      mode: mode().optional().describe("observe: recorded, not enforced. Default: the file's mode."),
    },
    { error: 'expected a rule, e.g. { name: no-drops, on: { verbs: [drop] }, then: deny }' },
  )
  .superRefine((value, context) => {
    if (value.then === 'hold' && value.approvers === undefined)
      context.addIssue({ code: 'custom', message: 'expected the key "approvers" beside then: hold' });
    if (value.then !== 'hold' && value.approvers !== undefined)
      context.addIssue({ code: 'custom', path: ['approvers'], message: 'expected approvers only beside then: hold' });
  });

const plainMasks = ['redact', 'null', 'email', 'hash', 'year'] as const;
const maskForms =
  'expected redact, null, email, hash, year, or one of { keep-last: 4 }, { keep-first: 4 }, { round: 100 }, { fake: name }, { paths: [...] }';

const jsonPath = () =>
  z
    .string({ error: 'expected a path such as $.contact.ssn' })
    .regex(
      /^\$(\.[^.[\]*"'\s]+|\.\*|\[(\d+|\*)\]|\["[^"]+"\])+$/,
      'expected a path such as $.contact.ssn, $.cards[*].number or $["odd name"]',
    );

const jsonPaths = () =>
  z.array(jsonPath(), { error: 'expected a list of paths such as $.contact.ssn' }).min(1, 'expected at least one path');

const simpleMask = z.union(
  [
    // YAML reads an unquoted null as the empty value; here it means the mask of that name.
    z.enum(plainMasks),
    z.null(),
    z
      .strictObject({
        'keep-last': count(1, 64).optional().describe('All but the last N characters are replaced.'),
        'keep-first': count(1, 64).optional().describe('All but the first N characters are replaced.'),
        round: z
          .number()
          .positive('expected a number above 0')
          .optional()
          .describe('Numbers are rounded to multiples of this.'),
        fake: choice('name', 'phone', 'address').optional().describe('A made-up value, the same for the same input.'),
        paths: jsonPaths().optional().describe('Only these parts of a JSON value are masked.'),
        with: z.enum(plainMasks).optional().describe('What is done to the parts that `paths` names. Default: redact.'),
      })
      .superRefine((value, context) => {
        const given = Object.keys(value).filter((key) => key !== 'with');
        if (given.length !== 1) context.addIssue({ code: 'custom', message: maskForms });
        else if (value.with !== undefined && value.paths === undefined)
          context.addIssue({ code: 'custom', path: ['with'], message: 'expected "with" only beside "paths"' });
      }),
  ],
  { error: maskForms },
);

export const mask = z
  .strictObject(
    {
      columns: z
        .array(pattern(4, 'target.schema.table.column'), {
          error: 'expected a list of patterns target.schema.table.column',
        })
        .min(1, 'expected at least one pattern')
        .describe('target.schema.table.column with wildcards; for MySQL the schema is the database.'),
      mask: simpleMask.optional().describe('What replaces the value. Default: redact.'),
      paths: jsonPaths().optional().describe('Only these parts of a JSON value are masked.'),
      unless: z
        .strictObject(
          {
            roles: someNames('role').optional().describe('Identities with one of these roles see the value.'),
            groups: someNames('group').optional().describe('Identities in one of these groups see the value.'),
          },
          { error: 'expected { roles: [...] } or { groups: [...] }' },
        )
        .refine((value) => Object.keys(value).length > 0, 'expected { roles: [...] } or { groups: [...] }')
        .optional()
        .describe('Who sees the value all the same.'),
      predicates: choice('allow', 'equality', 'deny')
        .prefault('equality')
        .describe('Where a masked column may stand in conditions.'),
      mode: mode().optional().describe("observe: recorded, not applied. Default: the file's mode."),
    },
    { error: 'expected a mask, e.g. { columns: ["shop.public.customers.ssn"], mask: { keep-last: 4 } }' },
  )
  .superRefine((value, context) => {
    if (value.paths !== undefined && typeof value.mask === 'object' && value.mask?.paths !== undefined)
      context.addIssue({ code: 'custom', path: ['paths'], message: 'expected paths once, here or under mask' });
  });
