// What both directions of one session share: the command that is being answered, prepared statements, character set.
import type { GateSession, Plan } from '../gate.ts';
import type { TextEncoding } from './charset.ts';
import { capability, status } from './constants.ts';
import { isMariadb } from './handshake-messages.ts';
import type { RowMasker } from './rows.ts';
import type { Run } from './run.ts';

/** A prepared statement as the client knows it; its number is the server's. */
export interface Statement {
  readonly plan: Plan;
  id: number;
  parameters: number;
  /** Two bytes each, as last bound. */
  types: Buffer | undefined;
  /** Parameters whose value has come by COM_STMT_SEND_LONG_DATA since the last execution. */
  readonly long: Set<number>;
  /** It may turn off the server's reports of settings. */
  readonly untracks: boolean;
  /** A run whose rows are still to be fetched. */
  cursor: Cursor | undefined;
}

/** An open cursor: the run its rows belong to, and how they are masked. */
export interface Cursor {
  readonly run: Run;
  readonly rows: Rows;
}

/** How the rows of one result go on: null as they are. */
export type Rows = RowMasker | null;

/** The command that has been sent to the server and is not answered yet. There is one at most. */
export type Command =
  | {
      readonly kind: 'results';
      readonly runs: readonly Run[];
      /** The statement whose result comes now. */
      index: number;
      readonly statement: Statement | undefined;
      /** What was appended to the client's text, for error messages that quote it. */
      readonly suffix: string;
    }
  | { readonly kind: 'prepare'; readonly statement: Statement; readonly suffix: string }
  | { readonly kind: 'fetch'; readonly statement: Statement; readonly cursor: Cursor }
  | { readonly kind: 'fields'; readonly run: Run }
  /** Answered by one OK, EOF or ERR. `afterwards` gets what gives an OK to the client, when it may. */
  | { readonly kind: 'single'; readonly afterwards: ((send: () => void) => void) | undefined }
  /** Answered; the client waits for work of ours. */
  | { readonly kind: 'waiting' }
  /** Answered by one packet of plain text. */
  | { readonly kind: 'text' };

/** What one side of the relay has agreed with us. */
export interface Features {
  readonly capabilities: number;
  readonly extended: number;
}

export class Conversation {
  readonly session: GateSession;
  readonly client: Features;
  readonly server: Features;
  readonly statements = new Map<number, Statement>();
  /** What MariaDB's clients mean by statement -1: the one prepared last; undefined where that failed. */
  latest: Statement | undefined;
  active: Command | undefined;
  /** Number of the next packet to the client. */
  sequence = 0;
  encoding: TextEncoding = 'utf8';
  inTransaction = false;
  /** The server may no longer report what decides how statements are read: when it has answered it must be asked. */
  untracked = false;
  /** The server has ended the session with an error of its own. */
  farewell = false;
  /** The connections are gone: what is still being opened is not sent. */
  lost = false;

  /** The server is MariaDB. */
  readonly mariadb: boolean;

  constructor(session: GateSession, client: Features, server: Features & { serverVersion: string }, flags: number) {
    this.session = session;
    this.client = client;
    this.server = server;
    this.mariadb = isMariadb(server.serverVersion);
    this.inTransaction = (flags & status.IN_TRANS) !== 0;
  }

  clientHas(flag: number): boolean {
    return (this.client.capabilities & flag) !== 0;
  }

  serverHas(flag: number): boolean {
    return (this.server.capabilities & flag) !== 0;
  }

  /** OK packets mean the same to both sides as they stand. */
  get sameOk(): boolean {
    return ((this.client.capabilities ^ this.server.capabilities) & capability.SESSION_TRACK) === 0;
  }

  nextSequence(): number {
    const { sequence } = this;
    this.sequence = (sequence + 1) & 0xff;
    return sequence;
  }

  noteStatus(flags: number): void {
    this.inTransaction = (flags & status.IN_TRANS) !== 0;
    this.session.transaction(this.inTransaction ? 'T' : 'I');
  }

  /** The client will fetch no more of it. */
  closeCursor(statement: Statement): void {
    statement.cursor?.run.complete('CURSOR');
    statement.cursor = undefined;
  }

  forget(statement: Statement): void {
    this.closeCursor(statement);
    this.statements.delete(statement.id);
    if (this.latest === statement) this.latest = undefined;
  }

  forgetAll(): void {
    for (const statement of this.statements.values()) this.closeCursor(statement);
    this.statements.clear();
    this.latest = undefined;
  }

  /** The connection is gone: whatever was sent and not answered may or may not have happened. */
  lose(): void {
    this.lost = true;
    const { active } = this;
    this.active = undefined;
    if (active?.kind === 'results') for (const run of active.runs.slice(active.index)) run.lose();
    else if (active?.kind === 'fields') active.run.lose();
    else if (active?.kind === 'fetch') active.cursor.run.lose();
    for (const { cursor } of this.statements.values()) cursor?.run.lose();
  }
}
