// Filters as they stand in a URL: the words of `sallyport audit search`, so that a search can be sent to somebody.
import { type AuditFilter, FilterError, parseDuration, parseTime } from '../audit/index.ts';

/** What the URL asks for, as written, and what it means; a value that cannot be meant is named and left out. */
export interface UrlFilter {
  readonly filter: AuditFilter;
  readonly given: ReadonlyMap<FilterName, string>;
  readonly problems: ReadonlyMap<FilterName, string>;
}

export const filterNames = [
  'text',
  'identity',
  'group',
  'target',
  'table',
  'column',
  'verdict',
  'rule',
  'verb',
  'since',
  'until',
  'min-duration',
  'min-rows',
  'fingerprint',
  'session',
  'kind',
] as const;
export type FilterName = (typeof filterNames)[number];

const longest = 1000;

/** Reads the filter of a URL. `now` is where ages such as `1h` start from. */
export function readFilter(parameters: URLSearchParams, now = Date.now()): UrlFilter {
  const given = new Map<FilterName, string>();
  for (const name of filterNames) {
    const value = parameters.get(name)?.trim();
    if (value !== undefined && value !== '') given.set(name, value.slice(0, longest));
  }
  const problems = new Map<FilterName, string>();
  const read = <T>(name: FilterName, parse: (text: string) => T): T | undefined => {
    const text = given.get(name);
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (cause) {
      if (!(cause instanceof FilterError)) throw cause;
      problems.set(name, cause.message);
      return undefined;
    }
  };
  const filter: AuditFilter = {
    text: given.get('text'),
    identity: given.get('identity'),
    group: given.get('group'),
    target: given.get('target'),
    table: given.get('table'),
    column: given.get('column'),
    verdict: read('verdict', verdict),
    rule: given.get('rule'),
    verb: given.get('verb'),
    since: read('since', (text) => parseTime(text, now)),
    until: read('until', (text) => parseTime(text, now)),
    minMs: read('min-duration', parseDuration),
    minRows: read('min-rows', wholeNumber),
    fingerprint: given.get('fingerprint'),
    session: given.get('session'),
    kind: given.get('kind'),
  };
  return { filter, given, problems };
}

/** The query of a URL with these filters, some of them changed; undefined takes one away. */
export function query(
  given: ReadonlyMap<string, string>,
  changes: Readonly<Record<string, string | undefined>> = {},
): string {
  const all = new Map(given);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) all.delete(name);
    else all.set(name, value);
  }
  const text = new URLSearchParams(
    [...all].map(([name, value]): [string, string] => [name, value.toWellFormed()]),
  ).toString();
  return text === '' ? '' : `?${text}`;
}

function verdict(text: string): 'allow' | 'deny' | 'hold' {
  if (text === 'allow' || text === 'deny' || text === 'hold') return text;
  throw new FilterError('a verdict is allow, deny or hold');
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new FilterError(`"${text.slice(0, 40)}" is no whole number`);
  return Number(text);
}

/** A number from the URL within bounds. */
export function numberOf(text: string | undefined, fallback: number, most: number): number {
  const value = Number(text ?? '');
  return Number.isInteger(value) && value >= 1 ? Math.min(value, most) : fallback;
}
