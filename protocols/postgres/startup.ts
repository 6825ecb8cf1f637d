// The start of a client's connection: encryption, CancelRequest, and the start-up packet with its parameters.
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { type BackendKeyData, encodeNegotiateProtocolVersion } from './backend.ts';
import { attach, ByteReader } from './byte-reader.ts';
import { cancelCode } from './cancel.ts';
import { FatalError } from './errors.ts';
import { int32 } from './frames.ts';

const sslRequest = 80877103;
const gssEncRequest = 80877104;
/** MAX_STARTUP_PACKET_LENGTH of the server. */
const maxPacket = 10_000;
const newestMinor = 2;
/** First byte of a TLS ClientHello record. */
const tlsHandshake = 0x16;
const alpn = 'postgresql';

/** A client that has said what it wants, before any proof. */
export interface StartUp {
  readonly kind: 'start-up';
  readonly client: ClientConnection;
  readonly user: string;
  readonly database: string | undefined;
  /** What the client set besides, `options` taken apart into single settings. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Minor version of protocol 3 that the session speaks. */
  readonly minor: number;
  /** The client asked, by `-c sallyport.login=oauth` in its options, to log in by OAUTHBEARER. */
  readonly oauth: boolean;
}

export interface CancelRequest {
  readonly kind: 'cancel';
  readonly key: BackendKeyData;
}

/** The client's socket, encrypted or not, and the reader that is attached to it. */
export interface ClientConnection {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly encrypted: boolean;
  detach(): void;
}

/** Reads up to and including the start-up packet. */
export async function readStartUp(
  socket: Socket,
  tls: SecureContext | undefined,
  maxBytes: number,
  /** Told of the connection as it is now, so that an error can be sent where the client reads. */
  onConnection: (client: ClientConnection) => void,
): Promise<StartUp | CancelRequest> {
  let client = connection(socket, false, maxBytes);
  onConnection(client);
  let asked: 'nothing' | 'tls' = 'nothing';
  let gssAsked = false;
  const first = await client.reader.read(1);
  let head: Buffer | undefined = first;
  if (first[0] === tlsHandshake) {
    if (tls === undefined) throw new FatalError('08P01', 'sallyport: this listener has no TLS');
    client = await encrypt(client, tls, maxBytes, first);
    onConnection(client);
    // Without it another protocol's client could be lured into talking to us ("ALPACA"); the server insists on it too.
    if ((client.socket as TLSSocket).alpnProtocol !== alpn) {
      throw new FatalError(
        '08P01',
        'received direct SSL connection request without ALPN protocol negotiation extension',
      );
    }
    asked = 'tls';
    head = undefined;
  }
  for (;;) {
    const packet = await readPacket(client.reader, head);
    head = undefined;
    const code = int32(packet, 0);
    if (code === sslRequest && packet.length === 4 && asked === 'nothing') {
      asked = 'tls';
      if (tls === undefined) client.socket.write('N');
      else {
        // What was sent before the handshake could have been put there by anyone (CVE-2021-23214).
        if (client.reader.rest().length > 0) {
          throw new FatalError('08P01', 'received unencrypted data after SSL request');
        }
        client.socket.write('S');
        client = await encrypt(client, tls, maxBytes, undefined);
        onConnection(client);
      }
    } else if (code === gssEncRequest && packet.length === 4 && !gssAsked) {
      gssAsked = true;
      client.socket.write('N');
    } else if (code === cancelCode) return readCancel(packet);
    else return readParameters(packet, client);
  }
}

function connection(socket: Socket, encrypted: boolean, maxBytes: number): ClientConnection {
  const reader = new ByteReader(maxBytes);
  return { socket, reader, encrypted, detach: attach(socket, reader) };
}

async function readPacket(reader: ByteReader, head: Buffer | undefined): Promise<Buffer> {
  const header = head === undefined ? await reader.read(4) : Buffer.concat([head, await reader.read(4 - head.length)]);
  const length = int32(header, 0);
  if (length < 8 || length > maxPacket) throw new FatalError('08P01', 'invalid length of startup packet');
  return reader.read(length - 4);
}

/** TLS on the client's connection. `first` are bytes of the handshake that were read already. */
async function encrypt(
  client: ClientConnection,
  context: SecureContext,
  maxBytes: number,
  first: Buffer | undefined,
): Promise<ClientConnection> {
  client.detach();
  const { socket } = client;
  if (first !== undefined) socket.unshift(Buffer.concat([first, client.reader.rest()]));
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: [alpn],
  });
  await new Promise<void>((resolve, reject) => {
    const closed = () => reject(new FatalError('08P01', 'the TLS handshake was not finished'));
    secure.once('error', reject);
    secure.once('close', closed);
    secure.once('secure', () => {
      secure.off('error', reject);
      secure.off('close', closed);
      resolve();
    });
  });
  return connection(secure, true, maxBytes);
}

