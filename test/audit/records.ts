// Records as the gateway would make them.
import { newRecordId, newSessionId, type SettledRecord, type StatementRecord } from '../../src/audit/index.ts';

const SESSION = newSessionId();

export function statement(fields: Partial<StatementRecord> = {}): StatementRecord {
  return {
    event: 'statement',
    time: new Date().toISOString(),
    session: SESSION,
    identity: 'crew-support-7',
    issuer: 'https://idp.example.com',
    groups: ['crew-support'],
    target: 'shop',
    client: '127.0.0.1:50412',
    record: newRecordId(),
    role: 'support',
    text: 'select name, email from customers where id = 42',
    fingerprint: '9f86d081884c7d65',
    verbs: ['select'],
    tables: ['public.customers'],
    columns: ['public.customers.name', 'public.customers.email', 'public.customers.id'],
    verdict: 'allow',
    rule: undefined,
    reason: undefined,
    masked: ['public.customers.email'],
    wouldBe: [],
    prepared: undefined,
    imitatesTag: false,
    ...fields,
  };
}

export function settled(of: StatementRecord, fields: Partial<SettledRecord> = {}): SettledRecord {
  return {
    event: 'settled',
    time: new Date().toISOString(),
    session: of.session,
    record: of.record,
    outcome: 'completed',
    sqlstate: undefined,
    tag: 'SELECT 1',
    rows: 1,
    bytes: 64,
    ms: 1.25,
    ...fields,
  };
}
