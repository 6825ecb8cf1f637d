// The lexical pass: shapes share what differs only in literals, and never what differs in more.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { literalEnd, literalStart, literalText, scan, shapeOf } from '../../src/sql/postgres/lexer.ts';
import { loadParser, parse } from '../../src/sql/postgres/parser.ts';

const key = (text: string) => shapeOf(text)?.key;

describe('shapes', () => {
  beforeAll(loadParser);

  it('statements that differ in literals and comments only have one shape', () => {
    const first = key(`select * from t where a = 'x' and b = 1 -- one`);
    expect(key(`select * from t where a = 'it''s' and b = 22.5e3 -- two`)).toBe(first);
    expect(key(`select * from t where a = $q$z;--$q$ and b = 0x1F --`)).toBe(first);
  });

  it('comments nest, and a quote inside one is no string', () => {
    expect(key(`select /* a /* ' */ " */ 1`)).toBe(key(`select /**/ 2`));
    expect(scan(`select 1 /* open /* closed */`)).toBeUndefined();
  });

  it('identifiers, parameters and quoted names belong to the shape', () => {
    expect(key('select a1 from t')).not.toBe(key('select a2 from t'));
    expect(key('select "a"')).not.toBe(key('select "b"'));
    expect(key('select $1')).not.toBe(key('select $2'));
    expect(key(`select e'\\''`)).toBe(key(`select e'x'`));
    expect(key(`select u&'d' uescape '!'`)).not.toBe(key(`select u&'e' uescape '!'`));
  });

  it('several statements are told from one with a semicolon behind it', () => {
    expect(scan('select 1;')?.several).toBe(false);
    expect(scan('select 1; -- done\n;')?.several).toBe(false);
    expect(scan(`select ';' ; select 2`)?.several).toBe(true);
    expect(scan('  select 1 ; ')).toMatchObject({ start: 2, end: 10 });
  });

  it('finds each literal where the grammar finds it', () => {
    const literal = fc.oneof(
      fc.string().map((text) => `'${text.replaceAll("'", "''").replaceAll('\0', '')}'`),
      fc.nat().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }).map(String),
      fc.string().map((text) => `$t$${text.replaceAll('$', '').replaceAll('\0', '')}$t$`),
      fc.string().map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '')}'`),
    );
    const gap = fc.constantFrom(' ', '\n', '\t', ' /* c; */ ', ' -- c\n', '/* /* n */ */ ');
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, literal), { minLength: 1, maxLength: 8 }), (parts) => {
        const text = `select${parts.map(([blank, value]) => `${blank} ${value}`).join(',')}`;
        const shape = scan(text);
        expect(shape?.literals).toBe(parts.length);
        for (const [at, [, value]] of parts.entries()) expect(text.slice(literalStart(at), literalEnd(at))).toBe(value);
        expect(parse(text)).toHaveLength(1);
        scan(text);
        parts.forEach(([, value], at) => {
          const decoded = literalText(text, at);
          if (value.startsWith("'")) expect(decoded).toBe(value.slice(1, -1).replaceAll("''", "'"));
        });
      }),
      { numRuns: 300 },
    );
  });

  it('never throws and never loops, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom(
            "'",
            '"',
            '$',
            '/',
            '*',
            '-',
            '\\',
            'e',
            'E',
            'U',
            '&',
            '1',
            '.',
            ';',
            '\n',
            'é',
            '\u{1F600}',
          ),
        }),
        (text) => {
          const shape = scan(text);
          if (shape !== undefined) expect(shape.end).toBeLessThanOrEqual(text.length);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
