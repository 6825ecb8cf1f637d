// Server-sent events: what a watcher has seen, a few times a second, at the pace of the browser that reads them.
import { inertJson } from '../audit/index.ts';
import type { LiveRecord, Watcher } from './live.ts';

const everyMs = 250;
const beatMs = 15_000;

/** One message of the stream; nothing in `data` can end it, since JSON has no line ends. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${inertJson(data)}\n\n`;
}

/** The records a watcher sees: `record` events made by `encode`, and `dropped` events that say how many there was no room for. */
export function recordStream(watcher: Watcher, encode: (record: LiveRecord) => unknown, signal: AbortSignal): Response {
  return eventStream({
    take() {
      const { records, dropped } = watcher.take();
      const text = records.map((record) => message('record', encode(record))).join('');
      return dropped > 0 ? text + message('dropped', { count: dropped }) : text;
    },
    close: () => watcher.close(),
    signal,
  });
}

/** Says `changed` whenever something has, at most a few times a second. `watch` gives the function that ends it. */
export function changeStream(watch: (changed: () => void) => () => void, signal: AbortSignal): Response {
  let has = false;
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
    signal,
  });
}

interface EventSourceParts {
  /** What there is to send now. */
  take(): string;
  close(): void;
  readonly signal: AbortSignal;
}

/** Asks for more only when the browser has taken what it was sent, so a slow one costs a bounded list and nothing else. */
function eventStream({ take, close, signal }: EventSourceParts): Response {
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let quietSince = Date.now();
  const end = () => {
    if (closed) return;
    closed = true;
    clearInterval(timer);
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
        signal.addEventListener('abort', () => {
          if (closed) return;
          end();
          controller.close();
        });
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
