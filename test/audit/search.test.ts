// Search and export: every filter, times as people write them, and formats that do no harm to the program that opens them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvField } from '../../src/audit/export.ts';
import {
  type AuditFilter,
  exportRecords,
  type Merged,
  newRecordId,
  parseDuration,
  parseTime,
  type StatementRecord,
  searchJournal,
} from '../../src/audit/index.ts';
import { journalIn, scratch, settled, statement } from './support.ts';

async function found(directory: string, filter: AuditFilter = {}, window?: number): Promise<Merged[]> {
  const records: Merged[] = [];
  for await (const record of searchJournal(directory, filter, { window })) records.push(record);
  return records;
}

async function sample(): Promise<{ directory: string; names: (filter: AuditFilter) => Promise<string[]> }> {
  const directory = await scratch();
  let clock = Date.parse('2026-03-04T00:30:00Z');
  const journal = await journalIn(directory, { segmentBytes: 3000, now: () => clock });
  const at = (hour: number) => `2026-03-04T${String(hour).padStart(2, '0')}:00:00.000Z`;
  const write = async (name: string, fields: Partial<StatementRecord>, ms: number, rows: number) => {
    const opening = statement({ fingerprint: name, ...fields });
    clock = Date.parse(opening.time);
    await journal.append(opening);
    if (opening.verdict === 'allow') await journal.append(settled(opening, { ms, rows, time: opening.time }));
  };
  await write(
    'a',
    {
      time: at(1),
      identity: 'alice',
      groups: ['dba', 'crew'],
      target: 'crm',
      tables: ['crm.leads'],
      columns: ['crm.leads.phone'],
    },
    5,
    1,
  );
  await write(
    'b',
    {
      time: at(2),
      identity: 'bob',
      verbs: ['drop'],
      text: 'DROP TABLE Customers',
      verdict: 'deny',
      rule: 'no-drops',
      columns: [],
    },
    0,
    0,
  );
  await write(
    'c',
    { time: at(3), identity: 'bob', verbs: ['select', 'update'], text: 'update "O\'Hara"', role: undefined },
    2500,
    4000,
  );
  await write('d', { time: at(4), identity: 'carol "x"', verdict: 'hold', rule: 'unbounded-writes' }, 0, 0);
  await journal.append({
    event: 'login-refused',
    time: at(5),
    record: newRecordId(),
    session: undefined,
    identity: 'mallory',
    issuer: undefined,
    groups: [],
    target: 'shop',
    client: undefined,
    message: 'token expired',
    details: {},
  });
  await journal.flush();
  return {
    directory,
    names: async (filter) =>
      (await found(directory, filter)).map((record) =>
        record.event === 'statement' ? record.fingerprint : record.event,
      ),
  };
}

test('each filter finds what it names and nothing else', async () => {
  const { names } = await sample();
  const cases: [AuditFilter, string[]][] = [
    [{ kind: 'statement' }, ['a', 'b', 'c', 'd']],
    [{ identity: 'bob' }, ['b', 'c']],
    [{ identity: 'BOB' }, []],
    [{ identity: 'carol "x"' }, ['d']],
    [{ identity: '*o*', kind: 'statement' }, ['b', 'c', 'd']],
    [{ group: 'dba' }, ['a']],
    [{ target: 'crm' }, ['a']],
    [{ table: 'customers' }, ['b', 'c', 'd']],
    [{ table: 'public.*' }, ['b', 'c', 'd']],
    [{ table: 'crm.leads' }, ['a']],
    [{ table: 'ustomers' }, []],
    [{ column: 'phone' }, ['a']],
    [{ column: 'customers.email' }, ['c', 'd']],
    [{ verdict: 'deny' }, ['b']],
    [{ rule: 'no-drops' }, ['b']],
    [{ rule: 'un*' }, ['d']],
    [{ verb: 'update' }, ['c']],
    [{ text: 'table cust' }, ['b']],
    [{ text: "o'hara" }, ['c']],
    [{ fingerprint: 'c' }, ['c']],
    [{ minMs: 2000 }, ['c']],
    [{ minRows: 1 }, ['a', 'c']],
    [{ since: '2026-03-04T03:00:00.000Z', until: '2026-03-04T04:00:00.000Z' }, ['c']],
    [{ kind: 'login-refused' }, ['login-refused']],
    [{ text: 'EXPIRED' }, ['login-refused']],
    [{ identity: 'bob', verb: 'update', minRows: 10_000 }, []],
    [{ table: '(' }, []],
  ];
  for (const [filter, expected] of cases) expect(await names(filter), JSON.stringify(filter)).toEqual(expected);
});

