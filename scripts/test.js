#!/usr/bin/env node
// What `npm test` runs: biome, tsc, then every test with real servers. Arguments are handed to vitest (`npm test -- test/sql`).
// The last line is plain: `N passed, N failed`, where a failed check counts as one failure.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

/** Programs some tests drive when the machine has them; everything else comes out of npm. */
const optionalPrograms = {
  psql: 'psql sessions',
  pgbench: 'pgbench through the gateway',
  chromium: 'the console in a browser',
  mariadb: 'sessions of the mariadb client',
  'mariadb-dump': 'dumps by mariadb-dump',
};
/** MariaDB stands in for it everywhere but in these. */
const mysqlItself = "MySQL's own server (MYSQL_SERVER=/path/to/mysqld)";
const leftOut = { ...optionalPrograms, [mysqlItself]: 'logins to its caching_sha2_password' };

/** The script behind a package's command, so that nothing depends on npx, a shell or the PATH. */
function command(packageName, name = packageName) {
  const manifest = require.resolve(`${packageName}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[name]);
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

let running;
function run(script, args, env = {}) {
  return new Promise((resolve) => {
    running = spawn(process.execPath, [script, ...args], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...env },
    });
    running.once('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    running.once('close', (code) => resolve(code ?? 1));
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => running?.kill(signal));

async function check(name, script, args) {
  console.log(`\n> ${name}`);
  return (await run(script, args)) === 0 ? 0 : 1;
}

/** Servers that do not come out of npm are brought up here, before vitest starts, and named to the tests by environment variables. */
async function bringUpServers() {
  const none = { env: {}, missing: [], stop: async () => {} };
  if (process.env.MYSQL_URL !== undefined) return none;
  if (!haveMysql()) installMariadb();
  if (!haveMysql()) return { ...none, missing: ['a MariaDB or MySQL server (MYSQL_URL, or mariadbd on the PATH)'] };
  console.log('\n> MariaDB');
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'test/support/mariadb-serve.ts')], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => {
    child.once('error', resolve);
    child.once('close', resolve);
  });
  const url = await Promise.race([
    new Promise((resolve) => child.stdout.setEncoding('utf8').once('data', (line) => resolve(line.trim()))),
    ended,
  ]);
  // A server that does not start fails the tests that need it, with its log.
  if (typeof url !== 'string') return none;
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  return { env: { MYSQL_URL: url }, missing: [], stop };
}

function haveMysql() {
  if (process.env.MYSQL_SERVER !== undefined) return true;
  return ['mariadbd', 'mysqld'].some((name) => onPath(name) || existsSync(join('/usr/sbin', name)));
}

/** A fresh machine on which nobody would mind: root on Debian. */
function installMariadb() {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !onPath('apt-get')) return;
  console.log('\n> apt-get install mariadb-server');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { stdio: ['ignore', 'ignore', 'inherit'], env, timeout: 600_000 };
  spawnSync('apt-get', ['update', '-qq'], options);
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'mariadb-server'], options);
}

const missing = Object.keys(optionalPrograms).filter((program) => !onPath(program));
let failed = 0;
failed += await check('biome check', command('@biomejs/biome', 'biome'), ['check', '.']);
failed += await check('tsc --noEmit', command('typescript', 'tsc'), ['--noEmit', '-p', '.']);

const servers = await bringUpServers();
missing.push(...servers.missing);
if (process.env.MYSQL_SERVER === undefined && process.env.MYSQL_URL === undefined) missing.push(mysqlItself);
if (missing.length > 0)
  console.log(
    `\nnot on this machine: ${missing.join(', ')}; left out: ${missing.map((name) => leftOut[name] ?? name).join(', ')}`,
  );

console.log('\n> vitest');
const scratch = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
const countsFile = join(scratch, 'counts.json');
const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts/counts-reporter.js')}`];
const exit = await run(command('vitest'), ['run', ...reporters, ...process.argv.slice(2)], {
  ...servers.env,
  SALLYPORT_TEST_COUNTS: countsFile,
});
await servers.stop();

let counts = { passed: 0, failed: 0, skipped: 0, errors: 0 };
try {
  counts = JSON.parse(readFileSync(countsFile, 'utf8'));
} catch {
  // No counts: vitest never came to its end, which its exit code says as well.
}
rmSync(scratch, { recursive: true, force: true });
failed += counts.failed + counts.errors;
if (exit !== 0 && counts.failed + counts.errors === 0) failed++;
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`${counts.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
