// Records in the store: everything the journal holds arrives there once, through failures too, and every filter finds the same.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type AuditFilter,
  columnSummaries,
  identitySummaries,
  type Journal,
  type Merged,
  newRecordId,
  recordById,
  ruleHits,
  type ShipOptions,
  Shipper,
  type StatementRecord,
  type StoredRecord,
  searchJournal,
  searchRecords,
  statementCounts,
  tailStore,
} from '../../src/audit/index.ts';
import { connectStore, type Store } from '../../src/store/index.ts';
import { execute, postgresServer } from '../support/postgres.ts';
import { journalIn, memoryLog, scratch, settled, statement } from './support.ts';

const server = postgresServer();
let names = 0;
let store: Store;

/** A store of its own for a test: a database of the file's server. */
async function freshStore(): Promise<Store> {
  const name = `audit${names++}`;
  await execute(server().url(), `create database ${name}`);
  return connectStore({ url: server().url(name) });
}

beforeAll(async () => {
  store = await freshStore();
});
afterAll(async () => {
  await store.close();
});

function shipper(directory: string, into: Store, options: Partial<ShipOptions> = {}): Shipper {
  return new Shipper({ directory, store: into, gateway: 'one', log: memoryLog(), ...options });
}

async function all(into: Store, filter: AuditFilter = {}, limit = 50): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  let after: string | undefined;
  do {
    const page = await searchRecords(into, filter, { limit, after });
    found.push(...page.records);
    after = page.next;
  } while (after !== undefined);
  return found;
}

async function journalled(directory: string, filter: AuditFilter = {}): Promise<Merged[]> {
  const found: Merged[] = [];
  for await (const record of searchJournal(directory, filter)) found.push(record);
  return found;
}

const byRecord = (a: Merged, b: Merged) => (a.record < b.record ? -1 : 1);

/** A record without what only one of both sides knows. */
function bare(record: Merged): object {
  return Object.fromEntries(
    Object.entries(record).filter(([name, value]) => value !== undefined && name !== 'gateway' && name !== 'chain'),
  );
}

async function sameAsJournal(directory: string, into: Store, filter: AuditFilter = {}): Promise<Merged[]> {
  const expected = (await journalled(directory, filter)).sort(byRecord).map(bare);
  const found = (await all(into, filter, 7)).sort(byRecord).map(bare);
  expect(found, JSON.stringify(filter)).toEqual(expected);
  return expected as Merged[];
}

const pick = <T>(values: readonly T[], index: number): T => values[index % values.length] as T;

/** The journal's clock goes with the records of `fill`. */
let clock = Date.parse('2026-03-03T21:00:00Z');
const now = () => clock;

/** Varied records over four days. */
async function fill(journal: Journal, count: number, start = 0): Promise<StatementRecord[]> {
  const made: StatementRecord[] = [];
  for (let index = start; index < start + count; index++) {
    const time = new Date(Date.parse('2026-03-03T22:00:00Z') + index * 7_000_000).toISOString();
    clock = Date.parse(time);
    const verdict = pick(['allow', 'allow', 'deny', 'allow', 'hold'] as const, index);
    const record = statement({
      time,
      identity: pick(['alice', 'bob', 'carol-7', 'carol-8'], index),
      groups: pick([['dba'], ['crew', 'dba'], []], index),
      target: pick(['shop', 'crm'], index),
      text: pick(['select 1', 'DROP TABLE x', "update t set a = '100%_\\'", 'select é 漢'], index),
      fingerprint: `f${index % 6}`,
      verbs: pick([['select'], ['drop'], ['select', 'update']], index),
      tables: pick([['public.customers'], ['crm.leads', 'public.orders'], []], index),
      columns: pick([['public.customers.ssn', 'public.customers.id'], ['crm.leads.phone'], []], index),
      masked: index % 3 === 0 ? ['public.customers.ssn'] : [],
      verdict,
      rule: verdict === 'allow' ? undefined : pick(['no-drops', 'unbounded'], index),
      imitatesTag: index % 5 === 0,
      wouldBe: index % 4 === 0 ? ['tried'] : [],
    });
    made.push(record);
    await journal.append(record);
    if (verdict === 'allow' && index % 4 !== 0)
      await journal.append(settled(record, { time, ms: index * 3, rows: index * 2, sqlstate: undefined }));
    if (index % 6 === 0) {
      await journal.append({
        event: 'login-refused',
        time,
        record: newRecordId(),
        session: undefined,
        identity: pick(['mallory', undefined], index),
        issuer: undefined,
        groups: [],
        target: 'shop',
        client: '127.0.0.1:5',
        message: 'Token expired 50%',
        details: { rule: 'expired', encrypted: false },
      });
    }
  }
  await journal.flush();
  return made;
}

