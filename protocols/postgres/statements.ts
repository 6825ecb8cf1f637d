// What each client message does: statements are judged, runs opened, and messages sent on with an entry for the reply they will
// have. A refused message is replaced by one that fails upstream, so that the server's own state stays true.
import type { Opened, Plan } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import type { Conversation } from './conversation.ts';
import { type ErrorFields, errorFields, refusalFields } from './errors.ts';
import {
  BindParameters,
  bindUnnamed,
  closeUnnamed,
  decodeBind,
  decodeExecute,
  decodeNamed,
  decodeParse,
  decodeQuery,
  emptyQuery,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flushFrame,
  noTypes,
  type Parse,
  syncFrame,
} from './frontend.ts';
import { type Decided, isPromise, Judging, type RequestHost, type Step } from './judging.ts';
import { frontend } from './letters.ts';
import { type Portal, type Reply, Run, type Statement } from './replies.ts';
import { decodeTypes, newPortal, newStatement, Sender, touchesNames } from './sender.ts';

const parameterMark = /\$\d/;

export class Statements {
  /** The client has said goodbye. */
  terminated = false;
  private readonly conversation: Conversation;
  private readonly output: Output;
  private readonly sender: Sender;
  private readonly judging: Judging;
  /** What must be answered before anything else is judged. */
  private barrierReply: Reply | undefined;
  /** A run with a row limit of ours: nothing is sent behind it before it has ended. */
  private serialRun:
    | {
        readonly reply: Reply;
        readonly run: Run;
        /** A simple query, which is ours to end with a Sync. */
        readonly simple: boolean;
        /** All entries of a simple query. */
        readonly own: readonly (Reply | undefined)[];
      }
    | undefined;

  constructor(conversation: Conversation, output: Output, host: RequestHost) {
    this.conversation = conversation;
    this.output = output;
    this.sender = new Sender(conversation, output);
    this.judging = new Judging(conversation, this.sender, host);
  }

  get barrier(): boolean {
    return this.barrierReply !== undefined && !this.barrierReply.done;
  }

  get serial(): boolean {
    return this.serialRun !== undefined;
  }

  /** The server has answered something. */
  answered(): void {
    if (this.barrierReply?.done) this.barrierReply = undefined;
    const serial = this.serialRun;
    if (serial === undefined || !serial.reply.done) return;
    this.serialRun = undefined;
    const { run } = serial;
    const { conversation } = this;
    // Where an earlier message has failed the server skipped the query, as it would have skipped the client's own.
    if (conversation.skipping && !serial.own.includes(conversation.failed)) return;
    const failed = conversation.skipping || run.cut !== undefined;
    if (run.cut !== undefined && !conversation.skipping) {
      run.fail(run.cut.sqlstate);
      this.refuse(frontend.Execute, run.cut);
    }
    if (serial.simple) this.endLimited(failed);
  }

  /** Ends a simple query that was run through the extended protocol: nothing of it may stay, least of all its unnamed statement. */
  private endLimited(failed: boolean): void {
    const { output, sender } = this;
    if (failed) {
      // A Close would be skipped with all the rest; an empty query drops the statement, and its ReadyForQuery is the client's.
      output.push(syncFrame);
      sender.enqueueSync(true);
      output.push(emptyQuery);
      sender.enqueueQuery([], false, '', undefined, true);
      return;
    }
    output.push(closeUnnamed);
    this.conversation.replies.push({
      kind: 'close',
      statement: undefined,
      portal: undefined,
      closes: undefined,
      ...sender.common(false, undefined),
      hidden: true,
    });
    output.push(syncFrame);
    sender.enqueueSync();
  }

  /** Puts a message that fails, and our error, in the place of a message. */
  refuse(type: number, error: ErrorFields, unnamed = false): void {
    this.sender.refuse(type, error, unnamed);
  }

  functionCall(): Step {
    this.refuse(
      frontend.FunctionCall,
      errorFields('0A000', 'sallyport: the function call protocol is not supported', 'Call the function in a SELECT.'),
    );
    return undefined;
  }

  // Simple queries --------------------------------------------------------------------------------------------------------

