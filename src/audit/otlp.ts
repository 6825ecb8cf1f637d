// Sends records on to an OpenTelemetry collector: OTLP over HTTP in JSON, a log record for each record and a span for each statement.
// https://opentelemetry.io/docs/specs/otlp/ (OTLP/HTTP, JSON Protobuf encoding). Best effort: it tries again while the queue has
// room, and the journal stays what counts.
import { createHash } from 'node:crypto';
import { joiner, type Merged, type MergedStatement } from './join.ts';
import type { JournalLog } from './journal.ts';
import { follow } from './read.ts';

export interface OtlpOptions {
  /** The journal folder. */
  readonly directory: string;
  /** The collector's address, e.g. `http://127.0.0.1:4318`; `/v1/logs` and `/v1/traces` are added. */
  readonly url: string;
  readonly log: JournalLog;
  /** `host.name` of the resource. */
  readonly host: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Records that wait for the collector at most; older ones are dropped. Left out: 10,000. */
  readonly queue?: number | undefined;
  /** Records in one request. Left out: 500. */
  readonly batch?: number | undefined;
  readonly pollMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** The longest wait after a failure. Left out: 30 s. */
  readonly patienceMs?: number | undefined;
}

export interface OtlpState {
  readonly sent: number;
  readonly waiting: number;
  readonly dropped: number;
  readonly failures: number;
}

export interface OtlpExporter {
  readonly state: OtlpState;
  /** Sends what waits, once more, and ends. */
  stop(): Promise<void>;
}

/** Answers after which the same request may succeed later (OTLP/HTTP, "Retryable Response Codes"). */
const RETRYABLE = new Set([429, 502, 503, 504]);

/** Begins to send what is recorded from now on. */
export function startOtlp(options: OtlpOptions): OtlpExporter {
  const {
    directory,
    log,
    pollMs = 500,
    queue = 10_000,
    batch = 500,
    timeoutMs = 10_000,
    patienceMs = 30_000,
  } = options;
  const stop = new AbortController();
  const waiting: Merged[] = [];
  const counts = { sent: 0, dropped: 0, failures: 0 };
  let notBefore = 0;
  let pause = 0;
  let failing = false;

  const send = async (): Promise<boolean> => {
    const some = waiting.slice(0, batch);
    if (some.length === 0) return false;
    const spans = some.filter((record): record is MergedStatement => record.event === 'statement');
    const answers = [await post(options, 'v1/logs', logsOf(some, options.host), timeoutMs)];
    if (spans.length > 0) answers.push(await post(options, 'v1/traces', tracesOf(spans, options.host), timeoutMs));
    const bad = answers.find((answer) => answer !== 'ok');
    if (bad === undefined || bad.startsWith('refused')) {
      // Refused for good: the same request would be refused again.
      waiting.splice(0, some.length);
      if (bad === undefined) counts.sent += some.length;
      else counts.dropped += some.length;
    }
    if (bad !== undefined) {
      counts.failures++;
      if (!failing)
        log.warn({ cause: bad, waiting: waiting.length }, 'the OpenTelemetry collector does not take records');
      failing = true;
      pause = Math.min(patienceMs, pause === 0 ? 500 : pause * 2);
      notBefore = performance.now() + pause;
      return false;
    }
    if (failing) log.info({ dropped: counts.dropped }, 'the OpenTelemetry collector takes records again');
    failing = false;
    pause = 0;
    return waiting.length > 0;
  };

  const run = async () => {
    const join = joiner();
    for await (const entries of follow(directory, { signal: stop.signal, pollMs })) {
      for (const entry of entries) {
        for (const record of join.push(entry)) waiting.push(record);
      }
      if (waiting.length > queue) counts.dropped += waiting.splice(0, waiting.length - queue).length;
      while (performance.now() >= notBefore && (await send())) if (stop.signal.aborted) break;
    }
    notBefore = 0;
    while (waiting.length > 0 && (await send())) notBefore = 0;
  };
  const running = run().catch((cause: unknown) => {
    log.error({ cause: String(cause) }, 'records are no longer sent to the OpenTelemetry collector');
  });
  return {
    get state() {
      return { ...counts, waiting: waiting.length };
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}

async function post(options: OtlpOptions, path: string, body: object, timeoutMs: number): Promise<string> {
  const url = `${options.url.replace(/\/+$/, '')}/${path}`;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...options.headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    });
    await answer.arrayBuffer();
    if (answer.ok) return 'ok';
    return RETRYABLE.has(answer.status) ? `answered ${answer.status}` : `refused with ${answer.status}`;
  } catch (cause) {
    return cause instanceof Error ? cause.name : 'unreachable';
  }
}

