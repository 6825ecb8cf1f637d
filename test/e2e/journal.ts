// The journal of a gateway under test, read from its files.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditRecord } from '../../src/audit/index.ts';

/** Everything on record, in order. Settlements follow their results within milliseconds; what is still running after five seconds is running. */
export async function readJournal(folder: string): Promise<AuditRecord[]> {
  for (let wait = 0; ; wait += 25) {
    const records = await readLines(folder);
    const settled = new Set(records.flatMap((each) => (each.event === 'settled' ? [each.record] : [])));
    const open = records.some(
      (each) => each.event === 'statement' && each.verdict === 'allow' && !settled.has(each.record),
    );
    if (!open || wait >= 5000) return records;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function readLines(folder: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    if (!name.endsWith('.jsonl')) continue;
    for (const line of (await readFile(join(folder, name), 'utf8')).split('\n')) {
      if (line !== '') records.push(JSON.parse(line) as AuditRecord);
    }
  }
  return records;
}
