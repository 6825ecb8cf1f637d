// Records as rows of the store and back. A statement and its settlement are one row.
import type { Merged, MergedEvent, MergedStatement } from '../join.ts';
import type { EventRecord, SettledRecord, StatementRecord } from '../record.ts';
import { sizeTerm, term } from './terms.ts';

/** A record as the store gives it back, and whose it is. */
export type StoredRecord = Merged & { readonly gateway: string };

/** A row of sallyport.records, as JSON carries it to the store. */
export interface RecordRow {
  readonly time: string;
  readonly record: string;
  readonly event: string;
  readonly session?: string | undefined;
  readonly identity?: string | undefined;
  readonly issuer?: string | undefined;
  readonly groups: readonly string[];
  readonly target?: string | undefined;
  readonly client?: string | undefined;
  readonly role?: string | undefined;
  readonly text?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly verbs: readonly string[];
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  readonly masked: readonly string[];
  readonly verdict?: string | undefined;
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
  readonly would_be: readonly string[];
  readonly message?: string | undefined;
  details: Record<string, unknown>;
  outcome?: string | undefined;
  sqlstate?: string | undefined;
  rows?: number | undefined;
  bytes?: number | undefined;
  ms?: number | undefined;
  readonly gateway: string;
  readonly chain: string;
  readonly seq: number;
  terms: number[];
}

/** What a settlement adds to its row. */
export interface Settlement {
  readonly record: string;
  readonly outcome: string;
  readonly sqlstate: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
  readonly details: Record<string, unknown>;
  readonly terms: readonly number[];
}

export interface Origin {
  readonly gateway: string;
  readonly chain: string;
  readonly seq: number;
}

/** A statement's opening record as a row. */
export function statementRow(record: StatementRecord, origin: Origin): RecordRow {
  const {
    event,
    time,
    session,
    identity,
    issuer,
    groups,
    target,
    client,
    record: id,
    role,
    text,
    fingerprint,
    verbs,
    tables,
    columns,
    verdict,
    rule,
    reason,
    masked,
    wouldBe,
    imitatesTag,
    ...details
  } = record;
  const row = {
    time,
    record: id,
    event,
    session,
    identity: stored(identity),
    issuer: stored(issuer),
    groups: groups.map(storedText),
    target: stored(target),
    client: stored(client),
    role: stored(role),
    text: stored(text),
    fingerprint: stored(fingerprint),
    verbs,
    tables: tables.map(storedText),
    columns: columns.map(storedText),
    masked: masked.map(storedText),
    verdict,
    rule: stored(rule),
    reason: stored(reason),
    would_be: wouldBe.map(storedText),
    details: storedDetails(imitatesTag ? { ...details, imitatesTag } : details),
    ...origin,
  };
  return { ...row, terms: termsOf(row) };
}

/** An event as a row. */
export function eventRow(record: EventRecord, origin: Origin): RecordRow {
  const { event, time, record: id, session, identity, issuer, groups, target, client, message, details } = record;
  const row = {
    time,
    record: id,
    event,
    session,
    identity: stored(identity),
    issuer: stored(issuer),
    groups: (groups ?? []).map(storedText),
    target: stored(target),
    client: stored(client),
    verbs: [],
    tables: [],
    columns: [],
    masked: [],
    would_be: [],
    message: stored(message),
    details: storedDetails(details ?? {}),
    ...origin,
  };
  return { ...row, terms: termsOf(row) };
}

/** What a settlement brings to the row of its statement. */
export function settlementOf(settled: SettledRecord): Settlement {
  const { event, time, session, record, outcome, sqlstate, rows, bytes, ms, ...details } = settled;
  return {
    record,
    outcome,
    sqlstate: stored(sqlstate),
    rows,
    bytes,
    ms,
    details: storedDetails(details),
    terms: [sizeTerm('ms', ms), sizeTerm('rows', rows)],
  };
}

/** Puts a settlement into its row, where both come together. */
export function settle(row: RecordRow, { outcome, sqlstate, rows, bytes, ms, details, terms }: Settlement): void {
  Object.assign(row, { outcome, sqlstate, rows, bytes, ms });
  Object.assign(row.details, details);
  row.terms.push(...terms);
}

