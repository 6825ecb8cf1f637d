// Files that only the gateway's own user may read, made once by whichever process comes first.
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The content of a private file, made by `make` where it is not there yet. Several processes may call this at once: all get
 * the content that the first one wrote. Throws where others may read the file.
 */
export async function privateFile(path: string, make: () => Promise<Buffer> | Buffer): Promise<Buffer> {
  const there = await readPrivate(path);
  if (there !== undefined) return there;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(await make());
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(draft, 0o600);
    // Unlike a rename, a link never replaces what another process has put there meanwhile.
    await link(draft, path).catch((cause: unknown) => {
      if (codeOf(cause) !== 'EEXIST') throw cause;
    });
  } finally {
    await rm(draft, { force: true });
  }
  const made = await readPrivate(path);
  if (made === undefined) throw new Error(`${path} vanished while it was made`);
  return made;
}

async function readPrivate(path: string): Promise<Buffer | undefined> {
  try {
    if (process.platform !== 'win32') {
      const { mode } = await stat(path);
      if ((mode & 0o077) !== 0) throw new Error(`${path} may be read by others: expected mode 0600`);
    }
    return await readFile(path);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw cause;
  }
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}
