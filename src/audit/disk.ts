// The few things the journal asks of a disk, as a parameter so that tests can make them fail.
import { close, constants, fdatasync, fstat, ftruncate, open, write } from 'node:fs';
import { type FileHandle, mkdir, open as openHandle, rename, unlink } from 'node:fs/promises';

export interface Disk {
  /**
   * Opens a file for writing at positions, making it (for its owner alone) where it is missing. Durable: each write is on the
   * disk when it resolves.
   */
  open(path: string, durable: boolean): Promise<DiskFile>;
  /** Puts a whole file in place of another at one stroke: a crash leaves the old one or the new one. */
  replace(path: string, content: Buffer, mode: number): Promise<void>;
  mkdir(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes names in a folder as durable as the bytes behind them. */
  syncDirectory(path: string): Promise<void>;
}

export interface DiskFile {
  /** Writes all of the bytes or rejects. */
  write(bytes: Buffer, length: number, position: number): Promise<void>;
  /** The bytes written so far, and the length of the file, are on the disk when this resolves. */
  sync(): Promise<void>;
  size(): Promise<number>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Linux writes through in one call, as if fdatasync followed each write (open(2), "Synchronized I/O"), which costs less than the
 * two calls. Elsewhere the flag may leave bytes in the drive's cache (macOS) or be missing.
 */
const WRITES_THROUGH = process.platform === 'linux';

/** The disk of this machine. */
export const nodeDisk: Disk = {
  open: (path, durable) =>
    new Promise((resolve, reject) => {
      const flags = constants.O_WRONLY | constants.O_CREAT | (durable && WRITES_THROUGH ? constants.O_DSYNC : 0);
      open(path, flags, 0o600, (error, descriptor) =>
        error === null ? resolve(fileOf(descriptor, durable && !WRITES_THROUGH)) : reject(error),
      );
    }),
  async replace(path, content, mode) {
    const scratch = `${path}.new`;
    let handle: FileHandle | undefined;
    try {
      handle = await openHandle(scratch, 'w', mode);
      await handle.writeFile(content);
      await handle.datasync();
    } finally {
      await handle?.close();
    }
    await rename(scratch, path);
  },
  async mkdir(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  remove: unlink,
  rename,
  async syncDirectory(path) {
    // Windows cannot open folders; there the names are as durable as its file system makes them.
    if (process.platform === 'win32') return;
    const handle = await openHandle(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function fileOf(descriptor: number, syncs: boolean): DiskFile {
  const sync = () => settled((done) => fdatasync(descriptor, done));
  const writeAll = (bytes: Buffer, length: number, position: number) =>
    new Promise<void>((resolve, reject) => {
      const more = (done: number) => {
        write(descriptor, bytes, done, length - done, position + done, (error, written) => {
          if (error !== null) reject(error);
          else if (done + written >= length) resolve();
          // A short write is how a disk that fills up begins to say so; the next write brings the error.
          else if (written === 0) reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
          else more(done + written);
        });
      };
      more(0);
    });
  return {
    write: syncs ? (bytes, length, position) => writeAll(bytes, length, position).then(sync) : writeAll,
    sync,
    size: () =>
      new Promise((resolve, reject) => {
        fstat(descriptor, (error, found) => (error === null ? resolve(found.size) : reject(error)));
      }),
    truncate: (length) => settled((done) => ftruncate(descriptor, length, done)),
    close: () => settled((done) => close(descriptor, done)),
  };
}

function settled(start: (done: (error: Error | null | undefined) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
