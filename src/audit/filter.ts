// Which records a search wants: plain data that a command line, a URL or a page can fill.
import type { Merged } from './join.ts';
import type { StatementRecord } from './record.ts';

/** All that is given must fit. Words with `*` are wildcards; tables and columns also match by their last parts. */
export interface AuditFilter {
  readonly identity?: string | undefined;
  readonly group?: string | undefined;
  readonly target?: string | undefined;
  /** `customers`, `public.customers`, `public.*`. */
  readonly table?: string | undefined;
  /** `ssn`, `customers.ssn`, `public.customers.ssn`. */
  readonly column?: string | undefined;
  readonly verdict?: 'allow' | 'deny' | 'hold' | undefined;
  readonly rule?: string | undefined;
  readonly verb?: string | undefined;
  /** A part of the statement's text, or of an event's message, in any case. */
  readonly text?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly session?: string | undefined;
  readonly record?: string | undefined;
  /** ISO 8601, UTC: from (included) and to (not included). */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly minMs?: number | undefined;
  readonly minRows?: number | undefined;
  /** Statements, events (logins, approvals, the gateway's own), or a single kind of event. Left out: all. */
  readonly kind?: 'statement' | 'event' | (string & {}) | undefined;
}

/** Thrown for a filter that cannot be meant. The message says what was expected. */
export class FilterError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FilterError';
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `250ms`, `1.5s`, `1h`, `7d`; a bare number is milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)?$/.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? 'ms'] ?? Number.NaN);
  if (!Number.isFinite(value)) throw new FilterError(`"${text}" is no duration; write 250ms, 30s, 5m, 1h or 7d`);
  return value;
}

/** A point in time as an ISO string: an age such as `1h`, a date, or a date with a time (UTC where no zone is given). */
export function parseTime(text: string, now: number = Date.now()): string {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?(ms|s|m|h|d|w)$/.test(trimmed)) return iso(now - parseDuration(trimmed), text);
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(trimmed)) {
    throw new FilterError(`"${text}" is no time; write 1h, 7d, 2026-03-04 or 2026-03-04T05:06:07Z`);
  }
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(trimmed.slice(10))
    ? trimmed
    : `${trimmed}${trimmed.length > 10 ? 'Z' : ''}`;
  return iso(Date.parse(zoned.replace(' ', 'T')), text);
}

function iso(time: number, text: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) throw new FilterError(`"${text}" is no time of any calendar`);
  return date.toISOString();
}

/** Tests on the opening record of a statement, and on the whole of a record. */
export interface Matcher {
  opening(statement: StatementRecord): boolean;
  whole(record: Merged): boolean;
  /** A line of the journal that cannot belong to a match, told from its bytes before it is parsed. */
  sieve: ((line: Buffer) => boolean) | undefined;
}

/** Compiles a filter. */
export function matcher(filter: AuditFilter): Matcher {
  const identity = words(filter.identity);
  const group = words(filter.group);
  const target = words(filter.target);
  const table = words(filter.table, true);
  const column = words(filter.column, true);
  const rule = words(filter.rule);
  const text = filter.text?.toLowerCase();
  const verb = filter.verb?.toLowerCase();
  const inTime = (time: string) =>
    (filter.since === undefined || time >= filter.since) && (filter.until === undefined || time < filter.until);
  const opening = (record: StatementRecord): boolean =>
    inTime(record.time) &&
    (filter.kind === undefined || filter.kind === 'statement') &&
    (filter.verdict === undefined || record.verdict === filter.verdict) &&
    (filter.fingerprint === undefined || record.fingerprint === filter.fingerprint) &&
    (filter.session === undefined || record.session === filter.session) &&
    (filter.record === undefined || record.record === filter.record) &&
    identity(record.identity) &&
    target(record.target) &&
    rule(record.rule) &&
    some(group, record.groups, filter.group) &&
    (verb === undefined || record.verbs.includes(verb)) &&
    some(table, record.tables, filter.table) &&
    some(column, record.columns, filter.column) &&
    (text === undefined || record.text.toLowerCase().includes(text));
  const whole = (record: Merged): boolean => {
    if (record.event === 'statement') {
      return (
        opening(record) &&
        (filter.minMs === undefined || (record.ms ?? -1) >= filter.minMs) &&
        (filter.minRows === undefined || (record.rows ?? -1) >= filter.minRows)
      );
    }
    // What only statements have cannot be asked of an event.
    const { verdict, rule: named, verb: done, table: used, column: read, fingerprint, minMs, minRows } = filter;
    if ([verdict, named, done, used, read, fingerprint, minMs, minRows].some((value) => value !== undefined))
      return false;
    return (
      inTime(record.time) &&
      (filter.kind === undefined || filter.kind === 'event' || filter.kind === record.event) &&
      (filter.session === undefined || record.session === filter.session) &&
      (filter.record === undefined || record.record === filter.record) &&
      identity(record.identity) &&
      target(record.target) &&
      some(group, record.groups, filter.group) &&
      (text === undefined || record.message.toLowerCase().includes(text))
    );
  };
  return { opening, whole, sieve: sieveOf(filter) };
}

/**
 * Exact words of the filter must stand in a statement's line as JSON writes them; settlements and events of the journal
 * pass, they belong to statements. Cheap, and right only as a first look: what passes is parsed and matched.
 */
function sieveOf(filter: AuditFilter): Matcher['sieve'] {
  const exact = [filter.identity, filter.target, filter.fingerprint, filter.rule, filter.verdict, filter.group]
    .filter((word): word is string => word !== undefined && !word.includes('*'))
    .map((word) => Buffer.from(JSON.stringify(word)));
  if (exact.length === 0) return undefined;
  const statement = Buffer.from('{"v":1,"event":"statement"');
  return (line) =>
    line.compare(statement, 0, statement.length, 0, Math.min(statement.length, line.length)) !== 0 ||
    exact.every((word) => line.includes(word));
}

function some(test: (value: string) => boolean, values: readonly string[], asked: string | undefined): boolean {
  return asked === undefined || values.some(test);
}

/** A test for a word with wildcards; `parts` also lets it match the last dotted parts of a name, in any case. */
function words(pattern: string | undefined, parts = false): (value: string | undefined) => boolean {
  if (pattern === undefined) return () => true;
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  const expression = new RegExp(`^${parts ? '(?:.*\\.)?' : ''}${source}$`, parts ? 'is' : 's');
  return (value) => value !== undefined && expression.test(value);
}
