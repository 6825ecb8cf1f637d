// Kills a real gateway under load, again and again, and compares what the database executed with what the journal and the store hold.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { readRecords, verifyJournal } from '../../src/audit/index.ts';
import { connectStore, startEmbedded } from '../../src/store/index.ts';

export interface KillOptions {
  readonly rounds: number;
  /** 0 to below 1; decides when to kill. */
  readonly random: () => number;
  readonly clients?: number;
  readonly onRound?: (round: number, executed: number) => void;
}

export interface KillReport {
  readonly rounds: number;
  /** Statements that the database carried out. */
  readonly executed: number;
  /** Statements that the journal holds. */
  readonly recorded: number;
  /** Of these, how many have no settlement: a kill came first. */
  readonly unsettled: number;
  /** How often a torn end had to be cut off. */
  readonly torn: number;
  /** Records in the store after the last start. */
  readonly stored: number;
}

const bin = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));

/** Runs the rounds. Throws at the first statement that ran without a record, or is there twice, and where the chain does not verify. */
export async function killRounds(options: KillOptions): Promise<KillReport> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-kill-'));
  const server = await startEmbedded();
  try {
    const admin = new pg.Client({ connectionString: server.url() });
    await admin.connect();
    await admin.query('create table executed (id text not null)');
    await admin.query(`create role gateway login password 'gateway-secret'`);
    await admin.query('grant all on executed to gateway');
    await admin.query('create database store');
    const file = join(folder, 'sallyport.yaml');
    await writeFile(file, configuration(server.port, server.url('store')), { mode: 0o600 });
    const token = await output(['token', '-c', file, '--sub', 'killer', '--groups', 'crew', '--ttl', '1h']);
    const journal = join(folder, 'journal');
    const answered = new Set<string>();
    let renewed = Date.now();
    let password = token;
    for (let round = 1; round <= options.rounds; round++) {
      if (Date.now() - renewed > 1_800_000) {
        password = await output(['token', '-c', file, '--sub', 'killer', '--groups', 'crew', '--ttl', '1h']);
        renewed = Date.now();
      }
      for (const id of await killedRun(file, password, options)) answered.add(id);
      const executed = await executedIds(admin);
      if (round % 10 === 0 || round === options.rounds) await compare(journal, executed, answered, round);
      options.onRound?.(round, executed.length);
    }
    // Once more, without a kill: what the last one left is copied to the store.
    const gateway = await start(file);
    const store = await connectStore({ url: server.url('store') });
    try {
      const report = await compare(journal, await executedIds(admin), answered, options.rounds);
      let stored = 0;
      for (let waited = 0; waited < 120_000 && stored < report.recorded; waited += 250) {
        await sleep(250);
        stored = await storedStatements(store);
      }
      gateway.child.kill('SIGTERM');
      await gateway.ended;
      const twice = await store.query('select record from sallyport.records group by record having count(*) > 1');
      if (twice.length > 0) throw new Error(`${twice.length} records are in the store twice`);
      if (stored !== report.recorded) throw new Error(`the store holds ${stored} of ${report.recorded} statements`);
      const verified = await verifyJournal(journal);
      if (!verified.ok) throw new Error(`closed: ${JSON.stringify(verified.problems.slice(0, 3))}`);
      return { rounds: options.rounds, ...report, stored };
    } finally {
      gateway.child.kill('SIGKILL');
      await store.close();
      await admin.end();
    }
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function configuration(port: number, store: string): string {
  return `listen:
  postgres: 127.0.0.1:0
identity:
  issuers:
    - local: true
targets:
  db:
    dialect: postgres
    url: postgres://gateway@127.0.0.1:${port}/postgres
    password: { env: KILL_PASSWORD }
    tls: disable
roles:
  - name: writer
    groups: [crew]
    targets: [db]
    allow: [read, write, session]
audit:
  journal: journal
  durable: true
  rotation: { size: 1MB }
store: ${store}
`;
}

interface Gateway {
  readonly child: ChildProcess;
  readonly port: number;
  readonly ended: Promise<unknown>;
}

async function start(file: string): Promise<Gateway> {
  const child = spawn(process.execPath, [bin, 'serve', '-c', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KILL_PASSWORD: 'gateway-secret', SALLYPORT_LOG: 'error' },
  });
  const ended = once(child, 'close');
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const match = /ready .*postgres=127\.0\.0\.1:(\d+)/.exec(said);
      if (match?.[1] !== undefined) resolve(Number(match[1]));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}: ${said.slice(-2000)}`)));
  });
  return { child, port, ended };
}

/** Clients that insert names of their own as fast as they can, until the gateway is killed. Gives what they were told was done. */
async function killedRun(file: string, password: string, options: KillOptions): Promise<string[]> {
  const { child, port, ended } = await start(file);
  const done: string[] = [];
  let killed = false;
  const work = async (number: number) => {
    // On a busy machine a session may not start in time; then it is tried again.
    for (let count = number; !killed; ) {
      const client = new pg.Client({ host: '127.0.0.1', port, database: 'db', user: 'killer', password });
      client.on('error', () => undefined);
      try {
        await client.connect();
        for (; ; count++) {
          const id = randomUUID();
          const text = `insert into executed values ('${id}')`;
          // Every third by the extended protocol, every seventh in a transaction of its own.
          if (count % 3 === 0) await client.query({ text: `${text} returning $1::int`, values: [count] });
          else if (count % 7 === 0) await client.query(`begin; ${text}; commit`);
          else await client.query(text);
          done.push(id);
        }
      } catch {
        // Killed, or refused.
        count++;
        await sleep(20);
      } finally {
        void client.end().catch(() => undefined);
      }
    }
  };
  const working = Array.from({ length: options.clients ?? 8 }, (_, number) => work(number));
  while (done.length === 0 && child.exitCode === null) await sleep(5);
  await sleep(options.random() * 400);
  killed = true;
  child.kill('SIGKILL');
  await ended;
  await Promise.all(working);
  return done;
}

async function executedIds(admin: pg.Client): Promise<string[]> {
  const { rows } = await admin.query<{ id: string }>('select id from executed');
  return rows.map(({ id }) => id);
}

async function compare(
  journal: string,
  executed: readonly string[],
  answered: ReadonlySet<string>,
  round: number,
): Promise<Omit<KillReport, 'rounds' | 'stored'>> {
  const verified = await verifyJournal(journal);
  if (!verified.ok) throw new Error(`round ${round}: ${JSON.stringify(verified.problems.slice(0, 3))}`);
  const records = new Map<string, number>();
  const names = new Set<string>();
  const settled = new Set<string>();
  let torn = 0;
  for await (const { record } of readRecords(journal)) {
    if (record.event === 'gateway' && 'cut_bytes' in record.details) torn++;
    if (record.event === 'settled') {
      if (settled.has(record.record)) throw new Error(`round ${round}: ${record.record} is settled twice`);
      settled.add(record.record);
    }
    if (record.event !== 'statement') continue;
    if (names.has(record.record)) throw new Error(`round ${round}: ${record.record} is recorded twice`);
    names.add(record.record);
    const id = /insert into executed values \('([0-9a-f-]{36})'\)/.exec(record.text)?.[1];
    if (id !== undefined && record.verdict === 'allow') records.set(id, (records.get(id) ?? 0) + 1);
  }
  const seen = new Set<string>();
  for (const id of executed) {
    if (seen.has(id)) throw new Error(`round ${round}: ${id} was executed twice`);
    seen.add(id);
    const count = records.get(id) ?? 0;
    if (count !== 1) throw new Error(`round ${round}: ${id} was executed and has ${count} records`);
  }
  for (const id of answered) if (!seen.has(id)) throw new Error(`round ${round}: ${id} was answered and not executed`);
  return { executed: executed.length, recorded: names.size, unsettled: names.size - settled.size, torn };
}

async function storedStatements(store: Awaited<ReturnType<typeof connectStore>>): Promise<number> {
  const [row] = await store.query<{ n: string }>(
    `select count(*) as n from sallyport.records where event = 'statement'`,
  );
  return Number(row?.n);
}

function output(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, KILL_PASSWORD: 'gateway-secret' },
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(said.trim()) : reject(new Error(`${args[0]} ended with ${code}`)),
    );
  });
}
