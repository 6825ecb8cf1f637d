// Records as OCSF events: statements and session events are Datastore Activity (class 6005, category 6, profile security_control).
import type { Merged, MergedEvent, MergedStatement } from './join.ts';

const VERSION = '1.8.0';
const CLASS = 6005;

// Activities of class 6005.
const ACTIVITY = { read: 1, update: 2, connect: 3, query: 4, write: 5, create: 6, delete: 7, other: 99 } as const;
const ACTIVITY_NAME: Readonly<Record<number, string>> = {
  1: 'Read',
  2: 'Update',
  3: 'Connect',
  4: 'Query',
  5: 'Write',
  6: 'Create',
  7: 'Delete',
  99: 'Other',
};

/** What changes most decides: a statement that reads and deletes is a deletion. */
const BY_VERB: readonly (readonly [keyof typeof ACTIVITY, readonly string[]])[] = [
  ['delete', ['delete', 'truncate', 'drop']],
  [
    'update',
    [
      'update',
      'merge',
      'replace',
      'alter',
      'rename',
      'comment',
      'grant',
      'revoke',
      'security-label',
      'refresh',
      'cluster',
    ],
  ],
  ['create', ['create', 'index']],
  ['write', ['insert', 'copy-from', 'load', 'call', 'do', 'nextval', 'file', 'program']],
  ['query', ['select', 'values', 'table', 'copy-to', 'fetch', 'execute']],
  ['read', ['show', 'explain']],
];

/** A plain object in the schema's own field names, times in milliseconds since the epoch. */
export function toOcsf(record: Merged): object {
  return record.event === 'statement' ? statementEvent(record) : sessionEvent(record);
}

function statementEvent(record: MergedStatement): object {
  const activity =
    ACTIVITY[BY_VERB.find(([, verbs]) => verbs.some((verb) => record.verbs.includes(verb)))?.[0] ?? 'other'];
  const time = Date.parse(record.time);
  const denied = record.verdict !== 'allow' && record.outcome === undefined;
  const failed = denied || record.outcome === 'failed' || record.outcome === 'lost';
  const unknown = !denied && (record.outcome === undefined || record.outcome === 'not-run');
  const [table, ...others] = record.tables;
  return {
    ...base(record, activity, time, denied ? 3 : 1),
    ...(record.ms === undefined
      ? {}
      : { start_time: time, end_time: Math.round(time + record.ms), duration: Math.round(record.ms) }),
    status_id: unknown ? 0 : failed ? 2 : 1,
    status: unknown ? 'Unknown' : failed ? 'Failure' : 'Success',
    ...given('status_code', record.sqlstate),
    ...given('status_detail', record.reason ?? record.outcome),
    action_id: record.verdict === 'allow' ? 1 : 2,
    action: record.verdict === 'allow' ? 'Allowed' : 'Denied',
    disposition_id: record.verdict === 'allow' ? 1 : 2,
    disposition: record.verdict === 'allow' ? 'Allowed' : 'Blocked',
    is_alert: record.verdict === 'deny',
    ...(record.rule === undefined ? {} : { policy: { name: record.rule, ...given('desc', record.reason) } }),
    query_info: { uid: record.record, query_string: record.text, query_time: time, ...given('bytes', record.bytes) },
    type_id: 1,
    type: 'Database',
    ...(table === undefined ? {} : { table: { name: table } }),
    message: `${record.verbs.join('+')} ${record.tables.join(', ')}`.trim(),
    unmapped: {
      verdict: record.verdict,
      ...given('role', record.role),
      fingerprint: record.fingerprint,
      verbs: record.verbs,
      ...(others.length > 0 ? { tables: record.tables } : {}),
      columns: record.columns,
      masked: record.masked,
      ...given('outcome', record.outcome),
      ...given('rows', record.rows),
      ...given('detected', record.detected),
      imitates_tag: record.imitatesTag,
    },
  };
}

function sessionEvent(record: MergedEvent): object {
  const connects = record.event === 'login' || record.event === 'login-refused';
  const refused = record.event === 'login-refused';
  return {
    ...base(record, connects ? ACTIVITY.connect : ACTIVITY.other, Date.parse(record.time), refused ? 3 : 1),
    status_id: refused ? 2 : 1,
    status: refused ? 'Failure' : 'Success',
    action_id: refused ? 2 : 1,
    action: refused ? 'Denied' : 'Allowed',
    disposition_id: refused ? 2 : 1,
    disposition: refused ? 'Blocked' : 'Allowed',
    is_alert: refused,
    type_id: 1,
    type: 'Database',
    message: record.message,
    unmapped: { event: record.event, details: record.details },
  };
}

function base(record: Merged, activity: number, time: number, severity: 1 | 3): object {
  const name = record.event === 'statement' ? undefined : record.event;
  return {
    class_uid: CLASS,
    class_name: 'Datastore Activity',
    category_uid: 6,
    category_name: 'Application Activity',
    activity_id: activity,
    // "Other" is named by the source.
    activity_name: activity === ACTIVITY.other ? (name ?? 'Other') : ACTIVITY_NAME[activity],
    type_uid: CLASS * 100 + activity,
    type_name: `Datastore Activity: ${ACTIVITY_NAME[activity]}`,
    time,
    severity_id: severity,
    severity: severity === 3 ? 'Medium' : 'Informational',
    metadata: {
      version: VERSION,
      product: { name: 'Sallyport', vendor_name: 'Sallyport' },
      profiles: ['security_control'],
      uid: record.record,
      sequence: record.seq,
      log_name: record.worker,
      original_time: record.time,
      ...given('correlation_uid', record.session),
    },
    actor: {
      user: {
        name: record.identity ?? 'unknown',
        type_id: 4,
        type: 'Service',
        groups: record.groups.map((group) => ({ name: group })),
      },
      ...(record.session === undefined ? {} : { session: { uid: record.session, ...given('issuer', record.issuer) } }),
    },
    src_endpoint: endpoint(record.client),
    database: { name: record.target ?? 'unknown', type_id: 1, type: 'Relational' },
  };
}

/** `address:port`, the address of IPv6 in brackets or not. */
function endpoint(client: string | undefined): object {
  const match = /^\[?(.*?)\]?:(\d+)$/.exec(client ?? '');
  if (match === null) return client === undefined ? { name: 'unknown' } : { ip: client };
  return { ip: match[1], port: Number(match[2]) };
}

function given(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value };
}
