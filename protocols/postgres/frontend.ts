// Client messages: decoding of those the relay must read, beside the encoding of those it writes itself.
import { isUtf8 } from 'node:buffer';
import type { BoundParameters } from '../gate.ts';
import { int16, int32 } from './frames.ts';
import { frontend } from './letters.ts';

/** A message whose inside does not match its length. The server answers 08P01 and goes on. */
export class MalformedMessage extends Error {
  readonly sqlstate: string;
  constructor(message: string, sqlstate = '08P01') {
    super(message);
    this.name = 'MalformedMessage';
    this.sqlstate = sqlstate;
  }
}

export interface Query {
  readonly text: string;
}

export interface Parse {
  readonly name: string;
  readonly text: string;
  /** Where the parameter types begin in the frame's bytes: kept as they are when the text is rewritten. */
  readonly types: Buffer;
}

export interface Bind {
  readonly portal: string;
  readonly statement: string;
}

/** Describe and Close share a form. */
export interface Named {
  readonly of: 'statement' | 'portal';
  readonly name: string;
}

export interface Execute {
  readonly portal: string;
  readonly maxRows: number;
}

const headerLength = 5;

/** Where the string starting at `at` ends (its NUL). */
function terminator(bytes: Buffer, at: number, end: number): number {
  const found = bytes.indexOf(0, at);
  if (found === -1 || found >= end) throw new MalformedMessage('invalid string in message');
  return found;
}

/** A string of the protocol in the client encoding, which is always UTF8 here. */
function decodeText(bytes: Buffer, start: number, end: number): string {
  if (start === end) return '';
  const part = bytes.subarray(start, end);
  // What is not UTF-8 would be read as something else than the server reads.
  if (!isUtf8(part)) throw new MalformedMessage('invalid byte sequence for encoding "UTF8"', '22021');
  return part.toString('utf8');
}

function tooShort(): MalformedMessage {
  return new MalformedMessage('insufficient data left in message');
}

function expectEnd(at: number, end: number): void {
  if (at !== end) throw new MalformedMessage('invalid message format');
}

export function decodeQuery(bytes: Buffer, start: number, end: number): Query {
  const nul = terminator(bytes, start + headerLength, end);
  expectEnd(nul + 1, end);
  return { text: decodeText(bytes, start + headerLength, nul) };
}

export function decodeParse(bytes: Buffer, start: number, end: number): Parse {
  const nameEnd = terminator(bytes, start + headerLength, end);
  const textEnd = terminator(bytes, nameEnd + 1, end);
  const types = textEnd + 1;
  if (types + 2 > end) throw new MalformedMessage('insufficient data left in message');
  const count = int16(bytes, types) & 0xffff;
  if (types + 2 + count * 4 !== end) throw new MalformedMessage('invalid message format');
  return {
    name: decodeText(bytes, start + headerLength, nameEnd),
    text: decodeText(bytes, nameEnd + 1, textEnd),
    types: bytes.subarray(types, end),
  };
}

/** Only the two names; the parameters are looked at by `BindParameters`. */
export function decodeBind(bytes: Buffer, start: number, end: number): Bind {
  const portalEnd = terminator(bytes, start + headerLength, end);
  const statementEnd = terminator(bytes, portalEnd + 1, end);
  return {
    portal: decodeText(bytes, start + headerLength, portalEnd),
    statement: decodeText(bytes, portalEnd + 1, statementEnd),
  };
}

export function decodeNamed(bytes: Buffer, start: number, end: number): Named {
  const at = start + headerLength;
  const kind = bytes[at];
  if (at >= end || (kind !== 0x53 && kind !== 0x50)) {
    throw new MalformedMessage(`invalid ${bytes[start] === frontend.Close ? 'CLOSE' : 'DESCRIBE'} message subtype`);
  }
  const nul = terminator(bytes, at + 1, end);
  expectEnd(nul + 1, end);
  return { of: kind === 0x53 ? 'statement' : 'portal', name: decodeText(bytes, at + 1, nul) };
}

