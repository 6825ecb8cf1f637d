// Server texts that may carry masked values: which they are, and what is left of them.
import type { ErrorFields } from './errors.ts';
import type { Reply } from './replies.ts';

const withheldMessage = "sallyport: the server's message is withheld because the statement touches masked columns";
const withheldHint = 'SQLSTATE and position are as the server gave them.';

/** Whether the texts of an error or notice in answer to `reply` may hold masked values. */
export function withholds(reply: Reply, fields: ErrorFields, transactionWithholds: boolean): boolean {
  if (reply.withholds) return true;
  if (!transactionWithholds) return false;
  // Deferred constraints and triggers speak at the commit, of any statement of the transaction.
  if (reply.kind === 'sync') return true;
  if (reply.kind === 'execute' || reply.kind === 'query') return reply.ends || fields.sqlstate.startsWith('23');
  return false;
}

/** The error or notice with its texts replaced. */
export function withhold(fields: ErrorFields): ErrorFields {
  const { severity, sqlstate, position } = fields;
  return {
    severity,
    sqlstate,
    message: withheldMessage,
    hint: withheldHint,
    ...(position === undefined ? {} : { position }),
  };
}
