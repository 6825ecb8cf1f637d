// Whatever is done to a journal after it was written, verify says so and names the place.
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Journal, readRecords, type VerifyReport, verifyJournal } from '../../src/audit/index.ts';
import { journalIn, scratch, settled, statement } from './support.ts';

/** The one seed that every random test here prints when it fails. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const RUNS = { seed, numRuns: 120 };

async function fill(journal: Journal, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const opening = statement({ text: `select ${index} -- é 漢 🦀` });
    void journal.append(opening);
    void journal.append(settled(opening));
    if (index % 7 === 0) await journal.flush();
  }
  await journal.flush();
}

/** A closed journal of several segments, the sealed ones plain or compressed. */
async function written(compress: boolean): Promise<{ directory: string; folder: string; segments: string[] }> {
  const directory = await scratch();
  const journal = await journalIn(directory, { segmentBytes: 12_000, compress });
  await fill(journal, 60);
  await journal.close();
  const folder = join(directory, 'main');
  const segments = (await readdir(folder)).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  expect(segments.length).toBeGreaterThan(3);
  expect(await verifyJournal(directory)).toMatchObject({ ok: true, problems: [] });
  return { directory, folder, segments };
}

/** Runs one act of tampering on a file and puts the file back. */
async function tampered(file: string, act: (bytes: Buffer) => Buffer, check: () => Promise<void>): Promise<void> {
  const before = await readFile(file);
  await writeFile(file, act(Buffer.from(before)));
  try {
    await check();
  } finally {
    await writeFile(file, before);
  }
}

const lineOf = (bytes: Buffer, offset: number) => bytes.subarray(0, offset).toString('latin1').split('\n').length;

test('an untouched journal verifies, while it is written and when it is closed', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory, { segmentBytes: 12_000 });
  await fill(journal, 40);
  const open = await verifyJournal(directory);
  expect(open).toMatchObject({ ok: true, chains: [{ worker: 'main', closed: false, firstSeq: 1 }] });
  await journal.close();
  const closed = await verifyJournal(directory);
  expect(closed).toMatchObject({ ok: true, chains: [{ closed: true }] });
  expect(closed.chains[0]?.signedSeq).toBe(closed.chains[0]?.lastSeq);
});

test('any one byte changed in any segment is found, and its line named', async () => {
  const { directory, folder, segments } = await written(false);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, where, flip) => {
      const segment = which % segments.length;
      const file = join(folder, segments[segment] ?? '');
      let offset = 0;
      let line = 0;
      const act = (bytes: Buffer) => {
        offset = where % bytes.length;
        line = lineOf(bytes, offset);
        bytes[offset] = (bytes[offset] ?? 0) ^ flip;
        return bytes;
      };
      await tampered(file, act, async () => {
        const report = await verifyJournal(directory);
        expect(report.ok).toBe(false);
        expect(report.problems[0]).toMatchObject({ worker: 'main', segment: segment + 1, line });
      });
    }),
    RUNS,
  );
});

test('a byte changed in any compressed segment, its header and its padding too, is found', async () => {
  const { directory, folder, segments } = await written(true);
  const archives = segments.filter((name) => name.endsWith('.gz'));
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, where, flip) => {
      const index = which % archives.length;
      const act = (bytes: Buffer) => {
        // Every other run aims at the 10 bytes of the header.
        const offset = where % 2 === 0 ? (where >> 1) % 10 : (where >> 1) % bytes.length;
        bytes[offset] = (bytes[offset] ?? 0) ^ flip;
        return bytes;
      };
      await tampered(join(folder, archives[index] ?? ''), act, async () => {
        const report = await verifyJournal(directory);
        expect(report.problems[0]).toMatchObject({ kind: 'archive', segment: index + 1 });
      });
    }),
    { ...RUNS, numRuns: 60 },
  );
});

