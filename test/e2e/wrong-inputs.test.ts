// Wrong input on the wire: each gets a clear error or a closed connection, and nobody else notices.
import { connect, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { house } from './support.ts';

const at = house();
let bystander: pg.Client;

beforeAll(async () => {
  bystander = new pg.Client(await at().client());
  await bystander.connect();
});
afterAll(() => bystander.end());

/** A socket that remembers what it got. */
class Wire {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  send(...parts: readonly (Buffer | string)[]): this {
    this.socket.write(
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))),
    );
    return this;
  }

  async until(condition: (wire: this) => boolean, what: string): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if (condition(this)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(
      `${what} did not happen; received ${JSON.stringify(this.received.toString('latin1').slice(0, 300))}`,
    );
  }

  /** Waits for an ErrorResponse and gives its fields. */
  async error(): Promise<Map<string, string>> {
    let found: Map<string, string> | undefined;
    await this.until(() => {
      found = errorIn(this.received);
      return found !== undefined;
    }, 'an ErrorResponse');
    return found ?? new Map();
  }

  async ready(): Promise<void> {
    await this.until(() => letters(this.received).includes('Z'), 'ReadyForQuery');
    this.received = Buffer.alloc(0);
  }
}

function* frames(bytes: Buffer): Generator<[string, Buffer]> {
  for (let offset = 0; offset + 5 <= bytes.length; ) {
    const end = offset + 1 + bytes.readInt32BE(offset + 1);
    if (end > bytes.length) return;
    yield [String.fromCharCode(bytes[offset] ?? 0), bytes.subarray(offset + 5, end)];
    offset = end;
  }
}

const letters = (bytes: Buffer) => [...frames(bytes)].map(([letter]) => letter).join('');

function errorIn(bytes: Buffer): Map<string, string> | undefined {
  for (const [letter, body] of frames(bytes)) {
    if (letter !== 'E') continue;
    return new Map(
      body
        .toString('utf8')
        .split('\0')
        .filter((field) => field !== '')
        .map((field) => [field.slice(0, 1), field.slice(1)] as const),
    );
  }
  return undefined;
}

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const startup = (body: string, version = 196_608) =>
  Buffer.concat([int32(8 + body.length), int32(version), Buffer.from(body, 'latin1')]);
const message = (letter: string, body: Buffer | string) =>
  Buffer.concat([
    Buffer.from(letter),
    int32(4 + Buffer.byteLength(body)),
    typeof body === 'string' ? Buffer.from(body, 'utf8') : body,
  ]);
const hello = startup('user\0agent\0database\0shop\0\0');

async function loggedIn(): Promise<Wire> {
  const wire = new Wire(at().port).send(hello);
  await wire.until(({ received }) => letters(received).startsWith('R'), 'AuthenticationCleartextPassword');
  wire.send(message('p', `${await at().token()}\0`));
  await wire.ready();
  return wire;
}