test('what the journal holds is in the store, and each filter finds the same in both', async () => {
  const into = await freshStore();
  const directory = await scratch();
  clock = Date.parse('2026-03-03T21:00:00Z');
  const journal = await journalIn(directory, { segmentBytes: 9000, now });
  await fill(journal, 40);
  await shipper(directory, into).pass();
  const filters: AuditFilter[] = [
    {},
    { identity: 'alice' },
    { identity: 'carol-*' },
    { identity: 'nobody' },
    { identity: 'no*' },
    { group: 'dba' },
    { group: 'c*' },
    { target: 'crm' },
    { table: 'customers' },
    { table: 'PUBLIC.*' },
    { table: 'ustomers' },
    { column: 'ssn' },
    { column: 'customers.ssn' },
    { column: 'crm.leads.phone' },
    { verdict: 'deny' },
    { rule: 'no-drops' },
    { rule: '*o*' },
    { verb: 'SELECT' },
    { text: 'drop table' },
    { text: "'100%_\\'" },
    { text: 'token expired 50%' },
    { text: '漢' },
    { text: 'x' },
    { fingerprint: 'f3' },
    { minMs: 0 },
    { minMs: 33 },
    { minRows: 20 },
    { kind: 'event' },
    { kind: 'statement' },
    { kind: 'login-refused' },
    { since: '2026-03-04T12:00:00.000Z' },
    { until: '2026-03-04T12:00:00.000Z', identity: 'bob' },
    { since: '2026-03-04T00:00:00.000Z', until: '2026-03-05T00:00:00.000Z' },
    { identity: 'alice', target: 'shop', verb: 'select', table: 'customers', verdict: 'allow' },
  ];
  const sizes = [];
  for (const filter of filters) sizes.push((await sameAsJournal(directory, into, filter)).length);
  expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(28);
  await into.close();
});

test('pages are newest first, or oldest first, and hold every record once', async () => {
  const into = await freshStore();
  const directory = await scratch();
  const journal = await journalIn(directory);
  await fill(journal, 30);
  await shipper(directory, into).pass();
  const newest = await all(into, {}, 4);
  expect(newest.length).toBeGreaterThan(30);
  expect(newest.map(({ time }) => time)).toEqual([...newest.map(({ time }) => time)].sort().reverse());
  const oldest: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await searchRecords(into, { verb: 'select' }, { limit: 3, after, order: 'oldest' });
    oldest.push(...page.records.map(({ record }) => record));
    if (page.next === undefined) break;
    after = page.next;
  }
  expect(oldest).toEqual((await all(into, { verb: 'select' }, 5)).map(({ record }) => record).reverse());
  await expect(searchRecords(into, {}, { after: "1'; drop" })).rejects.toThrow('no place');
  await into.close();
});

test('one record has all of its text, a page only its beginning', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const text = `select '${'x'.repeat(1 << 20)}' -- \0 \ud800 \u202e <script>alert(1)</script>`;
  const record = statement({ text, identity: 'long\0name' });
  await journal.append(record);
  await journal.append(settled(record));
  await journal.flush();
  await shipper(directory, store).pass();
  const found = await recordById(store, record.record);
  const kept = text.replace('\0', '\ufffd').replace('\ud800', '\ufffd');
  expect(found).toMatchObject({ text: kept, identity: 'long\ufffdname', outcome: 'completed', gateway: 'one' });
  const [shown] = await all(store, { record: record.record });
  expect(shown).toMatchObject({ text: kept.slice(0, 4096) });
  expect(await recordById(store, 'nobody')).toBeUndefined();
});

test('a settlement that comes in a later batch finds its statement', async () => {
  const into = await freshStore();
  const directory = await scratch();
  const journal = await journalIn(directory);
  const opened = [statement(), statement(), statement()];
  const ship = shipper(directory, into);
  for (const record of opened) await journal.append(record);
  await journal.flush();
  await ship.pass();
  expect((await all(into, { minMs: 0 })).length).toBe(0);
  for (const record of opened.slice(1)) await journal.append(settled(record, { ms: 700, rows: 12 }));
  await journal.flush();
  await ship.pass();
  const found = await all(into, { minMs: 512 });
  expect(found.map(({ record }) => record).sort()).toEqual(opened.slice(1).map(({ record }) => record));
  expect(await into.query('select record from sallyport.records_open')).toEqual([{ record: opened[0]?.record }]);
  expect((await identitySummaries(into)).items[0]).toMatchObject({ name: 'crew-support-7', allowed: 3, rows: 24 });
  await sameAsJournal(directory, into);
  await journal.close();
  // A worker that begins anew has nothing running.
  await journalIn(directory);
  await ship.pass();
  expect(await into.query('select record from sallyport.records_open')).toEqual([]);
  await into.close();
});

