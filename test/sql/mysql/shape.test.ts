// The quick look never puts texts together that the lexer tells apart, and gives the same literals.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { literalsOf } from '../../../src/sql/mysql/cache.ts';
import { type Lexed, lex, shapeOf } from '../../../src/sql/mysql/lexer.ts';
import { type Dialect, plainDialect, withSqlMode, withVersion } from '../../../src/sql/mysql/modes.ts';
import { scan } from '../../../src/sql/mysql/shape.ts';

const dialects: readonly Dialect[] = [
  plainDialect,
  withVersion(plainDialect, '10.11.6-MariaDB'),
  withSqlMode(plainDialect, 'ANSI') ?? plainDialect,
  withSqlMode(plainDialect, 'NO_BACKSLASH_ESCAPES') ?? plainDialect,
];

const piece = fc.oneof(
  fc.constantFrom(
    ...[
      'select',
      ' ',
      '\n',
      'a',
      't.',
      '.',
      '.5',
      '1',
      '12',
      '1.5',
      '1e5',
      '0x1',
      "x'1'",
      "'",
      "''",
      '"',
      '`',
      '\\',
      "\\'",
    ],
    ...[
      '--',
      '-- ',
      '-',
      '/',
      '/*',
      '*/',
      '#',
      ';',
      '@',
      '@@',
      '?',
      '(',
      ')',
      ',',
      '=',
      ':=',
      '<=>',
      '_utf8',
      'N',
      '$',
      'é',
    ],
    ...["'b'", '"c"', '`d`', '\0', '\u0001', '\u0003'],
  ),
  fc.string({ maxLength: 3 }),
);
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));

function lexed(source: string, dialect: Dialect): Lexed | undefined {
  try {
    return lex(source, dialect);
  } catch {
    return undefined;
  }
}

/** All that a reading may depend on but for the values of literals. */
function structure({ tokens }: Lexed): string {
  return tokens
    .map((token) => `${token.kind} ${/^(string|nchar|number)$/.test(token.kind) ? '' : token.raw} ${token.call}`)
    .join('|');
}

test('a text with a shape is cut by the lexer too, unless the server refuses it, and has the same literals', () => {
  fc.assert(
    fc.property(text, fc.constantFrom(...dialects), (source, dialect) => {
      const shape = scan(source, dialect);
      const tokens = lexed(source, dialect)?.tokens.filter((token) => token.text !== ';' || token.kind !== 'operator');
      if (shape === undefined || tokens === undefined) return;
      const literals = literalsOf(tokens);
      expect([shape.start, shape.end]).toEqual([literals.start, literals.end]);
      const count = tokens.filter((token) => /^(string|nchar|number)$/.test(token.kind)).length;
      for (let at = 0; at <= count; at++) {
        const value = shape.text(at);
        if (value !== undefined || at === count) expect(value).toBe(literals.text(at));
      }
    }),
    { numRuns: 5_000 },
  );
});

test('texts with one shape have one structure', () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 2, maxLength: 40 }), fc.constantFrom(...dialects), (sources, dialect) => {
      const seen = new Map<string, string>();
      for (const source of sources) {
        const shape = scan(source, dialect);
        const tokens = lexed(source, dialect);
        if (shape === undefined || tokens === undefined) continue;
        const own = structure(tokens).replace(/(\|operator ; (true|false))+$/, '');
        expect(seen.get(shape.key) ?? own).toBe(own);
        seen.set(shape.key, own);
      }
    }),
    { numRuns: 1_500 },
  );
});

test('literals of the same kind give one shape, and the lexer agrees', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(), fc.nat(), (one, other, n, m) => {
      const quoted = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
      const make = (value: string, number: number) => `select a from t where b = ${quoted(value)} and c = ${number}`;
      const [left, right] = [make(one, n), make(other, m)];
      expect(scan(left, plainDialect)?.key).toBe(scan(right, plainDialect)?.key);
      expect(shapeOf(lex(left, plainDialect).tokens)).toBe(shapeOf(lex(right, plainDialect).tokens));
    }),
  );
});
