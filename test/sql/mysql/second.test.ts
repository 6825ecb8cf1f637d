// The second reader of MySQL against the first, and texts without their literals.
import { describe, expect, test } from 'vitest';
import { compare, withoutLiterals } from '../../../src/sql/index.ts';
import { haveMariadb, onMariadb } from '../../support/mariadb.ts';
import { attacks, ordinary } from './attacks.ts';
import { shop } from './support.ts';

describe.skipIf(!haveMariadb)('the second reader', () => {
  const at = shop(...(onMariadb ? ['create sequence seq'] : []));

  test('sees the same verbs and tables wherever both read', { timeout: 300_000 }, async () => {
    const session = at().session();
    const found: string[] = [];
    for (const text of [...ordinary, ...attacks.flatMap((attack) => attack.texts)]) {
      const result = await session.read(text);
      const reading =
        result.kind === 'read' && result.statements.length === 1 ? result.statements[0]?.reading : undefined;
      const disagreement = reading === undefined ? undefined : compare(text, reading);
      if (disagreement !== undefined)
        found.push(`${text}: ${disagreement.message} ${JSON.stringify(disagreement.details)}`);
    }
    expect(found).toEqual([]);
  });

  test('tells of a table or a verb that the first did not see', async () => {
    const reading = await at().reading('select 1');
    expect(compare('select id from customers', reading)?.details.second).toBe('customers');
    expect(compare('drop table customers', reading)?.message).toContain('another verb');
  });
});

test('no literal stays in a text for records, and no comment', () => {
  const text = `select 'a1', "a2", N'a3', x'a4', 0xa5, 42.5e3, \`column\` from t -- a6\n where /* a7 */ k = ? # a8`;
  const redacted = withoutLiterals(text, 'mysql');
  expect(redacted).not.toMatch(/a\d|42|'|"/);
  expect(redacted).toContain('`column` from t where k = ?');
});

test('a text whose literals the modes decide is left out whole', () => {
  expect(withoutLiterals("select '\\', secret, '", 'mysql')).not.toContain('secret');
  expect(withoutLiterals("select 'secret", 'mysql')).not.toContain('secret');
});
