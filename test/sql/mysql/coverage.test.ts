// What applications send is read: by the grammar, by what is put in front of it, or told apart by its first words.
import { expect, test } from 'vitest';
import { reads, statements, versions } from './coverage.ts';

/** Not of MariaDB 10.11; MySQL has them. */
const onlyMysql = [/LATERAL/, /AS new ON DUPLICATE/, /^DELETE FROM orders AS o/, /^TABLE /];

// The grammar learns as it reads: the first statement of each kind takes long.
const timeout = 300_000;

test('every statement of the collection is read for MariaDB, or for MySQL where only that has it', {
  timeout,
}, async () => {
  const [mariadb, mysql] = [await reads(versions.MariaDB), await reads(versions.MySQL)];
  const unread: string[] = [];
  for (const statement of statements) {
    const read = onlyMysql.some((pattern) => pattern.test(statement)) ? mysql : mariadb;
    if (!(await read(statement))) unread.push(statement);
  }
  expect(statements.length).toBeGreaterThan(500);
  expect(unread).toEqual([]);
});
