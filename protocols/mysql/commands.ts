// The client's side of a session: its commands one at a time, each when the one before has been answered. Dispatched by command byte.
import type { Refusal } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import { MalformedPacket, Reader } from './bytes.ts';
import { judgedBytes } from './charset.ts';
import { capability, command, errorCode, extendedCapability, maxPayload, refusedCommands } from './constants.ts';
import type { Command, Conversation, Statement } from './conversation.ts';
import { errPacket, refusalPacket } from './errors.ts';
import { type Allowed, Judging, type Step } from './judging.ts';
import { type ErrPacket, encodeOk, okPacket } from './messages.ts';
import { frame, type Payload, PayloadCutter, writeHeader } from './packets.ts';
import { decodeBulk, decodeExecute, queryTextStart } from './parameters.ts';
import type { Responses } from './responses.ts';
import type { Run } from './run.ts';
import type { Teller } from './teller.ts';

/** What the client's side asks of the relay that owns both sockets. */
export interface CommandHost {
  /** A person must decide: listens for the client's leaving meanwhile. The result ends that. */
  holding(withdraw: () => void): () => void;
  /** Goes on with the client's commands outside of a chunk from either side, and writes what comes of it. */
  resume(action: () => void): void;
  /** The answer to another command begins. */
  answering(): void;
  /** A failure that ends the session. */
  failed(cause: unknown): void;
  /** The server is about to set the session back: `send` gives the client its OK. */
  afterReset(send: () => void): void;
  /** COM_CHANGE_USER: another login takes over the client's socket. */
  changeUser(payload: Buffer, sequence: number): void;
  /** Ends what the session with this thread number runs, or the session. False where it is none of the client's own. */
  kill(threadId: number): boolean | Promise<boolean>;
}

export interface CommandLimits {
  /** Longer texts are refused; the session goes on. */
  readonly maxStatementBytes: number;
  /** Longer packets end the session, as with the server's max_allowed_packet. */
  readonly maxPacketBytes: number;
}

type Handler = (this: Commands, payload: Payload) => Step;

export class Commands {
  private readonly conversation: Conversation;
  private readonly responses: Responses;
  private readonly teller: Teller;
  private readonly output: Output;
  private readonly host: CommandHost;
  private readonly limits: CommandLimits;
  private readonly judging: Judging;
  private readonly cutter: PayloadCutter;
  /** A promise is waited for. */
  private busy = false;
  /** The client has said goodbye, or another login has taken over. */
  terminated = false;

  constructor(
    conversation: Conversation,
    responses: Responses,
    teller: Teller,
    output: Output,
    host: CommandHost,
    limits: CommandLimits,
  ) {
    this.conversation = conversation;
    this.responses = responses;
    this.teller = teller;
    this.output = output;
    this.host = host;
    this.limits = limits;
    this.cutter = new PayloadCutter(() => limits.maxPacketBytes);
    this.judging = new Judging(conversation, {
      holding: (withdraw) => host.holding(withdraw),
      refuse: (refusal) => this.refuse(refusal),
    });
  }

  push(chunk: Buffer): void {
    this.cutter.push(chunk);
    this.run();
  }

  /** Bytes that have come and not been looked at. */
  get backlog(): number {
    return this.cutter.backlog;
  }

  /** True while no further command is looked at. */
  get stopped(): boolean {
    return this.busy || this.conversation.active !== undefined || this.terminated;
  }

  /** What has come behind the last command. */
  rest(): Buffer {
    return this.cutter.rest();
  }

  /** Goes on with what has come. */
  run(): void {
    while (!this.stopped) {
      const payload = this.cutter.take(0);
      if (payload === undefined) return;
      this.host.answering();
      this.conversation.sequence = (payload.sequence + 1) & 0xff;
      const step = this.handle(payload);
      if (step === undefined) continue;
      this.busy = true;
      step.then(
        () => {
          this.busy = false;
          this.host.resume(() => this.run());
        },
        (cause: unknown) => this.host.failed(cause),
      );
    }
  }

