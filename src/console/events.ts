// Server-sent events: what a watcher has seen, a few times a second, at the pace of the browser that reads them.
import type { Context } from 'hono';
import { inertJson } from '../audit/index.ts';
import type { Env } from './guard.ts';
import type { LiveRecord, Watcher } from './live.ts';

const everyMs = 250;
const beatMs = 15_000;
const checkMs = 30_000;

/** One message of the stream; nothing in `data` can end it, since JSON has no line ends. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${inertJson(data)}\n\n`;
}

/** The records a watcher sees: `record` events made by `encode`, and `dropped` events that say how many there was no room for. */
export function recordStream(watcher: Watcher, encode: (record: LiveRecord) => unknown, reader: Reader): Response {
  return eventStream({
    take() {
      const { records, dropped } = watcher.take();
      const text = records.map((record) => message('record', encode(record))).join('');
      return dropped > 0 ? text + message('dropped', { count: dropped }) : text;
    },
    close: () => watcher.close(),
    reader,
  });
}

/**
 * Says `changed` whenever something has, at most a few times a second, and at once where the reader has `missed` something before it
 * came. `watch` gives the function that ends it.
 */
export function changeStream(watch: (changed: () => void) => () => void, reader: Reader, missed: boolean): Response {
  let has = missed;
  const end = watch(() => {
    has = true;
  });
  return eventStream({
    take() {
      const text = has ? message('changed', {}) : '';
      has = false;
      return text;
    },
    close: end,
    reader,
  });
}

/** Who reads a stream. */
export interface Reader {
  /** Aborted when the reader has gone. */
  readonly signal: AbortSignal;
  /** Asked every half minute; the stream ends when it says false. */
  readonly stillIn: () => Promise<boolean>;
}

/** The reader that a request stands for. */
export function readerOf(context: Context<Env>): Reader {
  return { signal: context.req.raw.signal, stillIn: context.get('stillIn') };
}

interface EventSourceParts {
  /** What there is to send now. */
  take(): string;
  close(): void;
  readonly reader: Reader;
}

/** Asks for more only when the browser has taken what it was sent, so a slow one costs a bounded list and nothing else. */
function eventStream({ take, close, reader }: EventSourceParts): Response {
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  let checks: NodeJS.Timeout | undefined;
  let closed = false;
  let quietSince = Date.now();
  const end = () => {
    if (closed) return;
    closed = true;
    clearInterval(timer);
    clearInterval(checks);
    close();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Tells the browser that the stream is there before anything has happened.
        controller.enqueue(encoder.encode('retry: 2000\n\n'));
        timer = setInterval(() => {
          if (closed || (controller.desiredSize ?? 0) <= 0) return;
          const text = take();
          if (text === '' && Date.now() - quietSince < beatMs) return;
          quietSince = Date.now();
          controller.enqueue(encoder.encode(text === '' ? ': still here\n\n' : text));
        }, everyMs);
        timer.unref();
        const finish = () => {
          if (closed) return;
          end();
          controller.close();
        };
        reader.signal.addEventListener('abort', finish);
        // Whoever has logged out, or whose token has expired, sees nothing more.
        checks = setInterval(() => {
          reader.stillIn().then(
            (still) => (still ? undefined : finish()),
            () => finish(),
          );
        }, checkMs);
        checks.unref();
      },
      cancel: end,
    },
    // A few hundred rows at once are fine; then the browser must have read them.
    new ByteLengthQueuingStrategy({ highWaterMark: 256 * 1024 }),
  );
  return new Response(body, {
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    },
  });
}
