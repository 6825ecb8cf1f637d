// Detectors, the write-back check and `scan` before MySQL.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { haveMariadb } from '../support/mariadb.ts';
import { mysqlHouse } from './mysql-support.ts';

const agent = ['crew-agent'];

describe.runIf(haveMariadb)('masks before MySQL', () => {
  const at = mysqlHouse({
    target: '    detectors: { action: mask, kinds: [card, email] }',
    extra: 'limits: { login-timeout: 2m }',
  });

  beforeAll(() =>
    at().connected(async (connection) => {
      await connection.query('CREATE TABLE notes (id INT PRIMARY KEY, body TEXT, pan BIGINT)');
      await connection.query(
        "INSERT INTO notes VALUES (1, 'paid with 4111 1111 1111 1111', 4111111111111111), (2, 'nothing', 5)",
      );
    }, agent),
  );

  test('what the detectors find is redacted and on record, in text and binary', async () => {
    await at().connected(async (connection) => {
      for (const [rows] of [
        await connection.query<RowDataPacket[]>('SELECT id, body FROM notes ORDER BY id'),
        await connection.execute<RowDataPacket[]>('SELECT id, body FROM notes ORDER BY id'),
      ]) {
        expect(rows).toEqual([
          { id: 1, body: '[redacted]' },
          { id: 2, body: 'nothing' },
        ]);
      }
    });
    const settled = (await at().records()).filter(
      (record) => record.event === 'settled' && record.detected !== undefined,
    );
    expect(settled.map((record) => record.event === 'settled' && record.detected)).toEqual([{ card: 1 }, { card: 1 }]);
  });

  test('a write that would store what a mask shows is refused, as a literal and as a parameter', async () => {
    await at().connected(async (connection) => {
      const [[row]] = await connection.query<RowDataPacket[]>('SELECT * FROM customers WHERE id = 7');
      for (const name of ['ssn', 'card_number', 'email', 'birth_date']) {
        const value = row?.[name] as string | Date;
        const update = `UPDATE customers SET ${name} = ? WHERE id = 7`;
        await refused(connection.query(update, [value]), name);
        await refused(connection.execute(update, [value]), name);
        await refused(
          connection.execute(`INSERT INTO customers (id, name, ${name}) VALUES (900, 'x', ?)`, [value]),
          name,
        );
      }
      await connection.execute('UPDATE customers SET ssn = ?, phone = ? WHERE id = 7', ['912-84-9999', '*******0007']);
      const [[after]] = await connection.query<RowDataPacket[]>('SELECT ssn, phone FROM customers WHERE id = 7');
      expect(after).toEqual({ ssn: '*******9999', phone: '*******0007' });
    }, agent);
  });

  test('scan proposes masks for a MySQL target', async () => {
    const { host, port, user, password, database } = at().server;
    const file = join(at().folder, 'scan.yaml');
    await writeFile(
      file,
      `listen:
  mysql: 127.0.0.1:0
identity:
  issuers:
    - local: true
targets:
  crm:
    dialect: mysql
    url: mysql://${user}@${host}:${port}/${database}
    password: { env: E2E_CRM_PASSWORD }
    tls: disable
roles: []
rules: []
masks:
  - columns: ["crm.*.customers.ssn"]
    mask: redact
`,
    );
    process.env.E2E_CRM_PASSWORD = password;
    const bin = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
    const { out, err } = await new Promise<{ out: string; err: string }>((resolve) => {
      execFile(process.execPath, [bin, 'scan', '-c', file, '--target', 'crm'], (_error, stdout, stderr) =>
        resolve({ out: stdout, err: stderr }),
      );
    });
    // Other tests' databases on the same server come and go meanwhile.
    expect(err.replace(/^.* was not read: Table .* doesn't exist\n?/gm, '').trim()).toBe('');
    const { masks } = parse(out) as { masks: { columns: [string]; mask: unknown }[] };
    const ours = masks.filter(({ columns: [column] }) => column.split('.')[1] === database);
    expect(
      Object.fromEntries(ours.map(({ columns: [column], mask }) => [column.split('.').slice(2).join('.'), mask])),
    ).toMatchObject({
      'customers.email': 'email',
      'customers.birth_date': 'year',
      'notes.body': 'redact',
    });
    expect(out).not.toMatch(/4111|example\.com/);
    expect(out).not.toContain('.ssn"');
  });
});

async function refused(run: ReturnType<Connection['query']>, name: string): Promise<void> {
  const error = await run.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error, name).toBeInstanceOf(Error);
  expect((error as Error).message, name).toContain('masked-write-back');
}