  private handle(payload: Payload): Step {
    const byte = payload.bytes[0];
    if (byte === undefined) {
      this.error(malformed);
      return undefined;
    }
    const handler = Commands.handlers[byte];
    if (handler === undefined) {
      const name = refusedCommands.get(byte);
      this.error(name === undefined ? unknownCommand : notCarriedOut(name));
      return undefined;
    }
    try {
      return handler.call(this, payload);
    } catch (cause) {
      if (!(cause instanceof MalformedPacket)) throw cause;
      this.error(malformed);
      return undefined;
    }
  }

  // Answers of our own ------------------------------------------------------------------------------------------------------

  private refuse(refusal: Refusal): void {
    this.error(refusalPacket(refusal));
  }

  /** The whole answer to the command at hand. */
  private error(error: ErrPacket): void {
    this.teller.error(error);
    this.conversation.sequence = 0;
  }

  // Sending -----------------------------------------------------------------------------------------------------------------

  /** The client's packet as it stands. */
  private pass({ bytes, framed }: Payload): void {
    this.output.push(framed ?? frame(bytes, 0));
  }

  private send(payload: Payload, expected: Command): void {
    this.pass(payload);
    this.responses.begin(expected);
  }

  /** The client's packet with something appended, or another payload in its place. */
  private sendText(payload: Payload, head: number, parts: readonly Buffer[], expected: Command): void {
    const [first, ...more] = parts;
    const { framed, bytes } = payload;
    const length = head + parts.reduce((sum, part) => sum + part.length, 0);
    const original = first !== undefined && first.buffer === bytes.buffer && head + first.length === bytes.length;
    if (framed !== undefined && original && length < maxPayload) {
      writeHeader(framed, 0, length, 0);
      this.output.push(framed);
      for (const part of more) this.output.push(part);
    } else this.output.push(frame(Buffer.concat([bytes.subarray(0, head), ...parts]), 0));
    this.responses.begin(expected);
  }

  // Texts -------------------------------------------------------------------------------------------------------------------

  private query(payload: Payload): Step {
    const { conversation } = this;
    let { bytes } = payload;
    let head = 1;
    if (conversation.clientHas(capability.QUERY_ATTRIBUTES)) {
      const start = queryTextStart(bytes);
      if (conversation.serverHas(capability.QUERY_ATTRIBUTES)) head = start;
      else bytes = Buffer.concat([bytes.subarray(0, 1), bytes.subarray(start)]);
    }
    const whole = bytes === payload.bytes ? payload : { bytes, sequence: payload.sequence, framed: undefined };
    const original = withoutEnd(bytes.subarray(head));
    return this.judgeText(original, 'simple', (allowed, parts, suffix, text) => {
      const several = allowed.plans.length > 1 && allowed.plans.some((plan) => plan.manyResults === true);
      const untracks = mayUntrack(text);
      return this.judging.openAll(allowed.plans, undefined, (runs) => {
        if (several) {
          for (const run of runs) run.skip();
          this.refuse(alone);
          return;
        }
        conversation.untracked ||= untracks;
        this.sendText(whole, head, parts, { kind: 'results', runs, index: 0, statement: undefined, suffix });
      });
    });
  }

  private judgeText(
    original: Buffer,
    arrival: 'simple' | 'extended',
    then: (allowed: Allowed, parts: readonly Buffer[], suffix: string, text: string) => Step,
  ): Step {
    const { encoding } = this.conversation;
    const most = this.limits.maxStatementBytes;
    if (original.length > most) {
      this.error(errPacket(errorCode.PACKET_TOO_LARGE, '08S01', tooLong(original.length, most)));
      return undefined;
    }
    const text = original.toString(encoding);
    return this.judging.judge(text, arrival, (allowed) => {
      // An empty text is answered otherwise than one with a comment in it (our tag), and there is no statement to tag.
      if (allowed.plans.length === 0) return then(allowed, [original], '', text);
      const parts = judgedBytes(original, text, allowed.text, encoding);
      if (parts === undefined) {
        this.refuse(notText);
        return undefined;
      }
      return then(allowed, parts, allowed.text.startsWith(text) ? allowed.text.slice(text.length) : '', text);
    });
  }

