// Writes a batch and moves the chain's place in one transaction: after a crash at any moment both stand or neither.
import type { Queries, Store } from '../../store/types.ts';
import { Counts, type LateRow, LONGEST_NAME, namesOf, type RecordBatch } from './batch.ts';
import { codeOf, dayOf, makeDay, oldestKept } from './days.ts';
import type { RecordRow } from './rows.ts';
import { BEGINNING, type Place } from './source.ts';

/** Another shipper has moved the place: read it again. */
export class PlaceMoved extends Error {}

export interface ChainWriterOptions {
  readonly store: Store;
  readonly gateway: string;
  /** `<journal id>/<worker>` */
  readonly chain: string;
  readonly retentionDays: number | undefined;
  readonly now: () => number;
}

/** Names remembered as written at most. */
const MOST_NAMES = 50_000;

export class ChainWriter {
  readonly #options: ChainWriterOptions;
  /** Days whose partition is there, and names that are. Only ever a memory of what the store has. */
  readonly #days = new Set<string>();
  readonly #names = new Set<string>();

  constructor(options: ChainWriterOptions) {
    this.#options = options;
  }

  /** Where the chain has been copied to. */
  async place(): Promise<Place> {
    const { store, chain } = this.#options;
    const [row] = await store.query<{ segment: string; position: string; seq: string }>(
      'select segment, position, seq from sallyport.record_chains where chain = $1',
      [chain],
    );
    if (row === undefined) return BEGINNING;
    return { segment: Number(row.segment), position: Number(row.position), seq: Number(row.seq) };
  }

  /** Rejects with PlaceMoved when the place is not `from` any more, and with the driver's error; nothing is written then. */
  async write(batch: RecordBatch, from: Place, to: Place, missed: number): Promise<void> {
    const { retentionDays, now, store } = this.#options;
    const oldest = retentionDays === undefined ? '' : oldestKept(now(), retentionDays);
    const rows = batch.rows.filter((row) => dayOf(row.time) >= oldest);
    for (const day of new Set(rows.map(({ time }) => dayOf(time)))) {
      if (this.#days.has(day)) continue;
      await makeDay(store, day);
      this.#days.add(day);
    }
    const fresh = this.#freshNames(rows);
    try {
      await store.transaction(async (queries) => {
        await this.#move(queries, from, to, missed, rows.at(-1)?.time);
        const counts = new Counts();
        await this.#insert(queries, rows, counts);
        await this.#settleLate(queries, batch, counts);
        await this.#keepOpen(queries, batch, oldest);
        await writeCounts(queries, counts);
        await writeNames(queries, fresh);
      });
    } catch (cause) {
      // check_violation: the partition went with the retention. It is made again or left out at the next try.
      if (codeOf(cause) === '23514') this.#days.clear();
      throw cause;
    }
    if (this.#names.size + fresh.size > MOST_NAMES) this.#names.clear();
    for (const name of fresh) this.#names.add(name);
  }

  async #move(queries: Queries, from: Place, to: Place, missed: number, time: string | undefined): Promise<void> {
    const { gateway, chain } = this.#options;
    const moved = await queries.query(
      `insert into sallyport.record_chains as kept (chain, gateway, segment, position, seq, time, missed)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (chain) do update set gateway = excluded.gateway, segment = excluded.segment, position = excluded.position,
         seq = excluded.seq, time = coalesce(excluded.time, kept.time), missed = kept.missed + excluded.missed, updated = now()
       where kept.segment = $8 and kept.position = $9 and kept.seq = $10
       returning chain`,
      [chain, gateway, to.segment, to.position, to.seq, time ?? null, missed, from.segment, from.position, from.seq],
    );
    if (moved.length === 0) throw new PlaceMoved('another process ships this chain');
  }

  async #insert(queries: Queries, rows: readonly RecordRow[], counts: Counts): Promise<void> {
    if (rows.length === 0) return;
    const inserted = await queries.query<{ record: string }>(
      `insert into sallyport.records
       select * from json_populate_recordset(null::sallyport.records, $1::json)
       on conflict do nothing returning record`,
      [JSON.stringify(rows)],
    );
    if (inserted.length === rows.length) for (const row of rows) counts.row(row);
    else {
      const names = new Set(inserted.map(({ record }) => record));
      for (const row of rows) if (names.has(row.record)) counts.row(row);
    }
  }

