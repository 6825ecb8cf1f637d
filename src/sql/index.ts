// The room that turns statements into readings. One folder a dialect; nothing outside this room knows a dialect's grammar.
import type { MysqlReaderOptions } from './mysql/reader.ts';
import type { SqlReader } from './reader.ts';

export { describeReading } from './describe.ts';
export type { MysqlReaderOptions } from './mysql/reader.ts';
export { createPostgresReader, type PostgresReaderOptions } from './postgres/reader.ts';
export type * from './reader.ts';
export * from './reading.ts';
export { withoutLiterals } from './redact.ts';
export { compare, type Disagreement } from './second.ts';

/** Connects to a MySQL target, reads its catalog, and gives its reader. The grammar is loaded now, and only now: it takes its time and room. */
export async function createMysqlReader(options: MysqlReaderOptions): Promise<SqlReader> {
  return (await import('./mysql/reader.ts')).createMysqlReader(options);
}
