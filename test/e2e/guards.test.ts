// What looks at an identity's conduct and at what a statement would cost: budgets, the loop breaker, the cost guard, idle sessions, and
// the second reader where it may refuse.
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { house } from './support.ts';

const roles = (more: string) => `
roles:
  - name: agent
    groups: [crew-agent]
    targets: [shop]
    allow: [read, write, session]
${more}
rules: []
masks: []
`;

/** The code and message of a statement that is refused. */
async function refusal(client: pg.Client, text: string, values: unknown[] = []): Promise<string> {
  return client.query(text, values).then(
    () => 'it ran',
    (error: pg.DatabaseError) => `${error.code} ${error.message}`,
  );
}

describe('budgets', () => {
  const at = house({
    policy: roles('    budgets: { sessions: 2, statements-per-minute: 5, bytes-per-day: 64MiB }'),
  });

  test('a statement above the limit is refused, and the transaction can still be ended', async () => {
    await at().connected(
      async (client) => {
        await client.query('begin');
        const answers = [];
        for (let n = 0; n < 12; n++) answers.push(await refusal(client, `select ${n}`));
        expect(answers.some((answer) => /^53400 sallyport: denied by rule "statements-per-minute"/.test(answer))).toBe(
          true,
        );
        await client.query('rollback');
      },
      ['crew-agent'],
    );
  });

  test('sessions above the limit are refused at login', async () => {
    const open = async () => {
      const client = new pg.Client(await at().client(['crew-agent']));
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    const clients = [await open(), await open()];
    await expect(open()).rejects.toMatchObject({ message: expect.stringContaining('allow 2 sessions at a time') });
    for (const client of clients) await client.end();
  });
});

describe('the loop breaker', () => {
  const at = house({ policy: roles(''), extra: 'loop-breaker: { repeats: 5, within: 30s, pause: 1m }' });

  test('an identity that fails with the same statement again and again is paused', async () => {
    await at().connected(
      async (client) => {
        const answers = [];
        for (let n = 0; n < 7; n++) answers.push(await refusal(client, `select * from no_such_table where id = ${n}`));
        expect(answers[0]).toContain('no_such_table');
        expect(answers.at(-1)).toMatch(
          /^53400 sallyport: denied by rule "loop-breaker": this identity is paused for \d+ s more/,
        );
        expect(await refusal(client, 'select 1')).toContain('loop-breaker');
      },
      ['crew-agent'],
    );
    expect(await at().records()).toContainEqual(
      expect.objectContaining({ event: 'gateway', message: expect.stringContaining('is paused until') }),
    );
  });
});

describe('the cost guard', () => {
  const at = house({ policy: roles(''), target: '    cost-guard: { rows: 400 }' });

  test('a statement that the server expects to be large is refused before it runs', async () => {
    await at().connected(
      async (client) => {
        await client.query('select * from customers where id = $1', [1]);
        expect(await refusal(client, 'select * from orders a, orders b')).toMatch(
          /^42501 sallyport: denied by rule "cost-guard": SELECT FROM orders.* \(the server expects \d{6,} rows, more than 400\)/,
        );
        expect(await refusal(client, 'select * from orders where id > $1', [0])).toContain('cost-guard');
        expect(await refusal(client, 'select * from orders where id = $1', [7])).toBe('it ran');
      },
      ['crew-agent'],
    );
    expect(at().log.some((line) => line.includes('execute') && line.includes('orders a, orders b /*identity'))).toBe(
      false,
    );
  });
});

describe('a cost guard that holds', () => {
  const at = house({
    policy: roles(''),
    target: '    cost-guard: { rows: 500, then: hold, approvers: { groups: [dba], timeout: 1s } }',
  });

  test('asks people, and refuses when nobody decides', async () => {
    await at().connected(
      async (client) => {
        const notices: string[] = [];
        client.on('notice', ({ message }) => notices.push(message ?? ''));
        expect(await refusal(client, 'select * from orders')).toMatch(/^57014 .*"cost-guard".*nobody decided in time/);
        expect(notices.join()).toContain('held by rule "cost-guard"');
        expect(await refusal(client, 'select count(*) from orders')).toBe('it ran');
      },
      ['crew-agent'],
    );
  });
});

describe('idle sessions', () => {
  const at = house({ policy: roles(''), extra: 'limits: { idle-timeout: 1s }' });

  test('a session in which nothing runs is ended, one that works is not', async () => {
    const client = new pg.Client(await at().client(['crew-agent']));
    const ended = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();
    await client.query('select pg_sleep(1.5)');
    expect(await ended).toMatchObject({ code: '57P05', message: expect.stringContaining('nothing ran in it for 1 s') });
  });
});

describe('the second reader', () => {
  const at = house({ policy: roles(''), extra: 'second-reader: enforce' });

  test('what both read alike runs', async () => {
    await at().connected(
      async (client) => {
        const { rows } = await client.query('select count(*)::int as n from orders where id between 3 and 5');
        expect(rows).toEqual([{ n: 3 }]);
      },
      ['crew-agent'],
    );
  });
});
