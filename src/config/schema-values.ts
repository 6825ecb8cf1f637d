// The small pieces of the file's schema: texts, numbers, durations, patterns, secrets, each with what its error says.
import { z } from 'zod';
import { type NamePattern, parsePattern } from '../policy/index.ts';
import { type Verb, type VerbClass, verbClasses, verbs } from '../sql/reading.ts';
import { durationPattern, parseAddress, parseDuration, parseSize, sizePattern } from './values.ts';

/** A text that a parser turns into a value; `expected` is what the error says. */
export function parsed<T>(expected: string, parse: (text: string) => T | undefined, pattern?: string) {
  return z
    .string({ error: expected })
    .meta(pattern === undefined ? {} : { pattern })
    .transform((text, context): T => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: expected, input: text });
      return z.NEVER;
    });
}

export const duration = () =>
  parsed('expected a duration such as 500ms, 30s, 10m, 12h or 90d', parseDuration, durationPattern);
export const size = () => parsed('expected a size such as 64KiB, 16MiB or 1GB', parseSize, sizePattern);
export const text = (what = 'text') =>
  z.string({ error: `expected ${what}` }).refine((value) => value.trim() !== '', `expected ${what}, not an empty text`);
export const flag = () => z.boolean({ error: 'expected true or false' });
export const count = (least = 1, most = 1_000_000_000) =>
  z
    .int({ error: 'expected a whole number' })
    .min(least, `expected ${least} or more`)
    .max(most, `expected at most ${most}`);
export const names = (what: string) => z.array(text(what), { error: `expected a list of ${what}s` });
export const someNames = (what: string) => names(what).min(1, `expected at least one ${what}`);
export const pattern = (count: number, form: string) =>
  parsed(`expected a pattern ${form}, wildcards allowed`, (value): NamePattern | undefined =>
    parsePattern(value, count),
  );
export const name = (what: string) =>
  z
    .string({ error: `expected ${what}` })
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, `expected ${what} of letters, digits, "_", "-" and "."`);
export const choice = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, { error: `expected ${oneOf(values)}` });

export function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `${values[0]}` : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

export const address = () =>
  z
    .union([z.string(), z.int()], { error: 'expected an address such as 127.0.0.1:6432' })
    .transform((value, context) => {
      const result = parseAddress(value);
      if (result !== undefined) return result;
      context.issues.push({ code: 'custom', message: 'expected an address such as 127.0.0.1:6432', input: value });
      return z.NEVER;
    });

/** Who decides about held statements and requests. */
export const approvers = () =>
  z.strictObject(
    {
      groups: someNames('group').describe('Groups whose members may decide.'),
      count: count(1, 20).prefault(1).describe('How many different people must agree.'),
      timeout: duration().prefault('10m').describe('Without a decision by then it is refused.'),
    },
    { error: 'expected { groups, count, timeout }' },
  );

export const mode = () => choice('enforce', 'observe');

export const secret = () =>
  z
    .strictObject(
      {
        env: text('the name of an environment variable')
          .optional()
          .describe('Name of the environment variable that holds it.'),
        file: text('a path').optional().describe('File that holds it; a line end at its end is not part of it.'),
      },
      { error: 'expected { env: NAME } or { file: PATH }' },
    )
    .refine(
      (value) => (value.env === undefined) !== (value.file === undefined),
      'expected { env: NAME } or { file: PATH }',
    );

export const verbOrClass = z
  .enum([...verbClasses, ...verbs] as [Verb | VerbClass, ...(Verb | VerbClass)[]], {
    error: `expected ${oneOf(verbClasses)}, or a single verb such as select, insert, drop`,
  })
  .describe('A class of verbs (read, write, ddl, session, admin) or a single verb.');
