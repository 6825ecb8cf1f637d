// Writes the two records of every statement, byte for byte as pino writes them and in half the time: what a session and a
// statement's shape say again and again is serialised once. All other lines are pino's own.
import { lineWriter } from './chain.ts';
import type { AuditRecord, SettledRecord, StatementRecord } from './record.ts';

/** A line without its closing brace and newline: the link follows. */
export type BodyWriter = (record: object) => string;

/** Fields of a statement as they stand on its line. A field added to the record is missing here until it is added too. */
type Written = 'event' | 'time' | 'record' | keyof SessionFields | keyof ShapeFields | (typeof OWN)[number];
const OWN = ['imitatesTag', 'verdict', 'rule', 'reason', 'role', 'masked', 'wouldBe', 'prepared'] as const;
type Unwritten = Exclude<keyof StatementRecord, Written>;
const everyFieldIsWritten: [Unwritten] extends [never] ? true : Unwritten = true;

type SessionFields = Pick<StatementRecord, 'session' | 'identity' | 'issuer' | 'groups' | 'target' | 'client'>;
type ShapeFields = Pick<StatementRecord, 'text' | 'fingerprint' | 'verbs' | 'tables' | 'columns' | 'lineage'>;

interface Kept<T> {
  readonly of: T;
  readonly json: string;
}

/** Sessions remembered at most; then all are forgotten at once. */
const MOST_SESSIONS = 4096;
/** Longer texts are not kept in memory for the sake of a few microseconds. */
const LONGEST_TEXT = 16_384;

/** One for each journal: it remembers what its sessions repeat. */
export function bodyWriter(): (record: AuditRecord) => string {
  const line = lineWriter();
  const sessions = new Map<string, Kept<SessionFields>>();
  /** By the list of columns, which all runs of one reading share. */
  const shapes = new WeakMap<readonly string[], Kept<ShapeFields>>();

  const sessionOf = (record: StatementRecord): string => {
    const kept = sessions.get(record.session);
    if (kept !== undefined && isSameSession(kept.of, record)) return kept.json;
    const { session, identity, issuer, groups, target, client } = record;
    const of = { session, identity, issuer, groups, target, client };
    const json = JSON.stringify(of).slice(1, -1);
    if (sessions.size >= MOST_SESSIONS) sessions.clear();
    sessions.set(session, { of, json });
    return json;
  };

  const shapeOf = (record: StatementRecord): string => {
    const kept = shapes.get(record.columns);
    if (kept !== undefined && isSameShape(kept.of, record)) return kept.json;
    const { text, fingerprint, verbs, tables, columns, lineage } = record;
    const of = { text, fingerprint, verbs, tables, columns, lineage };
    const json = JSON.stringify(of).slice(1, -1);
    if (text.length <= LONGEST_TEXT) shapes.set(columns, { of, json });
    return json;
  };

  const statement = (record: StatementRecord): string => {
    const { time, record: id, imitatesTag, verdict, rule, reason, role, masked, wouldBe, prepared } = record;
    let body =
      `{"v":1,"event":"statement","time":"${time}","record":"${id}",${sessionOf(record)},${shapeOf(record)}` +
      `,"imitatesTag":${imitatesTag},"verdict":"${verdict}"`;
    if (rule !== undefined) body += `,"rule":${JSON.stringify(rule)}`;
    if (reason !== undefined) body += `,"reason":${JSON.stringify(reason)}`;
    if (role !== undefined) body += `,"role":${JSON.stringify(role)}`;
    body += masked.length === 0 ? ',"masked":[]' : `,"masked":${JSON.stringify(masked)}`;
    body += wouldBe.length === 0 ? ',"wouldBe":[]' : `,"wouldBe":${JSON.stringify(wouldBe)}`;
    if (prepared !== undefined) body += `,"prepared":"${prepared}"`;
    return body;
  };

  return (record) => {
    if (record.event === 'statement' && everyFieldIsWritten) return statement(record);
    if (record.event === 'settled' && everyOutcomeIsWritten) return settled(record);
    return line(record).slice(0, -2);
  };
}

type Outcome =
  | 'event'
  | 'time'
  | 'session'
  | 'record'
  | 'outcome'
  | 'sqlstate'
  | 'tag'
  | 'rows'
  | 'bytes'
  | 'ms'
  | 'detected';
type UnwrittenOutcome = Exclude<keyof SettledRecord, Outcome>;
const everyOutcomeIsWritten: [UnwrittenOutcome] extends [never] ? true : UnwrittenOutcome = true;

function settled({ time, session, record, outcome, sqlstate, tag, rows, bytes, ms, detected }: SettledRecord): string {
  let body = `{"v":1,"event":"settled","time":"${time}","session":"${session}","record":"${record}","outcome":"${outcome}"`;
  if (sqlstate !== undefined) body += `,"sqlstate":${quoted(sqlstate)}`;
  if (tag !== undefined) body += `,"tag":${quoted(tag)}`;
  body += `,"rows":${rows},"bytes":${bytes},"ms":${ms}`;
  return detected === undefined ? body : `${body},"detected":${JSON.stringify(detected)}`;
}

const PRINTABLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function quoted(text: string): string {
  return PRINTABLE.test(text) ? `"${text}"` : JSON.stringify(text);
}

function isSameSession(kept: SessionFields, record: SessionFields): boolean {
  return (
    kept.identity === record.identity &&
    kept.groups === record.groups &&
    kept.client === record.client &&
    kept.target === record.target &&
    kept.issuer === record.issuer
  );
}

function isSameShape(kept: ShapeFields, record: ShapeFields): boolean {
  return (
    kept.text === record.text &&
    kept.tables === record.tables &&
    kept.verbs === record.verbs &&
    kept.lineage === record.lineage &&
    kept.fingerprint === record.fingerprint
  );
}
