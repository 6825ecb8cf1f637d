// The pages and the API over real records: search and its URL, one record, sessions and killing them, live events.
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { csrfOf } from './browser.ts';
import { consoleHouse, patient } from './support.ts';

const house = consoleHouse();

interface Found {
  readonly items: readonly { record: string; text?: string; verdict?: string; rule?: string; masked?: string[] }[];
  readonly next?: string;
}

async function records(query: string): Promise<Found> {
  return (await (await house().ask(`/api/records${query}`)).json()) as Found;
}

beforeAll(async () => {
  await house().run(
    [
      'select name, right(ssn, 2) as tail from customers where id = 7',
      'select count(*) from orders',
      'drop table orders',
      'delete from orders',
    ],
    ['crew-agent'],
  );
  for (let n = 0; n < 3; n++)
    await house().run(Array.from({ length: 40 }, (_, k) => `select ${n * 40 + k} as n from orders limit 1`));
});

describe('the search', () => {
  test('finds by the same words as the command line', async () => {
    const found = await records('?verdict=deny&rule=no-drops');
    expect(found.items).toMatchObject([{ text: 'drop table orders', verdict: 'deny', rule: 'no-drops' }]);
    expect((await records('?column=ssn')).items).toMatchObject([{ masked: ['public.customers.ssn'] }]);
    expect((await records('?text=COUNT(')).items).toHaveLength(1);
  });

  test('gives every record once, page after page, the newest first', async () => {
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page: Found = await records(
        `?kind=statement&limit=17${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`,
      );
      expect(page.items.length).toBeLessThanOrEqual(17);
      seen.push(...page.items.map(({ record }) => record));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toHaveLength(124);
    expect(new Set(seen).size).toBe(124);
  });

  test('says what cannot be meant', async () => {
    const answer = await house().ask('/api/records?since=yesterday');
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { message: expect.stringContaining('since: "yesterday" is no time') },
    });
    const page = await (await house().operator()).visit(`${house().url}/search?since=yesterday`);
    expect(page.status).toBe(200);
    expect(page.text).toContain('&quot;yesterday&quot; is no time');
  });

  test('is its URL: the page shows the filters and leads to the next page with them', async () => {
    const visitor = await house().operator();
    const page = await visitor.visit(`${house().url}/search?kind=statement&verb=select`);
    expect(page.text).toMatch(/name="verb"[^>]*value="select"/);
    const next = /rel="next" href="([^"]*)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(next).toMatch(/^\/search\?verb=select&kind=statement&after=/);
    const second = await visitor.visit(house().url + next);
    expect(second.text.match(/data-record=/g)).toHaveLength(50);
    expect(second.text).toContain('First page');
  });

  test('draws what it did not find', async () => {
    const page = await (await house().operator()).visit(`${house().url}/search?text=never-said`);
    expect(page.text).toContain('No record fits');
  });
});

describe('one record', () => {
  test('shows the text, the verdict and rule, who and where, the reading and the run', async () => {
    const [{ record = '' } = {}] = (await records('?column=ssn')).items;
    const { text } = await (await house().operator()).visit(`${house().url}/records/${record}`);
    for (const part of ['crew-support-7', 'public.customers.ssn', 'completed, SELECT 1', 'main, line', record])
      expect(text).toContain(part);
    expect(text).toContain('tail from computed from public.customers.ssn');
    expect(text).toMatch(/<path class="link derived masked"/);
    expect(await (await house().ask(`/api/records/${record}`)).json()).toMatchObject({
      record,
      verdict: 'allow',
      lineage: [
        { name: 'name', copied: ['public.customers.name'] },
        { name: 'tail', derived: ['public.customers.ssn'] },
      ],
    });
  });

  test('that is not there is said so, as a page and as JSON', async () => {
    const page = await (await house().operator()).visit(`${house().url}/records/none`);
    expect(page.status).toBe(404);
    expect(page.text).toContain('There is no record of this id');
    expect((await house().ask('/api/records/none')).status).toBe(404);
  });
});

