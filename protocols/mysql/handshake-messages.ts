// Messages of the connection phase, decode and encode beside each other, named as in the protocol's documentation.
import { MalformedPacket, Reader, Writer } from './bytes.ts';
import { capability, header } from './constants.ts';

/** Length of the challenge in greetings and AuthSwitchRequests, its closing NUL not counted. */
export const scrambleLength = 20;

/** Whether a server is MariaDB, by the version that its greeting tells. */
export function isMariadb(serverVersion: string): boolean {
  return /mariadb/i.test(serverVersion);
}

/** HandshakeV10: what a server says first. */
export interface Greeting {
  readonly serverVersion: string;
  readonly threadId: number;
  readonly scramble: Buffer;
  readonly capabilities: number;
  /** MariaDB only, 0 otherwise. */
  readonly extended: number;
  readonly charset: number;
  readonly status: number;
  readonly plugin: string;
}

export function encodeGreeting(greeting: Greeting): Buffer {
  return new Writer()
    .int1(10)
    .nulText(greeting.serverVersion)
    .int4(greeting.threadId)
    .raw(greeting.scramble.subarray(0, 8))
    .int1(0)
    .int2(greeting.capabilities)
    .int1(greeting.charset)
    .int2(greeting.status)
    .int2(greeting.capabilities >>> 16)
    .int1(scrambleLength + 1)
    .zeros(6)
    .int4(greeting.extended)
    .raw(greeting.scramble.subarray(8, scrambleLength))
    .int1(0)
    .nulText(greeting.plugin)
    .done();
}

export function decodeGreeting(payload: Buffer): Greeting {
  const reader = new Reader(payload);
  if (reader.int1() !== 10) throw new MalformedPacket('not a HandshakeV10');
  const serverVersion = reader.nulText();
  const threadId = reader.int4();
  const first = reader.view(8);
  reader.skip(1);
  let capabilities = reader.int2();
  const charset = reader.int1();
  const status = reader.int2();
  capabilities |= reader.int2() << 16;
  const length = reader.int1();
  reader.skip(6);
  const extended = reader.int4();
  // "length of auth-plugin-data-part-2: max(13, length - 8)", the last of it a NUL.
  const second = reader.view(Math.min(reader.left, Math.max(13, length - 8)));
  const plugin = (capabilities & capability.PLUGIN_AUTH) === 0 ? 'mysql_native_password' : untilNul(reader.rest());
  return {
    serverVersion,
    threadId,
    scramble: Buffer.concat([first, second.subarray(0, Math.max(0, second.length - 1))]),
    capabilities: capabilities >>> 0,
    // MariaDB says that it is not MySQL by leaving bit 0 clear; only then are the filler bytes capabilities.
    extended: (capabilities & capability.LONG_PASSWORD) === 0 ? extended : 0,
    charset,
    status,
    plugin,
  };
}

function untilNul(bytes: Buffer): string {
  const nul = bytes.indexOf(0);
  return bytes.toString('latin1', 0, nul === -1 ? bytes.length : nul);
}

