// The writer behind a journal. Records become chained lines at once and go to the disk in batches. Durable: whoever appends waits
// for the fsync, which all records share that came while the one before was in flight. Fast: batches every few milliseconds.
// When the disk refuses, statements are refused, what has already happened is kept, and the chain goes on where it was.
import { join } from 'node:path';
import type { Batch } from './batch.ts';
import { type Disk, type DiskFile, nodeDisk } from './disk.ts';
import { AuditError, describe } from './errors.ts';
import { gatewayEvent, isFact } from './events.ts';
import { headFile, sealHead } from './head.ts';
import type { Journal, JournalLog, JournalOptions, JournalState, JournalStatistics, JournalTiming } from './journal.ts';
import type { SigningKey, VerifyingKey } from './keys.ts';
import type { Opening, Tip } from './opening.ts';
import { BatchQueue } from './queue.ts';
import type { AuditRecord } from './record.ts';
import { segmentName } from './segments.ts';
import { tidySegments } from './upkeep.ts';
import { readWitness } from './witness.ts';

const TIMING: JournalTiming = { flushMs: 5, headMs: 250, retryMs: 500, stallMs: 10_000 };
const EAGER_BYTES = 1 << 18;
const KEPT_FACTS = 100_000;
const WITNESS_MS = 10_000;

interface Waiter {
  /** The last line it waits for. */
  readonly seq: number;
  resolve(): void;
  reject(error: AuditError): void;
}

export class WorkerJournal implements Journal {
  readonly worker: string;
  readonly directory: string;
  readonly #options: JournalOptions;
  readonly #folder: string;
  readonly #durable: boolean;
  readonly #buffer: number;
  readonly #timing: JournalTiming;
  readonly #disk: Disk;
  readonly #now: () => number;
  readonly #log: JournalLog;
  readonly #key: SigningKey;
  readonly #keys: ReadonlyMap<string, VerifyingKey>;
  readonly #unlock: () => Promise<void>;

  #state: JournalState = { kind: 'ok' };
  #closing = false;
  /** The last line on the disk. */
  #committed: Tip;
  #firstSegment: number;
  #headSeq = 0;
  readonly #queue: BatchQueue;
  #file: { readonly segment: number; readonly file: DiskFile } | undefined;
  #running: Promise<void> | undefined;
  #scheduled: NodeJS.Timeout | NodeJS.Immediate | undefined;
  /** What is scheduled comes in this turn of the event loop. */
  #soon = false;
  #headTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #headDue = false;
  #headError: unknown;
  #following: Promise<void> | undefined;
  #flushers: Waiter[] = [];
  #stalled = false;
  /** What happened while the disk refused (durable mode), to be written once it does not. */
  #kept: AuditRecord[] = [];
  #dropped = 0;
  #refusedNow = 0;
  #witnessAt = 0;
  #tidying: Promise<void> = Promise.resolve();
  #counts = { records: 0, bytes: 0, batches: 0, refused: 0, failures: 0 };

