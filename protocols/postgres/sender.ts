// Entries for the replies of messages sent upstream, and the messages that are sent to fail in the place of refused ones.
import type { Plan } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import type { Conversation } from './conversation.ts';
import type { ErrorFields } from './errors.ts';
import { type BindParameters, failingParse, failingQuery, failingUnnamedParse, idleRun } from './frontend.ts';
import { frontend } from './letters.ts';
import { type Portal, type Reply, Run, type Statement } from './replies.ts';

const endsTransaction = /\b(?:commit|end|prepare|constraints)\b/i;
const sharedNames = /\b(?:prepare|deallocate|discard|declare|close)\b/i;

/** Whether a text may free or give away names of statements or portals in SQL. */
export function touchesNames(text: string): boolean {
  return sharedNames.test(text);
}

export class Sender {
  private readonly conversation: Conversation;
  private readonly output: Output;

  constructor(conversation: Conversation, output: Output) {
    this.conversation = conversation;
    this.output = output;
  }

  /** Sends, in the place of a message, one that fails, and puts our error in the place of the server's. */
  refuse(type: number, error: ErrorFields, unnamed: boolean): void {
    const { conversation } = this;
    if (type === frontend.Query || type === frontend.FunctionCall) {
      this.output.push(failingQuery);
      this.enqueueQuery([], false, '', error);
      return;
    }
    this.output.push(unnamed ? failingUnnamedParse : failingParse);
    conversation.unflushed = true;
    conversation.replies.push({
      kind: 'parse',
      statement: undefined,
      change: unnamed ? conversation.statements.change('', undefined, conversation.group) : undefined,
      ...this.common(false, error),
    });
  }

  /** Stops the server's statement_timeout while a statement that it has begun to receive waits for a person. */
  stopClock(): void {
    const { conversation } = this;
    if (!conversation.groupBegun || conversation.skipping || conversation.copyIn !== undefined) return;
    this.output.push(idleRun);
    const own = { ...this.common(false, undefined), hidden: true };
    const closing = { kind: 'close', statement: undefined, portal: undefined, closes: undefined } as const;
    const replies: readonly Reply[] = [
      { kind: 'parse', statement: undefined, change: undefined, ...own },
      { kind: 'bind', change: undefined, ...own },
      { kind: 'execute', portal: undefined, run: new Run(undefined, undefined), ends: false, ...own },
      { ...closing, ...own },
      { ...closing, ...own },
    ];
    for (const reply of replies) conversation.replies.push(reply);
  }

  /** The present sync group, which begins with this at the latest. */
  begin(): number {
    this.conversation.groupBegun = true;
    return this.conversation.group;
  }

  /** What all entries of the present sync group share. The entries of each run of a statement are written out instead. */
  common(withholds: boolean, instead: ErrorFields | undefined) {
    return { group: this.begin(), instead, hidden: false, withholds, done: false };
  }

  /** `hidden`: its ReadyForQuery is not for the client. */
  enqueueSync(hidden = false): void {
    const { conversation } = this;
    conversation.skipping = false;
    conversation.unflushed = false;
    conversation.replies.push({
      kind: 'sync',
      group: this.begin(),
      instead: undefined,
      hidden,
      withholds: false,
      done: false,
    });
    conversation.group += 1;
    conversation.groupBegun = false;
  }

  /** `hidden`: nothing but its errors and its ReadyForQuery is for the client. */
  enqueueQuery(
    runs: readonly Run[],
    withholds: boolean,
    text: string,
    instead: ErrorFields | undefined,
    hidden = false,
  ): Reply {
    const { conversation } = this;
    const { statements, portals, group } = conversation;
    // A simple query drops the unnamed statement and portal ("exec_simple_query").
    const reply: Reply = {
      kind: 'query',
      runs,
      index: 0,
      failed: false,
      ends: endsTransaction.test(text),
      statement: statements.has('') ? statements.change('', undefined, group) : undefined,
      portal: portals.has('') ? portals.change('', undefined, group) : undefined,
      repair: false,
      group: this.begin(),
      instead,
      hidden,
      withholds,
      done: false,
    };
    conversation.replies.push(reply);
    conversation.unflushed = false;
    conversation.group += 1;
    conversation.groupBegun = false;
    return reply;
  }
}

/** The parameter types of a Parse, as on the wire. */
export function decodeTypes(types: Buffer): readonly number[] {
  if (types.length <= 2) return none;
  const oids: number[] = [];
  for (let at = 2; at + 4 <= types.length; at += 4) oids.push(types.readUInt32BE(at));
  return oids;
}

const none: readonly number[] = [];

export function newStatement(plan: Plan | undefined, text: string, types: readonly number[]): Statement {
  return {
    plan,
    types,
    fields: undefined,
    describedIn: 0,
    formatted: new Map(),
    ends: endsTransaction.test(text),
    names: touchesNames(text),
  };
}

export function newPortal(named: boolean, statement: Statement, parameters: BindParameters | undefined): Portal {
  return { named, statement, parameters, fields: undefined, describedIn: 0, run: undefined };
}
