// The disk fills, fails, hangs or vanishes: statements are refused, nothing acknowledged is lost, and the chain goes on afterwards.
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/audit/disk.ts';
import { AuditError, newRecordId, readRecords, verifyJournal } from '../../src/audit/index.ts';
import { type Faults, faultyDisk, journalIn, memoryLog, scratch, settled, statement } from './support.ts';

const timing = { retryMs: 15, headMs: 10, flushMs: 1 };
const full = { code: 'ENOSPC' };

async function recorded(directory: string): Promise<{ statements: string[]; settlements: string[] }> {
  const statements: string[] = [];
  const settlements: string[] = [];
  for await (const { record } of readRecords(directory)) {
    if (record.event === 'statement') statements.push(record.record);
    if (record.event === 'settled') settlements.push(record.record);
  }
  return { statements, settlements };
}

test.each(['write', 'sync', 'truncate', 'open'] as const)(
  'durable: while %s is refused statements are refused, settlements are kept, and the chain goes on',
  async (call) => {
    const directory = await scratch();
    let broken = false;
    const fails = (name: string) => broken && (name === call || name === 'write');
    const disk = faultyDisk({ decide: (name) => (fails(name) ? { ...full, keep: 77 } : undefined) });
    const log = memoryLog();
    const journal = await journalIn(directory, { disk, timing, log });
    const before = statement();
    await journal.append(before);
    broken = true;
    const refused = statement();
    const during = settled(before);
    const first = journal.append(refused);
    const second = journal.append(during);
    await expect(first).rejects.toThrow(AuditError);
    await Promise.resolve(second).catch(() => {});
    expect(journal.state).toMatchObject({ kind: 'failed', cause: expect.stringContaining('ENOSPC') });
    await expect(journal.append(statement())).rejects.toThrow(/cannot be written: ENOSPC/);
    expect(() => journal.append(settled(before, { record: newRecordId() }))).not.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(journal.state.kind).toBe('failed');
    broken = false;
    await expect.poll(() => journal.state.kind).toBe('ok');
    const after = statement();
    await journal.append(after);
    await journal.close();
    const found = await recorded(directory);
    expect(found.statements).toEqual([before.record, after.record]);
    expect(found.settlements).toContain(during.record);
    expect(found.settlements).toHaveLength(2);
    expect(await verifyJournal(directory)).toMatchObject({ ok: true });
    expect(journal.statistics).toMatchObject({ refused: 2 });
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(log.lines.some(({ message }) => message.includes('writable again'))).toBe(true);
  },
);

test('fast: records accepted before the disk filled up are kept and written when it can', async () => {
  const directory = await scratch();
  let broken = false;
  const disk = faultyDisk({ decide: (name) => (broken && name === 'write' ? { ...full, keep: 100 } : undefined) });
  const journal = await journalIn(directory, { durable: false, disk, timing });
  broken = true;
  const accepted = [statement(), statement(), statement()];
  for (const record of accepted) journal.append(record);
  await expect.poll(() => journal.state.kind).toBe('failed');
  expect(() => journal.append(statement())).toThrow(AuditError);
  journal.append(settled(accepted[0] ?? statement()));
  broken = false;
  await expect.poll(() => journal.state.kind).toBe('ok');
  const after = statement();
  journal.append(after);
  await journal.close();
  const found = await recorded(directory);
  expect(found.statements).toEqual([...accepted, after].map(({ record }) => record));
  expect(found.settlements).toEqual([accepted[0]?.record]);
  expect(await verifyJournal(directory)).toMatchObject({ ok: true });
});

test('whatever fails whenever, acknowledged is recorded, refused is not, and the chain verifies', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  const fault = fc.record({
    at: fc.integer({ min: 1, max: 60 }),
    length: fc.integer({ min: 1, max: 6 }),
    keep: fc.nat(2000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 5 }), fc.boolean(), async (faults, close) => {
      const directory = await scratch();
      let calls = -20;
      const decide: Faults['decide'] = (name) => {
        calls++;
        if (name === 'replace') return undefined;
        const hit = faults.find(({ at, length }) => calls >= at && calls < at + length);
        return hit === undefined ? undefined : { code: calls % 2 === 0 ? 'ENOSPC' : 'EIO', keep: hit.keep };
      };
      const journal = await journalIn(directory, {
        disk: faultyDisk({ decide }),
        timing: { ...timing, retryMs: 1 },
        segmentBytes: 8000,
      });
      const acknowledged: string[] = [];
      for (let round = 0; round < 25; round++) {
        const some = Array.from({ length: 3 }, () => statement());
        await Promise.all(
          some.map(async (record) => {
            try {
              await journal.append(record);
              acknowledged.push(record.record);
              void journal.append(settled(record));
            } catch (error) {
              expect(error).toBeInstanceOf(AuditError);
              await new Promise((resolve) => setTimeout(resolve, 2));
            }
          }),
        );
      }
      if (!close) await expect.poll(() => journal.state.kind).toBe('ok');
      await expect
        .poll(() =>
          journal.flush().then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
      await journal.close();
      const found = await recorded(directory);
      expect(found.statements).toEqual(acknowledged);
      expect([...found.settlements].sort()).toEqual([...acknowledged].sort());
      expect((await verifyJournal(directory)).problems).toEqual([]);
    }),
    { seed, numRuns: 25 },
  );
});