  constructor(
    options: JournalOptions,
    worker: string,
    key: SigningKey,
    keys: ReadonlyMap<string, VerifyingKey>,
    unlock: () => Promise<void>,
    opening: Opening,
  ) {
    this.worker = worker;
    this.directory = options.directory;
    this.#options = options;
    this.#folder = join(options.directory, worker);
    this.#durable = options.durable;
    this.#buffer = options.bufferBytes ?? 8 << 20;
    this.#timing = { ...TIMING, ...options.timing };
    this.#disk = options.disk ?? nodeDisk;
    this.#now = options.now ?? Date.now;
    this.#log = options.log;
    this.#key = key;
    this.#keys = keys;
    this.#unlock = unlock;
    this.#committed = opening.tip;
    this.#firstSegment = opening.first;
    this.#queue = new BatchQueue(opening.tip, {
      worker,
      key,
      segmentBytes: options.segmentBytes ?? 64 << 20,
      began: opening.began,
      time: () => this.#time(),
    });
  }

  get state(): JournalState {
    return this.#state;
  }

  get statistics(): JournalStatistics {
    return { ...this.#counts, waiting: this.#queue.waiting };
  }

  /** Writes the record of the opening, which also proves that the folder can be written. */
  async begin(opening: Opening): Promise<void> {
    await this.#readWitness();
    const { message, details } = opening.note;
    if (opening.damaged) this.#log.error({ worker: this.worker, ...details }, message);
    else this.#log.info({ worker: this.worker, ...details }, message);
    this.#queue.put(gatewayEvent(this.#time(), message, { ...details, worker: this.worker }));
    try {
      // A head that says "closed" must not meet lines behind it, should this process end right here.
      if (!opening.damaged && this.#committed.seq > 0) await this.#writeHead(false);
      await this.flush();
    } catch (error) {
      this.#closing = true;
      this.#stopTimers();
      await this.#closeFile();
      throw error;
    }
    this.#tidy();
    this.#watchAge();
  }

  append(record: AuditRecord): void | Promise<void> {
    if (this.#closing) return this.#refuse(new AuditError('closed', 'the journal is closed'), record);
    if (this.#state.kind === 'failed') {
      if (!isFact(record)) {
        return this.#refuse(
          new AuditError('unwritable', `the journal cannot be written: ${this.#state.cause}`),
          record,
        );
      }
      if (this.#durable && !this.#stalled) return this.#keep(record);
    }
    if (this.#queue.waiting > this.#buffer * 8) {
      if (isFact(record)) return this.#keep(record);
      return this.#refuse(
        new AuditError('overfull', 'the journal cannot be written as fast as statements come'),
        record,
      );
    }
    const batch = this.#queue.put(record);
    if (!isFact(record)) batch.refusable++;
    else if (this.#durable) batch.facts.push(record);
    this.#schedule(batch);
    if (this.#durable || this.#queue.waiting > this.#buffer) return batch.done;
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state.kind === 'failed') {
        reject(new AuditError('unwritable', `the journal cannot be written: ${this.#state.cause}`));
        return;
      }
      this.#flushers.push({ seq: this.#queue.tip.seq, resolve, reject });
      this.#start();
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#stopTimers();
    try {
      await this.#tidying;
      if (this.#state.kind === 'failed') await this.#retry();
      await this.flush();
      await this.#running;
      await this.#following;
      await this.#writeHead(true);
    } finally {
      this.#stopTimers();
      await this.#closeFile();
      await this.#unlock();
    }
  }

  #refuse(error: AuditError, record: AuditRecord): Promise<void> {
    if (!isFact(record)) {
      this.#counts.refused++;
      this.#refusedNow++;
    }
    if (!this.#durable) throw error;
    const refusal = Promise.reject(error);
    refusal.catch(() => {});
    return refusal;
  }

  #keep(record: AuditRecord): void {
    if (this.#kept.length < KEPT_FACTS) this.#kept.push(record);
    else this.#dropped++;
  }

  /** Seals a segment that has grown old, so that its signature and its retention do not wait for its size. */
  #watchAge(): void {
    const age = this.#options.segmentAgeMs;
    if (age === undefined) return;
    this.#ageTimer = setInterval(
      () => {
        if (this.#closing || this.#state.kind === 'failed') return;
        const batch = this.#queue.sealOlder(age, this.#now());
        if (batch !== undefined) this.#schedule(batch);
      },
      Math.max(10, Math.min(age / 10, 60_000)),
    );
    this.#ageTimer.unref();
  }

  #schedule(batch: Batch): void {
    if (this.#running !== undefined) return;
    if (batch.length > EAGER_BYTES) this.#start();
    else if (this.#durable && batch.refusable > 0) {
      if (this.#soon) return;
      this.#unschedule();
      this.#soon = true;
      // All that the sockets bring in this turn of the event loop shares one batch.
      this.#scheduled = setImmediate(() => this.#start());
    } else this.#scheduled ??= setTimeout(() => this.#start(), this.#timing.flushMs);
  }

  #start(): void {
    this.#unschedule();
    if (this.#running !== undefined || (this.#state.kind === 'failed' && !this.#stalled)) return;
    this.#running = this.#run().then(
      () => this.#rest(),
      (error: unknown) => this.#fail(error),
    );
  }

  #rest(): void {
    this.#running = undefined;
    const next = this.#queue.batches[0];
    if (this.#flushers.length > 0 && this.#following === undefined) this.#start();
    else if (next !== undefined) this.#schedule(next);
  }

  async #run(): Promise<void> {
    for (let first = true; ; first = false) {
      if (this.#headError !== undefined) {
        const error = this.#headError;
        this.#headError = undefined;
        throw error;
      }
      if (this.#headDue || this.#isFlushDue()) {
        // Durable mode signs beside the writing: nobody who waits for a record waits for the head too.
        if (this.#durable) this.#followBeside();
        else await this.#follow();
      }
      const batch = this.#queue.batches[0];
      if (batch === undefined) return;
      // What no statement waits for is left to its timer, or to the next statement: a sync of its own would delay that one.
      const waited = this.#durable && batch.refusable > 0;
      const urgent = waited || this.#flushers.length > 0 || this.#queue.batches.length > 1;
      if (!urgent && !first && batch.length <= EAGER_BYTES) return;
      await this.#commit();
    }
  }

  #isFlushDue(): boolean {
    const first = this.#flushers[0];
    return first !== undefined && first.seq <= this.#committed.seq;
  }

  #followBeside(): void {
    if (this.#following !== undefined) return;
    this.#following = this.#follow()
      .catch((error: unknown) => {
        this.#headError = error;
      })
      .then(() => {
        this.#following = undefined;
        if (this.#headError !== undefined || this.#headDue || this.#isFlushDue()) this.#start();
      });
  }

  async #commit(): Promise<void> {
    const batch = this.#queue.take();
    if (batch === undefined) return;
    const watch = setTimeout(() => this.#stall(), this.#timing.stallMs);
    try {
      const file = await this.#fileFor(batch);
      await file.write(batch.bytes, batch.length, batch.position);
      if (!this.#durable && batch.tip.sealed) await file.sync();
    } catch (error) {
      this.#queue.putBack();
      throw error;
    } finally {
      clearTimeout(watch);
    }
    this.#queue.written();
    this.#committed = batch.tip;
    this.#counts.records += batch.records;
    this.#counts.bytes += batch.length;
    this.#counts.batches++;
    batch.resolve();
    if (this.#stalled) this.#recovered('the disk answers again');
    if (batch.tip.sealed) this.#tidy();
    else if (this.#headTimer === undefined) {
      this.#headTimer = setTimeout(() => {
        this.#headTimer = undefined;
        this.#headDue = true;
        this.#start();
      }, this.#timing.headMs);
      this.#headTimer.unref();
    }
  }

  async #fileFor(batch: Batch): Promise<DiskFile> {
    if (this.#file?.segment === batch.segment) return this.#file.file;
    await this.#closeFile();
    const file = await this.#disk.open(join(this.#folder, segmentName(batch.segment)), this.#durable);
    try {
      if ((await file.size()) < batch.position) {
        // Its bytes are gone. Going on there would fill the hole with zeros; the chain goes on in a new segment.
        this.#committed = { ...this.#committed, sealed: true };
        throw new AuditError('unusable', `segment ${batch.segment} is shorter than what was written to it`);
      }
      await file.truncate(batch.position);
      await this.#disk.syncDirectory(this.#folder);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    this.#file = { segment: batch.segment, file };
    return file;
  }

  /** Lets the signed head follow the chain, and lets go who waited for that. */
  async #follow(): Promise<void> {
    this.#headDue = false;
    const upTo = this.#committed.seq;
    if (!this.#durable) await this.#file?.file.sync();
    if (this.#now() - this.#witnessAt > WITNESS_MS) await this.#readWitness();
    if (upTo > this.#headSeq) await this.#writeHead(false);
    while (this.#flushers[0] !== undefined && this.#flushers[0].seq <= upTo) this.#flushers.shift()?.resolve();
  }

  async #writeHead(closed: boolean): Promise<void> {
    const { segment, seq, hash, start, end } = this.#committed;
    const head = sealHead(
      {
        worker: this.worker,
        time: this.#time(),
        first: this.#firstSegment,
        segment,
        seq,
        hash,
        start,
        end,
        closed,
        key: this.#key.id,
      },
      this.#key,
    );
    await this.#disk.replace(headFile(this.#folder), head, 0o600);
    this.#headSeq = seq;
  }

  #stall(): void {
    this.#stalled = true;
    const cause = `a write has taken more than ${this.#timing.stallMs} ms`;
    this.#failed(cause);
    for (const batch of this.#queue.batches)
      batch.reject(new AuditError('stalled', `the journal cannot be written: ${cause}`));
  }

  #failed(cause: string): void {
    this.#counts.failures++;
    if (this.#state.kind === 'ok') {
      this.#log.error({ worker: this.worker, cause }, 'the journal cannot be written: statements are refused');
    }
    this.#state = { kind: 'failed', cause, since: this.#state.kind === 'failed' ? this.#state.since : this.#time() };
  }

  /** The disk has refused. Durable mode takes back what was promised to nobody; fast mode keeps it for the next try. */
  #fail(reason: unknown): void {
    this.#running = undefined;
    this.#stalled = false;
    const cause = describe(reason);
    this.#failed(cause);
    const error = new AuditError('unwritable', `the journal cannot be written: ${cause}`, reason);
    const facts: AuditRecord[] = [];
    let refused = 0;
    for (const batch of this.#queue.batches) {
      batch.reject(error);
      facts.push(...batch.facts);
      refused += batch.refusable;
    }
    if (this.#durable || (reason instanceof AuditError && reason.code === 'unusable')) {
      this.#counts.refused += refused;
      this.#refusedNow += refused;
      this.#kept.unshift(...facts);
      this.#queue.rollBack(this.#committed);
    }
    for (const waiter of this.#flushers.splice(0)) waiter.reject(error);
    if (this.#closing) return;
    this.#unschedule();
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      void this.#retry();
    }, this.#timing.retryMs);
  }

  /** Tries to write again, with a record of the gap first; what goes wrong leads back to `#fail`. */
  async #retry(): Promise<void> {
    await this.#closeFile();
    if (this.#durable || this.#queue.batches.length === 0) {
      this.#queue.put(
        gatewayEvent(this.#time(), 'journal writable again', {
          cause: this.#state.kind === 'failed' ? this.#state.cause : '',
          refused: this.#refusedNow,
          dropped: this.#dropped,
        }),
      );
    }
    for (const record of this.#kept.splice(0)) this.#queue.put(record).facts.push(record);
    const run = this.#run().then(
      () => {
        this.#running = undefined;
        this.#recovered('the journal is writable again');
        for (const record of this.#kept.splice(0)) this.append(record);
        this.#rest();
      },
      (error: unknown) => this.#fail(error),
    );
    this.#running = run;
    await run;
  }

  #recovered(message: string): void {
    this.#log.warn({ worker: this.worker, refused: this.#refusedNow, dropped: this.#dropped }, message);
    this.#state = { kind: 'ok' };
    this.#stalled = false;
    this.#refusedNow = 0;
    this.#dropped = 0;
  }

  /** Compression and retention run beside the writing, one at a time. */
  #tidy(): void {
    this.#tidying = this.#tidying.then(async () => {
      try {
        // The head must have left a segment before it is compressed.
        this.#queue.beginSegment();
        await this.flush();
        await tidySegments({
          folder: this.#folder,
          current: this.#committed.segment,
          compress: this.#options.compress ?? true,
          olderThan:
            this.#options.retentionDays === undefined
              ? undefined
              : this.#now() - this.#options.retentionDays * 86_400_000,
          key: this.#key,
          disk: this.#disk,
          beforeRemoval: async (upTo, details) => {
            this.#queue.put(gatewayEvent(this.#time(), 'retention removed segments', details));
            this.#firstSegment = upTo + 1;
            // The head must be signed anew even if it names the last line already.
            this.#headSeq = 0;
            await this.flush();
          },
        });
      } catch (error) {
        this.#log.warn({ worker: this.worker, cause: describe(error) }, 'sealed segments could not be tidied');
      }
    });
  }

  async #readWitness(): Promise<void> {
    this.#witnessAt = this.#now();
    this.#queue.witness = await readWitness(this.directory, this.worker, this.#keys);
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }

  async #closeFile(): Promise<void> {
    const open = this.#file;
    this.#file = undefined;
    await open?.file.close().catch(() => {});
  }

  #unschedule(): void {
    clearTimeout(this.#scheduled as NodeJS.Timeout | undefined);
    clearImmediate(this.#scheduled as NodeJS.Immediate | undefined);
    this.#scheduled = undefined;
    this.#soon = false;
  }

  #stopTimers(): void {
    this.#unschedule();
    clearInterval(this.#ageTimer);
    clearTimeout(this.#headTimer);
    clearTimeout(this.#retryTimer);
    this.#headTimer = undefined;
    this.#retryTimer = undefined;
  }
}
