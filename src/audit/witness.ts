// What one chain tells of the others: where each stood, by its signed head.
import { join } from 'node:path';
import { readHead } from './head.ts';
import type { VerifyingKey } from './keys.ts';
import { listWorkers } from './segments.ts';

/** By worker: the number and the hash of the last line its head named. */
export type Witness = Readonly<Record<string, readonly [number, string]>>;

/** Reads the heads of all workers but one. */
export async function readWitness(
  journal: string,
  except: string,
  keys: ReadonlyMap<string, VerifyingKey>,
): Promise<Witness> {
  const witness: Record<string, readonly [number, string]> = {};
  for (const worker of await listWorkers(journal)) {
    if (worker === except) continue;
    const reading = await readHead(join(journal, worker), keys);
    if (reading.kind === 'head') witness[worker] = [reading.head.seq, reading.head.hash];
  }
  return witness;
}