/** HandshakeResponse41. */
export interface HandshakeResponse {
  readonly capabilities: number;
  readonly extended: number;
  readonly maxPacket: number;
  readonly charset: number;
  readonly user: string;
  readonly auth: Buffer;
  readonly database: string | undefined;
  readonly plugin: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Length of an SSLRequest, and of what a HandshakeResponse41 begins with. */
export const fixedResponseLength = 32;

function encodeFixed(response: Pick<HandshakeResponse, 'capabilities' | 'extended' | 'maxPacket' | 'charset'>): Writer {
  return new Writer()
    .int4(response.capabilities)
    .int4(response.maxPacket)
    .int1(response.charset)
    .zeros(19)
    .int4(response.extended);
}

/** The start of a HandshakeResponse41 alone, sent before TLS. */
export function encodeSslRequest(response: HandshakeResponse): Buffer {
  return encodeFixed({ ...response, capabilities: response.capabilities | capability.SSL }).done();
}

export function encodeHandshakeResponse(response: HandshakeResponse): Buffer {
  const { capabilities } = response;
  const writer = encodeFixed(response).nulText(response.user);
  if ((capabilities & capability.PLUGIN_AUTH_LENENC_CLIENT_DATA) !== 0) writer.lenencBytes(response.auth);
  else writer.int1(response.auth.length).raw(response.auth);
  if ((capabilities & capability.CONNECT_WITH_DB) !== 0) writer.nulText(response.database ?? '');
  if ((capabilities & capability.PLUGIN_AUTH) !== 0) writer.nulText(response.plugin);
  if ((capabilities & capability.CONNECT_ATTRS) !== 0) writer.lenencBytes(encodeAttributes(response.attributes));
  return writer.done();
}

/** True for a payload that asks for TLS and says nothing more. */
export function isSslRequest(payload: Buffer): boolean {
  return payload.length === fixedResponseLength && (payload.readUInt32LE(0) & capability.SSL) !== 0;
}

/** `offered` is what the greeting had: what was not offered is not there, whatever the client says. */
export function decodeHandshakeResponse(payload: Buffer, offered: number): HandshakeResponse {
  const reader = new Reader(payload);
  const capabilities = (reader.int4() & offered) >>> 0;
  if ((capabilities & capability.PROTOCOL_41) === 0) throw new MalformedPacket('a client older than protocol 4.1');
  const maxPacket = reader.int4();
  const charset = reader.int1();
  reader.skip(19);
  const extended = reader.int4();
  const user = reader.nulText();
  let auth: Buffer;
  if ((capabilities & capability.PLUGIN_AUTH_LENENC_CLIENT_DATA) !== 0) auth = reader.lenencView();
  else if ((capabilities & capability.SECURE_CONNECTION) !== 0) auth = reader.view(reader.int1());
  else auth = reader.nulView();
  const database =
    (capabilities & capability.CONNECT_WITH_DB) !== 0 && reader.left > 0 ? reader.nulText() || undefined : undefined;
  const plugin = (capabilities & capability.PLUGIN_AUTH) !== 0 && reader.left > 0 ? reader.nulText() : '';
  const attributes =
    (capabilities & capability.CONNECT_ATTRS) !== 0 && reader.left > 0
      ? decodeAttributes(reader.lenencView())
      : new Map<string, string>();
  return { capabilities, extended, maxPacket, charset, user, auth: Buffer.from(auth), database, plugin, attributes };
}

/** COM_CHANGE_USER, its command byte included. */
export interface ChangeUser {
  readonly user: string;
  readonly auth: Buffer;
  readonly database: string | undefined;
  readonly charset: number | undefined;
  readonly plugin: string;
  readonly attributes: ReadonlyMap<string, string>;
}

export function decodeChangeUser(payload: Buffer, capabilities: number): ChangeUser {
  const reader = new Reader(payload, 1);
  const user = reader.nulText();
  const auth = (capabilities & capability.SECURE_CONNECTION) !== 0 ? reader.view(reader.int1()) : reader.nulView();
  const database = reader.nulText() || undefined;
  const charset = reader.left >= 2 ? reader.int2() : undefined;
  const plugin = (capabilities & capability.PLUGIN_AUTH) !== 0 && reader.left > 0 ? reader.nulText() : '';
  const attributes =
    (capabilities & capability.CONNECT_ATTRS) !== 0 && reader.left > 0
      ? decodeAttributes(reader.lenencView())
      : new Map<string, string>();
  return { user, auth: Buffer.from(auth), database, charset, plugin, attributes };
}

/** The server takes no more than 64 KiB of attributes. */
const maxAttributes = 65_536;

function encodeAttributes(attributes: ReadonlyMap<string, string>): Buffer {
  const writer = new Writer();
  for (const [name, value] of attributes) writer.lenencText(name).lenencText(value);
  return writer.done();
}

function decodeAttributes(bytes: Buffer): Map<string, string> {
  if (bytes.length > maxAttributes) throw new MalformedPacket('too many connection attributes');
  const attributes = new Map<string, string>();
  const reader = new Reader(bytes);
  while (reader.left > 0) {
    const name = reader.lenencText();
    attributes.set(name, reader.lenencText());
  }
  return attributes;
}

/** AuthSwitchRequest: asks for another method, with a challenge of its own. */
export interface AuthSwitchRequest {
  readonly plugin: string;
  readonly data: Buffer;
}

export function encodeAuthSwitchRequest(request: AuthSwitchRequest): Buffer {
  return new Writer().int1(header.EOF).nulText(request.plugin).raw(request.data).int1(0).done();
}

export function decodeAuthSwitchRequest(payload: Buffer): AuthSwitchRequest {
  const reader = new Reader(payload, 1);
  // A lone 0xFE asks for the method of servers before 4.1.
  if (reader.left === 0) return { plugin: 'mysql_old_password', data: Buffer.alloc(0) };
  const plugin = reader.nulText();
  const data = reader.rest();
  return { plugin, data: Buffer.from(data.at(-1) === 0 ? data.subarray(0, data.length - 1) : data) };
}

/** AuthMoreData. */
export function encodeAuthMoreData(data: Uint8Array): Buffer {
  return new Writer(data.length + 1).int1(1).raw(data).done();
}