interface AnyValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly arrayValue?: { readonly values: readonly AnyValue[] };
}

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** A value as protobuf's JSON writes it: 64-bit integers as text. */
function anyValue(value: unknown): AnyValue {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { stringValue: (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed() };
}

function attributes(fields: Readonly<Record<string, unknown>>): KeyValue[] {
  return Object.entries(fields).flatMap(([key, value]) =>
    value === undefined || (Array.isArray(value) && value.length === 0) ? [] : [{ key, value: anyValue(value) }],
  );
}

/** Names of OpenTelemetry's conventions where there are such (`db.*`, `error.type`), our own elsewhere. */
function fieldsOf(record: Merged): Record<string, unknown> {
  const common = {
    'sallyport.record': record.record,
    'sallyport.event': record.event,
    'sallyport.session': record.session,
    'sallyport.identity': record.identity,
    'sallyport.issuer': record.issuer,
    'sallyport.groups': record.groups,
    'sallyport.target': record.target,
    'sallyport.worker': record.worker,
    'sallyport.seq': record.seq,
    'client.address': record.client,
  };
  if (record.event !== 'statement') {
    const details = Object.entries(record.details).map(([name, value]) => [`sallyport.details.${name}`, value]);
    return { ...common, ...Object.fromEntries(details) };
  }
  return {
    ...common,
    'sallyport.role': record.role,
    'sallyport.verdict': record.verdict,
    'sallyport.rule': record.rule,
    'sallyport.reason': record.reason,
    'sallyport.fingerprint': record.fingerprint,
    'sallyport.columns': record.columns,
    'sallyport.masked': record.masked,
    'sallyport.outcome': record.outcome,
    'sallyport.bytes': record.bytes,
    'db.namespace': record.target,
    'db.operation.name': record.verbs[0],
    'db.collection.name': record.tables[0],
    'sallyport.verbs': record.verbs,
    'sallyport.tables': record.tables,
    'db.query.text': record.text,
    'db.response.returned_rows': record.rows,
    'db.response.status_code': record.sqlstate,
    'error.type': record.sqlstate ?? (record.verdict === 'deny' ? record.rule : undefined),
  };
}

function resource(host: string) {
  return { attributes: attributes({ 'service.name': 'sallyport', 'host.name': host }) };
}

const scope = { name: 'sallyport.audit' };

/** INFO, WARN and ERROR of the log data model. */
function severity(record: Merged): { readonly severityNumber: number; readonly severityText: string } {
  if (record.event === 'statement') {
    if (record.verdict === 'deny') return { severityNumber: 13, severityText: 'WARN' };
    if (record.outcome === 'failed' || record.outcome === 'lost') return { severityNumber: 17, severityText: 'ERROR' };
  }
  return record.event === 'login-refused'
    ? { severityNumber: 13, severityText: 'WARN' }
    : { severityNumber: 9, severityText: 'INFO' };
}

/** The body of `/v1/logs`. */
export function logsOf(records: readonly Merged[], host: string): object {
  const logRecords = records.map((record) => ({
    timeUnixNano: nanos(record.time),
    ...severity(record),
    eventName: `sallyport.${record.event}`,
    body: anyValue(record.event === 'statement' ? record.text : record.message),
    attributes: attributes(fieldsOf(record)),
    ...(record.event === 'statement' ? { traceId: traceId(record), spanId: spanId(record.record) } : {}),
  }));
  return { resourceLogs: [{ resource: resource(host), scopeLogs: [{ scope, logRecords }] }] };
}

/** The body of `/v1/traces`: a statement is a client span, in the trace of its traceparent, else of its session. */
export function tracesOf(records: readonly MergedStatement[], host: string): object {
  const spans = records.map((record) => {
    const parent = traceparent(record.text);
    const start = BigInt(nanos(record.time));
    const failed = record.verdict === 'deny' || record.outcome === 'failed' || record.outcome === 'lost';
    return {
      traceId: traceId(record),
      spanId: spanId(record.record),
      ...(parent === undefined ? {} : { parentSpanId: parent.span }),
      name: [record.verbs[0] ?? 'statement', record.tables[0] ?? record.target].join(' '),
      kind: 3,
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + BigInt(Math.round((record.ms ?? 0) * 1000)) * 1000n),
      attributes: attributes(fieldsOf(record)),
      status: failed ? { code: 2, message: record.reason ?? record.sqlstate ?? record.outcome ?? '' } : {},
    };
  });
  return { resourceSpans: [{ resource: resource(host), scopeSpans: [{ scope, spans }] }] };
}

function nanos(time: string): string {
  return `${BigInt(Date.parse(time))}000000`;
}

/** A client's own W3C trace context, as sqlcommenter carries it. */
function traceparent(text: string): { readonly trace: string; readonly span: string } | undefined {
  const match = /traceparent='[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}'/.exec(text);
  const [, trace, span] = match ?? [];
  if (trace === undefined || span === undefined || /^0+$/.test(trace) || /^0+$/.test(span)) return undefined;
  return { trace, span };
}

function traceId(record: MergedStatement): string {
  return traceparent(record.text)?.trace ?? digest(`session ${record.session}`, 32);
}

/** The same record has the same id however often it is sent, so a collector can leave out what it has. */
function spanId(record: string): string {
  return digest(`record ${record}`, 16);
}

function digest(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}
