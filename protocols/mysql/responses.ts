// The server's side of a session: every packet is attributed to the command it answers.

import type { Output } from '../shared/output.ts';
import { capability, header, status } from './constants.ts';
import type { Command, Conversation, Rows } from './conversation.ts';
import { UpstreamProtocolError } from './errors.ts';
import { decodeErr, decodePrepareOk, type ErrPacket } from './messages.ts';
import { frame, packetHeader } from './packets.ts';
import type { Results } from './results.ts';
import type { Run } from './run.ts';
import type { ServerHandler } from './server-stream.ts';
import type { Ending, Teller } from './teller.ts';
import { columnCount, lenencText } from './values.ts';

type Kind<K extends Command['kind']> = Extract<Command, { kind: K }>;

/** What comes next of the answer to a query. */
type Phase = 'first' | 'columns' | 'columns-end' | 'rows';

export class Responses implements ServerHandler {
  private readonly conversation: Conversation;
  private readonly results: Results;
  private readonly teller: Teller;
  private readonly output: Output;
  private phase: Phase = 'first';
  /** Definitions still to come. */
  private left = 0;
  /** Packets of a description that is not for the client before it has been judged. */
  private held: Buffer[] = [];
  private rowsGoOn: Rows = null;
  /** Packets of the answer to a prepare that have come, and where its EOF packets stand. */
  private at = 0;
  private ends: readonly number[] = [];
  private total = 0;

  constructor(conversation: Conversation, results: Results, teller: Teller, output: Output) {
    this.conversation = conversation;
    this.results = results;
    this.teller = teller;
    this.output = output;
  }

  /** A command has been sent: its answer comes next. */
  begin(command: Command): void {
    this.conversation.active = command;
    this.phase = 'first';
    this.at = 0;
    if (command.kind !== 'fetch') return;
    this.phase = 'rows';
    this.results.begin(command.cursor.run, command.cursor.rows);
  }

  private done(): void {
    this.conversation.active = undefined;
    this.conversation.sequence = 0;
    this.phase = 'first';
  }

  // ServerHandler -----------------------------------------------------------------------------------------------------------

  get inRows(): boolean {
    return this.phase === 'rows';
  }

  get piecewise(): boolean {
    return this.results.piecewise;
  }

  get maxRowBytes(): number {
    return this.results.maxRowBytes;
  }

  tooLarge(): void {
    this.results.tooLarge();
  }

  rows(chunk: Buffer, start: number, end: number): number {
    return this.results.rows(chunk, start, end);
  }

  beginPieces(chunk: Buffer, at: number, first: boolean): void {
    this.results.beginPieces(chunk, at, first);
  }

  piece(chunk: Buffer, start: number, end: number): void {
    this.results.piece(chunk, start, end);
  }

  longRow(payload: Buffer): void {
    this.results.longRow(payload);
  }

  packet(bytes: Buffer, start: number, end: number): void {
    const { active } = this.conversation;
    switch (active?.kind) {
      case undefined:
        this.unasked(bytes, start, end);
        return;
      case 'results':
        this.result(active, bytes, start, end);
        return;
      case 'fetch':
        this.fetched(active, bytes, start, end);
        return;
      case 'prepare':
        this.prepared(active, bytes, start, end);
        return;
      case 'fields':
        this.fieldList(active.run, bytes, start, end);
        return;
      case 'single':
        this.single(active, bytes, start, end);
        return;
      default:
        // COM_STATISTICS: text without any form.
        this.teller.forward(bytes, start, end);
        this.done();
    }
  }

  /** Servers say goodbye unasked, with an error, when they shut down or a session was idle for too long. */
  private unasked(bytes: Buffer, start: number, end: number): void {
    if (bytes[start + packetHeader] !== header.ERR) throw new UpstreamProtocolError('an answer to nothing');
    this.conversation.farewell = true;
    this.conversation.sequence = 0;
    this.teller.forward(bytes, start, end);
  }

  // Results -----------------------------------------------------------------------------------------------------------------

  private result(command: Kind<'results'>, bytes: Buffer, start: number, end: number): void {
    const first = bytes[start + packetHeader] as number;
    // A definition begins with the length of "def"; the server may fail between two of them.
    if (this.phase === 'columns' && first !== header.ERR) {
      this.held.push(Buffer.from(bytes.subarray(start, end)));
      this.left -= 1;
      if (this.left === 0) this.described(command);
      return;
    }
    if (this.phase === 'columns-end' && first !== header.ERR) {
      this.descriptionEnds(command, bytes, start, end);
      return;
    }
    if (first === header.ERR) this.failed(command, bytes, start, end);
    else if (this.phase === 'rows') this.resultEnds(command, this.teller.endOfRows(bytes, start, end));
    else if (first === header.OK) this.resultEnds(command, this.teller.ok(bytes, start, end));
    else if (first === header.LOCAL_INFILE) throw new UpstreamProtocolError('the server asks the client for a file');
    else this.columns(bytes, start, end);
  }

