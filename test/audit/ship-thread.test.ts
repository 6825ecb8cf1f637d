// Copying in a thread: beside the gateway, through a lost thread, and to the end when the gateway stops.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { searchRecords, startShipping } from '../../src/audit/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { journalIn, memoryLog, settled, statement } from './support.ts';

let data = '';
let store: Store;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'sallyport-thread-'));
  store = await openStore({ store: undefined, data }, { as: 'host' });
});

afterAll(async () => {
  await store.close();
  await rm(data, { recursive: true, force: true });
});

test('records appear in the store while the gateway runs, and the last ones when it stops', async () => {
  const directory = join(data, 'journal');
  const journal = await journalIn(directory, { timing: { headMs: 20 } });
  const audit = {
    journal: directory,
    durable: true,
    rotation: { bytes: 1 << 20, ageMs: 86_400_000 },
    retentionMs: undefined,
    compress: true,
    export: undefined,
  };
  const log = memoryLog();
  const shipping = startShipping({ config: { store: undefined, data, audit }, log, gateway: 'here' });
  const first = statement();
  await journal.append(first);
  await journal.append(settled(first));
  const found = () => searchRecords(store, { record: first.record }).then(({ records }) => records);
  await expect.poll(found, { timeout: 30_000 }).toMatchObject([{ gateway: 'here', outcome: 'completed', rows: 1 }]);
  const last = Array.from({ length: 500 }, () => statement());
  await Promise.all(last.map((record) => journal.append(record)));
  await journal.close();
  await shipping.stop(20_000);
  const [row] = await store.query<{ n: string }>(
    `select count(*) as n from sallyport.records where event = 'statement'`,
  );
  expect(Number(row?.n)).toBe(501);
  expect(shipping.state).toMatchObject({ behind: 0, failures: 0, cause: undefined });
  expect(shipping.state.shipped).toBeGreaterThanOrEqual(502);
  expect(log.lines.filter(({ level }) => level !== 'info')).toEqual([]);
});
