// Opens the journal of one worker: key, lock, the state the chain was left in; the writer does the rest.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from './disk.ts';
import { AuditError, describe } from './errors.ts';
import { keyFileOf, loadSigningKey, loadVerifyingKeys, publishKey } from './keys.ts';
import { takeLock } from './lock.ts';
import { inspectChain } from './opening.ts';
import type { AuditRecord, AuditSink } from './record.ts';
import { checkWorkerName } from './segments.ts';
import { WorkerJournal } from './writer.ts';

/** Where the journal says what happens to it; a pino logger fits. */
export interface JournalLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface JournalOptions {
  /** The journal folder; the worker's chain is a folder in it. */
  readonly directory: string;
  readonly durable: boolean;
  /** Names this process's chain. Left out: `main`. */
  readonly worker?: string | undefined;
  /** A segment is sealed when it has grown to this size. Left out: 64 MiB. */
  readonly segmentBytes?: number | undefined;
  /** A segment is sealed when it is this old. Left out: only its size counts. */
  readonly segmentAgeMs?: number | undefined;
  /** Sealed segments older than this are removed. Left out: none are. */
  readonly retentionDays?: number | undefined;
  /** Sealed segments are gzipped. Left out: they are. */
  readonly compress?: boolean | undefined;
  readonly log: JournalLog;
  /** The private key. Left out: `audit-signing.key` beside the journal folder; made where it is missing. */
  readonly keyFile?: string | undefined;
  readonly disk?: Disk | undefined;
  readonly now?: (() => number) | undefined;
  readonly timing?: Partial<JournalTiming> | undefined;
  /** More waiting bytes than this make fast mode wait; eight times as many refuse. Left out: 8 MiB. */
  readonly bufferBytes?: number | undefined;
}

export interface JournalTiming {
  /** Fast mode: the longest a record waits for its batch. */
  readonly flushMs: number;
  /** The signed head follows the chain at this distance. */
  readonly headMs: number;
  /** A journal that could not be written is tried again this often. */
  readonly retryMs: number;
  /** A write that takes longer counts as a failure until it ends. */
  readonly stallMs: number;
}

export type JournalState =
  | { readonly kind: 'ok' }
  | { readonly kind: 'failed'; readonly cause: string; readonly since: string };

/** Counters for the metrics page. */
export interface JournalStatistics {
  readonly records: number;
  readonly bytes: number;
  readonly batches: number;
  /** Bytes appended and not written yet. */
  readonly waiting: number;
  /** Statements refused because they could not be recorded. */
  readonly refused: number;
  readonly failures: number;
}

export interface Journal extends AuditSink {
  readonly worker: string;
  readonly directory: string;
  readonly state: JournalState;
  readonly statistics: JournalStatistics;
  append(record: AuditRecord): void | Promise<void>;
  /** Resolves when everything appended so far is on the disk and the signed head names it. */
  flush(): Promise<void>;
  /** Flushes, signs the end and lets the chain go. Rejects when records could not be written. */
  close(): Promise<void>;
}

/**
 * Opens, or begins, the chain of one worker and writes a record of that. Rejects with an AuditError when the folder
 * cannot be written or another process writes the chain.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const worker = checkWorkerName(options.worker ?? 'main');
  const folder = join(options.directory, worker);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const key = await loadSigningKey(options.keyFile ?? keyFileOf(options.directory));
    await publishKey(options.directory, key);
    const keys = await loadVerifyingKeys(options.directory);
    const unlock = await takeLock(folder);
    try {
      const opening = await inspectChain(folder, keys);
      const journal = new WorkerJournal(options, worker, key, keys, unlock, opening);
      await journal.begin(opening);
      return journal;
    } catch (error) {
      await unlock();
      throw error;
    }
  } catch (error) {
    if (error instanceof AuditError) throw error;
    throw new AuditError('unwritable', `the journal ${folder} cannot be opened: ${describe(error)}`, error);
  }
}
