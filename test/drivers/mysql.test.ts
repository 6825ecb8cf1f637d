// Stock MySQL clients through the gateway: they log in with a token as password and see what they would see, with masks.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import mysqlCallbacks from 'mysql2';
import mysql from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { mysqlHouse } from '../e2e/mysql-support.ts';
import { haveMariadb } from '../support/mariadb.ts';

const run = promisify(execFile);

function available(program: string, ...args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  );
}

const client = await available('mariadb', '--version');
const dump = await available('mariadb-dump', '--version');
const pymysql = await available('python3', '-c', 'import pymysql');

describe.runIf(haveMariadb)('stock MySQL clients', () => {
  const at = mysqlHouse();

  test('mysql2 with callbacks: queries, values, prepared statements, errors', async () => {
    const connection = mysqlCallbacks.createConnection(await at().client());
    const ask = (sql: string, values: unknown[] = []) =>
      new Promise<unknown>((resolve, reject) => {
        connection.query(sql, values, (error, rows) => (error === null ? resolve(rows) : reject(error)));
      });
    const execute = (sql: string, values: (string | number)[]) =>
      new Promise<unknown>((resolve, reject) => {
        connection.execute(sql, values, (error, rows) => (error === null ? resolve(rows) : reject(error)));
      });
    expect(await ask('SELECT ssn FROM customers WHERE id = ?', [7])).toEqual([{ ssn: '*******0007' }]);
    expect(await execute('SELECT ssn FROM customers WHERE id = ?', [7])).toEqual([{ ssn: '*******0007' }]);
    await expect(ask('SELECT nothing FROM customers')).rejects.toMatchObject({ errno: 1054, sqlState: '42S22' });
    expect(await ask('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await new Promise((resolve) => connection.end(resolve));
  });

  test('mysql2 pools and queues commands on one connection', async () => {
    const pool = mysql.createPool({ ...(await at().client()), connectionLimit: 3 });
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, id) => pool.execute('SELECT ssn FROM customers WHERE id = ?', [id + 1])),
    );
    expect(answers.map(([rows]) => rows)).toEqual(
      Array.from({ length: 30 }, (_, id) => [{ ssn: `*******${String(id + 1).padStart(4, '0')}` }]),
    );
    await pool.end();
  });

  test('mysql2 streams rows, and stops in the middle', async () => {
    const connection = mysqlCallbacks.createConnection(await at().client());
    let seen = 0;
    for await (const row of connection.query('SELECT ssn FROM customers ORDER BY id').stream({ highWaterMark: 5 })) {
      expect((row as { ssn: string }).ssn).toMatch(/^\*{7}\d{4}$/);
      seen += 1;
    }
    expect(seen).toBe(200);
    for await (const _ of connection.query('SELECT id FROM orders').stream()) break;
    connection.destroy();
  });

  test.runIf(client)('the mariadb client: tables, errors, several statements, compression', async () => {
    const { host, port, user, password, database } = await at().client(['crew-agent']);
    const env = { ...process.env, MYSQL_PWD: password };
    const ask = async (sql: string, ...options: readonly string[]) => {
      const args = [
        '--no-defaults',
        '--connect-timeout=60',
        `--host=${host}`,
        `--port=${port}`,
        `--user=${user}`,
        ...options,
        '-B',
        '-e',
        sql,
        database,
      ];
      return (await run('mariadb', args, { env })).stdout;
    };
    expect(await ask('SELECT id, ssn FROM customers WHERE id < 3; SELECT 1 AS one')).toBe(
      'id\tssn\n1\t*******0001\n2\t*******0002\none\n1\n',
    );
    expect(await ask('SHOW TABLES')).toContain('customers');
    expect(await ask('SELECT id FROM orders', '--compress')).toContain('\n1000\n');
    expect(await ask("SELECT 'ü' AS u", '--default-character-set=latin1')).toContain('u\n');
    await expect(ask('DROP TABLE orders')).rejects.toThrow(
      'ERROR 1142 (42000) at line 1: sallyport: denied by rule "no-drops": DROP TABLE orders',
    );
    await expect(ask('SELECT 1; SELEC 2')).rejects.toThrow('ERROR 1064 (42000)');
  });

  test.runIf(dump)('mariadb-dump writes what the masks leave', async () => {
    const { host, port, password, database: target } = await at().client(['crew-agent']);
    // It connects without a database and chooses one later: the user names the target.
    const args = [
      '--no-defaults',
      `--host=${host}`,
      `--port=${port}`,
      `--user=${target}`,
      '--skip-lock-tables',
      '--skip-comments',
    ];
    const { stdout } = await run('mariadb-dump', [...args, at().server.database, 'orders'], {
      env: { ...process.env, MYSQL_PWD: password },
    });
    expect(stdout).toContain('CREATE TABLE `orders`');
    expect(stdout).toContain('(1000,1,1500.00)');
  });

  if (pymysql)
    test('PyMySQL: parameters, errors, server-side cursors', async () => {
      const { host, port, user, password, database } = await at().client();
      const script = `
import pymysql, pymysql.cursors, os
c = pymysql.connect(host=${JSON.stringify(host)}, port=${port}, user=${JSON.stringify(user)}, password=os.environ['TOKEN'], database=${JSON.stringify(database)})
with c.cursor() as k:
    k.execute('SELECT ssn FROM customers WHERE id = %s', (7,))
    print(k.fetchall())
    try:
        k.execute('DELETE FROM orders')
    except pymysql.err.MySQLError as e:
        print(e.args[0])
with c.cursor(pymysql.cursors.SSCursor) as k:
    k.execute('SELECT id FROM orders ORDER BY id')
    print(k.fetchone(), sum(1 for _ in k))
c.close()
`;
      const { stdout } = await run('python3', ['-c', script], { env: { ...process.env, TOKEN: password } });
      expect(stdout).toBe("(('*******0007',),)\n1142\n(1,) 999\n");
    });
});