function readCancel(packet: Buffer): CancelRequest {
  const secret = packet.subarray(8);
  if (packet.length < 9 || secret.length > 256) throw new FatalError('08P01', 'invalid length of cancel request');
  return { kind: 'cancel', key: { processId: int32(packet, 4), secret: Buffer.from(secret) } };
}

function readParameters(packet: Buffer, client: ClientConnection): StartUp {
  const version = int32(packet, 0);
  const major = version >>> 16;
  const minor = version & 0xffff;
  if (major !== 3) {
    throw new FatalError(
      '0A000',
      `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.${newestMinor}`,
    );
  }
  const parameters = new Map<string, string>();
  const unknown: string[] = [];
  let user: string | undefined;
  let database: string | undefined;
  let options = '';
  let at = 4;
  for (;;) {
    const nameEnd = packet.indexOf(0, at);
    if (nameEnd < 0) throw new FatalError('08P01', 'invalid startup packet layout: expected terminator as last byte');
    if (nameEnd === at) {
      if (at !== packet.length - 1) {
        throw new FatalError('08P01', 'invalid startup packet layout: expected terminator as last byte');
      }
      break;
    }
    const valueEnd = packet.indexOf(0, nameEnd + 1);
    if (valueEnd < 0) throw new FatalError('08P01', 'invalid startup packet layout: expected terminator as last byte');
    const name = packet.toString('utf8', at, nameEnd);
    const value = packet.toString('utf8', nameEnd + 1, valueEnd);
    at = valueEnd + 1;
    if (name === 'user') user = value;
    else if (name === 'database') database = value;
    else if (name === 'options') options = value;
    else if (name.startsWith('_pq_.')) unknown.push(name);
    else parameters.set(name.toLowerCase(), value);
  }
  if (user === undefined || user === '') {
    throw new FatalError('28000', 'no PostgreSQL user name specified in startup packet');
  }
  const oauth = readOptions(options, parameters);
  checkParameters(parameters);
  if (minor > newestMinor || unknown.length > 0) {
    const spoken = Math.min(minor, newestMinor);
    client.socket.write(encodeNegotiateProtocolVersion((3 << 16) | spoken, unknown));
  }
  return {
    kind: 'start-up',
    client,
    user,
    database: database === '' ? undefined : database,
    parameters,
    minor: Math.min(minor, newestMinor),
    oauth,
  };
}

/** The setting in `options` by which a client chooses OAUTHBEARER; it is for us and goes no further. */
const loginSetting = 'sallyport.login';

/** Takes the `options` parameter apart ("pg_split_opts"): `-c name=value` and `--name=value`; other switches are refused. */
function readOptions(options: string, parameters: Map<string, string>): boolean {
  const words = (options.match(/(?:\\.|[^\s\\])+/gs) ?? []).map((word) => word.replace(/\\(.)/gs, '$1'));
  let oauth = false;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] as string;
    let setting: string | undefined;
    if (word === '-c') {
      i += 1;
      setting = words[i];
    } else if (word.startsWith('--')) setting = word.slice(2);
    else if (word.startsWith('-c')) setting = word.slice(2);
    const equals = setting?.indexOf('=') ?? -1;
    if (setting === undefined || equals <= 0) {
      throw new FatalError('0A000', `sallyport: the start-up option "${word}" is not supported`, {
        hint: 'Only -c name=value and --name=value are passed on.',
      });
    }
    const name = setting.slice(0, equals).replaceAll('-', '_').toLowerCase();
    const value = setting.slice(equals + 1);
    if (name === loginSetting) oauth = value.toLowerCase() === 'oauth';
    // A parameter of the packet itself wins over the options ("process_startup_options").
    else if (!parameters.has(name)) parameters.set(name, value);
  }
  return oauth;
}

const utf8Names = new Set(['utf8', 'unicode']);
const offNames = new Set(['off', 'false', 'no', '0', 'of', 'f', 'fa', 'fal', 'fals', 'n']);

function checkParameters(parameters: Map<string, string>): void {
  const replication = parameters.get('replication');
  if (replication !== undefined && !offNames.has(replication.toLowerCase())) {
    throw new FatalError('0A000', 'sallyport: replication connections are not supported');
  }
  parameters.delete('replication');
  for (const [name, value] of parameters) {
    const problem = unreadable(name, value);
    if (problem !== undefined) throw problem;
  }
}

/** Why text could no longer be read as the server reads it if this setting held; undefined when it can. */
export function unreadable(name: string, value: string): FatalError | undefined {
  if (name === 'client_encoding' && !utf8Names.has(value.toLowerCase().replace(/[^a-z0-9]/g, ''))) {
    return new FatalError('0A000', `sallyport: client_encoding "${value}" is not supported`, {
      hint: 'Set client_encoding to UTF8.',
    });
  }
  if (name === 'standard_conforming_strings' && offNames.has(value.toLowerCase())) {
    return new FatalError('0A000', 'sallyport: standard_conforming_strings must be on', {
      hint: 'With it off, statements would be read differently by the gateway and by the server.',
    });
  }
  return undefined;
}
