// What both directions of one session share: expected replies, names, the copy in progress, and what the transaction has touched.
import type { GateSession } from '../gate.ts';
import type { TransactionStatus } from './backend.ts';
import { Names } from './names.ts';
import { type Portal, Replies, type Reply, type Statement } from './replies.ts';

export class Conversation {
  readonly session: GateSession;
  readonly replies = new Replies();
  readonly statements = new Names<Statement>();
  readonly portals = new Names<Portal>();
  /** Suspended runs that end with their portal or transaction. */
  readonly suspended = new Set<Portal>();
  /** The sync group that the client's next message belongs to. */
  group = 1;
  /** Something of that group has been sent. */
  groupBegun = false;
  /** The server ignores everything up to a Sync that has not been sent yet. */
  skipping = false;
  /** The connections are gone: what is still being opened is not sent. */
  lost = false;
  /** The message the server last failed at. */
  failed: Reply | undefined;
  /** COPY FROM STDIN in progress: the server takes CopyData and ignores Sync and Flush. */
  copyIn: Reply | undefined;
  /** ReadyForQuery messages the server may still owe though a COPY FROM STDIN should have swallowed their Sync. */
  swallowed = 0;
  /** As the last ReadyForQuery said. */
  status: TransactionStatus = 'I';
  /** The server has said goodbye with an error of its own. */
  fatal = false;
  /** The transaction has run a statement whose server texts are withheld: so are those of its commit. */
  transactionWithholds = false;
  /** Something has been sent that the server will not answer before a Flush or Sync. */
  unflushed = false;

  constructor(session: GateSession) {
    this.session = session;
  }

  /** Undoes what the client's view already took for done: the server has skipped the message, or failed at it. */
  cancel(reply: Reply, failed: boolean): void {
    switch (reply.kind) {
      case 'parse':
        // A failing Parse of the unnamed statement has dropped the old one first ("exec_parse_message").
        if (reply.change) this.statements.cancel(reply.change, failed && reply.change.name === '');
        return;
      case 'bind':
        // Likewise a failing Bind may have dropped the unnamed portal ("CreatePortal").
        if (reply.change) this.portals.cancel(reply.change, failed && reply.change.name === '');
        return;
      case 'close':
        if (reply.statement) this.statements.cancel(reply.statement);
        if (reply.portal) this.portals.cancel(reply.portal);
        return;
      case 'execute':
        reply.run.pending -= 1;
        if (!failed && reply.run.pending === 0 && !this.isSuspended(reply.portal)) reply.run.skip();
        return;
      case 'query':
        if (reply.statement) this.statements.cancel(reply.statement, failed);
        if (reply.portal) this.portals.cancel(reply.portal, failed);
        if (!failed) for (const run of reply.runs) run.skip();
        return;
      default:
        return;
    }
  }

  isSuspended(portal: Portal | undefined): boolean {
    return portal !== undefined && this.suspended.has(portal);
  }

  /** All portals are gone: the transaction has ended. */
  endPortals(): void {
    for (const portal of this.suspended) portal.run?.complete('SUSPENDED');
    this.suspended.clear();
    this.portals.clear();
  }

  /** The connection is gone: whatever was sent and not answered may or may not have happened. */
  lose(): void {
    this.lost = true;
    for (let reply = this.replies.shift(); reply !== undefined; reply = this.replies.shift()) {
      if (reply.kind === 'execute') reply.run.lose();
      else if (reply.kind === 'query') for (const run of reply.runs) run.lose();
    }
    for (const portal of this.suspended) portal.run?.lose();
    this.suspended.clear();
  }

  /** What a CommandComplete says about names that SQL shares with the protocol (PREPARE, DECLARE). */
  noteTag(tag: string): void {
    switch (tag) {
      case 'DEALLOCATE':
        this.statements.suspectAll();
        return;
      case 'PREPARE':
        this.statements.dropSuspects();
        return;
      case 'DEALLOCATE ALL':
        this.statements.clear();
        return;
      case 'DISCARD ALL':
        this.statements.clear();
        this.endPortals();
        return;
      case 'CLOSE CURSOR':
      case 'CLOSE CURSOR ALL':
      case 'ROLLBACK':
        this.portals.suspectAll();
        return;
      case 'DECLARE CURSOR':
        this.portals.dropSuspects();
        return;
      default:
        return;
    }
  }
}
