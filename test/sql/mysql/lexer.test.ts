// The lexical pass follows the server: comments, quotes, modes; and never loses a character.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LexError, lex, shapeOf } from '../../../src/sql/mysql/lexer.ts';
import { plainDialect, withSqlMode, withVersion } from '../../../src/sql/mysql/modes.ts';

const mysql = plainDialect;
const mariadb = withVersion(plainDialect, '10.11.6-MariaDB-0+deb12u1');
const raws = (text: string, dialect = mysql): string[] => lex(text, dialect).tokens.map((token) => token.raw);

test('an executable comment is part of the statement up to the server version, and skipped beyond it', () => {
  expect(raws('select /*!50000 1, */ 2')).toEqual(['select', '1', ',', '2']);
  expect(raws('select /*! 1, */ 2')).toEqual(['select', '1', ',', '2']);
  expect(raws('select /*!90100 1, */ 2')).toEqual(['select', '2']);
  expect(raws('/*!50000DROP*/ TABLE a')).toEqual(['DROP', 'TABLE', 'a']);
});

test('MariaDB skips comments meant for MySQL 5.7 and later and runs its own', () => {
  expect(raws('select /*!50701 1, */ 2', mariadb)).toEqual(['select', '2']);
  expect(raws('select /*!50600 1, */ 2', mariadb)).toEqual(['select', '1', ',', '2']);
  expect(raws('select /*M! 1, */ 2', mariadb)).toEqual(['select', '1', ',', '2']);
  expect(raws('select /*M!100100 1, */ 2', mariadb)).toEqual(['select', '1', ',', '2']);
  expect(raws('select /*!100100 1, */ 2', mariadb)).toEqual(['select', '1', ',', '2']);
  expect(raws('select /*M! 1, */ 2', mysql)).toEqual(['select', '2']);
});

test('a skipped executable comment may hold plain comments', () => {
  expect(raws('select /*!99999 a /* b */ c */ 2')).toEqual(['select', '2']);
  expect(raws('select /* a /* b */ 2')).toEqual(['select', '2']);
});

test('two dashes begin a comment only before a blank, a control character or the end', () => {
  expect(raws('select 1--1')).toEqual(['select', '1', '-', '-', '1']);
  expect(raws('select 1-- 1')).toEqual(['select', '1']);
  expect(raws('select 1--')).toEqual(['select', '1']);
  expect(raws('select 1 # 2\n+3')).toEqual(['select', '1', '+', '3']);
});

test('sql_mode decides what quotes and backslashes mean', () => {
  const ansi = withSqlMode(mysql, 'ANSI') ?? mysql;
  const plain = withSqlMode(mysql, 'NO_BACKSLASH_ESCAPES') ?? mysql;
  expect(lex('"a"', mysql).tokens[0]?.kind).toBe('string');
  expect(lex('"a"', ansi).tokens[0]?.kind).toBe('identifier');
  expect(raws("'a\\' or 1=1 -- '")).toEqual(["'a\\' or 1=1 -- '"]);
  expect(raws("'a\\' or 1=1 -- '", plain)).toEqual(["'a\\'", 'or', '1', '=', '1']);
});

test('a name after a dot is no keyword, and a digit after a name and a dot no number', () => {
  expect(lex('t.select', mysql).tokens.map((token) => token.kind)).toEqual(['word', 'operator', 'identifier']);
  expect(lex('t.5e1', mysql).tokens.map((token) => token.kind)).toEqual(['word', 'operator', 'identifier']);
  expect(lex('t .5', mysql).tokens.map((token) => token.kind)).toEqual(['word', 'number']);
});

test.each([
  ["'open", 'not closed'],
  ['/* open', 'not closed'],
  ['/*! open', 'not closed'],
  ['select 1 # \0 */', 'NUL'],
  ['/*! select 1; */ select 2', 'ends inside'],
  ['select /*!100100 1, */ 2', 'ambiguous'],
  ['\x01', 'begins no token'],
  ["x'0'", 'malformed'],
])('%j is refused', (text, why) => {
  expect(() => lex(text, mysql)).toThrow(why);
});

test('statements that differ in literals only have one shape', () => {
  const shape = (text: string) => shapeOf(lex(text, mysql).tokens);
  expect(shape("select a from t where b = 'x' limit 3")).toBe(
    shape("select a from t where b = 'it''s'  /* c */ limit 44"),
  );
  expect(shape('select a from t')).not.toBe(shape('select `a` from u'));
});

test('tokens never overlap, keep their order, and between them stand only blanks and comments', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'select',
      ' ',
      "'a'",
      '"b"',
      '`c`',
      '/*',
      '*/',
      '/*!',
      '/*!50000',
      '--',
      '-- x\n',
      '#',
      '\n',
      "'",
      '\\',
      '.',
      '@',
      '@@',
      '1',
      '.5',
      '1e',
      ';',
      'é',
      '0x1',
      "x'aa'",
      '?',
      ':=',
      '<=>',
      '\0',
    ),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.boolean(), (pieces, maria) => {
      const text = pieces.join('');
      let tokens: ReturnType<typeof lex>['tokens'];
      try {
        tokens = lex(text, maria ? mariadb : mysql).tokens;
      } catch (error) {
        expect(error).toBeInstanceOf(LexError);
        return;
      }
      let at = 0;
      for (const token of tokens) {
        expect(token.start).toBeGreaterThanOrEqual(at);
        expect(token.raw).toBe(text.slice(token.start, token.end));
        expect(token.end).toBeGreaterThan(token.start);
        at = token.end;
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a string literal made of any text is one token that gives the text back', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const quoted = `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
      const tokens = lex(`select ${quoted} from t`, mysql).tokens;
      expect(tokens).toHaveLength(4);
      expect(tokens[1]?.text).toBe(value);
    }),
  );
});
