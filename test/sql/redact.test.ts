// Texts for records: no literal survives, whatever its form.
import { expect, test } from 'vitest';
import { withoutLiterals } from '../../src/sql/index.ts';

test('every form of literal is replaced, and comments are dropped', () => {
  const text = `select 'a1', E'a\\'2', U&'a3', $x$a4$x$, B'10', x'1F', N'a5', 42.5e3, "column" from t -- a6\n where /* a7 */ k = $1;`;
  const redacted = withoutLiterals(text, 'postgres');
  expect(redacted).not.toMatch(/a\d|42|1F|'/);
  expect(redacted).toContain('"column" from t');
  expect(redacted).toContain('k = $1');
});

test('a text whose quote does not end is left out whole', () => {
  expect(withoutLiterals("select 'secret", 'postgres')).not.toContain('secret');
});