  /** COM_INIT_DB is judged, and sent, as the USE that it is. */
  private initDb(payload: Payload): Step {
    return this.asQuery(payload, (name) => `USE ${quoted(name)}`);
  }

  private asQuery(payload: Payload, write: (name: string) => string): Step {
    const { conversation } = this;
    const text = write(payload.bytes.toString(conversation.encoding, 1));
    const head = conversation.serverHas(capability.QUERY_ATTRIBUTES) ? noAttributes : plainQuery;
    return this.judging.judge(text, 'simple', (allowed) =>
      this.judging.openAll(allowed.plans, undefined, (runs) => {
        const bytes = Buffer.concat([head, Buffer.from(allowed.text, conversation.encoding)]);
        this.output.push(frame(bytes, 0));
        this.responses.begin({ kind: 'results', runs, index: 0, statement: undefined, suffix: '' });
      }),
    );
  }

  /** COM_FIELD_LIST shows what SHOW COLUMNS does, and is judged as that. */
  private fieldList(payload: Payload): Step {
    const { encoding } = this.conversation;
    const table = new Reader(payload.bytes, 1).nulView().toString(encoding);
    return this.judging.judge(`SHOW COLUMNS FROM ${quoted(table)}`, 'simple', ({ plans }) =>
      this.judging.openAll(plans, undefined, ([run]) => {
        if (run === undefined) this.error(malformed);
        else this.send(payload, { kind: 'fields', run });
      }),
    );
  }

  // Prepared statements -----------------------------------------------------------------------------------------------------

  private prepare(payload: Payload): Step {
    this.conversation.latest = undefined;
    return this.judgeText(withoutEnd(payload.bytes.subarray(1)), 'extended', ({ plans }, parts, suffix, text) => {
      const [plan] = plans;
      if (plan === undefined || plans.length > 1) {
        this.error(plan === undefined ? emptyQuery : severalStatements);
        return undefined;
      }
      const statement: Statement = {
        plan,
        id: 0,
        parameters: 0,
        types: undefined,
        long: new Set(),
        untracks: mayUntrack(text),
        cursor: undefined,
      };
      this.sendText(payload, 1, parts, { kind: 'prepare', statement, suffix });
      return undefined;
    });
  }

  /** The statement a command names. MariaDB's clients send -1 for the one whose answer they have not awaited. */
  private statement(bytes: Buffer): Statement | undefined {
    if (bytes.length < 5) throw new MalformedPacket('no statement');
    const id = bytes.readUInt32LE(1);
    if (id !== latestStatement) return this.conversation.statements.get(id);
    return this.conversation.latest;
  }

  private execute(payload: Payload): Step {
    const { conversation } = this;
    const statement = this.statement(payload.bytes);
    if (statement === undefined) return this.unknownStatement(payload.bytes, 'mysqld_stmt_execute');
    const attributes = conversation.clientHas(capability.QUERY_ATTRIBUTES);
    const keep = conversation.serverHas(capability.QUERY_ATTRIBUTES);
    const execute = decodeExecute(payload.bytes, statement, attributes, keep);
    return this.runStatement(statement, execute, () => {
      if (execute.payload === payload.bytes) this.pass(payload);
      else this.output.push(frame(execute.payload, 0));
    });
  }

  private bulkExecute(payload: Payload): Step {
    if ((this.conversation.server.extended & extendedCapability.STMT_BULK_OPERATIONS) === 0) {
      this.error(notCarriedOut('COM_STMT_BULK_EXECUTE'));
      return undefined;
    }
    const statement = this.statement(payload.bytes);
    if (statement === undefined) return this.unknownStatement(payload.bytes, 'mysqld_stmt_bulk_execute');
    return this.runStatement(statement, decodeBulk(payload.bytes, statement), () => this.pass(payload));
  }

