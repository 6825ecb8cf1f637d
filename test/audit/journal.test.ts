// The journal as its users see it: what is appended is there, in order, chained, and goes on after every kind of end.
import { appendFile, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashLine, readLink } from '../../src/audit/chain.ts';
import { AuditError, type JournalEntry, readRecords, verifyJournal } from '../../src/audit/index.ts';
import { journalIn, memoryLog, scratch, settled, statement } from './support.ts';

async function everything(directory: string): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const entry of readRecords(directory)) entries.push(entry);
  return entries;
}

async function statements(directory: string): Promise<string[]> {
  return (await everything(directory)).flatMap(({ record }) => (record.event === 'statement' ? [record.record] : []));
}

test('a record is in the file when a durable append resolves', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const record = statement();
  await journal.append(record);
  const text = await readFile(join(directory, 'main', '00000001.jsonl'), 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  expect(text).toContain(`"record":"${record.record}"`);
  expect(text).toContain('"text":"select name, email from customers where id = 42"');
});

test('fast mode returns at once and flush puts everything on the disk', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory, { durable: false });
  const records = Array.from({ length: 1000 }, () => statement());
  for (const record of records) expect(journal.append(record)).toBeUndefined();
  await journal.flush();
  expect(await statements(directory)).toEqual(records.map(({ record }) => record));
});

test('fast mode writes without a flush, within moments', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory, { durable: false });
  const record = statement();
  journal.append(record);
  await expect.poll(() => statements(directory)).toEqual([record.record]);
});

test('concurrent durable appends keep their order and share batches', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const records = Array.from({ length: 2000 }, () => statement());
  await Promise.all(records.map((record) => journal.append(record)));
  expect(await statements(directory)).toEqual(records.map(({ record }) => record));
  expect(journal.statistics.batches).toBeLessThan(100);
});

test('every line carries its number and the SHA-256 of the line before', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const opening = statement({ text: 'select \'é 漢 🦀 \ud800 \u2028\u0000\u001b[2J\' -- "quoted" \\ \n' });
  await journal.append(opening);
  await journal.append(settled(opening));
  await journal.close();
  const bytes = await readFile(join(directory, 'main', '00000001.jsonl'));
  let prev = '0'.repeat(64);
  let seq = 1;
  for (const line of bytes.toString('utf8').trimEnd().split('\n')) {
    expect(readLink(Buffer.from(line))).toMatchObject({ seq, prev });
    JSON.parse(line);
    prev = hashLine(Buffer.from(line));
    seq++;
  }
  expect(seq).toBe(5);
});

test('the chain goes on where a clean close left it', async () => {
  const directory = await scratch();
  const records = [];
  for (let round = 0; round < 3; round++) {
    const journal = await journalIn(directory);
    const record = statement();
    records.push(record.record);
    await journal.append(record);
    await journal.close();
  }
  const entries = await everything(directory);
  expect(entries.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6, 7]);
  expect(await statements(directory)).toEqual(records);
});

test('a torn last line is cut off, noted in the chain, and the chain goes on', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const record = statement();
  await journal.append(record);
  await journal.flush();
  const file = join(directory, 'main', '00000001.jsonl');
  const torn = '{"v":1,"event":"statement","time":"2026-01-01T00:00';
  // What a crash leaves: the lock of a process that is gone, a head that is not closed, half a line.
  const copy = await crashCopy(directory);
  await appendFile(join(copy, 'main', '00000001.jsonl'), torn);
  const log = memoryLog();
  const again = await journalIn(copy, { log });
  const after = statement();
  await again.append(after);
  await again.close();
  expect(await statements(copy)).toEqual([record.record, after.record]);
  const note = (await everything(copy)).find(
    ({ record }) => record.event === 'gateway' && 'cut_bytes' in record.details,
  );
  expect(note?.record).toMatchObject({ details: { cut_bytes: torn.length, segment: 1 } });
  expect((await readFile(file, 'utf8')).includes(torn)).toBe(false);
});

