// One line a record for people: when, who, where, what was decided, what it did, how it ended.
import { inert, inertJson, shorten } from './inert.ts';
import type { Merged, MergedStatement } from './join.ts';

export interface RenderOptions {
  /** Colours for the verdict; only where a terminal reads. */
  readonly color: boolean;
  /** Columns; the statement's text is cut to fit. Left out: 160. */
  readonly width?: number | undefined;
}

const COLORS = { allow: 32, deny: 31, hold: 33, event: 36 } as const;

/** A record as one line without a newline. Nothing in it can act on a terminal. */
export function renderRecord(record: Merged, options: RenderOptions): string {
  const paint = (text: string, as: keyof typeof COLORS) => (options.color ? `\x1b[${COLORS[as]}m${text}\x1b[0m` : text);
  const time = inert(record.time).replace('T', ' ').replace('Z', '');
  const who = inert(shorten(`${record.identity ?? '-'}@${record.target ?? '-'}`, 40));
  if (record.event !== 'statement') {
    const details = Object.entries(record.details ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(' ');
    const message = inert(shorten(details === '' ? record.message : `${record.message} (${details})`, 300));
    return `${time}  ${who}  ${paint(record.event, 'event')}  ${message}`;
  }
  const parts = [time, who, paint(record.verdict.padEnd(5), record.verdict), what(record), ...ending(record)];
  // What rules and masks that only observe would have done.
  if (record.wouldBe.length > 0) parts.push(inert(shorten(`would-be=${record.wouldBe.join(',')}`, 80)));
  const plain = parts.join('  ').length - (options.color ? 9 : 0);
  const room = Math.max(30, (options.width ?? 160) - plain - 2);
  // Cut before escaping too: a megabyte of text is not escaped for the sake of its first hundred characters.
  parts.push(shorten(inert(shorten(record.text.trim(), room)), room));
  return parts.join('  ');
}

/** A record as one JSON object on one line, safe to print. */
export function renderJson(record: Merged): string {
  return inertJson(record);
}

function what(record: MergedStatement): string {
  const tables =
    record.tables.length > 3 ? [...record.tables.slice(0, 3), `+${record.tables.length - 3}`] : record.tables;
  return inert(shorten([record.verbs.join('+') || '-', tables.join(',')].filter((part) => part !== '').join(' '), 60));
}

function ending(record: MergedStatement): string[] {
  if (record.verdict === 'deny' || (record.verdict === 'hold' && record.outcome === undefined)) {
    return [inert(shorten(`rule=${record.rule ?? '-'}`, 40))];
  }
  if (record.outcome === undefined) return ['running'];
  const parts: string[] = [];
  if (record.outcome !== 'completed')
    parts.push(inert(`${record.outcome}${record.sqlstate ? ` ${record.sqlstate}` : ''}`));
  parts.push(`${record.rows ?? 0} ${record.rows === 1 ? 'row' : 'rows'}`, duration(record.ms ?? 0));
  if (record.masked.length > 0) parts.push(`masked=${record.masked.length}`);
  const detected = Object.entries(record.detected ?? {}).map(([name, count]) => `${name}:${count}`);
  if (detected.length > 0) parts.push(inert(shorten(`detected=${detected.join(',')}`, 80)));
  return parts;
}

function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
