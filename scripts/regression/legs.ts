// The three runs of the regression suite: two servers that psql talks to directly and one behind a gateway with an allow-everything role,
// each with its own copy of the suite's files.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedServer, startEmbedded } from '../../src/store/index.ts';
import { everythingThrough } from '../../test/drivers/sides.ts';

/** A file that has not ended by then is ended; its output so far is compared. */
const limitMs = Number(process.env.REGRESS_LIMIT ?? 180) * 1000;

export interface Leg {
  readonly folder: string;
  readonly port: number;
  readonly password: string;
  stop(): Promise<void>;
}

/** Starts servers and gateway on their folders under `work`; `fill` puts the suite's files into each new folder. */
export async function openLegs(work: string, fill: (folder: string) => Promise<void>): Promise<readonly Leg[]> {
  const legs: Leg[] = [];
  // Names of one length, so that no output is aligned otherwise because of them.
  for (const name of ['leg1', 'leg2', 'leg3']) {
    const folder = join(work, name);
    const known = existsSync(folder);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    if (!known) await fill(folder);
    const server = await startEmbedded({
      directory: join(folder, 'data-directory'),
      settings: {
        fsync: 'off',
        full_page_writes: 'off',
        synchronous_commit: 'off',
        max_prepared_transactions: '2',
      },
    });
    if (!known) await prepare(server);
    const gateway = name === 'leg3' ? await everythingThrough(folder, server, 'regression') : undefined;
    legs.push({
      folder,
      port: gateway?.port ?? server.port,
      password: gateway?.token ?? server.password,
      async stop() {
        await gateway?.stop();
        await server.stop();
      },
    });
  }
  return legs;
}

/** As pg_regress makes it (pg_regress.c, "create_database"), and every name may log in without a password, as there. */
async function prepare(server: EmbeddedServer): Promise<void> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await client.query('create database regression template template0');
  for (const name of ['lc_messages', 'lc_monetary', 'lc_numeric', 'lc_time']) {
    await client.query(`alter database regression set ${name} = 'C'`);
  }
  await client.query(`alter database regression set bytea_output = 'hex'`);
  await client.query(`alter database regression set timezone_abbreviations = 'Default'`);
  await writeFile(join(server.directory, 'pg_hba.conf'), 'host all all 127.0.0.1/32 trust\n');
  await client.query('select pg_reload_conf()');
  await client.end();
}

/** As pg_regress runs it (pg_regress_main.c, "psql_start_test"): both streams in one file, so that their order is kept. */
export async function runFile({ folder, port, password }: Leg, name: string): Promise<string> {
  const path = join(folder, `${name}.out`);
  const output = await open(path, 'w');
  const options = ['-X', '-a', '-q', '-d', 'regression', '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'];
  const input = await open(join(folder, 'sql', `${name}.sql`), 'r');
  const child = spawn('psql', [...options, '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      PGPASSWORD: password,
      PGAPPNAME: `pg_regress/${name}`,
      PGTZ: 'America/Los_Angeles',
      PGDATESTYLE: 'Postgres, MDY',
      PGOPTIONS: '-c intervalstyle=postgres_verbose',
      PG_ABS_SRCDIR: folder,
      PG_ABS_BUILDDIR: folder,
      PG_LIBDIR: process.env.REGRESS_LIB ?? folder,
      PG_DLSUFFIX: '.so',
      LC_MESSAGES: 'C',
    },
    stdio: [input.fd, output.fd, output.fd],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(timer);
  await output.close();
  await input.close();
  return (await readFile(path, 'latin1'))
    .replaceAll(folder, '<folder>')
    .replaceAll(`port ${port}`, 'port N')
    .replaceAll(`"${port}"`, '"N"');
}
