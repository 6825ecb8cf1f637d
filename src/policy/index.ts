// The room of verdicts: (identity, reading) -> verdict, as pure functions. No I/O, no clock but the one passed in.
export { type Hours, isWithin, parseHours } from './hours.ts';
export { type Finding, findings, judge } from './judge.ts';
export { type CatalogFacts, mostConstants } from './masked.ts';
export { matcher, type NamePattern, parsePattern } from './patterns.ts';
export { compilePolicy, type NoRole, type SessionPolicy, type TargetPolicy } from './target.ts';
export type * from './types.ts';
