// Filters of URLs, the live hub, the chart, the drawing of lineage and redirects after a login: plain functions.
import { describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { countsChart } from '../../src/console/chart.ts';
import { query, readFilter } from '../../src/console/filters.ts';
import { lineageDrawing } from '../../src/console/lineage.ts';
import { createLive, teed } from '../../src/console/live.ts';
import { liveFilter } from '../../src/console/live-filter.ts';
import { pathWithin } from '../../src/console/login.ts';
import type { Person } from '../../src/console/people.ts';
import { rangeOf } from '../../src/console/range.ts';
import type { HoldView } from '../../src/console/sources.ts';
import { approvalsView } from '../../src/console/views/approvals.ts';
import { settled, statement } from '../audit/records.ts';

describe('a filter in a URL', () => {
  test('means what the command line means by the same words', () => {
    const now = Date.parse('2026-03-04T05:06:07.000Z');
    const { filter, problems } = readFilter(
      new URLSearchParams('text=drop&identity=crew-*&verdict=deny&since=1h&min-duration=1.5s&min-rows=10&column=ssn'),
      now,
    );
    expect(problems.size).toBe(0);
    expect(filter).toMatchObject({
      text: 'drop',
      identity: 'crew-*',
      verdict: 'deny',
      since: '2026-03-04T04:06:07.000Z',
      minMs: 1500,
      minRows: 10,
      column: 'ssn',
    });
  });

  test('names what cannot be meant, and searches without it', () => {
    const { filter, problems, given } = readFilter(
      new URLSearchParams('verdict=maybe&since=tomorrow&min-rows=-1&text=x'),
    );
    expect([...problems.keys()]).toEqual(['verdict', 'since', 'min-rows']);
    expect(filter).toMatchObject({ text: 'x', verdict: undefined, since: undefined, minRows: undefined });
    expect(given.get('verdict')).toBe('maybe');
  });

  test('comes back as the same URL, with changes', () => {
    const { given } = readFilter(new URLSearchParams('text=a+b%26c&identity=x'));
    expect(query(given)).toBe('?text=a+b%26c&identity=x');
    expect(query(given, { text: undefined, after: 'z' })).toBe('?identity=x&after=z');
    expect(query(new Map())).toBe('');
  });
});

describe('the live hub', () => {
  const all = () => true;

  test('shows a statement that has ended meanwhile once, with its ending', () => {
    const live = createLive();
    const watcher = live.watch(all);
    const opened = statement({ text: 'select 1' });
    live.publish(opened);
    live.publish(settled(opened, { rows: 3, ms: 1.5 }));
    expect(watcher?.take()).toMatchObject({ dropped: 0, records: [{ record: opened.record, rows: 3, ms: 1.5 }] });
    expect(watcher?.take().records).toEqual([]);
  });

  test('shows it again when it ends after it was taken', () => {
    const live = createLive();
    const watcher = live.watch(all);
    const opened = statement({ text: 'select 1' });
    live.publish(opened);
    expect(watcher?.take().records).toHaveLength(1);
    live.publish(settled(opened, { rows: 3, ms: 1.5 }));
    expect(watcher?.take().records).toMatchObject([{ record: opened.record, outcome: 'completed', rows: 3 }]);
  });

  test('keeps a bounded list for a slow watcher and counts what it drops', () => {
    const live = createLive();
    const watcher = live.watch(all);
    for (let n = 0; n < 1000; n++) live.publish(statement({ text: `select ${n}` }));
    const { records, dropped } = watcher?.take() ?? { records: [], dropped: 0 };
    expect(records.length + dropped).toBe(1000);
    expect(records.length).toBeLessThanOrEqual(200);
  });

  test('lets no more than a hundred watch, and takes another when one has gone', () => {
    const live = createLive();
    const watchers = Array.from({ length: 100 }, () => live.watch(all));
    expect(live.watch(all)).toBeUndefined();
    watchers[0]?.close();
    expect(live.watch(all)).toBeDefined();
  });

  test('filters as a search does', () => {
    const wanted = liveFilter(new URLSearchParams('identity=crew-*&verdict=deny'));
    expect(wanted(statement({ identity: 'crew-7', verdict: 'deny' }))).toBe(true);
    expect(wanted(statement({ identity: 'crew-7', verdict: 'allow' }))).toBe(false);
    expect(wanted(statement({ identity: 'other', verdict: 'deny' }))).toBe(false);
  });

  test('sees what the journal has taken, keeps the journal whole, and never fails it', async () => {
    const live = createLive();
    const taken: AuditRecord[] = [];
    class Sink {
      readonly #kept = taken;
      async append(record: AuditRecord): Promise<void> {
        this.#kept.push(record);
      }
      get size() {
        return this.#kept.length;
      }
    }
    const sink = teed(new Sink(), live);
    live.watch(() => {
      throw new Error('a watcher that fails');
    });
    await sink.append(statement({ text: 'select 1' }));
    expect(sink.size).toBe(1);
    await expect(
      Promise.resolve(
        teed({ append: (_record: AuditRecord) => Promise.reject(new Error('disk full')) }, live).append(statement({})),
      ),
    ).rejects.toThrow('disk full');
  });

  test('knows how much a session has sent, until it ends', () => {
    const live = createLive();
    const first = statement({ text: 'select 1' });
    live.publish(first);
    live.publish(statement({ session: first.session, text: 'drop table t', verdict: 'deny' }));
    expect(live.activity(first.session)).toMatchObject({ statements: 2, denied: 1, running: false });
    live.publish({ ...first, event: 'session-end', message: 'client left', details: {} } as unknown as AuditRecord);
    expect(live.activity(first.session)).toBeUndefined();
  });
});

describe('the chart', () => {
  const step = (n: number, allow: number, deny: number) => ({
    time: new Date(Date.UTC(2026, 2, 4, 0, n)).toISOString(),
    allow,
    deny,
    hold: 0,
  });

  test('draws a bar for each verdict of each step and says its numbers', () => {
    const drawn = countsChart([step(0, 10, 2), step(1, 0, 0), step(2, 5, 0)], 'Statements').toString();
    expect(drawn.match(/<rect class="allow"/g)).toHaveLength(2);
    expect(drawn.match(/<rect class="deny"/g)).toHaveLength(1);
    expect(drawn).toContain('2026-03-04 00:00 UTC: 10 allowed, 2 refused, 0 held');
  });

  test('keeps one refusal among a million statements visible', () => {
    const drawn = countsChart([step(0, 1_000_000, 1)], 'Statements').toString();
    expect(Number(/class="deny"[^>]*height="([\d.]+)"/.exec(drawn)?.[1])).toBeGreaterThanOrEqual(2);
  });

  test('draws an empty one too', () => {
    expect(countsChart([], 'Statements').toString()).toContain('0 allowed');
  });
});

describe('the drawing of lineage', () => {
  test('joins columns with the outputs they reach, and says it in words', () => {
    const drawn = lineageDrawing(
      [
        { name: 'tail', derived: ['public.customers.ssn'] },
        { name: 'name', copied: ['public.customers.name'] },
        { name: 'one' },
      ],
      ['public.customers.ssn'],
    )?.toString();
    expect(drawn).toContain(
      'tail from computed from public.customers.ssn. name from public.customers.name. one from no column',
    );
    expect(drawn?.match(/class="link derived masked"/g)).toHaveLength(1);
    expect(drawn?.match(/class="link copied"/g)).toHaveLength(1);
    expect(drawn?.match(/class="box masked"/g)).toHaveLength(2);
  });

  test('is none where nothing flows', () => {
    expect(lineageDrawing([{ name: 'one' }], [])).toBeUndefined();
  });
});

test.each([
  ['/search?text=a', '/search?text=a'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['https://evil.example/', '/'],
  ['/a/../../b', '/b'],
  ['/..//evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['/x\r\nset-cookie: a=b', '/'],
  [undefined, '/'],
])('a login that was to lead to %j leads to %j', (asked, path) => {
  expect(pathWithin(asked)).toBe(path);
});

test('a span of time has whole steps and ends with the one that is running', () => {
  const now = Date.parse('2026-03-04T05:06:07.000Z');
  expect(rangeOf(new URLSearchParams('span=1h'), now)).toMatchObject({
    since: '2026-03-04T04:07:00.000Z',
    until: '2026-03-04T05:07:00.000Z',
    stepMs: 60_000,
  });
  expect(rangeOf(new URLSearchParams('span=forever'), now).name).toBe('24h');
});

describe('a held statement in the list', () => {
  const hold: HoldView = {
    id: 'h-1',
    state: 'pending',
    session: 's',
    record: 'r',
    issuer: 'https://idp.example.com',
    subject: 'crew-7',
    identity: 'crew-7',
    groups: ['crew'],
    target: 'shop',
    rule: 'unbounded-writes',
    message: 'held by rule "unbounded-writes": DELETE FROM orders (no WHERE)',
    text: 'delete from orders',
    parameters: [
      { text: '<b>', masked: false },
      { text: '***', masked: true },
      { text: null, masked: false },
    ],
    estimate: { kind: 'estimate', rows: 1234.4, cost: 56.7 },
    approvers: { groups: ['dba'], count: 2, timeoutMs: 600_000 },
    created: new Date(),
    expires: new Date(Date.now() + 125_000),
    decided: undefined,
    reason: undefined,
    opinions: [{ by: 'dana', verdict: 'approve', reason: 'ok', at: new Date() }],
  };
  const drawn = (person: Partial<Person>, changes: Partial<HoldView> = {}) =>
    approvalsView({
      holds: [{ ...hold, ...changes }],
      grants: [],
      active: [],
      past: false,
      refused: undefined,
      drawnAt: 0,
      viewer: {
        person: {
          name: 'dora',
          issuer: 'https://idp.example.com',
          subject: 'dora',
          groups: ['dba'],
          role: 'approver',
          via: 'oidc',
          ...person,
        },
        csrf: 'token',
        theme: 'auto',
        waiting: 1,
        here: '/approvals',
        done: undefined,
      },
    }).toString();

  test('says what it would do, how many rows, with what parameters, who has agreed and how long is left', () => {
    const text = drawn({});
    for (const part of [
      '<strong>1,234</strong> rows, cost 57',
      '<strong>1 of 2</strong>',
      'dana: ok',
      '&lt;b&gt;',
      'NULL',
      '>masked<',
    ])
      expect(text).toContain(part);
    expect(text).toMatch(/ends in <time [^>]*>2:0\d</);
    expect(text).toMatch(/value="approve">Approve</);
  });

  test('says so where there is no estimate', () => {
    expect(drawn({}, { estimate: { kind: 'none', why: 'it is a CALL' } })).toContain('not known: it is a CALL');
  });

  test.each<[string, Partial<Person>, string]>([
    ['a viewer', { role: 'viewer' }, 'Your role may look, not decide.'],
    ['an approver of other things', { groups: ['leads'] }, 'Only members of dba decide this.'],
    ['whoever asked', { subject: 'crew-7' }, 'Nobody decides on what they have asked for themselves.'],
  ])('has no buttons for %s, and says why', (_who, person, why) => {
    expect(drawn(person)).toContain(why);
    expect(drawn(person)).not.toContain('value="approve"');
  });
});
