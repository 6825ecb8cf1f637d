// What the client is told: the server's packets under numbers of our own, OK and EOF packets in the form the client has agreed to,
// errors without texts that may not leave; and what those packets say of the session is noted.
import type { Refusal } from '../gate.ts';
import type { Output } from '../shared/output.ts';
import { encodingOf } from './charset.ts';
import { capability, errorCode, header } from './constants.ts';
import type { Conversation } from './conversation.ts';
import { errPacket, FatalError, UpstreamProtocolError, withheld } from './errors.ts';
import {
  decodeEof,
  decodeErr,
  decodeOk,
  decodeStateChanges,
  type ErrPacket,
  encodeErr,
  encodeOk,
  eofAsOk,
} from './messages.ts';
import { frame, packetHeader } from './packets.ts';

/** The end of a result, or the whole of a command without one. */
export interface Ending {
  readonly status: number;
  /** Rows changed, as the packet says; 0 at the end of rows. */
  readonly affected: Buffer | undefined;
  /** Gives it to the client. */
  send(): void;
}

export class Teller {
  private readonly conversation: Conversation;
  private readonly output: Output;
  private readonly unreadable: (refusal: Refusal) => void;

  /** `unreadable`: the session can no longer be read safely. */
  constructor(conversation: Conversation, output: Output, unreadable: (refusal: Refusal) => void) {
    this.conversation = conversation;
    this.output = output;
    this.unreadable = unreadable;
  }

  /** A packet as it stands but for its number; the client has one packet of ours for each of the server's. */
  forward(bytes: Buffer, start: number, end: number): void {
    bytes[start + 3] = this.conversation.nextSequence();
    this.output.forward(bytes, start, end);
  }

  push(payload: Buffer): void {
    this.output.push(frame(payload, this.conversation.nextSequence()));
  }

  error(error: ErrPacket): void {
    this.push(encodeErr(error));
  }

  /** Reads an OK packet, or the one with the header of an EOF that ends rows. */
  ok(bytes: Buffer, start: number, end: number): Ending {
    const { conversation } = this;
    const ok = decodeOk(bytes.subarray(start + packetHeader, end), conversation.server.capabilities);
    if (ok.state !== undefined) this.noteChanges(ok.state);
    const send = conversation.sameOk
      ? () => this.forward(bytes, start, end)
      : () => this.push(encodeOk(ok, conversation.client.capabilities));
    return { status: ok.status, affected: ok.affected, send };
  }

  /** Reads what ends rows: an EOF packet, or an OK packet with its header since DEPRECATE_EOF. */
  endOfRows(bytes: Buffer, start: number, end: number): Ending {
    const { conversation } = this;
    if (conversation.serverHas(capability.DEPRECATE_EOF)) return this.ok(bytes, start, end);
    const payload = bytes.subarray(start + packetHeader, end);
    if (payload[0] !== header.EOF || payload.length >= 9) throw new UpstreamProtocolError('rows that do not end');
    const eof = decodeEof(payload);
    const send = conversation.clientHas(capability.DEPRECATE_EOF)
      ? () => this.push(encodeOk(eofAsOk(eof), conversation.client.capabilities))
      : () => this.forward(bytes, start, end);
    return { status: eof.status, affected: undefined, send };
  }

  /** The server's error, without its text where that may hold masked values, and without our addition to the client's text. */
  serverError(bytes: Buffer, start: number, end: number, withholds: boolean, suffix: string): () => void {
    const error = decodeErr(bytes.subarray(start + packetHeader, end));
    if (withholds) return () => this.error(withheld(error));
    const message = withoutSuffix(error.message, suffix);
    if (message === error.message) return () => this.forward(bytes, start, end);
    return () => this.error({ ...error, message });
  }

  private noteChanges(state: Buffer): void {
    for (const change of decodeStateChanges(state)) {
      if (change.kind === 'schema') this.noteSetting('database', change.name);
      else this.noteSetting(change.name, change.value);
    }
  }

  /** A setting of the session as the server reports it. */
  noteSetting(name: string, value: string): void {
    const { conversation } = this;
    if (name === 'character_set_client') {
      const encoding = encodingOf(value);
      if (encoding === undefined) throw unreadableCharset(value);
      conversation.encoding = encoding;
    }
    const refusal = conversation.session.parameter(name, value);
    if (refusal !== undefined) this.unreadable(refusal);
  }
}

/** Text in this character set cannot be read: the session may not begin, or may not go on. */
export function unreadableCharset(name: string): FatalError {
  return new FatalError(
    errPacket(
      errorCode.UNKNOWN_CHARSET,
      '42000',
      `sallyport: the connection character set "${name}" is not supported (use utf8mb4, utf8mb3, ascii, binary or latin1)`,
    ),
  );
}

/** A server quotes up to 80 characters from the place of a syntax error on: without our addition they are the client's own. */
function withoutSuffix(message: string, suffix: string): string {
  if (suffix === '') return message;
  const at = message.lastIndexOf(suffix.slice(0, 14));
  if (at === -1) return message;
  const close = message.indexOf("' at line", at);
  return close === -1 ? message : message.slice(0, at) + message.slice(close);
}
