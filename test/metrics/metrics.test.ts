// What the gateway counts, as the text that Prometheus reads.
import { expect, test } from 'vitest';
import { newRecordId } from '../../src/audit/index.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import {
  createMetrics,
  Family,
  Histogram,
  lastingMetrics,
  mergeMetrics,
  Registry,
  readinessOf,
} from '../../src/metrics/index.ts';
import { settled, statement } from '../audit/records.ts';

const statistics = { records: 7, bytes: 700, batches: 3, waiting: 12, refused: 1, failures: 2 };

function sample() {
  return createMetrics({
    journal: () => ({ state: { kind: 'ok' }, statistics }),
    shipping: () => ({ state: { shipped: 5, behind: 2, lagMs: 1500, failures: 1 } }),
    sessions: () => ['shop', 'crm', 'shop'],
    holds: () => 4,
  });
}

/** The samples of a text by their name and labels. Fails on a line that is none. */
function parsed(text: string): Map<string, number> {
  const found = new Map<string, number>();
  const known = new Set<string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) .+$/.exec(line);
    if (comment?.[2] !== undefined) {
      known.add(comment[2]);
      continue;
    }
    const match = /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+)$/.exec(line);
    expect(match, line).not.toBeNull();
    expect(known.has((match?.[1] ?? '').replace(/_(bucket|sum|count)$/, '')) || known.has(match?.[1] ?? ''), line).toBe(
      true,
    );
    found.set(`${match?.[1]}${match?.[2] ?? ''}`, Number(match?.[3]));
  }
  return found;
}

test('statements, masked values, logins and waits are counted on their way to the journal', async () => {
  const metrics = sample();
  const kept: AuditRecord[] = [];
  const append = metrics.counted({
    append: (record) => {
      kept.push(record);
      return record.event === 'statement' ? Promise.resolve() : undefined;
    },
  });
  const first = statement({ masked: ['a.b.c', 'a.b.d'] });
  await append(first);
  await append(settled(first, { rows: 10, bytes: 99, ms: 3, detected: { email: 2 } }));
  await append(statement({ verdict: 'deny', rule: 'no "drops"\n' }));
  await append(statement({ verdict: 'hold', rule: 'unbounded' }));
  const login = {
    time: first.time,
    record: newRecordId(),
    session: first.session,
    identity: 'a',
    issuer: 'i',
    groups: [],
    target: 't',
    client: 'c',
    message: '',
  };
  await append({ ...login, event: 'login', details: {} });
  await append({ ...login, event: 'login-refused', details: { rule: 'expired' } });
  metrics.judged('verdict', performance.now());
  await metrics.judged(Promise.resolve('verdict'), performance.now() - 1000);
  expect(kept).toHaveLength(6);
  const found = parsed(metrics.render());
  expect(Object.fromEntries(found)).toMatchObject({
    'sallyport_sessions{target="shop"}': 2,
    'sallyport_sessions{target="crm"}': 1,
    'sallyport_statements_total{verdict="allow"}': 1,
    'sallyport_statements_total{verdict="deny"}': 1,
    'sallyport_statements_total{verdict="hold"}': 1,
    'sallyport_denials_total{rule="no \\"drops\\"\\n"}': 1,
    'sallyport_outcomes_total{outcome="completed"}': 1,
    sallyport_masked_values_total: 20,
    'sallyport_detected_values_total{detector="email"}': 2,
    sallyport_rows_total: 10,
    sallyport_holds: 4,
    sallyport_logins_total: 1,
    'sallyport_login_failures_total{rule="expired"}': 1,
    sallyport_journal_writable: 1,
    sallyport_journal_lag_bytes: 12,
    sallyport_store_lag_records: 2,
    sallyport_store_lag_seconds: 1.5,
    'sallyport_added_seconds_count{step="judge"}': 2,
    'sallyport_added_seconds_bucket{step="judge",le="0.25"}': 1,
    'sallyport_added_seconds_bucket{step="judge",le="+Inf"}': 2,
    'sallyport_added_seconds_count{step="record"}': 3,
    'sallyport_upstream_seconds_bucket{le="0.0025"}': 0,
    'sallyport_upstream_seconds_bucket{le="0.005"}': 1,
  });
});

