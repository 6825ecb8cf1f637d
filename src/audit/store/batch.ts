// What goes into the store in one transaction: rows with their settlements, settlements of earlier rows, counts and names.
import type { AuditRecord } from '../record.ts';
import { eventRow, type Origin, type RecordRow, type Settlement, settle, settlementOf, statementRow } from './rows.ts';

/** Counts of a name in a period; see sallyport.record_tallies. */
export interface Tally {
  readonly kind: string;
  readonly name: string;
  readonly part: string;
  readonly period: string;
  allowed: number;
  denied: number;
  held: number;
  rows: number;
  latest: string;
}

export interface MinuteCount {
  readonly minute: string;
  allowed: number;
  denied: number;
  held: number;
  events: number;
}

export class RecordBatch {
  readonly rows: RecordRow[] = [];
  /** Settlements whose statement is in an earlier batch. */
  readonly late: Settlement[] = [];
  /** The journal was opened anew: what was open before will not be settled. */
  restarted = false;
  #bytes = 0;
  readonly #open = new Map<string, RecordRow>();
  readonly #settled = new Set<string>();

  /** About how much memory it takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Statements that are still running. */
  get open(): readonly RecordRow[] {
    return [...this.#open.values()];
  }

  get size(): number {
    return this.rows.length + this.late.length;
  }

  add(record: AuditRecord, origin: Origin, bytes: number): void {
    this.#bytes += bytes;
    switch (record.event) {
      case 'statement': {
        const row = statementRow(record, origin);
        this.rows.push(row);
        if (record.verdict !== 'deny') this.#open.set(record.record, row);
        return;
      }
      case 'settled': {
        const settlement = settlementOf(record);
        const row = this.#open.get(record.record);
        if (row !== undefined) {
          settle(row, settlement);
          this.#open.delete(record.record);
          this.#settled.add(record.record);
        } else if (!this.#settled.has(record.record)) this.late.push(settlement);
        return;
      }
      default:
        if (record.event === 'gateway' && /^journal (opened|damaged)/.test(record.message)) {
          this.restarted = true;
          this.#open.clear();
        }
        this.rows.push(eventRow(record, origin));
    }
  }
}

/** A row as it is once its settlement has come late. */
export interface LateRow {
  readonly identity: string | null;
  readonly time: Date;
  readonly rows: string;
  readonly tables: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
}

/** Adds up what the page counts. Rows that were in the store already are not counted again. */
export class Counts {
  readonly #tallies = new Map<string, Tally>();
  readonly #minutes = new Map<string, MinuteCount>();

  row(row: RecordRow): void {
    const minute = this.#minute(`${row.time.slice(0, 16)}:00.000Z`);
    if (row.event !== 'statement') {
      minute.events++;
      return;
    }
    const as = row.verdict === 'deny' ? 'denied' : row.verdict === 'hold' ? 'held' : 'allowed';
    minute[as]++;
    const hour = `${row.time.slice(0, 13)}:00:00.000Z`;
    const day = `${row.time.slice(0, 10)}T00:00:00.000Z`;
    const count = (kind: string, name: string, period: string, part = '') => {
      const tally = this.#tally(kind, name, part, period, row.time);
      tally[as]++;
      return tally;
    };
    if (row.rule !== undefined) count('rule', row.rule, hour);
    if (row.identity !== undefined) {
      count('identity', row.identity, day).rows += row.rows ?? 0;
      for (const table of row.tables) count('touch', row.identity, day, table);
    }
    for (const table of row.tables) count('table', table, day);
    for (const column of row.columns) count('column', column, day);
    for (const column of row.masked) count('masked', column, day);
    this.detected(row.details.detected, row.tables, day, row.time);
  }

  /** What detectors found in results: by detector, on the table where there is only one. */
  detected(found: unknown, tables: readonly string[], period: string, time: string): void {
    if (typeof found !== 'object' || found === null) return;
    for (const [detector, values] of Object.entries(found)) {
      if (typeof values !== 'number') continue;
      const tally = this.#tally('detected', detector, tables.length === 1 ? (tables[0] ?? '') : '', period, time);
      tally.allowed++;
      tally.rows += values;
    }
  }

  /** What a late settlement brought. */
  late(settled: LateRow): void {
    const time = settled.time.toISOString();
    const day = `${time.slice(0, 10)}T00:00:00.000Z`;
    if (settled.identity !== null)
      this.#tally('identity', settled.identity, '', day, time).rows += Number(settled.rows);
    this.detected(settled.details.detected, settled.tables, day, time);
  }

  /** In an order that is the same for every gateway, so that two never wait for each other in a circle. */
  get tallies(): readonly Tally[] {
    return [...this.#tallies].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tally]) => tally);
  }

  get minutes(): readonly MinuteCount[] {
    return [...this.#minutes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, minute]) => minute);
  }

  #tally(kind: string, name: string, part: string, period: string, time: string): Tally {
    const key = `${kind}\0${name}\0${part}\0${period}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = {
        kind,
        name: shortName(name),
        part: shortName(part),
        period,
        allowed: 0,
        denied: 0,
        held: 0,
        rows: 0,
        latest: time,
      };
      this.#tallies.set(key, tally);
    } else if (time > tally.latest) tally.latest = time;
    return tally;
  }

  #minute(minute: string): MinuteCount {
    let count = this.#minutes.get(minute);
    if (count === undefined) {
      count = { minute, allowed: 0, denied: 0, held: 0, events: 0 };
      this.#minutes.set(minute, count);
    }
    return count;
  }
}

/** Keys of an index hold 2,700 bytes; names of databases are far shorter, names out of tokens could be anything. */
export const LONGEST_NAME = 500;

function shortName(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1).toWellFormed()}…` : name;
}

/** Words that filters with wildcards look up, as `kind`, `name`. */
export function* namesOf(row: RecordRow): Generator<readonly [string, string]> {
  if (row.identity !== undefined) yield ['identity', row.identity];
  if (row.target !== undefined) yield ['target', row.target];
  if (row.rule !== undefined) yield ['rule', row.rule];
  for (const group of row.groups) yield ['group', group];
  for (const table of row.tables) yield ['table', table];
  for (const column of row.columns) yield ['column', column];
}