  private columns(bytes: Buffer, start: number, end: number): void {
    this.left = columnCount(bytes, start + packetHeader, end);
    this.phase = 'columns';
    const payload = bytes.subarray(start + packetHeader, end);
    // Optional metadata: the client is told first whether a description follows; it always does.
    const told = this.conversation.clientHas(capability.OPTIONAL_RESULTSET_METADATA);
    this.held = [told ? frame(Buffer.concat([Buffer.from([1]), payload]), 0) : Buffer.from(bytes.subarray(start, end))];
  }

  /** All columns of a result are known: what becomes of its rows? */
  private described(command: Kind<'results'>): void {
    const { results, held } = this;
    const run = runOf(command);
    this.held = [];
    this.rowsGoOn = null;
    if (run.cut === undefined) {
      const covered = command.index < command.runs.length || run.plan.manyResults === true;
      const definitions = held.slice(1).map((packet) => packet.subarray(packetHeader));
      const rows = results.describe(run, definitions, command.statement !== undefined, covered);
      if (rows !== undefined) {
        this.rowsGoOn = rows;
        for (const packet of held) this.teller.forward(packet, 0, packet.length);
      }
    }
    results.begin(run, this.rowsGoOn);
    this.phase = this.conversation.serverHas(capability.DEPRECATE_EOF) ? 'rows' : 'columns-end';
  }

  private descriptionEnds(command: Kind<'results'>, bytes: Buffer, start: number, end: number): void {
    const ending = this.teller.endOfRows(bytes, start, end);
    // With a cursor this is the last packet of the answer: the rows are fetched.
    if ((ending.status & status.CURSOR_EXISTS) !== 0) {
      this.resultEnds(command, ending);
      return;
    }
    this.phase = 'rows';
    if (runOf(command).cut === undefined && !this.conversation.clientHas(capability.DEPRECATE_EOF)) ending.send();
  }

  private resultEnds(command: Kind<'results'>, ending: Ending): void {
    const { conversation } = this;
    this.results.finish();
    // A text without a statement has no run: the server has an OK or an error for it.
    const run = command.runs.length === 0 && ending.affected !== undefined ? undefined : runOf(command);
    const more = (ending.status & status.MORE_RESULTS_EXISTS) !== 0;
    const { statement } = command;
    if (run === undefined) {
      if (more) throw new UpstreamProtocolError('results of a text without a statement');
    } else if ((ending.status & status.CURSOR_EXISTS) !== 0 && statement !== undefined && !more) {
      statement.cursor = { run, rows: this.rowsGoOn };
      if (run.cut !== undefined) conversation.closeCursor(statement);
    } else if (!more || command.index < command.runs.length - 1) {
      // A statement with many results is over with the last of them.
      run.complete(ending.affected === undefined ? `ROWS ${run.rows}` : `OK ${lenencText(ending.affected)}`);
    }
    conversation.noteStatus(ending.status);
    const cut = cutOf(command);
    if (more) {
      command.index += 1;
      this.phase = 'first';
      if (cut === undefined) ending.send();
      return;
    }
    // Fewer results than statements: the rest was never reached.
    for (const rest of command.runs.slice(command.index + 1)) rest.skip();
    if (cut === undefined) ending.send();
    else this.teller.error(cut);
    this.done();
  }

  private failed(command: Kind<'results'>, bytes: Buffer, start: number, end: number): void {
    this.results.finish();
    this.held = [];
    const { sqlstate } = decodeErr(bytes.subarray(start + packetHeader, end));
    if (command.runs.length > 0) runOf(command).fail(sqlstate);
    for (const rest of command.runs.slice(command.index + 1)) rest.skip();
    const cut = cutOf(command);
    // A text of several statements: the error of one may speak of what another has read.
    const withholds = command.runs.some(({ plan }) => plan.withholdsErrors);
    if (cut !== undefined) this.teller.error(cut);
    else this.teller.serverError(bytes, start, end, withholds, command.suffix)();
    this.done();
  }