export function decodeExecute(bytes: Buffer, start: number, end: number): Execute {
  const nul = terminator(bytes, start + headerLength, end);
  if (nul + 5 > end) throw new MalformedMessage('insufficient data left in message');
  expectEnd(nul + 5, end);
  return { portal: decodeText(bytes, start + headerLength, nul), maxRows: int32(bytes, nul + 1) };
}

/** The parameters and result formats of one Bind, read from the frame where it lies. The whole frame is checked when made. */
export class BindParameters implements BoundParameters {
  readonly count: number;
  private readonly bytes: Buffer;
  private readonly formats: number;
  private readonly formatCount: number;
  private readonly values: number;
  private readonly resultFormats: number;
  private readonly resultFormatCount: number;
  private readonly statement: { readonly types: readonly number[] };
  /** Where the parameter asked for last begins: they are mostly asked for in order. */
  private lastIndex = 0;
  private lastAt: number;

  /** `statement` knows the oids the Parse named or the server described; it may learn them later. */
  constructor(bytes: Buffer, start: number, end: number, statement: { readonly types: readonly number[] }) {
    this.bytes = bytes;
    this.statement = statement;
    const portalEnd = terminator(bytes, start + headerLength, end);
    let at = terminator(bytes, portalEnd + 1, end) + 1;
    if (at + 2 > end) throw tooShort();
    this.formatCount = int16(bytes, at) & 0xffff;
    this.formats = at + 2;
    at += 2 + this.formatCount * 2;
    if (at + 2 > end) throw tooShort();
    this.count = int16(bytes, at) & 0xffff;
    at += 2;
    this.values = at;
    this.lastAt = at;
    for (let i = 0; i < this.count; i += 1) {
      if (at + 4 > end) throw tooShort();
      const length = int32(bytes, at);
      at += length > 0 ? 4 + length : 4;
    }
    if (at + 2 > end) throw tooShort();
    this.resultFormatCount = int16(bytes, at) & 0xffff;
    this.resultFormats = at + 2;
    expectEnd(at + 2 + this.resultFormatCount * 2, end);
    if (this.formatCount > 1 && this.formatCount !== this.count) {
      throw new MalformedMessage(`bind message has ${this.formatCount} parameter formats but ${this.count} parameters`);
    }
  }

  type(index: number): number {
    return this.statement.types[index] ?? 0;
  }

  binary(index: number): boolean {
    if (this.formatCount === 0) return false;
    return int16(this.bytes, this.formats + (this.formatCount === 1 ? 0 : index * 2)) === 1;
  }

  value(index: number): Buffer | undefined {
    if (index < 0 || index >= this.count) return undefined;
    if (index < this.lastIndex) {
      this.lastIndex = 0;
      this.lastAt = this.values;
    }
    for (; this.lastIndex < index; this.lastIndex += 1) {
      this.lastAt += 4 + Math.max(int32(this.bytes, this.lastAt), 0);
    }
    const length = int32(this.bytes, this.lastAt);
    return length < 0 ? undefined : this.bytes.subarray(this.lastAt + 4, this.lastAt + 4 + length);
  }

  /** The same for Binds that give each of `columns` result columns the same format. */
  resultFormatKey(columns: number): string {
    if (this.resultFormatCount === 0) return 'text';
    if (this.resultFormatCount === 1) return this.resultBinary(0) ? 'binary' : 'text';
    let key = '';
    for (let i = 0; i < columns; i += 1) key += this.resultBinary(i) ? 'b' : 't';
    return key;
  }

  /** Whether result column `index` comes in the binary format. */
  resultBinary(index: number): boolean {
    if (this.resultFormatCount === 0) return false;
    if (this.resultFormatCount > 1 && index >= this.resultFormatCount) return false;
    return int16(this.bytes, this.resultFormats + (this.resultFormatCount === 1 ? 0 : index * 2)) === 1;
  }
}

