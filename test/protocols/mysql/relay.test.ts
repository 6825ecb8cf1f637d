// The relay between a stock driver and a real server: results, refusals, masks, prepared statements.
import mysql from 'mysql2/promise';
import { afterEach, describe, expect, test } from 'vitest';
import { haveMariadb, mariadbDatabase, sequences } from '../../support/mariadb.ts';
import { type Gateway, nothing, refusal, type Script, stars, startGateway, word } from './support.ts';

describe.runIf(haveMariadb)('the MySQL relay', () => {
  const server = mariadbDatabase(
    'CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(40), ssn VARCHAR(20), born DATE, amount DECIMAL(10,2), note TEXT)',
    `INSERT INTO people VALUES (1, 'Ada', '123-45-6789', '1990-01-02', 10.50, NULL), (2, 'Grace', '987-65-4321', NULL, -3.25, 'x')`,
    'CREATE PROCEDURE two() BEGIN SELECT 1 AS one; SELECT ssn FROM people ORDER BY id; END',
    ...sequences(100_000),
  );
  const open: { end(): unknown }[] = [];
  let gateway: Gateway | undefined;

  async function through(script: Script = {}, more: object = {}) {
    gateway = await startGateway(server(), script);
    const connection = await mysql.createConnection(gateway.login(more));
    connection.on('error', () => {});
    open.push(connection);
    return { gateway, connection };
  }

  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.end();
    await gateway?.stop();
    gateway = undefined;
  });

  test('gives text results as the server does', async () => {
    const { connection, gateway } = await through();
    const [rows, fields] = await connection.query('SELECT id, name, born, amount, note FROM people ORDER BY id');
    const direct = await mysql.createConnection(server().url(server().database));
    const [expected, expectedFields] = await direct.query(
      'SELECT id, name, born, amount, note FROM people ORDER BY id',
    );
    await direct.end();
    expect(rows).toEqual(expected);
    const plain = (columns: readonly mysql.FieldPacket[]) =>
      columns.map(({ name, orgName, orgTable, columnType, flags }) => ({ name, orgName, orgTable, columnType, flags }));
    expect(plain(fields)).toEqual(plain(expectedFields));
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'completed', tag: 'ROWS 2', rows: 2 } }]);
    expect(gateway.errors).toEqual([]);
  });

  test('gives binary results as the server does', async () => {
    const { connection } = await through();
    const sql = 'SELECT id, name, born, amount, note FROM people WHERE id >= ? ORDER BY id';
    const [rows] = await connection.execute(sql, [1]);
    const direct = await mysql.createConnection(server().url(server().database));
    const [expected] = await direct.execute(sql, [1]);
    await direct.end();
    expect(rows).toEqual(expected);
    const [again] = await connection.execute(sql, [2]);
    expect(again).toEqual((expected as unknown[]).slice(1));
  });

  test('a refused statement gets an error of the server kind and the session lives on', async () => {
    const { connection, gateway } = await through({
      judge: (text) => (text.startsWith('DROP') ? { kind: 'deny', refusal: refusal('no drops') } : undefined),
    });
    await expect(connection.query('DROP TABLE people')).rejects.toMatchObject({
      errno: 1142,
      sqlState: '42000',
      message: 'sallyport: no drops',
    });
    await expect(connection.execute('DROP TABLE people')).rejects.toMatchObject({ errno: 1142 });
    const [rows] = await connection.query('SELECT count(*) AS n FROM people');
    expect(rows).toEqual([{ n: 2 }]);
    expect(gateway.opened).toEqual(['SELECT count(*) AS n FROM people']);
  });

  test.each([
    ['of the same length', stars, '***********'],
    ['of another length', word('hidden'), 'hidden'],
    ['that are longer than one length byte tells', word('long'.repeat(100)), 'long'.repeat(100)],
    ['that are NULL', nothing, null],
  ])('masks %s reach text and binary rows', async (_name, mask, masked) => {
    const { connection } = await through({ masks: (field) => (field.orgName === 'ssn' ? mask : undefined) });
    const expected = [
      { id: 1, ssn: masked, name: 'Ada' },
      { id: 2, ssn: masked, name: 'Grace' },
    ];
    const [text] = await connection.query('SELECT id, ssn, name FROM people ORDER BY id');
    expect(text).toEqual(expected);
    const [binary] = await connection.execute('SELECT id, ssn, name FROM people ORDER BY id');
    expect(binary).toEqual(expected);
  });

  test('a text of several statements has a result for each', async () => {
    const { connection, gateway } = await through({}, { multipleStatements: true });
    const [results] = await connection.query(
      `SELECT 1 AS a; UPDATE people SET note = 'y' WHERE id = 2; SELECT 'z;' AS b`,
    );
    expect(results).toMatchObject([[{ a: 1 }], { affectedRows: 1 }, [{ b: 'z;' }]]);
    expect(gateway.settled.map(({ outcome }) => outcome)).toMatchObject([
      { kind: 'completed', tag: 'ROWS 1' },
      { kind: 'completed', tag: 'OK 1' },
      { kind: 'completed', tag: 'ROWS 1' },
    ]);
    await expect(connection.query('SELECT 1; SELECT * FROM missing; SELECT 2')).rejects.toMatchObject({ errno: 1146 });
    expect(gateway.settled.slice(3).map(({ outcome }) => outcome)).toMatchObject([
      { kind: 'completed' },
      { kind: 'failed', sqlstate: '42S02' },
      { kind: 'not-run' },
    ]);
  });

  test('a call has all its results masked and one record', async () => {
    const { connection, gateway } = await through({ masks: (field) => (field.orgName === 'ssn' ? stars : undefined) });
    const [results] = await connection.query('CALL two()');
    expect(results).toMatchObject([[{ one: 1 }], [{ ssn: '***********' }, { ssn: '***********' }], {}]);
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'completed', rows: 3 } }]);
  });

  test('a text that ends in a semicolon has as many results as with the server', async () => {
    const { connection, gateway } = await through({}, { multipleStatements: true });
    const [results] = await connection.query('SELECT 1 AS a; SELECT 2 AS b;\n');
    expect(results).toEqual([[{ a: 1 }], [{ b: 2 }]]);
    expect((await connection.query('SELECT 3 AS c ; '))[0]).toEqual([{ c: 3 }]);
    expect((await connection.execute('SELECT 4 AS d;'))[0]).toEqual([{ d: 4 }]);
    expect(gateway.settled).toHaveLength(4);
  });

  test('a result of more rows than allowed ends with an error and the session lives on', async () => {
    const { connection, gateway } = await through({ plan: () => ({ maxRows: 3 }) });
    await expect(connection.query('SELECT seq FROM seq_1_to_100000')).rejects.toThrow('ended after 3 rows');
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'failed', rows: 3 } }]);
    const [rows] = await connection.query('SELECT 1 AS one');
    expect(rows).toEqual([{ one: 1 }]);
  });
});
