// The room that turns statements into readings. One folder a dialect; nothing outside this room knows a dialect's grammar.
export { describeReading } from './describe.ts';
export { createMysqlReader, type MysqlReaderOptions } from './mysql/reader.ts';
export { createPostgresReader, type PostgresReaderOptions } from './postgres/reader.ts';
export type * from './reader.ts';
export * from './reading.ts';
export { withoutLiterals } from './redact.ts';
export { compare, type Disagreement } from './second.ts';
