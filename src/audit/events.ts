// Records that the journal writes about itself, and which records may be refused when it cannot write.
import { newRecordId } from './ids.ts';
import type { AuditRecord, EventRecord } from './record.ts';

/** A record of something that happened to the gateway rather than in a session. */
export function gatewayEvent(time: string, message: string, details: EventRecord['details']): EventRecord {
  return {
    event: 'gateway',
    time,
    record: newRecordId(),
    session: undefined,
    identity: undefined,
    issuer: undefined,
    groups: [],
    target: undefined,
    client: undefined,
    message,
    details,
  };
}

/** What has happened already: kept and written later where it cannot be written now. Everything else is refused instead. */
export function isFact(record: AuditRecord): boolean {
  switch (record.event) {
    case 'settled':
    case 'session-end':
    case 'login-refused':
    case 'revocation':
    case 'gateway':
    case 'disagreement':
      return true;
    default:
      return false;
  }
}
