// The shipper: copies the journal's chains to the store, batch by batch, beside the sessions and never in their way. What it has
// copied is remembered in the store itself; it can be stopped, killed and started anew at any moment.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../store/types.ts';
import { describe } from '../errors.ts';
import type { JournalLog } from '../journal.ts';
import { loadVerifyingKeys } from '../keys.ts';
import { listWorkers } from '../segments.ts';
import { RecordBatch } from './batch.ts';
import { codeOf, dropOldDays } from './days.ts';
import { chunksOf, HeadWatch, journalId, type Place } from './source.ts';
import { ChainWriter, PlaceMoved } from './write.ts';

export interface ShipOptions {
  /** The journal folder. */
  readonly directory: string;
  readonly store: Store;
  /** What the page calls this gateway; the host's name will do. */
  readonly gateway: string;
  readonly log: JournalLog;
  /** Only these workers' chains; left out: every chain of the folder. */
  readonly workers?: readonly string[] | undefined;
  /** Days kept in the store; left out: all. */
  readonly retentionDays?: number | undefined;
  /** At most so many records, and about so many bytes, in one transaction. Left out: 1,000 and 4 MiB. */
  readonly batchRecords?: number | undefined;
  readonly batchBytes?: number | undefined;
  /** How often the journal is looked at. Left out: 250 ms. */
  readonly pollMs?: number | undefined;
  /** The longest wait after a failure; the first is 250 ms. Left out: 10 s. */
  readonly patienceMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

export interface ShipState {
  /** Records copied since the start. */
  readonly shipped: number;
  /** Lines that the signed heads name and the store does not have yet. */
  readonly behind: number;
  /** How old the last copied record was while there was more to copy, in ms; 0 when all is copied. */
  readonly lagMs: number;
  readonly failures: number;
  /** Why the last try failed; undefined when it did not. */
  readonly cause: string | undefined;
}

export interface Shipping {
  readonly state: ShipState;
  /** Copies what is there now, for at most so long, and ends. */
  stop(graceMs?: number): Promise<void>;
}

const RETENTION_MS = 3_600_000;

interface Chain {
  readonly writer: ChainWriter;
  readonly heads: HeadWatch;
  place: Place | undefined;
  behind: number;
  /** Up to this line each record has a transaction of its own. */
  oneByOneTo: number;
}

export class Shipper implements Shipping {
  readonly #options: ShipOptions;
  readonly #chains = new Map<string, Chain>();
  readonly #now: () => number;
  readonly #stop = new AbortController();
  #deadline = Number.POSITIVE_INFINITY;
  #shipped = 0;
  #failures = 0;
  #cause: string | undefined;
  #lagMs = 0;
  #id: string | undefined;
  #retentionAt = 0;
  #running: Promise<void> | undefined;