test('a disk that hangs does not hang statements: they are refused until it answers', async () => {
  const directory = await scratch();
  let release = () => {};
  let hanging = Promise.resolve();
  const disk = faultyDisk({ decide: () => undefined, wait: () => hanging });
  const journal = await journalIn(directory, { disk, timing: { ...timing, stallMs: 30 } });
  await journal.append(statement());
  hanging = new Promise((resolve) => {
    release = resolve;
  });
  const waiting = journal.append(statement());
  await expect(waiting).rejects.toMatchObject({ code: 'stalled' });
  await expect(journal.append(statement())).rejects.toThrow(/more than 30 ms/);
  release();
  hanging = Promise.resolve();
  await expect.poll(() => journal.state.kind).toBe('ok');
  await journal.append(statement());
  await journal.close();
  expect(await verifyJournal(directory)).toMatchObject({ ok: true });
});

test('fast: a disk that is too slow makes statements wait, then refuses them, with bounded memory', async () => {
  let release = () => {};
  const hanging = new Promise<void>((resolve) => {
    release = resolve;
  });
  let started = false;
  const disk = faultyDisk({ decide: () => undefined, wait: () => (started ? hanging : Promise.resolve()) });
  const journal = await journalIn(await scratch(), { durable: false, disk, bufferBytes: 10_000 });
  started = true;
  const answers = new Set<string>();
  for (let index = 0; index < 2000; index++) {
    try {
      answers.add(journal.append(statement()) === undefined ? 'at once' : 'wait');
    } catch (error) {
      answers.add(error instanceof AuditError ? error.code : 'other');
    }
  }
  expect([...answers]).toEqual(['at once', 'wait', 'overfull']);
  expect(journal.statistics.waiting).toBeLessThan(100_000);
  release();
  await journal.flush();
  expect(journal.append(statement())).toBeUndefined();
});

test('a journal folder that is taken away is noticed, and the chain goes on when there is a folder again', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory, { timing });
  await journal.append(statement());
  await journal.flush();
  await rename(join(directory, 'main'), join(directory, '..', 'gone'));
  await journal.append(statement());
  await expect.poll(() => journal.state.kind).toBe('failed');
  await expect(journal.append(statement())).rejects.toThrow(AuditError);
  await rename(join(directory, '..', 'gone'), join(directory, 'main'));
  await expect.poll(() => journal.state.kind).toBe('ok');
  await journal.append(statement());
  await journal.close();
  expect(await verifyJournal(directory)).toMatchObject({ ok: true });
});

test('a segment that was emptied under the writer is left as it is, and the chain goes on in the next', async () => {
  const directory = await scratch();
  let broken = false;
  const disk = faultyDisk({ decide: (name) => (broken && name === 'write' ? full : undefined) });
  const journal = await journalIn(directory, { timing, disk });
  await journal.append(statement());
  await journal.flush();
  await rm(join(directory, 'main', '00000001.jsonl'));
  broken = true;
  await expect(journal.append(statement())).rejects.toThrow(AuditError);
  broken = false;
  await expect.poll(() => journal.state.kind).toBe('ok');
  const after = statement();
  await journal.append(after);
  await journal.close();
  expect(await readFile(join(directory, 'main', '00000002.jsonl'), 'utf8')).toContain(after.record);
  expect(await verifyJournal(directory)).toMatchObject({ ok: false });
});

test('a journal that cannot be opened says so and leaves no lock behind', async () => {
  const directory = await scratch();
  const refusing = faultyDisk({ decide: (name) => (name === 'write' ? full : undefined) });
  await expect(journalIn(directory, { disk: refusing })).rejects.toThrow(/ENOSPC/);
  const journal = await journalIn(directory, { disk: nodeDisk });
  await journal.append(statement());
});