test('whatever fails whenever, each record is there once and counted once', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  const into = await freshStore();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('works', 'works', 'refuses', 'is lost before', 'is lost after'), { maxLength: 25 }),
      fc.integer({ min: 1, max: 9 }),
      async (fates, batchRecords) => {
        for (const table of ['records', 'record_chains', 'records_open', 'record_minutes', 'record_tallies'])
          await into.query(`delete from sallyport.${table}`);
        const directory = await scratch();
        const journal = await journalIn(directory, { segmentBytes: 6000 });
        let ship = shipper(directory, failing(into, fates), { batchRecords });
        for (let round = 0; round < 4; round++) {
          await fill(journal, 6, round * 6);
          await ship.pass().catch(() => undefined);
          // Killed and started anew, now and then.
          if (round % 2 === 1) ship = shipper(directory, failing(into, fates), { batchRecords });
        }
        for (let tries = 0; fates.length > 0 && tries < 40; tries++) await ship.pass().catch(() => undefined);
        await shipper(directory, into, { batchRecords }).pass();
        const records = await sameAsJournal(directory, into);
        const statements = records.filter(({ event }) => event === 'statement');
        const counts = await statementCounts(into, '2026-03-01T00:00:00Z', '2026-03-10T00:00:00Z', 5);
        const sum = (of: 'allowed' | 'denied' | 'held') => counts.reduce((total, each) => total + each[of], 0);
        expect(sum('allowed') + sum('denied') + sum('held')).toBe(statements.length);
      },
    ),
    { seed, numRuns: 12 },
  );
  await into.close();
});

/** A store whose transactions meet their fates, one after the other. */
function failing(into: Store, fates: string[]): Store {
  return {
    ...into,
    async transaction(run) {
      const fate = fates.shift() ?? 'works';
      if (fate === 'refuses') throw new Error('connection refused');
      if (fate === 'is lost before') {
        return into.transaction(async (queries) => {
          await run(queries);
          throw new Error('connection lost');
        });
      }
      const result = await into.transaction(run);
      if (fate === 'is lost after') throw new Error('connection lost');
      return result;
    },
  };
}

test('two that ship the same chain at once write each record once', async () => {
  const into = await freshStore();
  const directory = await scratch();
  const journal = await journalIn(directory);
  await fill(journal, 60);
  const ships = [1, 2, 3].map(() => shipper(directory, into, { batchRecords: 5, pollMs: 5, patienceMs: 10 }).start());
  await expect.poll(() => all(into).then(({ length }) => length), { timeout: 20_000 }).toBe(71);
  for (const ship of ships) await ship.stop();
  await sameAsJournal(directory, into);
  const [row] = await into.query<{ n: string }>(
    'select sum(allowed + denied + held) as n from sallyport.record_minutes',
  );
  expect(Number(row?.n)).toBe(60);
  await into.close();
});

test('a record the store cannot hold is left out, said so, and nothing behind it waits', async () => {
  const into = await freshStore();
  await into.query('alter table sallyport.records alter ms type numeric(6, 3)');
  const directory = await scratch();
  const journal = await journalIn(directory);
  const records = Array.from({ length: 9 }, () => statement());
  for (const [index, record] of records.entries()) {
    await journal.append(record);
    await journal.append(settled(record, { ms: index === 4 ? 1e9 : 2 }));
  }
  await journal.flush();
  const log = memoryLog();
  const ship = shipper(directory, into, { log, pollMs: 5 }).start();
  await expect.poll(() => ship.state.behind === 0 && ship.state.shipped > 0, { timeout: 20_000 }).toBe(true);
  await ship.stop();
  const found = await all(into, { kind: 'statement' });
  expect(found.length).toBe(9);
  expect(found.filter((record) => 'outcome' in record).length).toBe(8);
  expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  await into.close();
});