  constructor(options: ShipOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get state(): ShipState {
    let behind = 0;
    for (const chain of this.#chains.values()) behind += chain.behind;
    return {
      shipped: this.#shipped,
      behind,
      lagMs: behind === 0 ? 0 : this.#lagMs,
      failures: this.#failures,
      cause: this.#cause,
    };
  }

  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  async stop(graceMs = 2000): Promise<void> {
    this.#deadline = performance.now() + graceMs;
    this.#stop.abort();
    await this.#running;
  }

  /** Copies everything that the heads name now. Rejects when the store or the journal cannot be read. */
  async pass(): Promise<void> {
    const { directory, workers } = this.#options;
    for (const worker of await listWorkers(directory)) {
      if (workers !== undefined && !workers.includes(worker)) continue;
      await this.#ship(worker);
    }
    const { retentionDays, store, log } = this.#options;
    if (retentionDays !== undefined && this.#now() - this.#retentionAt > RETENTION_MS) {
      const dropped = await dropOldDays(store, this.#now(), retentionDays);
      this.#retentionAt = this.#now();
      if (dropped.length > 0) log.info({ days: dropped }, 'the store dropped the records of old days');
    }
  }

  async #run(): Promise<void> {
    const { pollMs = 250, patienceMs = 10_000, log } = this.#options;
    let wait = 0;
    for (;;) {
      try {
        await this.pass();
        if (this.#cause !== undefined) log.info({ behind: this.state.behind }, 'the store takes records again');
        this.#cause = undefined;
        wait = 0;
      } catch (cause) {
        // Whatever was in the store's hands is asked for anew.
        for (const chain of this.#chains.values()) chain.place = undefined;
        if (!(cause instanceof PlaceMoved)) {
          this.#failures++;
          if (this.#cause === undefined) log.warn({ cause: describe(cause) }, 'records cannot be copied to the store');
          this.#cause = describe(cause);
        }
        wait = Math.min(patienceMs, wait === 0 ? 250 : wait * 2);
      }
      if (this.#stop.signal.aborted) return;
      // An unreferenced timer: copying alone keeps no process alive.
      await sleep(Math.max(pollMs, wait), undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
      if (this.#stop.signal.aborted && this.#cause !== undefined) return;
    }
  }

  async #ship(worker: string): Promise<void> {
    const chain = await this.#chain(worker);
    const head = await chain.heads.read();
    if (head === undefined) return;
    chain.place ??= await chain.writer.place();
    if (chain.place.seq === head.seq && chain.place.segment === head.segment) {
      chain.behind = 0;
      return;
    }
    const { directory, gateway, batchRecords = 1000, batchBytes = 4 << 20 } = this.#options;
    const origin = { gateway, chain: `${this.#id}/${worker}` };
    let from = chain.place;
    let to = from;
    let missed = 0;
    let batch = new RecordBatch();
    chain.behind = Math.max(0, head.seq - from.seq);
    const commit = async () => {
      if (to === from) return;
      try {
        await chain.writer.write(batch, from, to, missed);
      } catch (cause) {
        if (!isRefused(cause)) throw cause;
        // One record that the store cannot hold must not stop all behind it: they go one by one, and it is left out.
        if (batch.size > 1) chain.oneByOneTo = Math.max(chain.oneByOneTo, to.seq);
        if (batch.size > 1) throw cause;
        this.#options.log.error(
          { chain: origin.chain, seq: to.seq, cause: describe(cause) },
          'a record cannot be kept in the store; the journal has it',
        );
        missed++;
        batch = new RecordBatch();
        await chain.writer.write(batch, from, to, missed);
      }
      this.#shipped += batch.size;
      const last = batch.rows.at(-1)?.time;
      if (last !== undefined) this.#lagMs = Math.max(0, this.#now() - Date.parse(last));
      from = to;
      chain.place = to;
      chain.behind = Math.max(0, head.seq - to.seq);
      missed = 0;
      batch = new RecordBatch();
    };
    for await (const chunk of chunksOf(join(directory, worker), worker, from, head)) {
      for (const { record, seq, bytes, position } of chunk.records) {
        batch.add(record, { ...origin, seq }, bytes);
        if (seq > chain.oneByOneTo) continue;
        to = { segment: chunk.end.segment, position, seq };
        await commit();
      }
      to = chunk.end;
      missed += chunk.missed;
      if (batch.size < batchRecords && batch.bytes < batchBytes) continue;
      await commit();
      if (performance.now() > this.#deadline) return;
    }
    await commit();
  }

  async #chain(worker: string): Promise<Chain> {
    const known = this.#chains.get(worker);
    if (known !== undefined) return known;
    const { directory, store, gateway, retentionDays } = this.#options;
    this.#id ??= await journalId(directory);
    const chain: Chain = {
      writer: new ChainWriter({ store, gateway, chain: `${this.#id}/${worker}`, retentionDays, now: this.#now }),
      heads: new HeadWatch(join(directory, worker), () => loadVerifyingKeys(directory)),
      place: undefined,
      behind: 0,
      oneByOneTo: 0,
    };
    this.#chains.set(worker, chain);
    return chain;
  }
}

/** data_exception, program_limit_exceeded: the record itself is what the store refuses. */
function isRefused(cause: unknown): boolean {
  return /^(22|54)/.test(codeOf(cause));
}