function termsOf(row: Omit<RecordRow, 'terms'>): number[] {
  const terms = [term('event', row.event)];
  if (row.event !== 'statement') terms.push(term('event', 'event'));
  for (const kind of ['identity', 'target', 'verdict', 'rule', 'fingerprint', 'session'] as const) {
    const word = row[kind];
    if (word !== undefined && word !== '') terms.push(term(kind, word));
  }
  for (const group of row.groups) terms.push(term('group', group));
  for (const verb of row.verbs) terms.push(term('verb', verb));
  for (const table of row.tables) terms.push(term('table', table));
  for (const column of row.columns) terms.push(term('column', column));
  return terms;
}

/** PostgreSQL's text holds no NUL and no half of a surrogate pair; the journal keeps what was there. */
export function storedText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

function stored(text: string | undefined | null): string | undefined {
  return text === undefined || text === null ? undefined : storedText(text);
}

function storedDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = Object.entries(details).filter(([, value]) => value !== undefined);
  if (kept.length === 0) return {};
  return Object.fromEntries(kept.map(([name, value]) => [storedText(name), storedValue(value)]));
}

function storedValue(value: unknown): unknown {
  if (typeof value === 'string') return storedText(value);
  if (Array.isArray(value)) return value.map(storedValue);
  if (typeof value === 'object' && value !== null) return storedDetails(value as Record<string, unknown>);
  return value;
}

/** The columns of a search's answer; `$TEXT` is replaced by the text, whole or its beginning. */
export const RECORD_COLUMNS =
  'time, record, event, session, identity, issuer, groups, target, client, role, $TEXT as text, fingerprint, verbs, tables, columns, ' +
  'masked, verdict, rule, reason, would_be, outcome, sqlstate, rows, bytes, ms, message, details, gateway, chain, seq';

type Nullable<T> = { [K in keyof T]: T[K] | null };

/** A row as the driver hands it over: bigint as text, times as dates. */
export type SelectedRow = Nullable<Omit<RecordRow, 'time' | 'rows' | 'bytes' | 'seq' | 'terms'>> & {
  readonly time: Date;
  readonly record: string;
  readonly rows: string | null;
  readonly bytes: string | null;
  readonly seq: string;
};

/** A row as a record. */
export function recordOf(row: SelectedRow): StoredRecord {
  const common = {
    event: row.event,
    time: row.time.toISOString(),
    record: row.record,
    session: row.session ?? undefined,
    identity: row.identity ?? undefined,
    issuer: row.issuer ?? undefined,
    groups: row.groups ?? [],
    target: row.target ?? undefined,
    client: row.client ?? undefined,
  };
  const chain = row.chain ?? '';
  const origin = {
    worker: chain.slice(chain.lastIndexOf('/') + 1),
    seq: Number(row.seq),
    gateway: row.gateway ?? '',
  };
  if (row.event !== 'statement') {
    return {
      ...common,
      message: row.message ?? '',
      details: row.details ?? {},
      ...origin,
    } as unknown as MergedEvent & {
      gateway: string;
    };
  }
  const { imitatesTag, prepared, ...details } = row.details ?? {};
  const ending =
    row.outcome === null
      ? {}
      : {
          outcome: row.outcome,
          sqlstate: row.sqlstate ?? undefined,
          rows: Number(row.rows ?? 0),
          bytes: Number(row.bytes ?? 0),
          ms: row.ms ?? 0,
        };
  return {
    ...common,
    role: row.role ?? undefined,
    text: row.text ?? '',
    fingerprint: row.fingerprint ?? '',
    verbs: row.verbs ?? [],
    tables: row.tables ?? [],
    columns: row.columns ?? [],
    verdict: row.verdict ?? 'deny',
    rule: row.rule ?? undefined,
    reason: row.reason ?? undefined,
    masked: row.masked ?? [],
    wouldBe: row.would_be ?? [],
    prepared,
    imitatesTag: imitatesTag === true,
    ...origin,
    ...details,
    ...ending,
  } as unknown as MergedStatement & { gateway: string };
}
