// The second net end to end: what is found in columns that no mask lists is redacted or only counted, and is on record.
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { renderRecord, type SettledRecord, searchJournal } from '../../src/audit/index.ts';
import { type House, house, shopPolicy } from './support.ts';

const schema = [
  `create table notes (id int primary key, body text, extra jsonb, card bigint, email text)`,
  `insert into notes values
     (1, 'paid with 4111 1111 1111 1111 today', '{"mail": "jane@example.com"}', 4111111111111111, 'one@example.com'),
     (2, 'nothing here', '{}', 17, 'two@example.com'),
     (3, 'call +44 20 7946 0958 or write to joe@example.org', null, null, null)`,
  `create role gateway login password 'gateway-secret'`,
  'grant all on all tables in schema public to gateway',
  'grant all on schema public to gateway',
];

/** What the records say was found by the statements with this text. */
async function detected(at: House, text: string): Promise<readonly SettledRecord['detected'][]> {
  const records = await at.records();
  const ids = records.flatMap((record) =>
    record.event === 'statement' && record.text.includes(text) ? [record.record] : [],
  );
  return records.flatMap((record) =>
    record.event === 'settled' && ids.includes(record.record) ? [record.detected] : [],
  );
}

/** The data of a COPY TO STDOUT: node-postgres hands it to a query of one's own. */
function copyOut(client: pg.Client, sql: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const query = {
      submit: (connection: pg.Connection) => connection.query(sql),
      handleCopyData: ({ chunk }: { chunk: Buffer }) => void chunks.push(chunk),
      handleCommandComplete: () => undefined,
      handleReadyForQuery: () => resolve(Buffer.concat(chunks).toString()),
      handleError: reject,
    };
    client.query(query as unknown as pg.Submittable);
  });
}

describe('action: mask', () => {
  const at = house({ schema, target: '    detectors: { action: mask, kinds: [card, email] }' });

  test('redacts the values in which something is found, and counts them', async () => {
    const { rows } = await at().connected((client) =>
      client.query('select id, body, extra, card, email from notes order by id'),
    );
    // The column `email` is the file's own; its mask is not the net's.
    expect(rows).toEqual([
      { id: 1, body: '[redacted]', extra: '[redacted]', card: '0', email: 'o***@example.com' },
      { id: 2, body: 'nothing here', extra: {}, card: '17', email: 't***@example.com' },
      { id: 3, body: '[redacted]', extra: null, card: null, email: null },
    ]);
    expect(await detected(at(), 'order by id')).toEqual([{ card: 2, email: 2 }]);
  });

  test('reaches aliases, expressions, prepared statements and both formats', async () => {
    await at().connected(async (client) => {
      for (const binary of [false, true]) {
        for (let run = 0; run < 3; run++) {
          const { rows } = await client.query({
            name: `again${binary}`,
            text: `select upper(body) as x, body as y from notes where id = $1`,
            values: [run + 1],
            binary,
          } as never);
          expect(JSON.stringify(rows)).not.toMatch(/4111|joe/i);
        }
      }
    });
    expect(await detected(at(), 'upper(body)')).toEqual([
      { card: 2 },
      undefined,
      { email: 2 },
      { card: 2 },
      undefined,
      { email: 2 },
    ]);
  });

  test('the records say so at the command line', async () => {
    await at().connected((client) => client.query('select body from notes where id = 1'));
    const lines: string[] = [];
    for await (const record of searchJournal(`${at().folder}/data/journal`)) {
      if (record.event === 'statement') lines.push(renderRecord(record, { color: false }));
    }
    expect(lines.find((line) => line.includes('where id = 1'))).toContain('detected=card:1');
  });

  test('COPY passes through it too', async () => {
    const text = await at().connected((client) => copyOut(client, 'copy notes (id, body, card) to stdout'));
    expect(text).toBe('1\t[redacted]\t0\n2\tnothing here\t17\n3\t[redacted]\t\\N\n');
    expect(await detected(at(), 'copy notes')).toEqual([{ card: 2, email: 1 }]);
  });
});

describe('action: report', () => {
  const at = house({
    schema,
    target: '    detectors: { action: report }',
    policy: shopPolicy.replace('mask: email', 'mask: email\n    unless: { groups: [crew-agent] }'),
  });

  test('counts and changes nothing', async () => {
    const { rows } = await at().connected((client) => client.query('select body from notes order by id'));
    expect(rows.map(({ body }) => body)).toEqual([
      'paid with 4111 1111 1111 1111 today',
      'nothing here',
      'call +44 20 7946 0958 or write to joe@example.org',
    ]);
    expect(await detected(at(), 'order by id')).toEqual([{ card: 1, email: 1, phone: 1 }]);
  });

  test('leaves columns alone that the file lists, also for those who may see them', async () => {
    const { rows } = await at().connected(
      (client) => client.query('select email, lower(email) as l from notes where id = 1'),
      ['crew-agent'],
    );
    expect(rows).toEqual([{ email: 'one@example.com', l: 'one@example.com' }]);
    expect(await detected(at(), 'lower(email)')).toEqual([undefined]);
  });
});