  query(bytes: Buffer, start: number, end: number): Step {
    const { text } = decodeQuery(bytes, start, end);
    return this.judging.judge(text, 'simple', (decided) => {
      if (this.conversation.skipping) return undefined;
      if (decided.kind === 'deny') {
        this.refuse(frontend.Query, refusalFields(decided.refusal));
        return undefined;
      }
      return this.judging.openAll(decided.plans, (runs) => this.sendQuery(text, decided, runs));
    });
  }

  private sendQuery(text: string, allowed: Extract<Decided, { kind: 'allow' }>, runs: readonly Run[]): void {
    const [run] = runs;
    // Not behind messages without a Sync: there a Query is answered by a ReadyForQuery inside of their transaction.
    const alone = runs.length === 1 && !this.conversation.groupBegun && !parameterMark.test(text);
    if (alone && run?.plan?.maxRows !== undefined) {
      this.sendLimited(text, allowed.text, run, run.plan);
      return;
    }
    this.output.push(encodeQuery(allowed.text));
    const reply = this.sender.enqueueQuery(
      runs,
      allowed.plans.some((plan) => plan.withholdsErrors),
      text,
      undefined,
    );
    if (allowed.plans.some((plan) => plan.barrier) || touchesNames(text)) this.barrierReply = reply;
  }

  /**
   * A single statement with a row limit is run through the extended protocol, which has row limits: what the client sees is the
   * same, and when the limit is passed a statement that fails ends the transaction before anything is committed.
   */
  private sendLimited(text: string, tagged: string, run: Run, plan: Plan): void {
    const { conversation, output } = this;
    const { replies, group } = conversation;
    const withholds = plan.withholdsErrors;
    const statement = newStatement(plan, text, []);
    const portal = newPortal(false, statement, undefined);
    portal.run = run;
    run.pending = 1;
    run.serial = true;
    output.push(encodeParse('', tagged, noTypes));
    output.push(bindUnnamed);
    output.push(encodeDescribe({ of: 'portal', name: '' }));
    output.push(encodeExecute('', run.limit + 1));
    output.push(flushFrame);
    const hidden = { ...this.sender.common(withholds, undefined), hidden: true };
    const reply: Reply = {
      kind: 'execute',
      portal,
      run,
      ends: statement.ends,
      ...this.sender.common(withholds, undefined),
    };
    const own: readonly Reply[] = [
      { kind: 'parse', statement, change: conversation.statements.change('', undefined, group), ...hidden },
      { kind: 'bind', change: conversation.portals.change('', undefined, group), ...hidden },
      { kind: 'describe', statement: undefined, portal, simple: true, ...this.sender.common(withholds, undefined) },
      reply,
    ];
    for (const entry of own) replies.push(entry);
    this.serialRun = { reply, run, simple: true, own };
    if (plan.barrier || statement.names) this.barrierReply = reply;
  }

  // Extended queries ------------------------------------------------------------------------------------------------------

  parse(bytes: Buffer, start: number, end: number): Step {
    const parse = decodeParse(bytes, start, end);
    return this.judging.judge(parse.text, 'extended', (decided) => {
      if (this.conversation.skipping) return undefined;
      if (decided.kind === 'deny') this.refuse(frontend.Parse, refusalFields(decided.refusal), parse.name === '');
      else this.sendParse(parse, decided);
      return undefined;
    });
  }

  private sendParse(parse: Parse, allowed: Extract<Decided, { kind: 'allow' }>): void {
    const { conversation } = this;
    // A text of several statements is refused by the server itself: "cannot insert multiple commands into a prepared statement".
    const plan = allowed.plans[0];
    const statement = newStatement(plan, parse.text, decodeTypes(parse.types));
    this.output.push(encodeParse(parse.name, allowed.text, parse.types));
    conversation.unflushed = true;
    conversation.replies.push({
      kind: 'parse',
      statement,
      change: conversation.statements.change(parse.name, statement, conversation.group),
      ...this.sender.common(plan?.withholdsErrors ?? false, undefined),
    });
  }

  bind(bytes: Buffer, start: number, end: number): Step {
    const names = decodeBind(bytes, start, end);
    const statement = this.bound(names.statement);
    if (statement === 'wait' || statement === undefined) return statement;
    const parameters = new BindParameters(bytes, start, end, statement);
    this.output.forward(bytes, start, end);
    this.enqueueBind(names.portal, statement, parameters);
    return undefined;
  }