test('old days are dropped with their counts, and are not copied again', async () => {
  const into = await freshStore();
  const directory = await scratch();
  clock = Date.parse('2026-03-03T21:00:00Z');
  const journal = await journalIn(directory, { now });
  await fill(journal, 40);
  await shipper(directory, into).pass();
  const days = () =>
    into.query<{ name: string }>(
      `select relname as name from pg_class where relname like 'records_2%' and relkind = 'r' order by 1`,
    );
  expect((await days()).map(({ name }) => name)).toEqual([
    'records_20260303',
    'records_20260304',
    'records_20260305',
    'records_20260306',
    'records_20260307',
  ]);
  const later = { retentionDays: 3, now: () => Date.parse('2026-03-08T12:00:00Z') };
  await shipper(directory, into, later).pass();
  const left = await all(into, { kind: 'statement' });
  expect(left.every(({ time }) => time >= '2026-03-05')).toBe(true);
  expect(left.length).toBeGreaterThan(5);
  await into.query('delete from sallyport.record_chains');
  await shipper(directory, into, later).pass();
  expect((await all(into, { kind: 'statement' })).length).toBe(left.length);
  const counts = await statementCounts(into, '2026-03-01T00:00:00Z', '2026-03-10T00:00:00Z', 1);
  expect((counts[0]?.allowed ?? 0) + (counts[0]?.denied ?? 0) + (counts[0]?.held ?? 0)).toBe(left.length);
  await into.close();
});

test('the chart, hits of rules, identities and columns are counted as records are', async () => {
  const into = await freshStore();
  const directory = await scratch();
  const journal = await journalIn(directory);
  const made = await fill(journal, 40);
  await shipper(directory, into, { batchRecords: 3 }).pass();
  const from = '2026-03-03T00:00:00.000Z';
  const counts = await statementCounts(into, from, '2026-03-08T00:00:00.000Z', 5);
  expect(counts).toHaveLength(5);
  expect(counts.map(({ from: at }) => at.slice(0, 10))).toContain('2026-03-05');
  for (const bucket of counts) {
    const day = bucket.from.slice(0, 10);
    const denied = made.filter(({ time, verdict }) => time.startsWith(day) && verdict === 'deny').length;
    expect(bucket.denied).toBe(denied);
  }
  const rules = await ruleHits(into, { limit: 1 });
  expect(rules.items).toHaveLength(1);
  const more = await ruleHits(into, { after: rules.next });
  const hits = [...rules.items, ...more.items].map(({ name, denied, held }) => [name, denied + held]);
  for (const [name, count] of hits) expect(count).toBe(made.filter(({ rule }) => rule === name).length);
  const people = await identitySummaries(into, { like: 'CAROL' });
  expect(people.items.map(({ name }) => name).sort()).toEqual(['carol-7', 'carol-8']);
  expect(people.items[0]?.tables).toContain('public.customers');
  const columns = await columnSummaries(into);
  expect(columns.items[0]).toMatchObject({
    name: 'public.customers.ssn',
    masked: made.filter(({ masked, verdict }) => masked.length > 0 && verdict !== 'deny').length,
  });
  await into.close();
});

test('a tail of the store shows the last records, then what comes, long runs before they are over and again then', async () => {
  const into = await freshStore();
  const directory = await scratch();
  const journal = await journalIn(directory);
  const old = [statement(), statement(), statement()];
  for (const record of old) await journal.append(record);
  for (const record of old) await journal.append(settled(record));
  await journal.flush();
  const ship = shipper(directory, into);
  await ship.pass();
  const listed: string[] = [];
  for await (const record of tailStore(into, { last: 2, follow: false })) listed.push(record.record);
  expect(listed).toEqual(old.slice(1).map(({ record }) => record));
  const stop = new AbortController();
  const shown: [string, string | undefined][] = [];
  const following = (async () => {
    const options = { last: 1, follow: true, signal: stop.signal, pollMs: 20, patienceMs: 300 };
    for await (const record of tailStore(into, options))
      shown.push([record.record, record.event === 'statement' ? record.outcome : undefined]);
  })();
  const long = statement();
  const short = statement();
  await journal.append(long);
  await journal.append(short);
  await journal.append(settled(short));
  await journal.flush();
  await ship.pass();
  const expected: [string, string | undefined][] = [
    [old[2]?.record ?? '', 'completed'],
    [short.record, 'completed'],
    [long.record, undefined],
  ];
  await expect.poll(() => shown.length, { timeout: 20_000 }).toBe(3);
  expect(shown).toEqual(expect.arrayContaining(expected));
  await journal.append(settled(long));
  await journal.flush();
  await ship.pass();
  await expect.poll(() => shown.at(-1), { timeout: 20_000 }).toEqual([long.record, 'completed']);
  stop.abort();
  await following;
  await into.close();
});
