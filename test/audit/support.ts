// Scratch journals and a disk that fails on demand, for the tests of this room.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Disk, nodeDisk } from '../../src/audit/disk.ts';
import { type Journal, type JournalLog, openJournal } from '../../src/audit/index.ts';
import type { JournalOptions } from '../../src/audit/journal.ts';

export { settled, statement } from './records.ts';

/** A folder that goes when the test is over. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-audit-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'journal');
}

export interface Line {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly details: object;
}

/** A log that remembers. */
export function memoryLog(): JournalLog & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: Line['level']) => (details: object, message: string) => {
    lines.push({ level, message, details });
  };
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}

/** Opens a journal that is closed when the test is over. */
export async function journalIn(directory: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  const journal = await openJournal({ directory, durable: true, log: memoryLog(), ...options });
  onTestFinished(() => journal.close().catch(() => {}));
  return journal;
}

/** What a faulty disk does with each call; undefined lets it pass. */
export interface Faults {
  /** Fails the call with this code. For a write, `keep` bytes arrive before. */
  decide(call: 'open' | 'write' | 'sync' | 'truncate' | 'replace'): { code: string; keep?: number } | undefined;
  /** Awaited before each write. */
  wait?: () => Promise<void>;
}

export function faultyDisk(faults: Faults): Disk {
  const check = (call: Parameters<Faults['decide']>[0]) => {
    const fault = faults.decide(call);
    if (fault !== undefined) throw Object.assign(new Error(`${call} refused`), { code: fault.code });
  };
  return {
    ...nodeDisk,
    async open(path, durable) {
      check('open');
      const file = await nodeDisk.open(path, durable);
      return {
        ...file,
        async write(bytes, length, position) {
          await faults.wait?.();
          const fault = faults.decide('write');
          if (fault === undefined) {
            await file.write(bytes, length, position);
            if (durable) check('sync');
            return;
          }
          if (fault.keep !== undefined) await file.write(bytes, Math.min(fault.keep, length), position);
          throw Object.assign(new Error('write refused'), { code: fault.code });
        },
        async sync() {
          check('sync');
          return file.sync();
        },
        async truncate(length) {
          check('truncate');
          return file.truncate(length);
        },
      };
    },
    async replace(path, content, mode) {
      check('replace');
      return nodeDisk.replace(path, content, mode);
    },
  };
}