  private runStatement(
    statement: Statement,
    bound: Pick<ReturnType<typeof decodeExecute>, 'types' | 'parameters'>,
    send: () => void,
  ): Step {
    // The server closes the cursor of the run before.
    this.conversation.closeCursor(statement);
    const { plan } = statement;
    return this.judging.openAll([plan], bound.parameters, (runs: readonly Run[]) => {
      statement.types = bound.types === undefined ? undefined : Buffer.from(bound.types);
      statement.long.clear();
      this.conversation.untracked ||= statement.untracks;
      send();
      this.responses.begin({ kind: 'results', runs, index: 0, statement, suffix: '' });
    });
  }

  private fetch(payload: Payload): Step {
    const statement = this.statement(payload.bytes);
    if (statement === undefined) return this.unknownStatement(payload.bytes, 'mysqld_stmt_fetch');
    const { cursor } = statement;
    // The server says that there is no cursor, in its own words.
    if (cursor === undefined) this.send(payload, { kind: 'single', afterwards: undefined });
    else this.send(payload, { kind: 'fetch', statement, cursor });
    return undefined;
  }

  private sendLongData(payload: Payload): Step {
    // "COM_STMT_SEND_LONG_DATA has no response"; an unknown statement is told at its execution.
    const statement = this.statement(payload.bytes);
    if (statement === undefined || payload.bytes.length < 7) return undefined;
    statement.long.add(payload.bytes.readUInt16LE(5));
    this.pass(payload);
    return undefined;
  }

  private resetStatement(payload: Payload): Step {
    const statement = this.statement(payload.bytes);
    if (statement === undefined) return this.unknownStatement(payload.bytes, 'mysqld_stmt_reset');
    this.conversation.closeCursor(statement);
    statement.long.clear();
    this.send(payload, { kind: 'single', afterwards: undefined });
    return undefined;
  }

  private closeStatement(payload: Payload): Step {
    // No response either.
    const statement = this.statement(payload.bytes);
    if (statement === undefined) return undefined;
    this.conversation.forget(statement);
    this.pass(payload);
    return undefined;
  }

  private unknownStatement(bytes: Buffer, where: string): Step {
    const id = bytes.readUInt32LE(1);
    // MySQL looks the statement up in one place for all commands.
    const place = this.conversation.mariadb ? where : 'mysql_stmt_precheck';
    const message = `Unknown prepared statement handler (${id}) given to ${place}`;
    this.error(errPacket(errorCode.UNKNOWN_STATEMENT, 'HY000', message));
    return undefined;
  }

  // The session -------------------------------------------------------------------------------------------------------------

  private quit(): Step {
    this.terminated = true;
    return undefined;
  }

  private single(payload: Payload): Step {
    this.send(payload, { kind: 'single', afterwards: undefined });
    return undefined;
  }

  private statistics(payload: Payload): Step {
    this.send(payload, { kind: 'text' });
    return undefined;
  }

  private resetConnection(payload: Payload): Step {
    if (this.conversation.session.reset === undefined) {
      this.error(notCarriedOut('COM_RESET_CONNECTION'));
      return undefined;
    }
    this.send(payload, { kind: 'single', afterwards: (send) => this.host.afterReset(send) });
    return undefined;
  }

  private changeUser(payload: Payload): Step {
    this.terminated = true;
    this.host.changeUser(Buffer.from(payload.bytes), (payload.sequence + 1) & 0xff);
    return undefined;
  }

  private processKill(payload: Payload): Step {
    const id = new Reader(payload.bytes, 1).int4();
    const answer = (killed: boolean): undefined => {
      if (killed) {
        this.teller.push(encodeOk(okPacket(0), this.conversation.client.capabilities));
        this.conversation.sequence = 0;
      } else this.error(errPacket(errorCode.NO_SUCH_THREAD, 'HY000', `Unknown thread id: ${id}`));
    };
    const killed = this.host.kill(id);
    return typeof killed === 'boolean' ? answer(killed) : killed.then(answer);
  }

