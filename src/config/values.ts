// Single values of the file: durations, sizes, addresses. Each parser says undefined where the text is not one.

/** A listen address. `host` is as node:net takes it (no brackets around IPv6). */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export const durationPattern = '^(\\d+(\\.\\d+)?(ms|s|m|h|d|w))+$';

/** Milliseconds of `500ms`, `30s`, `1h30m`, `90d`. */
export function parseDuration(text: string): number | undefined {
  if (!new RegExp(durationPattern).test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (durationUnits[unit ?? ''] ?? Number.NaN);
  }
  // The longest a timer or a date can hold is not the question here; a century is certainly a slip.
  return Number.isFinite(total) && total <= 100 * 366 * 86_400_000 ? Math.round(total) : undefined;
}

/** `90000` as `1m30s`; what is below a second is left out unless it is all there is. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  let left = Math.round(ms / 1000);
  let text = '';
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(left / seconds);
    left -= count * seconds;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}

const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

export const sizePattern = '^\\d+(\\.\\d+)? ?([kKmMgGtT]i?)?[bB]$';

/** Bytes of `512B`, `64KiB`, `16MiB`, `1.5GB`. */
export function parseSize(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?) ?((?:[kmgt]i?)?b)$/i.exec(text);
  const unit = sizeUnits[(parts?.[2] ?? '').toLowerCase()];
  if (parts === null || unit === undefined) return undefined;
  const bytes = Math.round(Number(parts[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `127.0.0.1:6432`, `[::1]:6432`, `localhost:6432`, `*:6432` (all interfaces), or a port alone (loopback). */
export function parseAddress(text: string | number): Address | undefined {
  if (typeof text === 'number' || /^\d+$/.test(text)) return address('127.0.0.1', Number(text));
  const parts = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]*)):(\d{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const host = parts[1] ?? parts[2] ?? '';
  return address(host === '' || host === '*' ? '0.0.0.0' : host, Number(parts[3]));
}

function address(host: string, port: number): Address | undefined {
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? { host, port } : undefined;
}

/** Whether a host name can only mean this machine. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(host) ||
    host.endsWith('.localhost')
  );
}