test('a removed line is found, and its number and place named', async () => {
  const { directory, folder, segments } = await written(false);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), async (which, where) => {
      const segment = which % segments.length;
      let line = 0;
      const act = (bytes: Buffer) => {
        const lines = bytes.toString('utf8').trimEnd().split('\n');
        line = where % lines.length;
        lines.splice(line, 1);
        return Buffer.from(lines.map((text) => `${text}\n`).join(''));
      };
      await tampered(join(folder, segments[segment] ?? ''), act, async () => {
        const report = await verifyJournal(directory);
        expect(report.ok).toBe(false);
        const [problem] = report.problems;
        // A seal that is gone shows at the end of its segment.
        expect(problem).toMatchObject({ segment: segment + 1 });
        expect(Math.abs((problem?.line ?? 0) - (line + 1))).toBeLessThanOrEqual(1);
      });
    }),
    RUNS,
  );
});

test('two lines swapped, near or far, are found at the first of them', async () => {
  const { directory, folder, segments } = await written(false);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(), async (which, first, second) => {
      const segment = which % segments.length;
      let line = -1;
      const act = (bytes: Buffer) => {
        const lines = bytes.toString('utf8').trimEnd().split('\n');
        const a = first % lines.length;
        const b = second % lines.length;
        const [one, other] = [lines[a] ?? '', lines[b] ?? ''];
        lines[a] = other;
        lines[b] = one;
        line = a === b ? -1 : Math.min(a, b) + 1;
        return Buffer.from(lines.map((text) => `${text}\n`).join(''));
      };
      await tampered(join(folder, segments[segment] ?? ''), act, async () => {
        const report = await verifyJournal(directory);
        if (line === -1) expect(report.ok).toBe(true);
        else expect(report.problems[0]).toMatchObject({ segment: segment + 1, line });
      });
    }),
    RUNS,
  );
});

test('a tail cut anywhere, whole segments too, is found', async () => {
  const { directory, folder, segments } = await written(false);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), async (keep, cut) => {
      const copy = `${directory}-cut`;
      await cp(directory, copy, { recursive: true });
      const kept = (keep % segments.length) + 1;
      for (const name of segments.slice(kept)) await rm(join(copy, 'main', name));
      const last = segments[kept - 1] ?? '';
      const length = (await readFile(join(folder, last))).length;
      await truncate(join(copy, 'main', last), length - 1 - (cut % length));
      const report = await verifyJournal(copy);
      await rm(copy, { recursive: true });
      expect(report.ok).toBe(false);
      expect(report.problems.some(({ segment }) => segment === undefined || segment <= kept)).toBe(true);
    }),
    { ...RUNS, numRuns: 60 },
  );
});

test('lines added at the end of a closed journal are found', async () => {
  const { directory, folder, segments } = await written(false);
  const donor = await written(false);
  const extra = (await readFile(join(donor.folder, donor.segments[0] ?? ''))).subarray(0, 400);
  for (const text of ['\n', '{}\n', 'x', extra.toString('latin1')]) {
    const act = (bytes: Buffer) => Buffer.concat([bytes, Buffer.from(text)]);
    await tampered(join(folder, segments.at(-1) ?? ''), act, async () => {
      const report = await verifyJournal(directory);
      // Half a line behind the end is what a crash leaves; it is reported, not blamed.
      if (text === 'x') expect(report.chains[0]?.unfinishedBytes).toBe(1);
      else expect(report.ok, text).toBe(false);
    });
  }
});

test('a removed segment, a removed or changed head and a removed archive note are found', async () => {
  for (const compress of [false, true]) {
    const { directory, folder, segments } = await written(compress);
    const names = [segments[0] ?? '', segments[1] ?? '', 'head.json', ...(compress ? ['00000001.jsonl.gz.json'] : [])];
    for (const name of names) {
      const bytes = await readFile(join(folder, name));
      await rm(join(folder, name));
      expect((await verifyJournal(directory)).ok, `${name} removed`).toBe(false);
      await writeFile(join(folder, name), bytes);
    }
    for (const name of names.filter((candidate) => candidate.endsWith('.json'))) {
      const length = (await readFile(join(folder, name))).length;
      for (let offset = compress ? 3 : 0; offset < length; offset += 11) {
        const flip = (bytes: Buffer) => {
          bytes[offset] = (bytes[offset] ?? 0) ^ 1;
          return bytes;
        };
        await tampered(join(folder, name), flip, async () => {
          expect((await verifyJournal(directory)).ok, `${name} byte ${offset}`).toBe(false);
        });
      }
    }
  }
});