  private static readonly handlers: (Handler | undefined)[] = Commands.dispatch();

  private static dispatch(): (Handler | undefined)[] {
    const handlers: (Handler | undefined)[] = new Array(256).fill(undefined);
    const { prototype } = Commands;
    handlers[command.QUIT] = prototype.quit;
    handlers[command.INIT_DB] = prototype.initDb;
    handlers[command.QUERY] = prototype.query;
    handlers[command.FIELD_LIST] = prototype.fieldList;
    handlers[command.STATISTICS] = prototype.statistics;
    handlers[command.PROCESS_KILL] = prototype.processKill;
    handlers[command.PING] = prototype.single;
    handlers[command.CHANGE_USER] = prototype.changeUser;
    handlers[command.STMT_PREPARE] = prototype.prepare;
    handlers[command.STMT_EXECUTE] = prototype.execute;
    handlers[command.STMT_SEND_LONG_DATA] = prototype.sendLongData;
    handlers[command.STMT_CLOSE] = prototype.closeStatement;
    handlers[command.STMT_RESET] = prototype.resetStatement;
    handlers[command.SET_OPTION] = prototype.single;
    handlers[command.STMT_FETCH] = prototype.fetch;
    handlers[command.RESET_CONNECTION] = prototype.resetConnection;
    handlers[command.STMT_BULK_EXECUTE] = prototype.bulkExecute;
    return handlers;
  }
}

const latestStatement = 0xffff_ffff;
const plainQuery = Buffer.from([command.QUERY]);
/** COM_QUERY without attributes where the server expects their number: none, in one set. */
const noAttributes = Buffer.from([command.QUERY, 0, 1]);

const malformed = errPacket(errorCode.MALFORMED_PACKET, 'HY000', 'Malformed communication packet');
const unknownCommand = errPacket(errorCode.UNKNOWN_COMMAND, '08S01', 'Unknown command');
const emptyQuery = errPacket(errorCode.EMPTY_QUERY, '42000', 'Query was empty');
const severalStatements = errPacket(
  errorCode.SYNTAX,
  '42000',
  'sallyport: a prepared statement is one statement, not several',
);

/** A text that sets session_track_system_variables must name it; when it has run the server may report that change no more. */
function mayUntrack(text: string): boolean {
  return /session_track/i.test(text);
}

function notCarriedOut(name: string): ErrPacket {
  return errPacket(errorCode.NOT_SUPPORTED, '42000', `sallyport: ${name} is not carried out through the gateway`);
}

function tooLong(length: number, most: number): string {
  return `sallyport: a statement of ${length} bytes is longer than the ${most} bytes allowed`;
}

const alone: Refusal = {
  kind: 'policy',
  rule: 'many-results',
  message: 'sallyport: denied by rule "many-results": CALL and the like within a text of several statements',
  hint: 'Send it alone.',
};

const notText: Refusal = {
  kind: 'policy',
  rule: 'unreadable',
  message: 'sallyport: denied by rule "unreadable": the text holds bytes that are no characters',
  hint: 'Send binary data as hexadecimal literals or as parameters.',
};

/**
 * A text without the semicolons and blanks at its end, which servers take off too ("Remove garbage at end of query", alloc_query). Behind
 * them what the gateway adds would be one more statement, with a result that no client waits for.
 */
function withoutEnd(text: Buffer): Buffer {
  let end = text.length;
  for (let byte = text[end - 1]; end > 0 && isEnd(byte); byte = text[end - 1]) end -= 1;
  return text.subarray(0, end);
}

/** A semicolon, a blank, or tab to carriage return. */
function isEnd(byte: number | undefined): boolean {
  return byte === 0x3b || byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

/** A name as SQL has it. */
function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
