// The tail: statements joined with their settlements, through rotation, from several workers, and nothing in them acts on a terminal.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  inert,
  inertJson,
  type Merged,
  newRecordId,
  renderJson,
  renderRecord,
  tailRecords,
} from '../../src/audit/index.ts';
import { journalIn, scratch, settled, statement } from './support.ts';

test('a statement and its settlement are one entry, a refused one stands alone', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const allowed = statement();
  const denied = statement({ verdict: 'deny', rule: 'no-drops', text: 'drop table customers', verbs: ['drop'] });
  void journal.append(allowed);
  void journal.append(denied);
  await journal.append(settled(allowed, { rows: 3, ms: 2.5 }));
  const found: Merged[] = [];
  for await (const record of tailRecords(directory, { last: 10, follow: false })) found.push(record);
  expect(found.map(({ event }) => event)).toEqual(['gateway', 'statement', 'statement']);
  expect(found[1]).toMatchObject({ record: allowed.record, outcome: 'completed', rows: 3, ms: 2.5, worker: 'main' });
  expect(found[2]).toMatchObject({ record: denied.record, verdict: 'deny', rule: 'no-drops' });
});

test('following yields what two workers write, through rotation and compression, each once', async () => {
  const directory = await scratch();
  const one = await journalIn(directory, { worker: 'one', segmentBytes: 10_000 });
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const record of tailRecords(directory, { last: 0, follow: true, signal: stop.signal, pollMs: 10 })) {
      if (record.event === 'statement') seen.push(record.record);
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const two = await journalIn(directory, { worker: 'two', segmentBytes: 10_000, durable: false });
  const made: string[] = [];
  for (let index = 0; index < 200; index++) {
    const opening = statement();
    made.push(opening.record);
    const journal = index % 2 === 0 ? one : two;
    await journal.append(opening);
    await journal.append(settled(opening));
  }
  await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(200);
  stop.abort();
  await following;
  expect([...seen].sort()).toEqual([...made].sort());
});

test('a statement that runs long is shown while it runs and again when it is over', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const stop = new AbortController();
  const seen: (string | undefined)[] = [];
  const following = (async () => {
    const options = { last: 0, follow: true, signal: stop.signal, pollMs: 5, patienceMs: 20 };
    for await (const record of tailRecords(directory, options)) {
      if (record.event === 'statement') seen.push(record.outcome);
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const opening = statement();
  await journal.append(opening);
  await expect.poll(() => seen).toEqual([undefined]);
  await journal.append(settled(opening));
  await expect.poll(() => seen).toEqual([undefined, 'completed']);
  stop.abort();
  await following;
});

const base: Merged = {
  ...statement({ time: '2026-03-04T05:06:07.089Z' }),
  worker: 'main',
  seq: 2,
  outcome: 'completed',
  rows: 3,
  bytes: 99,
  ms: 1.234,
};

test('a line for people has time, identity, target, verdict, verbs, tables, rows, milliseconds and text', () => {
  expect(renderRecord(base, { color: false })).toBe(
    '2026-03-04 05:06:07.089  crew-support-7@shop  allow  select public.customers  3 rows  1.2 ms  masked=1  select name, email from customers where id = 42',
  );
  expect(renderRecord(base, { color: true })).toContain('\x1b[32mallow\x1b[0m');
  expect(renderRecord({ ...base, wouldBe: ['no-drops'] }, { color: false })).toContain('would-be=no-drops');
  const denied = renderRecord({ ...base, verdict: 'deny', rule: 'no-drops' }, { color: true });
  expect(denied).toContain('\x1b[31mdeny \x1b[0m');
  expect(denied).toContain('rule=no-drops');
  const failed = renderRecord({ ...base, outcome: 'failed', sqlstate: '42P01' }, { color: false });
  expect(failed).toContain('failed 42P01');
});

test('a text of a megabyte is cut to the width', () => {
  const line = renderRecord({ ...base, text: `select '${'x'.repeat(1 << 20)}'` }, { color: false, width: 140 });
  expect(line.length).toBeLessThanOrEqual(140);
  expect(line.endsWith('…')).toBe(true);
});

test.each([
  ['a terminal escape', '\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
  ['a control sequence in one character', '\x9b2J', '\\x9b2J'],
  ['a line break', 'a\r\nb', 'a\\r\\nb'],
  ['a mark that turns text around', 'a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
  ['invisible characters', 'a\u200bb\u00adc\ufeffd\u{e0041}', 'a\\u{200b}b\\xadc\\u{feff}d\\u{e0041}'],
  ['half a surrogate pair', 'a\ud800b', 'a\\u{d800}b'],
  ['invalid UTF-8', Buffer.from([0x61, 0xff, 0xc3, 0x28]).toString('utf8'), 'a\ufffd\ufffd('],
])('%s is shown, not obeyed', (_, text, shown) => {
  expect(inert(text)).toBe(shown);
  expect(JSON.parse(inertJson({ text }))).toEqual({ text });
});

test('no text in any field can put a control or an invisible character on the terminal', () => {
  const hostile = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(hostile, hostile, hostile, hostile, (text, identity, table, rule) => {
      const record: Merged = {
        ...base,
        text,
        identity,
        target: table,
        tables: [table],
        rule,
        verbs: [rule],
        time: text,
      };
      const event: Merged = {
        event: 'login',
        time: text,
        record: newRecordId(),
        session: undefined,
        identity,
        issuer: undefined,
        groups: [],
        target: table,
        client: undefined,
        message: rule,
        details: { [text]: rule },
        worker: 'main',
        seq: 1,
      };
      for (const one of [record, { ...record, verdict: 'deny' as const }, event]) {
        for (const line of [renderRecord(one, { color: false }), renderJson(one)]) {
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
        }
        expect(JSON.parse(renderJson(one))).toMatchObject({ identity });
      }
    }),
  );
});
