// Notifications, to a real HTTP server: signed, tried again, once for all gateways, and in Slack's form.
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { anna, base, held, rooms } from './support.ts';

const at = rooms();

interface Received {
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly at: number;
}

let server: Server;
let received: Received[] = [];
let answer: (path: string | undefined) => { status: number; headers?: Record<string, string> } = () => ({
  status: 200,
});

beforeEach(async () => {
  received = [];
  answer = () => ({ status: 200 });
  await at().store.query('delete from sallyport.approval_events');
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      received.push({ path: request.url, headers: request.headers, body, at: performance.now() });
      const { status, headers } = answer(request.url);
      response.writeHead(status, headers).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const url = () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}/hook`;
};

process.env.TEST_WEBHOOK_SECRET = 'the key of the test';
const withHook = (format = 'json') => `${base}
notifications: { webhook: { url: "${url()}", secret: { env: TEST_WEBHOOK_SECRET }, format: ${format} } }
`;

const bodies = () => received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);

test('a held statement and its decision are posted, signed over time and body', async () => {
  const { room } = await at().gateway({ config: withHook() });
  const pending = await room.holds.request(held());
  await expect.poll(() => received.length).toBe(1);
  const [first] = received;
  expect(first?.headers).toMatchObject({ 'content-type': 'application/json', 'sallyport-event': 'hold.requested' });
  const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(first?.headers['sallyport-signature'])) ?? [];
  expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(10);
  expect(digest).toBe(createHmac('sha256', 'the key of the test').update(`${seconds}.${first?.body}`).digest('hex'));
  expect(bodies()[0]).toMatchObject({
    type: 'hold.requested',
    id: first?.headers['sallyport-delivery'],
    hold: {
      id: pending.id,
      state: 'pending',
      identity: 'crew seven',
      target: 'shop',
      text: 'delete from orders',
      estimate: { kind: 'estimate', rows: 1000 },
      approvers: { groups: ['dba'], count: 1 },
    },
  });
  await room.holds.decide(pending.id, { verdict: 'approve', by: anna });
  await expect.poll(() => received.length).toBe(2);
  expect(bodies()[1]).toMatchObject({ type: 'hold.approved', by: 'anna', hold: { id: pending.id, state: 'approved' } });
});

test('what is not taken is posted again after growing waits, under the same id, until it is', async () => {
  let left = 3;
  answer = () => ({ status: left-- > 0 ? 503 : 204 });
  const { room } = await at().gateway({ config: withHook(), timing: { retryMs: 60 } });
  const pending = await room.holds.request(held());
  await expect.poll(() => received.length).toBe(4);
  expect(new Set(received.map(({ headers }) => headers['sallyport-delivery'])).size).toBe(1);
  const waits = received.slice(1).map(({ at: time }, index) => time - (received[index]?.at ?? 0));
  expect(waits[0]).toBeGreaterThanOrEqual(55);
  expect(waits[1]).toBeGreaterThanOrEqual(115);
  expect(waits[2]).toBeGreaterThanOrEqual(235);
  pending.withdraw('the test is over');
  await expect.poll(() => bodies().at(-1)?.type).toBe('hold.withdrawn');
  expect(received).toHaveLength(5);
});

test('of several gateways one posts it, also when a command made the event', async () => {
  const config = withHook();
  await at().gateway({ config });
  await at().gateway({ config });
  await at().gateway({ config });
  const command = await at().command(config);
  const operator = { kind: 'operator', name: 'root' } as const;
  const made = [];
  for (let n = 0; n < 10; n++)
    made.push(await command.revocations.add({ kind: 'token', tokenId: `t${n}` }, operator, 'stolen'));
  await expect.poll(() => received.length).toBe(10);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(
    bodies()
      .map((body) => (body.revocation as { id: string }).id)
      .sort(),
  ).toEqual(made.map(({ id }) => id).sort());
  expect(bodies()[0]).toMatchObject({
    type: 'revocation.added',
    by: 'operator:root',
    revocation: { kind: 'token', reason: 'stolen' },
  });
});

test('a signed body is not carried to where a redirect points', async () => {
  answer = (path) => (path === '/hook' ? { status: 307, headers: { location: '/elsewhere' } } : { status: 200 });
  const { room } = await at().gateway({ config: withHook(), timing: { retryMs: 60_000 } });
  const pending = await room.holds.request(held());
  await expect.poll(() => received.length).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(received.map(({ path }) => path)).toEqual(['/hook']);
  pending.withdraw('the test is over');
});

test('Slack gets a text and blocks in which nothing of the statement is markup', async () => {
  const { room } = await at().gateway({ config: withHook('slack') });
  const text = 'delete from orders -- <!channel> & ``` \u202e';
  const pending = await room.holds.request(held({ text, parameters: [{ text: '<@U1>', masked: false }] }));
  await expect.poll(() => received.length).toBe(1);
  const body = bodies()[0] as { text: string; blocks: readonly { type: string; text?: { text: string } }[] };
  expect(body.text).toContain('A statement waits for approval');
  const shown = JSON.stringify(body);
  for (const markup of ['<!channel>', '<@U1>', '\u202e']) expect(shown).not.toContain(markup);
  expect(body.blocks[1]?.text?.text).toMatch(/^```delete from orders -- &lt;!channel&gt; &amp; ''' .*```$/);
  expect(shown).toContain(`sallyport approvals approve ${pending.id}`);
  expect(shown).toContain('estimated rows: 1000');
  pending.withdraw('the test is over');
});

test('without a webhook in the file nothing is kept for one', async () => {
  const { room } = await at().gateway();
  const pending = await room.holds.request(held());
  pending.withdraw('the test is over');
  await pending.end;
  expect(
    await at().store.query(`select 1 from sallyport.approval_events where about = $1 and notify = 'due'`, [pending.id]),
  ).toEqual([]);
});