test('a record that cannot be kept is counted by the journal, and its caller still hears of it', async () => {
  const metrics = sample();
  const append = metrics.counted({ append: () => Promise.reject(new Error('disk full')) });
  await expect(append(statement())).rejects.toThrow('disk full');
  const thrown = metrics.counted({
    append: () => {
      throw new Error('overfull');
    },
  });
  expect(() => thrown(statement())).toThrow('overfull');
  expect(parsed(metrics.render()).get('sallyport_added_seconds_count{step="record"}')).toBe(0);
});

test('labels that a stranger chooses are bounded', () => {
  const family = new Family(() => new Histogram([1]));
  for (let index = 0; index < 1000; index++) family.with({ rule: `rule-${index}` }).observe(0);
  const all = [...family];
  expect(all.length).toBeLessThanOrEqual(201);
  expect(all.find(([{ rule }]) => rule === 'other')?.[1].counts[0]).toBe(800);
});

test('texts of several processes are added up, and what one has counted outlives it', () => {
  const text = (sessions: number, logins: number, writable: number) => {
    const registry = new Registry();
    registry.read('gauge', 'sallyport_sessions', 'Open.', () => [[{ target: 'a "b" c' }, sessions]]);
    registry.read('gauge', 'sallyport_journal_writable', 'Writable.', () => writable);
    registry.counter('logins_total', 'Logins.').add(logins);
    registry.histogram('seconds', 'Time.', [1]).with({}).observe(logins);
    return registry.render();
  };
  const ended = lastingMetrics(text(3, 5, 0));
  expect(ended).not.toContain('gauge');
  const sum = mergeMetrics(['', text(1, 0.5, 1), text(2, 2, 1), ended]);
  expect(sum).toContain('# HELP logins_total Logins.\n# TYPE logins_total counter\nlogins_total 7.5\n');
  expect(sum).toContain('sallyport_sessions{target="a \\"b\\" c"} 3\n');
  expect(sum).toContain('sallyport_journal_writable 1\n');
  expect(sum).toContain('seconds_bucket{le="1"} 1\nseconds_bucket{le="+Inf"} 3\nseconds_sum 7.5\nseconds_count 3\n');
  expect(mergeMetrics([text(0, 0, 1), text(0, 0, 0)])).toContain('sallyport_journal_writable 0\n');
});

test('numbers read as Prometheus writes them, and a name is taken once', () => {
  const registry = new Registry();
  registry.read('gauge', 'odd', 'Odd numbers.', () => [
    [{ of: 'nothing' }, Number.NaN],
    [{ of: 'all' }, Number.POSITIVE_INFINITY],
    [{ of: 'some\\"\n' }, 1e21],
  ]);
  registry.read('gauge', 'absent', 'Not there.', () => undefined);
  expect(registry.render()).toBe(
    '# HELP odd Odd numbers.\n# TYPE odd gauge\nodd{of="nothing"} NaN\nodd{of="all"} +Inf\nodd{of="some\\\\\\"\\n"} 1e+21\n',
  );
  expect(() => registry.counter('odd', 'Again.')).toThrow('there already');
});

test('ready means that records can be kept, the store answers, and nobody drains', async () => {
  const good = { journal: () => true, store: () => Promise.resolve(), draining: () => false };
  expect(await readinessOf(good)).toEqual({ ok: true, detail: { journal: 'ok', store: 'ok' } });
  expect(await readinessOf({ ...good, store: undefined })).toEqual({ ok: true, detail: { journal: 'ok' } });
  expect(await readinessOf({ ...good, journal: () => false })).toMatchObject({
    ok: false,
    detail: { journal: 'failing' },
  });
  expect(await readinessOf({ ...good, store: () => Promise.reject(new Error('gone')) })).toMatchObject({ ok: false });
  expect(await readinessOf({ ...good, draining: () => true })).toMatchObject({ ok: false });
});