  async #settleLate(queries: Queries, { late }: RecordBatch, counts: Counts): Promise<void> {
    if (late.length === 0) return;
    const open = await queries.query<{ record: string; time: Date }>(
      'delete from sallyport.records_open where record = any($1::text[]) returning record, time',
      [late.map(({ record }) => record)],
    );
    if (open.length === 0) return;
    const times = new Map(open.map(({ record, time }) => [record, time.toISOString()]));
    const given = late.flatMap((each) => {
      const time = times.get(each.record);
      return time === undefined ? [] : [{ ...each, time }];
    });
    const all = given.map(({ time }) => time).sort();
    // The bounds let the planner leave out all partitions but those of these days.
    const settled = await queries.query<LateRow>(
      `update sallyport.records as kept set outcome = given.outcome, sqlstate = given.sqlstate, rows = given.rows,
         bytes = given.bytes, ms = given.ms, details = kept.details || given.details, terms = kept.terms || given.terms
       from json_to_recordset($1::json) as given(record text, time timestamptz, outcome text, sqlstate text, rows bigint,
         bytes bigint, ms float8, details jsonb, terms integer[])
       where kept.time = given.time and kept.record = given.record and kept.time >= $2 and kept.time <= $3
         and kept.outcome is null
       returning kept.identity, kept.time, kept.rows, kept.tables, kept.details`,
      [JSON.stringify(given), all[0], all.at(-1)],
    );
    for (const row of settled) counts.late(row);
  }

  async #keepOpen(queries: Queries, batch: RecordBatch, oldest: string): Promise<void> {
    const { chain } = this.#options;
    if (batch.restarted) await queries.query('delete from sallyport.records_open where chain = $1', [chain]);
    const open = batch.open.filter(({ time }) => dayOf(time) >= oldest);
    if (open.length === 0) return;
    await queries.query(
      `insert into sallyport.records_open (record, time, chain)
       select record, time, $3 from unnest($1::text[], $2::timestamptz[]) as open(record, time) on conflict do nothing`,
      [open.map(({ record }) => record), open.map(({ time }) => time), chain],
    );
  }

  #freshNames(rows: readonly RecordRow[]): Set<string> {
    const fresh = new Set<string>();
    for (const row of rows) {
      for (const [kind, name] of namesOf(row)) {
        if (name === '' || name.length > LONGEST_NAME) continue;
        const key = `${kind}\n${name}`;
        if (!this.#names.has(key)) fresh.add(key);
      }
    }
    return fresh;
  }
}

async function writeCounts(queries: Queries, counts: Counts): Promise<void> {
  const { tallies, minutes } = counts;
  if (minutes.length > 0) {
    await queries.query(
      `insert into sallyport.record_minutes as kept
       select * from json_populate_recordset(null::sallyport.record_minutes, $1::json)
       on conflict (minute) do update set allowed = kept.allowed + excluded.allowed, denied = kept.denied + excluded.denied,
         held = kept.held + excluded.held, events = kept.events + excluded.events`,
      [JSON.stringify(minutes)],
    );
  }
  if (tallies.length > 0) {
    await queries.query(
      `insert into sallyport.record_tallies as kept
       select * from json_populate_recordset(null::sallyport.record_tallies, $1::json)
       on conflict (kind, name, part, period) do update set allowed = kept.allowed + excluded.allowed,
         denied = kept.denied + excluded.denied, held = kept.held + excluded.held, rows = kept.rows + excluded.rows,
         latest = greatest(kept.latest, excluded.latest)`,
      [JSON.stringify(tallies)],
    );
  }
}

async function writeNames(queries: Queries, names: ReadonlySet<string>): Promise<void> {
  if (names.size === 0) return;
  const sorted = [...names].sort();
  await queries.query(
    `insert into sallyport.record_names (kind, name)
     select * from unnest($1::text[], $2::text[]) on conflict do nothing`,
    [sorted.map((key) => key.slice(0, key.indexOf('\n'))), sorted.map((key) => key.slice(key.indexOf('\n') + 1))],
  );
}
