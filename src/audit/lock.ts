// One process writes a chain. The lock file names it, and a lock whose process is gone (or whose number went to another) is taken over.
import { readFileSync } from 'node:fs';
import { link, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AuditError, isMissing } from './errors.ts';
import { newRecordId } from './ids.ts';

/** A holder on another host cannot be asked; it touches its lock, and one left alone for this long is nobody's. */
const HEARTBEAT_MS = 5_000;
const STALE_MS = 20_000;

/** Locks this process holds: its own number in a lock file proves nothing after a restart in a container. */
const held = new Set<string>();

/** Takes the lock of a worker's folder and returns how to let it go; rejects while another process holds it. */
export async function takeLock(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, 'lock');
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid), host: hostname() });
  for (let attempt = 0; attempt < 3; attempt++) {
    const scratch = `${file}.${newRecordId()}`;
    await writeFile(scratch, mine, { mode: 0o600 });
    try {
      await link(scratch, file);
      held.add(file);
      const heartbeat = setInterval(() => {
        const now = new Date();
        utimes(file, now, now).catch(() => {});
      }, HEARTBEAT_MS);
      heartbeat.unref();
      return async () => {
        clearInterval(heartbeat);
        held.delete(file);
        await unlink(file).catch(() => {});
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await unlink(scratch);
    }
    const holder = await readFile(file, 'utf8').catch((error) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (held.has(file) || (holder !== undefined && (await isAlive(holder, file)))) {
      throw new AuditError(
        'locked',
        `another process writes the journal in ${folder}; give each worker a name of its own`,
      );
    }
    await unlink(file).catch(() => {});
  }
  throw new AuditError('locked', `the lock of ${folder} could not be taken`);
}

async function isAlive(holder: string, file: string): Promise<boolean> {
  let pid: unknown;
  let started: unknown;
  let host: unknown;
  try {
    ({ pid, started, host } = JSON.parse(holder) as Record<string, unknown>);
  } catch {
    return false;
  }
  if (typeof pid !== 'number') return false;
  if (host !== hostname()) {
    const touched = await stat(file).then(
      (found) => found.mtimeMs,
      () => 0,
    );
    return Date.now() - touched < STALE_MS;
  }
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startOf(pid) === started;
}

/** When a process started, in ticks since boot (field 22 of /proc/pid/stat); null where there is no /proc. */
function startOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name, in parentheses, may hold blanks: count from behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more.
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null);
  } catch {
    return null;
  }
}
