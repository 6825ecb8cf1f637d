// What the server adds to the errors of its scanner and grammar, which libpg-query reports by message only: SQLSTATE, hint and detail.
// Facts from PostgreSQL 18: src/backend/parser/scan.l, gram.y and parser.c.

export interface GrammarErrorParts {
  readonly sqlstate: string;
  readonly hint?: string;
  readonly detail?: string;
}

const notSupported: GrammarErrorParts = { sqlstate: '0A000' };
const invalidValue: GrammarErrorParts = { sqlstate: '22023' };

const exact = new Map<string, GrammarErrorParts>([
  [
    "unsafe use of \\' in a string literal",
    {
      sqlstate: '22P06',
      hint: "Use '' to write quotes in strings. \\' is insecure in client-only encodings.",
    },
  ],
  [
    'UNENCRYPTED PASSWORD is no longer supported',
    { sqlstate: '0A000', hint: 'Remove UNENCRYPTED to store the password in encrypted form instead.' },
  ],
  ['missing argument', { sqlstate: '42601', hint: 'Use NONE to denote the missing argument of a unary operator.' }],
  ['LIMIT #,# syntax is not supported', { sqlstate: '42601', hint: 'Use separate LIMIT and OFFSET clauses.' }],
  [
    'invalid publication object list',
    {
      sqlstate: '42601',
      detail: 'One of TABLE or TABLES IN SCHEMA must be specified before a standalone table or schema name.',
    },
  ],
  ['modulus for hash partition provided more than once', { sqlstate: '42710' }],
  ['remainder for hash partition provided more than once', { sqlstate: '42710' }],
  ['CREATE SCHEMA IF NOT EXISTS cannot include schema elements', notSupported],
  ['current database cannot be changed', notSupported],
  ['MATCH PARTIAL not yet implemented', notSupported],
  ['CREATE EXTENSION ... FROM is no longer supported', notSupported],
  ['CREATE OR REPLACE CONSTRAINT TRIGGER is not supported', notSupported],
  ['CREATE ASSERTION is not yet implemented', notSupported],
  ['dropping an enum value is not implemented', notSupported],
  ['aggregates cannot have output arguments', notSupported],
  ['WITH CHECK OPTION not supported on recursive views', notSupported],
  ['only string constants are supported in JSON_TABLE path specification', notSupported],
  ['UNIQUE predicate is not yet implemented', notSupported],
  [
    'an ordered-set aggregate with a VARIADIC direct argument must have one VARIADIC aggregated argument of the same data type',
    notSupported,
  ],
  ['precision for type float must be at least 1 bit', invalidValue],
  ['precision for type float must be less than 54 bits', invalidValue],
]);

const patterns: readonly (readonly [RegExp, GrammarErrorParts])[] = [
  [/^frame (?:start|end|starting) /, { sqlstate: '42P20' }],
  [/^role name ".*" is reserved$|^[A-Z_]+ cannot be used as a role name here$/s, { sqlstate: '42939' }],
  [/^[A-Z ]+ constraints cannot be marked (?:DEFERRABLE|NOT VALID|NO INHERIT|NOT ENFORCED|ENFORCED)$/, notSupported],
  [/^a column list with [A-Z ]+ is only supported for ON DELETE actions$/, notSupported],
  [/^column number must be in range from 1 to \d+$/, invalidValue],
  [/^unrecognized (?:JSON encoding: |partitioning strategy ")/, invalidValue],
  [
    /^unrecognized row security option "/,
    { sqlstate: '42601', hint: 'Only PERMISSIVE or RESTRICTIVE policies are supported currently.' },
  ],
  [/^invalid byte sequence for encoding "/, { sqlstate: '22021' }],
];

/**
 * SQLSTATE, hint and detail of an error of the grammar. `source` is the parser's file that raised it: an invalid escape inside E'' is
 * the scanner's error and has another code and hint than one inside U&''.
 */
export function grammarErrorParts(message: string, source: string): GrammarErrorParts {
  if (message === 'invalid Unicode escape') {
    return source.includes('scan')
      ? { sqlstate: '22025', hint: 'Unicode escapes must be \\uXXXX or \\UXXXXXXXX.' }
      : { sqlstate: '42601', hint: 'Unicode escapes must be \\XXXX or \\+XXXXXX.' };
  }
  return exact.get(message) ?? patterns.find(([pattern]) => pattern.test(message))?.[1] ?? { sqlstate: '42601' };
}