async function othersGoOn(): Promise<void> {
  expect((await bystander.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
}

/** Before login: what is sent, and whether an ErrorResponse must come before the connection is closed. */
const beforeLogin: readonly (readonly [string, readonly (Buffer | string)[], 'error' | 'closed'])[] = [
  ['an HTTP request', ['GET / HTTP/1.1\r\nHost: x\r\n\r\n'], 'closed'],
  ['a start-up packet that claims 2 GB', [int32(0x7fffffff), int32(196_608)], 'closed'],
  ['a start-up packet of length 0', [int32(0), int32(0)], 'closed'],
  ['a start-up packet of length 7', [int32(7), int32(196_608)], 'closed'],
  ['protocol version 2', [startup('', 131_072)], 'error'],
  ['protocol version 9', [startup('user\0agent\0\0', 9 << 16)], 'error'],
  ['a start-up packet without a user', [startup('database\0shop\0\0')], 'error'],
  ['a start-up packet without a terminator', [startup('user\0agent')], 'error'],
  ['a replication connection', [startup('user\0agent\0database\0shop\0replication\0database\0\0')], 'error'],
  ['a client encoding other than UTF8', [startup('user\0agent\0database\0shop\0client_encoding\0SJIS\0\0')], 'error'],
  ['a query in place of a password', [hello, message('Q', 'select 1\0')], 'error'],
  ['a password message that claims 2 GB', [hello, 'p', int32(0x7fffffff)], 'error'],
  ['an empty password', [hello, message('p', '\0')], 'error'],
  ['a password without a terminator', [hello, message('p', 'secret')], 'error'],
  [
    'an SSLRequest followed by garbage',
    [int32(8), int32(80_877_103), 'not a TLS hello at all, and no start-up packet'],
    'closed',
  ],
  ['a cancel request with a wrong key', [int32(16), int32(80_877_102), int32(1), int32(2)], 'closed'],
  ['a cancel request cut short', [int32(12), int32(80_877_102), int32(1)], 'closed'],
];

test.each(beforeLogin)('%s ends that connection and no other', async (_name, parts, expected) => {
  const wire = new Wire(at().port).send(...parts);
  if (expected === 'error') {
    const error = await wire.error();
    expect(error.get('S')).toBe('FATAL');
    expect(error.get('M')).toBeTruthy();
  }
  await wire.until(({ closed }) => closed, 'the end of the connection');
  await othersGoOn();
});

test('a connection that is cut in the middle of a start-up packet leaves nothing behind', async () => {
  const wire = new Wire(at().port).send(hello.subarray(0, 10));
  await wire.until(({ socket }) => socket.bytesWritten === 10, 'the write');
  wire.socket.destroy();
  await othersGoOn();
});

/** After login, errors after which the session must be gone. */
const fatal: readonly (readonly [string, readonly (Buffer | string)[]])[] = [
  ['an unknown message type', [message('!', 'x')]],
  ['a query that claims 2 GB', ['Q', int32(0x7fffffff)]],
  ['a frame of length 3', ['Q', int32(3)]],
  ['a frame of length 0', ['S', int32(0)]],
  ['a start-up packet in the middle of a session', [hello]],
];

test.each(fatal)('%s ends that session with an error and no other', async (_name, parts) => {
  const wire = (await loggedIn()).send(...parts);
  const error = await wire.error();
  expect(error.get('S')).toBe('FATAL');
  await wire.until(({ closed }) => closed, 'the end of the connection');
  await othersGoOn();
});

/** After login, errors after which the session goes on. */
const survivable: readonly (readonly [string, readonly (Buffer | string)[]])[] = [
  ['a query without a terminator', [message('Q', 'select 1'), message('S', '')]],
  ['invalid UTF-8 in a query', [message('Q', Buffer.from([0x73, 0x65, 0xff, 0xfe, 0x00]))]],
  ['a Bind cut short', [message('B', '\0\0'), message('S', '')]],
  ['a Parse without a parameter count', [message('P', '\0select 1\0'), message('S', '')]],
  [
    'an Execute of a portal that is not there',
    [message('E', Buffer.from('nowhere\0\0\0\0\0', 'latin1')), message('S', '')],
  ],
  ['a Describe of neither statement nor portal', [message('D', 'Xname\0'), message('S', '')]],
  ['a function call', [message('F', Buffer.alloc(14)), message('S', '')]],
];

test.each(survivable)('%s is an error and the session goes on', async (_name, parts) => {
  const wire = (await loggedIn()).send(...parts);
  const error = await wire.error();
  expect(error.get('M')).toBeTruthy();
  if (!wire.closed && error.get('S') === 'ERROR') {
    await wire.ready();
    wire.send(message('Q', 'select 41 + 1\0'));
    await wire.until(({ received }) => letters(received).includes('D'), 'a row');
    wire.socket.destroy();
  }
  await othersGoOn();
});

test('copy data outside a copy is ignored as the server ignores it', async () => {
  const wire = (await loggedIn()).send(message('d', 'stray'), message('c', ''), message('Q', 'select 1\0'));
  await wire.until(({ received }) => letters(received).includes('Z'), 'ReadyForQuery');
  wire.socket.destroy();
  await othersGoOn();
});

test('100 MB of SQL is refused with an error while others work, and the session goes on', async () => {
  const wire = await loggedIn();
  wire.send(message('Q', `select '${'x'.repeat(100 * 1024 * 1024)}'\0`));
  await othersGoOn();
  const error = await wire.error();
  expect(error.get('C')).toBe('54000');
  wire.received = Buffer.alloc(0);
  wire.send(message('Q', 'select 1\0'));
  await wire.until(({ received }) => letters(received).includes('D'), 'a row');
  wire.socket.destroy();
  await othersGoOn();
});
