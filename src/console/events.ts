// Server-sent events: what a watcher has seen, a few times a second, at the pace of the browser that reads them.
import type { LiveRecord, Watcher } from './live.ts';

const everyMs = 250;
const beatMs = 15_000;

/** One message of the stream; nothing in `data` can end it, since JSON has no line ends. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * A stream of `record` events made by `encode`, and of `dropped` events that say how many there was no room for. Reads from the
 * watcher only when the browser has taken what it was sent, so a slow one costs a bounded list and nothing else.
 */
export function eventStream(watcher: Watcher, encode: (record: LiveRecord) => unknown, signal: AbortSignal): Response {
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let quietSince = Date.now();
  const close = () => {
    closed = true;
    clearInterval(timer);
    watcher.close();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Tells the browser that the stream is there before anything has happened.
        controller.enqueue(encoder.encode('retry: 2000\n\n'));
        timer = setInterval(() => {
          if (closed || (controller.desiredSize ?? 0) <= 0) return;
          const { records, dropped } = watcher.take();
          let text = records.map((record) => message('record', encode(record))).join('');
          if (dropped > 0) text += message('dropped', { count: dropped });
          if (text === '' && Date.now() - quietSince < beatMs) return;
          quietSince = Date.now();
          controller.enqueue(encoder.encode(text === '' ? ': still here\n\n' : text));
        }, everyMs);
        timer.unref();
        signal.addEventListener('abort', () => {
          if (closed) return;
          close();
          controller.close();
        });
      },
      cancel: close,
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
