// Held statements before MySQL with a stock driver: text and prepared, approved, refused and withdrawn.
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import type { Approvals, Hold, Person } from '../../src/approvals/index.ts';
import { haveMariadb } from '../support/mariadb.ts';
import { crmPolicy, mysqlHouse } from './mysql-support.ts';

/** Time enough for a machine with other work. */
const patient = { connectTimeout: 60_000 };
const anna: Person = { kind: 'identity', issuer: 'https://people', subject: 'anna', name: 'anna', groups: ['dba'] };

describe.runIf(haveMariadb)('a held statement before MySQL', { timeout: 180_000 }, () => {
  const at = mysqlHouse({
    extra: 'limits: { login-timeout: 60s }',
    policy: crmPolicy.replace(
      `    on: { verbs: [update, delete], unbounded: true }
    then: deny`,
      `    on: { verbs: [update, delete], unbounded: true }
    then: hold
    approvers: { groups: [dba], count: 1, timeout: 10m }`,
    ),
  });

  const approvals = (): Approvals => {
    const { approvals: room } = at().gateway;
    if (room === undefined) throw new Error('the gateway has a store');
    return room;
  };

  async function waiting(text: string): Promise<Hold> {
    for (let turn = 0; turn < 1600; turn++) {
      const found = (await approvals().holds.list()).find((hold) => hold.text.includes(text));
      if (found !== undefined) return found;
      await sleep(25);
    }
    throw new Error(`nothing waits: ${text}`);
  }

  const agent = <T>(use: (connection: mysql.Connection) => Promise<T>) => at().connected(use, ['crew-agent'], patient);
  const failure = (run: Promise<unknown>) =>
    run.then(
      () => {
        throw new Error('expected an error');
      },
      (cause: unknown) => cause,
    );

  test('runs once somebody has agreed', async () => {
    await agent(async (connection) => {
      const run = connection.query<mysql.ResultSetHeader>('UPDATE orders SET total = total + 1');
      const hold = await waiting('total + 1');
      expect(hold).toMatchObject({ target: 'crm', rule: 'unbounded-writes', identity: 'crew-support-7' });
      await approvals().holds.decide(hold.id, { verdict: 'approve', by: anna });
      const [result] = await run;
      expect(result.affectedRows).toBe(1000);
    });
  });

  test('is decided on with its parameters when it was prepared, run by run', async () => {
    await agent(async (connection) => {
      const run = connection.execute<mysql.ResultSetHeader>('UPDATE orders SET customer_id = ?', [7]);
      const hold = await waiting('customer_id');
      expect(hold.parameters).toEqual([{ text: '7', masked: false }]);
      await approvals().holds.decide(hold.id, { verdict: 'approve', by: anna });
      expect((await run)[0].affectedRows).toBe(1000);
      const refused = failure(connection.execute('UPDATE orders SET customer_id = ?', [8]));
      const second = await waiting('customer_id');
      expect(second.parameters).toEqual([{ text: '8', masked: false }]);
      await approvals().holds.decide(second.id, { verdict: 'deny', by: anna, reason: 'seven it is' });
      expect(await refused).toMatchObject({
        errno: 1317,
        sqlState: '70100',
        message: expect.stringContaining('refused by an approver: seven it is'),
      });
      const [rows] = await connection.query<mysql.RowDataPacket[]>('SELECT DISTINCT customer_id AS id FROM orders');
      expect(rows).toEqual([{ id: 7 }]);
    });
  });

  test('is withdrawn when its client leaves', async () => {
    const connection = await mysql.createConnection({ ...(await at().client(['crew-agent'])), ...patient });
    connection.on('error', () => undefined);
    // mysql2 never settles what ran when a connection is destroyed.
    connection.query('DELETE FROM orders').catch(() => undefined);
    const hold = await waiting('DELETE FROM orders');
    connection.destroy();
    await expect.poll(async () => (await approvals().holds.get(hold.id))?.state).toBe('withdrawn');
    await agent(async (other) => {
      const [rows] = await other.query<mysql.RowDataPacket[]>('SELECT COUNT(*) AS n FROM orders');
      expect(rows).toEqual([{ n: 1000 }]);
    });
  });
});
