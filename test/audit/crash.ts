// Kills a process that writes a journal, again and again, and checks after each time what is left.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openJournal, readRecords, verifyJournal } from '../../src/audit/index.ts';

export interface CrashReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly recorded: number;
  /** How often a torn line had to be cut off. */
  readonly torn: number;
}

export interface CrashOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly durable: boolean;
  /** 0 to below 1; decides when to kill. */
  readonly random: () => number;
  readonly onRound?: (round: number, acknowledged: number) => void;
}

/** Runs the rounds on one journal. Throws at the first statement that is missing or there twice, or when the chain does not verify. */
export async function crashRounds(options: CrashOptions): Promise<CrashReport> {
  const acknowledged = new Set<string>();
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  for (let round = 1; round <= options.rounds; round++) {
    for (const id of await killedRun(options)) acknowledged.add(id);
    const crashed = await verifyJournal(options.directory);
    if (!crashed.ok)
      throw new Error(`round ${round}, after the crash: ${JSON.stringify(crashed.problems.slice(0, 3))}`);
    // Every other round the next child repairs what this one left.
    if (round % 2 === 0 || round === options.rounds) {
      const journal = await openJournal({ directory: options.directory, durable: true, log: quiet });
      await journal.close();
      const repaired = await verifyJournal(options.directory);
      if (!repaired.ok) throw new Error(`round ${round}, repaired: ${JSON.stringify(repaired.problems.slice(0, 3))}`);
    }
    options.onRound?.(round, acknowledged.size);
  }
  const seen = new Set<string>();
  let torn = 0;
  for await (const { record } of readRecords(options.directory)) {
    if (record.event === 'gateway' && 'cut_bytes' in record.details) torn++;
    if (record.event !== 'statement') continue;
    if (seen.has(record.record)) throw new Error(`statement ${record.record} is recorded twice`);
    seen.add(record.record);
  }
  // Fast mode promises nothing of its last moments.
  if (options.durable)
    for (const id of acknowledged) if (!seen.has(id)) throw new Error(`statement ${id} went on without a record`);
  return { rounds: options.rounds, acknowledged: acknowledged.size, recorded: seen.size, torn };
}

async function killedRun(options: CrashOptions): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      fileURLToPath(new URL('./crash-child.ts', import.meta.url)),
      options.directory,
      options.durable ? 'durable' : 'fast',
      '16',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('latin1');
  const ended = once(child, 'close');
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: string) => {
      output += chunk;
      if (output.startsWith('ready\n')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the child ended by itself with ${code}`)));
  });
  await sleep(options.random() * 250);
  child.kill('SIGKILL');
  await ended;
  // The last line may be torn as well: it was not complete when the process ended.
  return output.split('\n').slice(1, -1);
}