test('results come in the order of opening, a statement longer than the window late, nothing twice', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const made = Array.from({ length: 50 }, () => statement());
  for (const opening of made) await journal.append(opening);
  for (const opening of [...made].reverse()) await journal.append(settled(opening));
  const ids = (records: Merged[]) => records.map(({ record }) => record);
  const all = await found(directory, { kind: 'statement' });
  expect(ids(all)).toEqual(ids(made as unknown as Merged[]));
  expect(all.every((record) => record.event === 'statement' && record.outcome === 'completed')).toBe(true);
  const late = await found(directory, { kind: 'statement' }, 5);
  expect(ids(late).sort()).toEqual(ids(all).sort());
});

test('times and durations are read as people write them, and wrong ones say what was expected', () => {
  const now = Date.parse('2026-03-04T12:00:00Z');
  expect(parseTime('1h', now)).toBe('2026-03-04T11:00:00.000Z');
  expect(parseTime('7d', now)).toBe('2026-02-25T12:00:00.000Z');
  expect(parseTime('2026-03-04', now)).toBe('2026-03-04T00:00:00.000Z');
  expect(parseTime('2026-03-04 05:06', now)).toBe('2026-03-04T05:06:00.000Z');
  expect(parseTime('2026-03-04T05:06:07+02:00', now)).toBe('2026-03-04T03:06:07.000Z');
  expect(parseDuration('1.5s')).toBe(1500);
  expect(parseDuration('250')).toBe(250);
  for (const wrong of ['', 'yesterday', '1 hour', '2026-13-01', '-1h', '99999999999d']) {
    expect(() => parseTime(wrong, now), wrong).toThrow(/is no (time|duration)/);
  }
});

async function exported(records: Merged[], format: 'jsonl' | 'csv' | 'ocsf'): Promise<string> {
  async function* source() {
    yield* records;
  }
  let text = '';
  for await (const piece of exportRecords(source(), format)) text += piece;
  return text;
}

test('jsonl holds each record as it was', async () => {
  const { directory } = await sample();
  const records = await found(directory);
  const lines = (await exported(records, 'jsonl')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(JSON.stringify(records)));
});

test('no CSV field starts a formula, and every value comes back', () => {
  for (const text of [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '  =1',
    "'=1",
    '|cmd',
    '＝1',
    '=HYPERLINK("http://x","y")',
  ]) {
    expect(csvField(text)).toMatch(/^"'/);
  }
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('=', '+', '-', '@', "'", '"', ',', '\n', '\r', '\t', ' ', 'a', ';', '1') }),
      (text) => {
        const field = csvField(text);
        const plain = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
        expect(plain).not.toMatch(/^\s*[=+\-@]/);
        expect(plain.startsWith("'") ? plain.slice(1) : plain).toBe(text);
        if (!field.startsWith('"')) expect(field).not.toMatch(/[",\r\n]/);
      },
    ),
  );
});

test('CSV has a header and one row a record, whatever the text holds', async () => {
  const { directory } = await sample();
  const records = await found(directory);
  const text = await exported(records, 'csv');
  const rows = text.trimEnd().split('\r\n');
  expect(rows).toHaveLength(records.length + 1);
  expect(rows[0]).toMatch(/^time,event,record,/);
  const width = rows[0]?.split(',').length;
  expect(rows.find((row) => row.includes('no-drops'))?.split(',')).toHaveLength(width ?? 0);
});

test('OCSF events are Datastore Activity with what the class requires', async () => {
  const { directory } = await sample();
  const events = (await exported(await found(directory), 'ocsf'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const event of events) {
    expect(event).toMatchObject({
      class_uid: 6005,
      category_uid: 6,
      type_uid: 600500 + Number(event.activity_id),
      time: expect.any(Number),
      severity_id: expect.any(Number),
      metadata: {
        version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
        product: { name: 'Sallyport' },
        uid: expect.any(String),
      },
      actor: { user: { name: expect.any(String) } },
      src_endpoint: expect.any(Object),
      database: { name: expect.any(String), type_id: 1 },
    });
  }
  const denied = events.find((event) => event.disposition === 'Blocked' && event.activity_id === 7);
  expect(denied).toMatchObject({
    action_id: 2,
    status_id: 2,
    policy: { name: 'no-drops' },
    query_info: { query_string: 'DROP TABLE Customers', uid: expect.any(String) },
    src_endpoint: { ip: '127.0.0.1', port: 50412 },
  });
  expect(events.find((event) => event.activity_id === 3)).toMatchObject({ status_id: 2, message: 'token expired' });
  expect(events.find((event) => event.duration === 2500)).toMatchObject({ status_id: 1, activity_id: 2 });
});