/** Opens a frame of `length` bytes after the letter. */
export function openFrame(type: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(length + 1);
  frame[0] = type;
  frame.writeInt32BE(length, 1);
  return frame;
}

export function encodeQuery(text: string): Buffer {
  const frame = openFrame(frontend.Query, 5 + Buffer.byteLength(text));
  frame[5 + frame.write(text, 5)] = 0;
  return frame;
}

/** `types` is the parameter type list as on the wire, count included. */
export function encodeParse(name: string, text: string, types: Buffer): Buffer {
  const frame = openFrame(frontend.Parse, 6 + Buffer.byteLength(name) + Buffer.byteLength(text) + types.length);
  let at = 5;
  at += frame.write(name, at);
  frame[at] = 0;
  at += 1;
  at += frame.write(text, at);
  frame[at] = 0;
  types.copy(frame, at + 1);
  return frame;
}

export function encodeDescribe(named: Named): Buffer {
  const frame = openFrame(frontend.Describe, 6 + Buffer.byteLength(named.name));
  frame[5] = named.of === 'statement' ? 0x53 : 0x50;
  frame[6 + frame.write(named.name, 6)] = 0;
  return frame;
}

export function encodeExecute(portal: string, maxRows: number): Buffer {
  const frame = openFrame(frontend.Execute, 9 + Buffer.byteLength(portal));
  const nul = 5 + frame.write(portal, 5);
  frame[nul] = 0;
  frame.writeInt32BE(maxRows, nul + 1);
  return frame;
}

export const noTypes = Buffer.from([0, 0]);
export const flushFrame = Buffer.from([frontend.Flush, 0, 0, 0, 4]);
export const syncFrame = Buffer.from([frontend.Sync, 0, 0, 0, 4]);
export const terminateFrame = Buffer.from([frontend.Terminate, 0, 0, 0, 4]);
/** Binds the unnamed statement to the unnamed portal: no parameters, text results. */
export const bindUnnamed = Buffer.from([frontend.Bind, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0]);

const idle = 'sallyport_idle';
/**
 * A run of a statement that does nothing, from Parse to Close, under a name of its own. The server's statement_timeout runs from the
 * first message of a statement and stops when an Execute is complete ("exec_execute_message").
 */
export const idleRun = Buffer.concat([
  encodeParse(idle, 'select where false', noTypes),
  encodeBindNamed(idle),
  encodeExecute(idle, 0),
  encodeClose({ of: 'portal', name: idle }),
  encodeClose({ of: 'statement', name: idle }),
]);

/** Binds a statement without parameters to the portal of the same name: text results. */
function encodeBindNamed(name: string): Buffer {
  const length = Buffer.byteLength(name);
  const frame = openFrame(frontend.Bind, 12 + length * 2);
  frame.fill(0, 5);
  frame.write(name, 5);
  frame.write(name, 6 + length);
  return frame;
}

function encodeClose(named: Named): Buffer {
  const frame = encodeDescribe(named);
  frame[0] = frontend.Close;
  return frame;
}

/** Closes the unnamed statement. */
export const closeUnnamed = Buffer.from([frontend.Close, 0, 0, 0, 6, 0x53, 0]);
export const emptyQuery = encodeQuery('');

// A refused statement is replaced by one the server is sure to refuse too: a single word is a syntax error in every state of
// a transaction, for the grammar runs before anything else ("exec_parse_message", "exec_simple_query").
const failing = 'sallyport_refused';
export const failingQuery = encodeQuery(failing);
/** For a refused Parse of the unnamed statement: like any failing Parse it drops the old unnamed statement. */
export const failingUnnamedParse = encodeParse('', failing, noTypes);
/** In place of other refused messages: a failing Parse of a name touches no statement and no portal. */
export const failingParse = encodeParse(failing, failing, noTypes);
