// The cost guard before MySQL: the target's own planner is asked before a statement runs.
import type mysql from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { haveMariadb } from '../support/mariadb.ts';
import { crmPolicy, mysqlHouse } from './mysql-support.ts';

const answer = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'it ran',
    (error: Error & { errno?: number }) => `${error.errno} ${error.message}`,
  );

describe.runIf(haveMariadb)('the cost guard before MySQL', () => {
  const at = mysqlHouse({ policy: crmPolicy, target: '    cost-guard: { rows: 400 }' });

  test('a statement that the server expects to be large is refused before it runs', async () => {
    await at().connected(
      async (connection: mysql.Connection) => {
        expect(await answer(connection.query('SELECT * FROM customers WHERE id = 1'))).toBe('it ran');
        expect(await answer(connection.query('SELECT * FROM orders a, orders b'))).toMatch(
          /^1142 sallyport: denied by rule "cost-guard": SELECT FROM orders.* \(the server expects \d{6,} rows, more than 400\)/,
        );
        expect(await answer(connection.execute('SELECT * FROM orders WHERE id > ?', [0]))).toContain('cost-guard');
        expect(await answer(connection.execute('SELECT * FROM orders WHERE id = ?', [7]))).toBe('it ran');
        expect(await answer(connection.query('UPDATE orders SET total = 0 WHERE id > 0'))).toContain('cost-guard');
        expect(await answer(connection.query('UPDATE orders SET total = total WHERE id = 3'))).toBe('it ran');
        expect(await answer(connection.query('SET @a = 1'))).toBe('it ran');
        // What the planner cannot be asked about is the statement timeout's.
        await connection.query('CREATE TEMPORARY TABLE scratch (id INT)');
        expect(await answer(connection.query('SELECT * FROM scratch'))).toBe('it ran');
      },
      ['crew-agent'],
    );
  });
});
