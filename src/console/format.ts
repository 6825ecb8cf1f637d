// Numbers and times as the page writes them: UTC, whole words where they are short, digits that line up.
import { type Html, html } from './html.ts';

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

export function bytes(value: number): string {
  for (const [unit, size] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(value >= 10 * size ? 0 : 1)} ${unit}`;
  }
  return `${value} B`;
}

/** `07:31:02.123`, with the day in front where it is not today. */
export function time(iso: string, now = Date.now()): Html {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return html`${iso}`;
  const text = date.toISOString();
  const today = text.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
  const clock = html`${text.slice(11, 19)}<span class="fine">${text.slice(19, 23)}</span>`;
  return html`<time datetime="${text}" title="${text.replace('T', ' ').replace('Z', ' UTC')}">${today ? '' : html`<span class="day">${text.slice(5, 10)}</span> `}${clock}</time>`;
}

export function fullTime(iso: string): Html {
  return html`<time datetime="${iso}">${iso.replace('T', ' ').replace('Z', ' UTC')}</time>`;
}

/** How long ago; the page's own script keeps it going. */
export function ago(at: number, now = Date.now()): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" title="${iso.replace('T', ' ').replace('Z', ' UTC')}" data-ago>${elapsed(now - at)}</time>`;
}

export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** How long is left, to the second under an hour; the page's own script counts it down. */
export function left(until: Date, now = Date.now()): Html {
  const iso = until.toISOString();
  return html`<time datetime="${iso}" title="${iso.replace('T', ' ').replace('Z', ' UTC')}" data-until>${remaining(until.getTime() - now)}</time>`;
}

function remaining(ms: number): string {
  if (ms <= 0) return 'over';
  const seconds = Math.ceil(ms / 1000);
  return seconds < 3600 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}` : elapsed(ms);
}