  /** The first bytes of a Bind too large to be kept, its names among them; says what becomes of it. */
  bindHead(head: Buffer): 'forward' | 'drop' | 'wait' {
    const names = decodeBind(head, 0, head.length);
    const statement = this.bound(names.statement);
    if (statement === 'wait') return 'wait';
    if (statement === undefined) return 'drop';
    this.output.push(head);
    this.enqueueBind(names.portal, statement, undefined);
    return 'forward';
  }

  /** The statement a Bind names. Undefined: the Bind has been refused. */
  private bound(name: string): Statement | 'wait' | undefined {
    const found = this.conversation.statements.lookup(name, this.conversation.group);
    if (found.kind === 'found') return found.value;
    if (found.kind === 'waiting') return 'wait';
    // Also where SQL has prepared it: then we do not know what it would do.
    this.refuse(frontend.Bind, missing('statement', name));
    return undefined;
  }

  private enqueueBind(name: string, statement: Statement, parameters: BindParameters | undefined): void {
    const { conversation } = this;
    conversation.unflushed = true;
    conversation.replies.push({
      kind: 'bind',
      change: conversation.portals.change(name, newPortal(name !== '', statement, parameters), conversation.group),
      group: this.sender.begin(),
      instead: undefined,
      hidden: false,
      withholds: statement.plan?.withholdsErrors ?? false,
      done: false,
    });
  }

  describe(bytes: Buffer, start: number, end: number): Step {
    const { conversation } = this;
    const { group } = conversation;
    const { of, name } = decodeNamed(bytes, start, end);
    const names =
      of === 'statement' ? conversation.statements.lookup(name, group) : conversation.portals.lookup(name, group);
    if (names.kind === 'waiting') return 'wait';
    if (names.kind === 'unknown' && name === '') {
      // The server may have one all the same: from a simple query that we ran through the extended protocol.
      this.refuse(frontend.Describe, missing(of, name));
      return undefined;
    }
    const target = names.kind === 'found' ? names.value : undefined;
    const portal = target !== undefined && 'statement' in target ? target : undefined;
    const statement = target !== undefined && !('statement' in target) ? target : undefined;
    if (target !== undefined) target.describedIn = group;
    this.output.forward(bytes, start, end);
    conversation.unflushed = true;
    const plan = statement?.plan ?? portal?.statement.plan;
    const withholds = plan?.withholdsErrors ?? false;
    conversation.replies.push({
      kind: 'describe',
      statement,
      portal,
      simple: false,
      group: this.sender.begin(),
      instead: undefined,
      hidden: false,
      withholds,
      done: false,
    });
    return undefined;
  }

  close(bytes: Buffer, start: number, end: number): Step {
    const { conversation } = this;
    const { group } = conversation;
    const { of, name } = decodeNamed(bytes, start, end);
    const portal = of === 'portal' ? conversation.portals.lookup(name, group) : undefined;
    if (portal?.kind === 'waiting') return 'wait';
    this.output.forward(bytes, start, end);
    conversation.unflushed = true;
    conversation.replies.push({
      kind: 'close',
      statement: of === 'statement' ? conversation.statements.change(name, undefined, group) : undefined,
      portal: of === 'portal' ? conversation.portals.change(name, undefined, group) : undefined,
      closes: portal?.kind === 'found' ? portal.value : undefined,
      ...this.sender.common(false, undefined),
    });
    return undefined;
  }

  execute(bytes: Buffer, start: number, end: number): Step {
    const { conversation } = this;
    const { portal: name, maxRows } = decodeExecute(bytes, start, end);
    const found = conversation.portals.lookup(name, conversation.group);
    if (found.kind === 'waiting') return 'wait';
    if (found.kind === 'unknown') {
      // Also where SQL has declared it: then we do not know whose rows it gives.
      this.refuse(frontend.Execute, missing('portal', name));
      return undefined;
    }
    const portal = found.value;
    // A suspended portal goes on with the run it has.
    if (portal.run !== undefined && !portal.run.over) {
      this.sendExecute(name, portal, portal.run, maxRows, bytes, start, end);
      return undefined;
    }
    const { plan } = portal.statement;
    if (plan === undefined) {
      this.sendExecute(name, portal, new Run(undefined, undefined), maxRows, bytes, start, end);
      return undefined;
    }
    const opened = plan.open(portal.parameters);
    if (isPromise(opened)) {
      return opened.then((ready) => this.opened(ready, plan, name, portal, maxRows, bytes, start, end));
    }
    return this.opened(opened, plan, name, portal, maxRows, bytes, start, end);
  }