test('a chain rewritten with another key does not pass when the key is pinned', async () => {
  const { directory } = await written(false);
  const forged = await written(false);
  const [name] = await readdir(join(directory, 'keys'));
  const pinned = await readFile(join(directory, 'keys', name ?? ''), 'utf8');
  expect((await verifyJournal(directory, {}, { publicKeys: [pinned] })).ok).toBe(true);
  expect((await verifyJournal(forged.directory, {}, { publicKeys: [pinned] })).ok).toBe(false);
});

test('a whole chain removed, or put back to an older state, is told by the other chain', async () => {
  const directory = await scratch();
  const one = await journalIn(directory, { worker: 'one' });
  await fill(one, 3);
  await one.close();
  await cp(join(directory, 'one'), `${directory}-old`, { recursive: true });
  const more = await journalIn(directory, { worker: 'one' });
  await fill(more, 3);
  await more.close();
  const two = await journalIn(directory, { worker: 'two' });
  await two.close();
  expect((await verifyJournal(directory)).ok).toBe(true);
  await rm(join(directory, 'one'), { recursive: true });
  const gone = await verifyJournal(directory);
  expect(gone.problems[0]).toMatchObject({ kind: 'missing', worker: 'one' });
  await cp(`${directory}-old`, join(directory, 'one'), { recursive: true });
  const older = await verifyJournal(directory);
  expect(older.problems[0]).toMatchObject({ kind: 'missing', worker: 'one', seq: 9 });
});

test('an anchor kept elsewhere shows a chain that was rolled back with its head', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  await fill(journal, 3);
  await journal.close();
  await cp(directory, `${directory}-old`, { recursive: true });
  const more = await journalIn(directory);
  await fill(more, 3);
  await more.close();
  const [chain] = (await verifyJournal(directory)).chains;
  const anchors = [{ worker: 'main', seq: chain?.lastSeq ?? 0, hash: chain?.lastHash ?? '' }];
  expect((await verifyJournal(directory, {}, { anchors })).ok).toBe(true);
  expect((await verifyJournal(`${directory}-old`)).ok).toBe(true);
  expect((await verifyJournal(`${directory}-old`, {}, { anchors })).ok).toBe(false);
  await rm(`${directory}-old`, { recursive: true });
});

test('verifying from a point checks from its segment on', async () => {
  const { directory, folder, segments } = await written(false);
  const second = (await readFile(join(folder, segments[1] ?? ''), 'utf8')).split('\n')[0] ?? '';
  const { seq, time } = JSON.parse(second) as { seq: number; time: string };
  const all = await verifyJournal(directory);
  const some = await verifyJournal(directory, { seq: seq + 1 });
  expect(some.chains[0]).toMatchObject({ firstSeq: seq, lastSeq: all.chains[0]?.lastSeq });
  expect((await verifyJournal(directory, { time })).chains[0]?.firstSeq).toBeGreaterThanOrEqual(seq);
  const spoil = (bytes: Buffer) => {
    bytes[700] = (bytes[700] ?? 0) ^ 1;
    return bytes;
  };
  await tampered(join(folder, segments[0] ?? ''), spoil, async () => {
    const problems = (report: VerifyReport) => report.problems.map(({ segment }) => segment);
    expect(problems(await verifyJournal(directory))).toContain(1);
    expect(await verifyJournal(directory, { seq: seq + 1 })).toMatchObject({ ok: true });
  });
});

test('retention removes old segments, says so in the chain, and what is left verifies', async () => {
  const directory = await scratch();
  let now = Date.now();
  const options = { segmentBytes: 12_000, retentionDays: 30, now: () => now };
  const journal = await journalIn(directory, options);
  await fill(journal, 60);
  await journal.close();
  now += 31 * 86_400_000;
  const later = await journalIn(directory, options);
  await fill(later, 5);
  await later.close();
  const left = (await readdir(join(directory, 'main'))).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  expect(left[0]).not.toMatch(/^00000001/);
  const report = await verifyJournal(directory);
  expect(report).toMatchObject({ ok: true });
  const messages: string[] = [];
  for await (const { record } of readRecords(directory)) if (record.event === 'gateway') messages.push(record.message);
  expect(messages).toContain('retention removed segments');
  await rm(join(directory, 'main', left[0] ?? ''));
  expect((await verifyJournal(directory)).ok).toBe(false);
});