  private fetched(command: Kind<'fetch'>, bytes: Buffer, start: number, end: number): void {
    const { statement, cursor } = command;
    const { run } = cursor;
    const failed = bytes[start + packetHeader] === header.ERR;
    let send: () => void;
    if (failed) {
      run.fail(decodeErr(bytes.subarray(start + packetHeader, end)).sqlstate);
      send = this.teller.serverError(bytes, start, end, run.plan.withholdsErrors, '');
    } else {
      const ending = this.teller.endOfRows(bytes, start, end);
      send = ending.send;
      if ((ending.status & status.LAST_ROW_SENT) !== 0) run.complete(`ROWS ${run.rows}`);
      this.conversation.noteStatus(ending.status);
    }
    this.results.finish();
    if (run.cut !== undefined) {
      run.fail(run.cut.sqlstate);
      this.teller.error(run.cut);
    } else send();
    if (run.over) statement.cursor = undefined;
    this.done();
  }

  // Other answers -----------------------------------------------------------------------------------------------------------

  private prepared(command: Kind<'prepare'>, bytes: Buffer, start: number, end: number): void {
    const { conversation, teller } = this;
    if (this.at === 0) {
      const payload = bytes.subarray(start + packetHeader, end);
      if (payload[0] === header.ERR) {
        conversation.latest = undefined;
        teller.serverError(bytes, start, end, command.statement.plan.withholdsErrors, command.suffix)();
        this.done();
        return;
      }
      if (payload[0] !== header.OK) throw new UpstreamProtocolError('no answer to a prepare');
      this.keep(command, payload);
      // Optional metadata: as for results.
      if (conversation.clientHas(capability.OPTIONAL_RESULTSET_METADATA)) {
        teller.push(Buffer.concat([payload.subarray(0, 12), Buffer.from([1])]));
      } else teller.forward(bytes, start, end);
    } else if (!this.ends.includes(this.at) || !conversation.clientHas(capability.DEPRECATE_EOF)) {
      teller.forward(bytes, start, end);
    }
    this.at += 1;
    if (this.at === this.total) this.done();
  }

  /** The statement has a number: it can be executed from now on. */
  private keep({ statement }: Kind<'prepare'>, payload: Buffer): void {
    const { conversation } = this;
    const ok = decodePrepareOk(payload);
    const replaced = conversation.statements.get(ok.statement);
    if (replaced !== undefined) conversation.forget(replaced);
    statement.id = ok.statement;
    statement.parameters = ok.parameters;
    conversation.statements.set(ok.statement, statement);
    conversation.latest = statement;
    // Definitions of parameters, then of columns; each list, where there is one, closed by an EOF packet before DEPRECATE_EOF.
    const closing = conversation.serverHas(capability.DEPRECATE_EOF) ? 0 : 1;
    const ends: number[] = [];
    this.total = 1;
    for (const count of [ok.parameters, ok.columns]) {
      if (count === 0) continue;
      this.total += count + closing;
      if (closing === 1) ends.push(this.total - 1);
    }
    this.ends = ends;
  }

  private fieldList(run: Run, bytes: Buffer, start: number, end: number): void {
    const first = bytes[start + packetHeader];
    if (first === header.ERR) {
      run.fail(decodeErr(bytes.subarray(start + packetHeader, end)).sqlstate);
      this.teller.serverError(bytes, start, end, run.plan.withholdsErrors, '')();
      this.done();
    } else if (first === header.EOF) {
      const ending = this.teller.endOfRows(bytes, start, end);
      run.complete(`ROWS ${run.rows}`);
      ending.send();
      this.done();
    } else {
      run.rows += 1;
      run.bytes += end - start;
      this.teller.forward(bytes, start, end);
    }
  }

  private single(command: Kind<'single'>, chunk: Buffer, from: number, to: number): void {
    // The OK may be kept for a while, longer than the chunk.
    const bytes = command.afterwards === undefined ? chunk : Buffer.from(chunk.subarray(from, to));
    const [start, end] = bytes === chunk ? [from, to] : [0, bytes.length];
    const first = bytes[start + packetHeader];
    if (first === header.ERR) this.teller.serverError(bytes, start, end, false, '')();
    else {
      const ending =
        first === header.EOF ? this.teller.endOfRows(bytes, start, end) : this.teller.ok(bytes, start, end);
      this.conversation.noteStatus(ending.status);
      if (command.afterwards !== undefined) {
        // The client goes on when the work is done.
        this.conversation.active = { kind: 'waiting' };
        command.afterwards(() => {
          ending.send();
          this.done();
          this.output.flush();
        });
        return;
      }
      ending.send();
    }
    this.done();
  }
}

/** The run that the result at hand belongs to: the last one has all that come beyond (CALL). */
function runOf(command: Kind<'results'>): Run {
  const run = command.runs[Math.min(command.index, command.runs.length - 1)];
  if (run === undefined) throw new UpstreamProtocolError('a result that no statement has asked for');
  return run;
}

/** The error that ends this answer for the client, where one of its results was cut. */
function cutOf(command: Kind<'results'>): ErrPacket | undefined {
  return command.runs.find(({ cut }) => cut !== undefined)?.cut;
}
