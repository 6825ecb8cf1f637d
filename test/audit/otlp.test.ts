// Records sent to an OpenTelemetry collector, one that takes them, one that is down for a while, and one that refuses.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { newRecordId, type OtlpOptions, startOtlp } from '../../src/audit/index.ts';
import { journalIn, memoryLog, scratch, settled, statement } from './support.ts';

interface Got {
  readonly path: string;
  readonly body: Record<string, unknown>;
}

async function collector(answer: (path: string) => number): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      const status = answer(request.url ?? '');
      if (status === 200) got.push({ path: request.url ?? '', body: JSON.parse(text) as Record<string, unknown> });
      expect(request.headers['content-type']).toBe('application/json');
      response.writeHead(status).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, got };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is what is tested
const items = (got: readonly Got[], path: string): any[] =>
  got
    .filter((each) => each.path === path)
    .flatMap(({ body }) => {
      const [top] = Object.values(body) as [{ scopeLogs?: unknown; scopeSpans?: unknown }[]];
      // biome-ignore lint/suspicious/noExplicitAny: likewise
      const scopes = (top?.[0]?.scopeLogs ?? top?.[0]?.scopeSpans) as any[];
      return scopes[0].logRecords ?? scopes[0].spans;
    });

function exporter(directory: string, url: string, options: Partial<OtlpOptions> = {}) {
  const sending = startOtlp({ directory, url, host: 'here', log: memoryLog(), pollMs: 10, ...options });
  onTestFinished(() => sending.stop());
  return sending;
}

const field = (item: { attributes: { key: string; value: object }[] }, key: string) =>
  Object.values(item.attributes.find((each) => each.key === key)?.value ?? {})[0];

test('a statement is a log record and a span, an event a log record', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const { url, got } = await collector(() => 200);
  const sending = exporter(directory, url);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traced = statement({ text: `select 1 /*traceparent='00-${trace}-00f067aa0ba902b7-01'*/` });
  const denied = statement({ verdict: 'deny', rule: 'no-drops', text: 'drop \ud800 table', verbs: ['drop'] });
  await journal.append(traced);
  await journal.append(settled(traced, { ms: 2.5, rows: 3 }));
  await journal.append(denied);
  await journal.append({
    ...traced,
    event: 'login',
    record: newRecordId(),
    message: 'in',
    details: { encrypted: true },
  } as never);
  await journal.flush();
  await expect.poll(() => items(got, '/v1/logs').length, { timeout: 10_000 }).toBe(3);
  await sending.stop();
  const spans = items(got, '/v1/traces').sort((a) => (a.traceId === trace ? -1 : 1));
  expect(spans).toHaveLength(2);
  expect(spans[0]).toMatchObject({
    traceId: trace,
    parentSpanId: '00f067aa0ba902b7',
    name: 'select public.customers',
    kind: 3,
  });
  expect(spans[0].spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(BigInt(spans[0].endTimeUnixNano) - BigInt(spans[0].startTimeUnixNano)).toBe(2_500_000n);
  expect(field(spans[0], 'db.response.returned_rows')).toBe('3');
  expect(spans[1]).toMatchObject({ status: { code: 2 } });
  expect(spans[1].traceId).toMatch(/^[0-9a-f]{32}$/);
  const logs = items(got, '/v1/logs');
  expect(logs.find((each) => each.eventName === 'sallyport.login')).toMatchObject({
    severityText: 'INFO',
    body: { stringValue: 'in' },
  });
  expect(logs.find((each) => field(each, 'sallyport.verdict') === 'deny')).toMatchObject({
    severityText: 'WARN',
    body: { stringValue: 'drop \ufffd table' },
  });
  expect(sending.state).toMatchObject({ sent: 3, waiting: 0, dropped: 0, failures: 0 });
});

test('what a collector that is down does not take is sent when it is up, and no more waits than the queue holds', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  let up = false;
  const { url, got } = await collector(() => (up ? 200 : 503));
  const log = memoryLog();
  const sending = exporter(directory, url, { queue: 5, batch: 2, patienceMs: 20, log });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const records = Array.from({ length: 8 }, () => statement({ verdict: 'deny' }));
  for (const record of records) await journal.append(record);
  await journal.flush();
  await expect.poll(() => sending.state.failures, { timeout: 10_000 }).toBeGreaterThan(1);
  expect(sending.state).toMatchObject({ waiting: 5, dropped: 3 });
  up = true;
  await expect.poll(() => sending.state.sent, { timeout: 10_000 }).toBe(5);
  const names = items(got, '/v1/logs').map((each) => field(each, 'sallyport.record'));
  expect(names).toEqual(records.slice(3).map(({ record }) => record));
  expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
});

test('a collector that refuses for good holds nothing up', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const { url } = await collector(() => 400);
  const sending = exporter(directory, url, { patienceMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await journal.append(statement({ verdict: 'deny' }));
  await journal.flush();
  await expect.poll(() => sending.state.dropped, { timeout: 10_000 }).toBe(1);
  expect(sending.state.waiting).toBe(0);
});

test('a collector that is not there stops neither the journal nor the end', async () => {
  const directory = await scratch();
  const journal = await journalIn(directory);
  const sending = exporter(directory, 'http://127.0.0.1:1');
  await new Promise((resolve) => setTimeout(resolve, 50));
  await journal.append(statement({ verdict: 'deny' }));
  await journal.flush();
  await expect.poll(() => sending.state.failures, { timeout: 10_000 }).toBeGreaterThan(0);
  await sending.stop();
});
