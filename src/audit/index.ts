// The door of the audit room.
export { AuditError, type AuditErrorCode } from './errors.ts';
export { EXPORT_FORMATS, type ExportFormat, exportRecords } from './export.ts';
export { type AuditFilter, FilterError, type Matcher, matcher, parseDuration, parseTime } from './filter.ts';
export { newRecordId, newSessionId } from './ids.ts';
export { inert, inertJson } from './inert.ts';
export { type Joiner, joiner, type Merged, type MergedEvent, type MergedStatement } from './join.ts';
export {
  type Journal,
  type JournalLog,
  type JournalOptions,
  type JournalState,
  type JournalStatistics,
  openJournal,
} from './journal.ts';
export { type OtlpExporter, type OtlpOptions, type OtlpState, startOtlp } from './otlp.ts';
export { type FollowOptions, follow, type JournalEntry, readRecords } from './read.ts';
export type { AuditRecord, AuditSink, EventRecord, OutputLineage, SettledRecord, StatementRecord } from './record.ts';
export { type RenderOptions, renderJson, renderRecord } from './render.ts';
export { type SearchOptions, searchJournal } from './search.ts';
export type { StoredRecord } from './store/rows.ts';
export { type FoundRecords, type RecordPage, recordById, searchRecords } from './store/search.ts';
export { type ShipOptions, Shipper, type Shipping, type ShipState } from './store/ship.ts';
export { searchStore, tailStore } from './store/stream.ts';
export {
  type ColumnSummary,
  type Counted,
  columnSummaries,
  type Detections,
  detections,
  type IdentitySummary,
  identitySummaries,
  ruleHits,
  type StatementCount,
  type Summaries,
  type SummaryOptions,
  statementCounts,
} from './store/summaries.ts';
export { type ShippingOptions, startShipping } from './store/thread.ts';
export { type TailOptions, tailRecords } from './tail.ts';
export { isoTime } from './time.ts';
export {
  type Anchor,
  type ChainReport,
  type Problem,
  type VerifyFrom,
  type VerifyOptions,
  type VerifyReport,
  verifyJournal,
} from './verify.ts';