describe('sessions', () => {
  test('are listed with what they last sent, and an admin kills one with a reason that its client is told', async () => {
    const client = await house().agent(['crew-support'], 'crew-support-9');
    await client.query('select 42 as answer');
    const visitor = await house().operator();
    const { text } = await visitor.visit(`${house().url}/sessions`);
    expect(text).toContain('crew-support-9');
    const id = /data-session="([^"]+)"/.exec(text)?.[1] ?? '';
    const confirm = await visitor.visit(`${house().url}/sessions?kill=${id}`);
    expect(confirm.text).toContain('Kill the session of');
    const ended = new Promise<string>((resolve) => client.once('error', (error) => resolve(error.message)));
    const after = await visitor.post(`${house().url}/sessions/${id}/kill`, {
      csrf: csrfOf(confirm),
      reason: 'it loops',
    });
    expect(after.text).toContain('The session was killed.');
    expect(await ended).toContain('the session ends since its end was asked for');
    const revocation = async () =>
      ((await (await house().ask('/api/records?kind=revocation')).json()) as { items: object[] }).items[0];
    await expect.poll(revocation, patient).toMatchObject({
      message: `session ${id} revoked by operator:operator`,
      details: { reason: 'it loops' },
    });
  });

  test('that have ended cannot be killed', async () => {
    const answer = await house().ask('/api/sessions/none/kill', { method: 'POST' });
    expect(answer.status).toBe(404);
  });
});

describe('the live stream', () => {
  test('brings statements as they happen, filtered, and ends with its reader', async () => {
    const stop = new AbortController();
    const answer = await house().ask('/api/live?verdict=deny', { signal: stop.signal });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    await house().run(['select 1', 'drop table customers'], ['crew-agent'], 'crew-agent-1');
    let text = '';
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString('utf8');
      if (text.includes('event: record')) break;
    }
    stop.abort();
    const data = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '{}') as object;
    expect(data).toMatchObject({ identity: 'crew-agent-1', text: 'drop table customers', verdict: 'deny' });
    expect(text).not.toContain('select 1');
  });

  test('sends the page ready-made rows, and again when the statement has ended', async () => {
    const visitor = await house().operator();
    const answer = await visitor.once(`${house().url}/live/events?identity=crew-live`);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await house().run(['select pg_sleep(0.7)'], ['crew-support'], 'crew-live');
    let text = '';
    for (const until = Date.now() + 30_000; Date.now() < until && !text.includes('ms</td>'); ) {
      const { value } = await reader.read();
      text += Buffer.from(value ?? []).toString('utf8');
    }
    await reader.cancel();
    expect(text).toContain('running');
    expect(text).toMatch(/7\d\d ms<\/td>/);
  });

  test('lets go of a watcher whose browser has gone', async () => {
    const stop = new AbortController();
    const answer = await house().ask('/api/live', { signal: stop.signal });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    stop.abort();
    await reader.read().catch(() => undefined);
    // A hundred may watch: if those that went away still counted, one of these would be refused.
    for (let n = 0; n < 120; n++) {
      const each = new AbortController();
      const { status } = await house().ask('/api/live', { signal: each.signal });
      expect(status).toBe(200);
      each.abort();
      if (n % 20 === 0) await sleep(20);
    }
  });
});

describe('the other views', () => {
  test('count statements over time, hits of rules, identities and masked columns', async () => {
    const json = async <T>(path: string) => (await (await house().ask(path)).json()) as T;
    const counts = await json<{ items: { allow: number; deny: number }[] }>('/api/counts?span=1h');
    expect(counts.items.reduce((sum, { deny }) => sum + deny, 0)).toBeGreaterThanOrEqual(2);
    const rules = await json<{ hits: object[] }>('/api/rules?span=1h');
    expect(rules.hits).toContainEqual(expect.objectContaining({ rule: 'no-drops', allow: 0, hold: 0 }));
    const identities = await json<{ items: object[] }>('/api/identities?span=1h');
    expect(identities.items).toContainEqual(
      expect.objectContaining({ identity: 'crew-support-7', tables: ['public.orders', 'public.customers'] }),
    );
    const columns = await json<{ items: object[] }>('/api/columns?span=1h');
    expect(columns.items[0]).toMatchObject({ column: 'public.customers.ssn', masked: 1 });
    const touched = await json<object>('/api/identity?name=crew-support-7&span=1h');
    expect(touched).toMatchObject({
      summary: { identity: 'crew-support-7' },
      subjects: [{ issuer: 'sallyport:local', subject: 'crew-support-7' }],
      tables: [{ name: 'public.orders', target: 'shop' }, { name: 'public.customers' }],
      masked: [{ name: 'public.customers.ssn', count: 1 }],
    });
  });

  test.each(['/', '/live', '/approvals', '/identities', '/rules', '/columns', '/identity?name=crew-support-7'])(
    '%s is drawn for a viewer',
    async (path) => {
      const visitor = await house().operator();
      const page = await visitor.visit(house().url + path);
      expect(page.status).toBe(200);
      expect(page.text).toContain('<main id="main"');
    },
  );
});
