// The room that turns statements into readings. One folder a dialect; nothing outside this room knows a dialect's grammar.
export type * from './reader.ts';
export * from './reading.ts';
