// One agent's session before MySQL, end to end, with a stock driver: what it sees, what the server sees, what is on record.
import mysql from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import type { StatementRecord } from '../../src/audit/index.ts';
import { haveMariadb, onMariadb } from '../support/mariadb.ts';
import { mysqlHouse } from './mysql-support.ts';

describe.runIf(haveMariadb)('a session before MySQL', () => {
  const at = mysqlHouse();

  test('masked columns come back masked and the others untouched, in text and binary', async () => {
    await at().connected(async (connection) => {
      for (const [rows] of [
        await connection.query<mysql.RowDataPacket[]>('SELECT * FROM customers WHERE id = 7'),
        await connection.execute<mysql.RowDataPacket[]>('SELECT * FROM customers WHERE id = ?', [7]),
      ]) {
        expect(rows).toMatchObject([
          {
            id: 7,
            name: 'Name 7',
            ssn: '*******0007',
            card_number: '************0007',
            phone: '+1 555 010 0007',
          },
        ]);
        expect(rows[0]?.email).not.toContain('user7');
        expect(rows[0]?.birth_date).toMatchObject(new Date(1980, 0, 1));
      }
    });
  });

  test('aliases, expressions, views, set operations and aggregates do not talk around a mask', async () => {
    await at().connected(async (connection) => {
      for (const sql of [
        'SELECT ssn AS nothing FROM customers WHERE id = 7',
        'SELECT UPPER(ssn) AS x FROM customers WHERE id = 7',
        "WITH c AS (SELECT ssn s FROM customers WHERE id = 7) SELECT CONCAT(s, '!') AS x FROM c",
        'SELECT number FROM contacts WHERE id = 7',
        'SELECT (SELECT ssn FROM customers i WHERE i.id = o.id) AS x FROM customers o WHERE id = 7',
        'SELECT name FROM customers WHERE id = 6 UNION ALL SELECT ssn FROM customers WHERE id = 7',
        'SELECT GROUP_CONCAT(ssn) AS x FROM customers WHERE id IN (7)',
        'SELECT JSON_OBJECT("a", ssn) AS x FROM customers WHERE id = 7',
        'SELECT /*!50000 ssn */ FROM customers WHERE id = 7',
        'SELECT @s := ssn FROM customers WHERE id = 7',
        'SELECT @s',
      ]) {
        const text = await connection.query(sql).then(
          ([rows]) => JSON.stringify(rows),
          (error: Error) => error.message,
        );
        expect(text, sql).not.toContain('912');
        expect(text, sql).not.toContain('84-0007');
      }
    });
  });

  test('a refused statement names its rule and its record, and the session lives on', async () => {
    await at().connected(
      async (connection) => {
        await expect(connection.query('DROP TABLE orders')).rejects.toMatchObject({
          errno: 1142,
          sqlState: '42000',
          message: expect.stringMatching(/^sallyport: denied by rule "no-drops": DROP TABLE orders \(.*record \S+\)$/),
        });
        await expect(connection.query('DELETE FROM orders')).rejects.toThrow('denied by rule "unbounded-writes"');
        await expect(connection.query('SELEC 1')).rejects.toMatchObject({ errno: 1064, sqlState: '42000' });
        const [rows] = await connection.query('SELECT COUNT(*) AS n FROM orders');
        expect(rows).toEqual([{ n: 1000 }]);
      },
      ['crew-agent'],
    );
    const denied = (await at().records()).filter(
      (record): record is StatementRecord => record.event === 'statement' && record.verdict === 'deny',
    );
    expect(denied.map(({ rule }) => rule).slice(-3)).toEqual(['no-drops', 'unbounded-writes', 'unreadable']);
  });

  test('the server sees who it is and which record', async () => {
    await at().connected(async (connection) => {
      const running = connection.query('SELECT SLEEP(2)');
      const direct = await mysql.createConnection(at().server.url());
      let texts: string[] = [];
      for (let tries = 0; texts.length === 0 && tries < 40; tries++) {
        const [rows] = await direct.query<mysql.RowDataPacket[]>('SHOW FULL PROCESSLIST');
        texts = rows.flatMap((row) => (String(row.Info).startsWith('SELECT SLEEP') ? [String(row.Info)] : []));
      }
      await direct.end();
      await running;
      expect(texts[0]).toMatch(/\/\*identity='crew-support-7',issuer='[^']+',record='[^']+',session='[^']+'\*\/$/);
    });
  });

  test('every run has an opening and a settling record', async () => {
    await at().connected(async (connection) => {
      await connection.query('SELECT id FROM orders LIMIT 3');
      const statement = await connection.prepare('SELECT id FROM orders WHERE id < ?');
      await statement.execute([3]);
      await statement.execute([2]);
      await expect(connection.query('SELECT * FROM missing')).rejects.toMatchObject({ errno: 1146 });
    });
    const outcomes = async () => {
      const records = await at().records();
      const runs = records.filter(
        (record) => record.event === 'statement' && /FROM orders (?:LIMIT|WHERE id <)/.test(record.text),
      );
      return runs.map(({ record }) =>
        records.flatMap((other) =>
          other.event === 'settled' && other.record === record ? [[other.outcome, other.rows]] : [],
        ),
      );
    };
    // The last settling record is written a moment after its result.
    await expect.poll(outcomes).toEqual([[['completed', 3]], [['completed', 2]], [['completed', 1]]]);
  });

  test('several statements, calls, transactions and writes work as with the server', async () => {
    await at().connected(
      async (connection) => {
        const [results] = await connection.query("SELECT 1 AS a; SET @x = 2; SELECT @x AS b; SELECT 'ü' AS c");
        expect(results).toMatchObject([[{ a: 1 }], {}, [{ b: 2 }], [{ c: 'ü' }]]);
        await connection.beginTransaction();
        const [insert] = await connection.execute('INSERT INTO orders (id, customer_id, total) VALUES (?, ?, ?)', [
          5000,
          1,
          '9.99',
        ]);
        expect(insert).toMatchObject({ affectedRows: 1 });
        await connection.rollback();
        const [rows] = await connection.query('SELECT id FROM orders WHERE id = 5000');
        expect(rows).toEqual([]);
      },
      ['crew-agent'],
      { multipleStatements: true },
    );
  });

  test('sql_mode is followed', async () => {
    await at().connected(async (connection) => {
      await connection.query("SET sql_mode = 'ANSI_QUOTES'");
      const [rows] = await connection.query('SELECT "ssn" AS x FROM "customers" WHERE id = 7');
      expect(rows).toEqual([{ x: '*******0007' }]);
      await connection.reset();
      const [after] = await connection.query('SELECT "ssn" AS x FROM customers WHERE id = 7');
      expect(after).toEqual([{ x: 'ssn' }]);
    });
  });

  test('a role’s time limit is the server’s and cannot be lifted', async () => {
    await at().connected(
      async (connection) => {
        const [name, limit] = onMariadb ? ['max_statement_time', 20] : ['max_execution_time', 20_000];
        expect((await connection.query(`SELECT @@${name} AS most`))[0]).toEqual([{ most: limit }]);
        await expect(connection.query(`SET ${name} = 0`)).rejects.toThrow('statement-timeout');
        await connection.reset();
        expect((await connection.query(`SELECT @@${name} AS most`))[0]).toEqual([{ most: limit }]);
      },
      ['crew-agent'],
    );
  });

  test('a login is refused without a role, with another target and on the wrong port', async () => {
    const login = await at().client(['nobody']);
    await expect(mysql.createConnection(login)).rejects.toMatchObject({ errno: 1045, sqlState: '28000' });
    await expect(mysql.createConnection({ ...(await at().client()), database: 'none' })).rejects.toMatchObject({
      errno: 1045,
      message: expect.stringContaining('there is no target "none"'),
    });
  });

  test('the user names the target where no database is given', async () => {
    const { host, port, password } = await at().client();
    const connection = await mysql.createConnection({ host, port, password, user: 'crm' });
    expect((await connection.query('SELECT DATABASE() AS db'))[0]).toEqual([{ db: at().server.database }]);
    await connection.end();
  });
});
