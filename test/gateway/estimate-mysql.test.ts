// What the gateway learns from EXPLAIN of a MySQL server: the rows a statement returns or changes.
import { describe, expect, test } from 'vitest';
import { explainMysql, planRows } from '../../src/gateway/estimate-mysql.ts';
import type { Reading, Verb } from '../../src/sql/index.ts';
import { haveMariadb, mariadbDatabase, sequences } from '../support/mariadb.ts';

const reading = (...verbs: Verb[]): Reading => ({
  dialect: 'mysql',
  verbs,
  summary: '',
  fingerprint: '',
  tables: [],
  columns: [],
  functions: [],
  unbounded: [],
  outputs: undefined,
  uses: [],
  flows: [],
  stores: [],
  opaque: [],
  sideDoors: [],
  settings: [],
});

test('joined tables multiply, the parts of a union add up, subqueries do not count', () => {
  expect(
    planRows([
      { id: 1, select_type: 'PRIMARY', rows: 100, filtered: 50 },
      { id: 1, select_type: 'PRIMARY', rows: 3, filtered: 100 },
      { id: 2, select_type: 'SUBQUERY', rows: 900 },
      { id: 3, select_type: 'UNION', rows: '7' },
      { id: null, select_type: 'UNION RESULT', rows: null },
    ]),
  ).toBe(157);
  expect(planRows([])).toBeUndefined();
});

describe.runIf(haveMariadb)('a server', () => {
  const server = mariadbDatabase(
    'CREATE TABLE t (id INT PRIMARY KEY, n INT)',
    ...sequences(500),
    'INSERT INTO t SELECT seq, seq FROM seq_1_to_500',
    'ANALYZE TABLE t',
  );

  test('is asked about reads and writes, with parameters and without, and runs nothing', async () => {
    const { host, port, user, password, database } = server();
    const explain = (text: string, verb: Verb, ...values: Buffer[]) =>
      explainMysql(
        { host, port, user, password, database },
        { reading: reading(verb), text, parameters: values.map((value) => ({ type: 3, binary: true, value })) },
      );
    const five = Buffer.from([5, 0, 0, 0]);
    const rows = async (...what: Parameters<typeof explain>) => {
      // A machine with other work may not answer in time.
      for (let turn = 0; turn < 20; turn++) {
        const estimate = await explain(...what);
        if (estimate.kind === 'estimate') return estimate.rows;
        expect(estimate.why).toContain('TIMEDOUT');
      }
      throw new Error('no estimate');
    };
    expect(Math.abs((await rows('UPDATE t SET n = 1', 'update')) - 500)).toBeLessThan(100);
    expect(Math.abs((await rows('UPDATE t SET n = ?', 'update', five)) - 500)).toBeLessThan(100);
    expect(await rows('DELETE FROM t WHERE id = ?', 'delete', five)).toBe(1);
    expect(await rows('SELECT * FROM t WHERE id < 4', 'select')).toBe(3);
    expect(await explain('DROP TABLE t', 'drop')).toEqual({ kind: 'none', why: 'EXPLAIN does not take drop' });
    expect(Math.abs((await rows('SELECT * FROM t', 'select')) - 500)).toBeLessThan(100);
  });

  test('is not quoted when it fails', async () => {
    const { host, port, user, password, database } = server();
    const estimate = await explainMysql(
      { host, port, user, password, database },
      { reading: reading('select'), text: `SELECT * FROM nowhere WHERE a = 'secret'`, parameters: [] },
    );
    expect(estimate).toMatchObject({
      kind: 'none',
      why: expect.stringMatching(/^the server's EXPLAIN failed \(\w+\)$/),
    });
  });
});
