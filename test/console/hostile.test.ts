// What strangers write is inert everywhere: in every view, in the stream, in the API and in errors.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Visitor } from './browser.ts';
import { consoleHouse } from './support.ts';

const house = consoleHouse();

const script = '<script>alert(1)</script>';
const image = '"><img src=x onerror=alert(1)>';
const terminal = '\u001b[2J\u001b]0;owned\u0007';
const turned = '\u202etxet\u202c\u2066x\u2069';
const hidden = 'a\u200bb\u00adc\ufeffd\u{e0041}';
const statements = [
  `select '${script}' as "${image.replaceAll('"', '""')}"`,
  `/* ${script} ${terminal} */ select 1`,
  `select '${turned}', '${hidden}'`,
  `select '${'x'.repeat(1_000_000)}', 'end-of-a-megabyte'`,
  // Readable no more: the text is recorded as it came.
  `drop ${script} ${turned}`,
];
const identity = `crew <b>${image}`;

let visitor: Visitor;
let ids: string[] = [];

beforeAll(async () => {
  await house().run(statements, ['crew-support'], identity);
  visitor = await house().operator();
  const { items } = (await (await house().ask('/api/records?kind=statement&limit=50')).json()) as {
    items: { record: string }[];
  };
  ids = items.map(({ record }) => record);
  expect(ids).toHaveLength(statements.length);
});

/** Nothing of the page runs, and nothing of it can act on a terminal or turn a line around. */
function expectInert(text: string): void {
  expect(text).not.toMatch(/<script(?![^>]*src="\/assets\/)/i);
  expect(text).not.toMatch(/<img|<b>|onerror=alert\(1\)>(?!&|<)(?=["'])/i);
  expect(text).not.toMatch(/(?![\n\t\r])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
}

describe('hostile statements and names are inert', () => {
  const paths = [
    '/',
    '/search',
    '/search?kind=statement',
    '/sessions',
    '/identities',
    `/identity?${new URLSearchParams({ name: identity })}`,
    '/rules',
    '/columns',
    '/approvals',
  ];
  test.each(paths)('in %s', async (path) => {
    const page = await visitor.visit(house().url + path);
    expect(page.status).toBe(200);
    expectInert(page.text);
  });

  test('in the page of each record, where what they are is shown', async () => {
    let all = '';
    for (const id of ids) {
      const page = await visitor.visit(`${house().url}/records/${id}?all=1`);
      expect(page.status).toBe(200);
      expectInert(page.text);
      all += page.text;
    }
    expect(all).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(all).toContain('<span class="escape">\\u{202e}</span>');
    expect(all).toContain('<span class="escape">\\x1b</span>[2J');
    expect(all).toContain('\\u{e0041}');
  });

  test('in the live stream', async () => {
    const answer = await visitor.once(`${house().url}/live/events`);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await house().run(statements, ['crew-support'], identity);
    let text = '';
    for (const until = Date.now() + 30_000; Date.now() < until && text.split('event: record').length < 7; ) {
      text += Buffer.from((await reader.read()).value ?? []).toString('utf8');
    }
    await reader.cancel();
    const rows = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => (JSON.parse(data ?? '{}') as { html?: string }).html ?? '',
    );
    expect(rows.length).toBeGreaterThanOrEqual(5);
    for (const row of rows) expectInert(row);
  });

  test('in the API, as JSON that no browser takes for a page', async () => {
    const answer = await house().ask('/api/records');
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const text = await answer.text();
    expect(text).not.toMatch(/(?![\n\t\r])[\p{Cc}\p{Cf}\p{Cs}]/u);
    expect(text.length).toBeLessThan(1_000_000);
  });
});

describe('a statement of a megabyte', () => {
  test('is cut in its page until somebody asks for all of it, and in lists it is one line', async () => {
    const { items } = (await (await house().ask('/api/records?text=end-of-a-megabyte')).json()) as {
      items: { record: string }[];
    };
    const id = items[0]?.record ?? '';
    const cut = await visitor.visit(`${house().url}/records/${id}`);
    expect(cut.text.length).toBeLessThan(60_000);
    expect(cut.text).toMatch(/8,000 of 1,\d{3},\d{3} characters/);
    expect(cut.text).not.toContain('end-of-a-megabyte');
    const all = await visitor.visit(`${house().url}/records/${id}?all=1`);
    expect(all.text).toContain('end-of-a-megabyte');
    expect((await visitor.visit(`${house().url}/search`)).text.length).toBeLessThan(100_000);
  });
});

describe('hostile requests', () => {
  test.each([
    `/search?${new URLSearchParams({ text: `${script}${image}${turned}${terminal}` })}`,
    `/search?since=${encodeURIComponent(script)}&verdict=${encodeURIComponent(image)}`,
    '/search?text=%ff%fe%c0%80&identity=%ed%a0%80',
    `/search?after=${encodeURIComponent(script)}`,
    `/records/${encodeURIComponent(script)}`,
    '/records/%ff%c0',
    `/nothing/${encodeURIComponent(image)}`,
    `/identity?name=${encodeURIComponent(turned)}`,
    `/sessions?kill=${encodeURIComponent(script)}&after=${encodeURIComponent(image)}&done=${encodeURIComponent(script)}`,
    `/login?to=${encodeURIComponent(script)}`,
    `/login/link?link=${encodeURIComponent(image)}`,
    `/search?text=${'x'.repeat(10_000)}`,
    '/?span=%00',
  ])('%s is answered by a page that is inert', async (path) => {
    const page = await visitor.visit(house().url + path);
    expect(page.status).toBeLessThan(500);
    expectInert(page.text);
  });
});
