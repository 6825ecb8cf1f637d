// A filter as conditions of SQL: terms for the index, and the exact comparison beside them.
import type { Queries } from '../../store/types.ts';
import type { AuditFilter } from '../filter.ts';
import { storedText } from './rows.ts';
import { sizeTerms, type TermKind, term } from './terms.ts';

export interface Conditions {
  /** ANDed; each uses parameters of `values` by their numbers. */
  readonly sql: readonly string[];
  readonly values: readonly unknown[];
}

/** More names than these are compared one by one instead of looked up. */
const MOST_NAMES = 1000;

/** Parameters are numbered as they are added. */
class Builder {
  readonly sql: string[] = [];
  readonly values: unknown[] = [];

  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  /** The record carries all of these terms. */
  all(terms: readonly number[]): void {
    if (terms.length > 0) this.sql.push(`terms @> ${this.value(terms)}::integer[]`);
  }

  any(terms: readonly number[]): void {
    this.sql.push(`terms && ${this.value(terms)}::integer[]`);
  }
}

/** Everything of a filter but its times. Undefined where no record can match. */
export async function conditionsOf(queries: Queries, filter: AuditFilter): Promise<Conditions | undefined> {
  const builder = new Builder();
  const exact: number[] = [];
  const scalar = async (kind: TermKind & ('identity' | 'target' | 'rule'), pattern: string | undefined) => {
    if (pattern === undefined) return true;
    const word = storedText(pattern);
    if (!word.includes('*')) {
      exact.push(term(kind, word));
      builder.sql.push(`${kind} = ${builder.value(word)}`);
      return true;
    }
    const names = await namesLike(queries, kind, word, false);
    if (names === undefined) builder.sql.push(`${kind} ~ ${builder.value(regexOf(word, false))}`);
    else if (names.length === 0) return false;
    else {
      builder.any(names.map((name) => term(kind, name)));
      builder.sql.push(`${kind} = any(${builder.value(names)}::text[])`);
    }
    return true;
  };
  const listed = async (
    kind: TermKind & ('group' | 'table' | 'column'),
    column: string,
    pattern: string | undefined,
  ): Promise<boolean> => {
    if (pattern === undefined) return true;
    const word = storedText(pattern);
    const parts = kind !== 'group';
    if (!parts && !word.includes('*')) {
      exact.push(term(kind, word));
      builder.sql.push(`${builder.value(word)} = any(${column})`);
      return true;
    }
    const names = await namesLike(queries, kind, word, parts);
    if (names === undefined) {
      const operator = parts ? '~*' : '~';
      builder.sql.push(
        `exists (select from unnest(${column}) as name where name ${operator} ${builder.value(regexOf(word, parts))})`,
      );
    } else if (names.length === 0) return false;
    else {
      builder.any(names.map((name) => term(kind, name)));
      builder.sql.push(`${column} && ${builder.value(names)}::text[]`);
    }
    return true;
  };
  const possible = [
    await scalar('identity', filter.identity),
    await scalar('target', filter.target),
    await scalar('rule', filter.rule),
    await listed('group', 'groups', filter.group),
    await listed('table', 'tables', filter.table),
    await listed('column', 'columns', filter.column),
  ];
  if (possible.includes(false)) return undefined;
  for (const kind of ['verdict', 'fingerprint', 'session'] as const) {
    const given = filter[kind];
    if (given === undefined) continue;
    const word = storedText(given);
    exact.push(term(kind, word));
    builder.sql.push(`${kind} = ${builder.value(word)}`);
  }
  if (filter.verb !== undefined) {
    const verb = storedText(filter.verb.toLowerCase());
    exact.push(term('verb', verb));
    builder.sql.push(`${builder.value(verb)} = any(verbs)`);
  }
  if (filter.record !== undefined) builder.sql.push(`record = ${builder.value(storedText(filter.record))}`);
  if (filter.kind !== undefined) {
    exact.push(term('event', filter.kind));
    builder.sql.push(filter.kind === 'event' ? `event <> 'statement'` : `event = ${builder.value(filter.kind)}`);
  }
  for (const [column, least] of [
    ['ms', filter.minMs],
    ['rows', filter.minRows],
  ] as const) {
    if (least === undefined) continue;
    builder.any(sizeTerms(column, least));
    builder.sql.push(`${column} >= ${builder.value(least)}`);
  }
  builder.all(exact);
  if (filter.text !== undefined && filter.text !== '') {
    const pattern = `%${storedText(filter.text).replace(/[\\%_]/g, '\\$&')}%`;
    builder.sql.push(`coalesce(text, message) ilike ${builder.value(pattern)}`);
  }
  return builder;
}

/** The names of a kind that fit; undefined where they are too many. */
async function namesLike(
  queries: Queries,
  kind: string,
  pattern: string,
  parts: boolean,
): Promise<string[] | undefined> {
  const rows = await queries.query<{ name: string }>(
    `select name from sallyport.record_names where kind = $1 and name ${parts ? '~*' : '~'} $2 limit ${MOST_NAMES + 1}`,
    [kind, regexOf(pattern, parts)],
  );
  return rows.length > MOST_NAMES ? undefined : rows.map(({ name }) => name);
}

/** The wildcards of `words` in filter.ts, in the server's expressions. `***=` would switch them off: it never stands in front here. */
function regexOf(pattern: string, parts: boolean): string {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\*]/g, '\\$&'))
    .join('.*');
  return `^${parts ? '(?:.*\\.)?' : ''}(?:${source})$`;
}
