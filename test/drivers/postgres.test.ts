// Stock drivers connect unchanged: the database names the target, the password is the token, and masked columns come masked.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { house } from '../e2e/support.ts';

const at = house();
const run = promisify(execFile);

async function available(program: string, ...args: readonly string[]): Promise<boolean> {
  return run(program, [...args]).then(
    () => true,
    () => false,
  );
}

const psql = await available('psql', '--version');
const psycopg = await available('python3', '-c', 'import psycopg');

test('postgres.js: tagged templates, parameters, transactions, errors, cursors', async () => {
  const { user, password, database } = await at().client(['crew-agent']);
  const sql = postgres({
    host: '127.0.0.1',
    port: at().port,
    user,
    password,
    database,
    max: 2,
    onnotice: () => undefined,
  });
  try {
    expect(await sql`select id, ssn, name from customers where id = ${7}`).toEqual([
      { id: 7, ssn: '*******0007', name: 'Name 7' },
    ]);
    await expect(sql`drop table customers`).rejects.toMatchObject({ code: '42501', severity: 'ERROR' });
    const total = await sql.begin(async (inside) => {
      await inside`insert into orders (id, customer_id, total) values (9001, 1, ${'12.50'})`;
      return inside`select total from orders where id = 9001`;
    });
    expect(total).toEqual([{ total: '12.50' }]);
    let rows = 0;
    for await (const part of sql`select id, card_number from customers order by id`.cursor(50)) {
      rows += part.length;
      for (const row of part) expect(row.card_number).toMatch(/^\*{12}\d{4}$/);
    }
    expect(rows).toBe(200);
  } finally {
    await sql.end();
  }
});

test.runIf(psql)('psql: queries, \\d, \\copy and an error with its hint', async () => {
  const { user, password, database } = await at().client(['crew-agent']);
  const env = { ...process.env, PGPASSWORD: password };
  const ask = (...commands: readonly string[]) =>
    run(
      'psql',
      [
        '-X',
        '-At',
        '-h',
        '127.0.0.1',
        '-p',
        String(at().port),
        '-U',
        user,
        database,
        ...commands.flatMap((c) => ['-c', c]),
      ],
      { env },
    ).then(
      ({ stdout, stderr }) => stdout + stderr,
      (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
    );
  expect(await ask('select ssn, id from customers where id = 7')).toBe('*******0007|7\n');
  expect(await ask('\\d orders')).toContain('customer_id');
  expect(await ask('\\copy (select id, ssn from customers where id < 3 order by id) to stdout')).toBe(
    '1\t*******0001\n2\t*******0002\n',
  );
  const refused = await ask('drop table customers');
  expect(refused).toContain('ERROR:  sallyport: denied by rule "no-drops": DROP TABLE customers');
  expect(refused).toContain('HINT:');
});

test.runIf(psycopg)('psycopg 3: parameters, binary results, pipeline, errors', async () => {
  const { user, password, database } = await at().client(['crew-agent']);
  const script = `
import os, psycopg
with psycopg.connect(host="127.0.0.1", port=${at().port}, user="${user}", password=os.environ["TOKEN"], dbname="${database}") as c:
    assert c.execute("select id, ssn from customers where id = %s", (7,)).fetchall() == [(7, "*******0007")]
    assert c.cursor(binary=True).execute("select ssn, birth_date::text from customers where id = %s", (7,)).fetchone()[0] == "*******0007"
    c.commit()
    try:
        c.execute("delete from orders")
        raise SystemExit("not refused")
    except psycopg.errors.InsufficientPrivilege as e:
        assert "unbounded-writes" in str(e)
    c.rollback()
    with c.pipeline():
        a = c.execute("select 1"); b = c.execute("select count(*) from orders")
        assert a.fetchone() == (1,) and b.fetchone()[0] >= 1000
print("good")
`;
  const { stdout } = await run('python3', ['-c', script], { env: { ...process.env, TOKEN: password } });
  expect(stdout).toBe('good\n');
});
