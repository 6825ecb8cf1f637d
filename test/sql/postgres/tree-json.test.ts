// The reader of the parser's JSON against JSON.parse: the same tree for everything, and an error for what is no such tree.
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadParser, parse } from '../../../src/sql/postgres/parser.ts';
import { treeAt } from '../../../src/sql/postgres/tree-json.ts';

function read(json: string): unknown {
  return treeAt(Buffer.from(`${json}\0`), 0);
}

const folder = new URL('../../../fixtures/', import.meta.url);
const listed = ['ordinary/postgres.json', 'adversary/postgres.json'].flatMap((name) =>
  (JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as { readonly sql: string }[]).map((entry) => entry.sql),
);
const golden = readdirSync(new URL('sql/postgres/', folder))
  .filter((name) => name.endsWith('.sql'))
  .flatMap((name) => readFileSync(new URL(`sql/postgres/${name}`, folder), 'utf8').split(/\n\s*\n/));

it('the trees of all fixtures are those that JSON.parse makes', async () => {
  await loadParser();
  const { parseSync } = (await import('libpg-query')) as { parseSync(text: string): { stmts?: unknown } };
  await (await import('libpg-query')).loadModule();
  let compared = 0;
  for (const sql of [...listed, ...golden]) {
    let wanted: unknown;
    try {
      wanted = parseSync(sql).stmts ?? [];
    } catch {
      expect(() => parse(sql)).toThrow();
      continue;
    }
    expect(JSON.stringify(parse(sql))).toBe(JSON.stringify(wanted));
    compared++;
  }
  expect(compared).toBeGreaterThan(500);
});

it('any tree of whole numbers, words, texts and lists is read as JSON.parse reads it', () => {
  const tree = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('String', 'sval', 'ColumnRef', 'location', '"', '\\', '\\"', 'ä', '𝄞', ''),
      fc.integer(),
      fc.boolean(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.stringMatching(/^[a-zA-Z_]{1,12}$/).filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(tree, (value) => {
      const json = JSON.stringify(value);
      expect(JSON.stringify(read(json))).toBe(JSON.stringify(JSON.parse(json)));
    }),
    { numRuns: 400 },
  );
});

it('texts that share a slot, a length or a beginning are never taken for one another', () => {
  const texts = Array.from({ length: 30_000 }, (_, at) => `name_${(at * 7919) % 30_011}`);
  const json = JSON.stringify(texts);
  for (let round = 0; round < 2; round++) expect(read(json)).toEqual(texts);
});

it('what is no tree is an error, not a guess', () => {
  for (const json of ['', '{', '[', '"a', '{"a"}', '{"a":1', '[1', '[1 ]', '{"a":1 }', '1.5', 'nul', 'trux', '"a\\'])
    expect(() => read(json), json).toThrow(SyntaxError);
});

it('a tree deeper than the stack is left to JSON.parse', async () => {
  await loadParser();
  const depth = 100_000;
  expect(() => read('['.repeat(depth) + ']'.repeat(depth))).toThrow(RangeError);
  const sums = `select ${'1 + '.repeat(3_000)}1`;
  expect(parse(sums)).toHaveLength(1);
  expect(parse('select a')).toEqual(parse('select a'));
});