  private opened(
    opened: Opened,
    plan: Plan,
    name: string,
    portal: Portal,
    maxRows: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): Promise<void> | undefined {
    const { conversation } = this;
    if (opened.kind === 'hold') {
      this.sender.stopClock();
      return this.judging.held(opened, (ready) => this.opened(ready, plan, name, portal, maxRows, bytes, start, end));
    }
    if (opened.kind === 'refused') {
      if (!conversation.skipping) this.refuse(frontend.Execute, refusalFields(opened.refusal));
      return undefined;
    }
    const run = new Run(plan, opened.execution);
    if (conversation.skipping || conversation.lost) run.skip();
    else this.sendExecute(name, portal, run, maxRows, bytes, start, end);
    return undefined;
  }

  private sendExecute(
    name: string,
    portal: Portal,
    run: Run,
    maxRows: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { conversation, output } = this;
    const { statement } = portal;
    const { plan } = statement;
    const withholds = plan?.withholdsErrors ?? false;
    portal.run = run;
    run.pending += 1;
    if (conversation.session.masks && this.undescribed(portal)) {
      output.push(encodeDescribe({ of: 'portal', name }));
      portal.describedIn = conversation.group;
      const common = { ...this.sender.common(withholds, undefined), hidden: true };
      conversation.replies.push({ kind: 'describe', statement: undefined, portal, simple: false, ...common });
    }
    const reply: Reply = {
      kind: 'execute',
      portal,
      run,
      ends: statement.ends,
      group: this.sender.begin(),
      instead: undefined,
      hidden: false,
      withholds,
      done: false,
    };
    conversation.replies.push(reply);
    conversation.unflushed = true;
    if (plan?.barrier || statement.names) this.barrierReply = reply;
    if (plan?.maxRows === undefined) {
      output.forward(bytes, start, end);
      return;
    }
    const left = run.limit - run.rows + 1;
    output.push(encodeExecute(name, maxRows > 0 && maxRows < left ? maxRows : left));
    output.push(flushFrame);
    conversation.unflushed = false;
    run.serial = true;
    this.serialRun = { reply, run, simple: false, own: [reply] };
  }

  /** Whether the columns of the portal's rows would be unknown when they come. */
  private undescribed(portal: Portal): boolean {
    const { group } = this.conversation;
    const { statement } = portal;
    if (portal.fields !== undefined || portal.describedIn === group) return false;
    if (portal.parameters === undefined) return true;
    return statement.fields === undefined && statement.describedIn !== group;
  }

  sync(bytes: Buffer, start: number, end: number): Step {
    const { conversation } = this;
    this.output.forward(bytes, start, end);
    // The server ignores it inside COPY FROM STDIN.
    if (conversation.copyIn !== undefined) conversation.swallowed += 1;
    else this.sender.enqueueSync();
    return undefined;
  }

  flush(bytes: Buffer, start: number, end: number): Step {
    this.output.forward(bytes, start, end);
    this.conversation.unflushed = false;
    return undefined;
  }

  /** CopyDone and CopyFail. */
  copyEnd(bytes: Buffer, start: number, end: number): Step {
    const { conversation } = this;
    this.output.forward(bytes, start, end);
    // A Flush sent before was swallowed by the COPY.
    if (this.serial) this.output.push(flushFrame);
    else conversation.unflushed = true;
    if (conversation.copyIn !== undefined) conversation.copyIn = undefined;
    else if (conversation.replies.length > 0) {
      conversation.replies.push({ kind: 'copy-end', ...this.sender.common(false, undefined) });
    }
    return undefined;
  }

  terminate(): Step {
    this.terminated = true;
    return undefined;
  }
}

/** The server's own words for a name that stands for nothing. */
function missing(of: 'statement' | 'portal', name: string): ErrorFields {
  if (of === 'portal') return errorFields('34000', `portal "${name}" does not exist`);
  return errorFields(
    '26000',
    `${name === '' ? 'unnamed prepared statement' : `prepared statement "${name}"`} does not exist`,
  );
}