async function crashCopy(directory: string): Promise<string> {
  const { cp, rm } = await import('node:fs/promises');
  const copy = `${directory}-copy`;
  await cp(directory, copy, { recursive: true });
  await rm(join(copy, 'main', 'lock'));
  return copy;
}

test('records below the signed head that are gone are declared, and the chain goes on in a new segment', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  for (let index = 0; index < 10; index++) await journal.append(statement());
  await journal.close();
  const file = join(directory, 'main', '00000001.jsonl');
  const { truncate } = await import('node:fs/promises');
  await truncate(file, (await stat(file)).size - 500);
  const log = memoryLog();
  const again = await journalIn(directory, { log });
  await again.append(statement());
  await again.close();
  expect(log.lines.find(({ level }) => level === 'error')?.message).toMatch(/missing or changed/);
  const second = await readFile(join(directory, 'main', '00000002.jsonl'), 'utf8');
  expect(second).toMatch(/journal damaged/);
  expect(second.split('\n')[0]).toContain('"seq":13');
});

test('a chain has one writer: a second one of the same name is refused, of another name welcome', async () => {
  const directory = await scratch();
  await journalIn(directory);
  await expect(journalIn(directory)).rejects.toThrow(/another process writes/);
  await journalIn(directory, { worker: 'w2' });
});

test('a closed journal refuses records', async () => {
  const journal = await journalIn(await scratch());
  await journal.close();
  await expect(journal.append(statement())).rejects.toThrow(AuditError);
});

test('the private key is readable by its owner alone and lies outside the journal folder', async () => {
  const directory = await scratch();
  await journalIn(directory);
  const key = await stat(join(directory, '..', 'audit-signing.key'));
  expect(key.mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'main', '00000001.jsonl'))).mode & 0o777).toBe(0o600);
});

test('workers that start together share one key', async () => {
  const directory = await scratch();
  const journals = await Promise.all(
    Array.from({ length: 8 }, (_, index) => journalIn(directory, { worker: `w${index}` })),
  );
  await Promise.all(journals.map((journal) => journal.append(statement())));
  const { readdir } = await import('node:fs/promises');
  expect(await readdir(join(directory, 'keys'))).toHaveLength(1);
  expect(await statements(directory)).toHaveLength(8);
});

test('a worker name cannot leave the journal folder', async () => {
  const directory = await scratch();
  for (const worker of ['..', '../x', 'a/b', '', 'keys', '.hidden', 'x'.repeat(65)]) {
    await expect(journalIn(directory, { worker })).rejects.toThrow(/cannot name a worker/);
  }
});

test('a grown segment is sealed, compressed and followed by the next; reading goes through all of them', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory, { segmentBytes: 20_000 });
  const records = Array.from({ length: 400 }, () => statement());
  for (const record of records) void journal.append(record);
  await journal.flush();
  await journal.close();
  const { readdir } = await import('node:fs/promises');
  const names = await readdir(join(directory, 'main'));
  expect(names).toContain('00000001.jsonl.gz');
  expect(names).not.toContain('00000001.jsonl');
  expect(names.filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(5);
  expect(await statements(directory)).toEqual(records.map(({ record }) => record));
});

test('a segment is sealed when it is old enough, after a restart too, and never while it is empty', async () => {
  const directory = await scratch();
  let now = Date.parse('2026-03-04T00:00:00Z');
  const options = { segmentAgeMs: 100, now: () => now, compress: false, timing: { headMs: 5, flushMs: 1 } };
  const journal = await journalIn(directory, options);
  const segments = async () => (await readdir(join(directory, 'main'))).filter((name) => name.endsWith('.jsonl'));
  await journal.append(statement());
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(await segments()).toHaveLength(1);
  now += 60;
  await journal.close();
  const again = await journalIn(directory, options);
  now += 60;
  await expect.poll(segments).toHaveLength(2);
  now += 1000;
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(await segments()).toHaveLength(2);
  await again.append(statement());
  await expect.poll(segments).toHaveLength(3);
  await again.close();
  expect(await verifyJournal(directory)).toMatchObject({ ok: true, problems: [] });
});
