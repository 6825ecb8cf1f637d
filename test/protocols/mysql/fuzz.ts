// A mutation fuzzer for both directions of the MySQL relay: conversations with bytes changed, cut, repeated and moved, between a client
// and a server that are both ours. Nothing may hang, crash, leak or be called an internal error.
import type { Socket } from 'node:net';
import { Writer } from '../../../protocols/mysql/bytes.ts';
import { capability, command } from '../../../protocols/mysql/constants.ts';
import { encodeGreeting, encodeHandshakeResponse } from '../../../protocols/mysql/handshake-messages.ts';
import { decodeColumnDefinition, decodeErr, encodeOk, okPacket } from '../../../protocols/mysql/messages.ts';
import { frame, PayloadCutter } from '../../../protocols/mysql/packets.ts';
import { readingEvents } from '../../../protocols/mysql/upstream-socket.ts';
import { socketPair } from './memory.ts';
import { type Packet, plainCapabilities, say } from './raw.ts';
import { stars, startGateway, word } from './support.ts';

export interface FuzzReport {
  readonly mutants: number;
  readonly problems: readonly string[];
}

export type Direction = 'client' | 'login' | 'server' | 'server login';

/** A small generator of numbers that a seed repeats (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const strange = [0, 1, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];

function mutate(bytes: Buffer, next: () => number): Buffer {
  let mutant = Buffer.from(bytes);
  const below = (limit: number) => Math.floor(next() * limit);
  for (let count = below(4); count >= 0 && mutant.length > 0; count -= 1) {
    const at = below(mutant.length);
    switch (below(7)) {
      case 0:
        mutant[at] = below(256);
        break;
      case 1:
        mutant[at] = (mutant[at] ?? 0) ^ (1 << below(8));
        break;
      case 2:
        // Lengths, NULLs and first bytes of packets.
        mutant[at] = strange[below(strange.length)] ?? 0;
        break;
      case 3:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + below(12))]);
        break;
      case 4:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at, at + below(60)), mutant.subarray(at)]);
        break;
      case 5:
        if (at + 3 <= mutant.length) mutant.writeUIntLE([0, 1, 0xffffff, 0x10000, 0x7fffff][below(5)] ?? 0, at, 3);
        break;
      default:
        mutant = mutant.subarray(0, at);
    }
  }
  return mutant;
}

const packets = (...payloads: readonly Buffer[]) =>
  Buffer.concat(payloads.map((payload, index) => frame(payload, index + 1)));
const cells = (...values: readonly (string | null)[]) => {
  const row = new Writer();
  for (const value of values) {
    if (value === null) row.int1(0xfb);
    else row.lenencText(value);
  }
  return row.done();
};
const column = (name: string, type = 0xfd) => {
  const definition = new Writer();
  for (const part of ['def', 'crm', 'people', 'people', name, name]) definition.lenencText(part);
  return definition.lenenc(12).int2(45).int4(80).int1(type).int2(0).int1(0).int2(0).done();
};
const eof = Buffer.from([0xfe, 0, 0, 2, 0]);
const columns = [column('id', 3), column('ssn'), column('email')];
const textRows = [cells('1', 'secret', 'secret'), cells('2', null, 'secret')];
const binaryRows = [
  new Writer().int1(0).int1(0).int4(1).lenencText('secret').lenencText('secret').done(),
  new Writer().int1(0).int1(8).int4(2).lenencText('secret').done(),
];
const textAnswer = packets(Buffer.from([3]), ...columns, eof, ...textRows, eof);
const binaryAnswer = packets(Buffer.from([3]), ...columns, eof, ...binaryRows, eof);
const prepareAnswer = packets(
  new Writer().int1(0).int4(1).int2(3).int2(1).int1(0).int2(0).done(),
  column('?'),
  eof,
  ...columns,
  eof,
);
const ok = frame(encodeOk(okPacket(2), 0), 1);
const tracked = frame(encodeOk(okPacket(2), 0), 1);
const settings = ['8.0.36', '', 'utf8mb4', 'utf8mb4', 'utf8mb4', 'utf8mb4_general_ci', '0', 'SYSTEM', '1', 'crm', ''];
const settingsAnswer = packets(
  Buffer.from([settings.length]),
  ...settings.map(() => column('x')),
  eof,
  cells(...settings),
  eof,
);
const greeting = frame(
  encodeGreeting({
    serverVersion: '8.0.36',
    threadId: 1,
    scramble: Buffer.alloc(20, 65),
    capabilities: 0x80ff_f7ff,
    extended: 0,
    charset: 45,
    status: 2,
    plugin: 'mysql_native_password',
  }),
  0,
);

const conversation = Buffer.concat(
  [
    say.query('SELECT 1; SELECT 2'),
    say.prepare('SELECT ?'),
    say.longData(1, 0, 'long'),
    say.execute(1, ['value']),
    say.execute(1, ['value'], { cursor: 1 }),
    say.fetch(1, 5),
    say.reset(1),
    say.initDb('crm'),
    say.fieldList('people'),
    say.setOption(0),
    say.ping,
    say.resetConnection,
    say.statistics,
    say.kill(7),
    say.close(1),
    say.query('SELECT 3'),
    Buffer.concat([
      Buffer.from([command.CHANGE_USER]),
      Buffer.from('agent\0\x06token\0crm\0\x2d\0mysql_clear_password\0'),
    ]),
    say.query('SELECT 4'),
    say.quit,
  ].map((payload) => frame(payload, 0)),
);

const response = frame(
  encodeHandshakeResponse({
    capabilities: plainCapabilities | capability.CONNECT_ATTRS | capability.PLUGIN_AUTH_LENENC_CLIENT_DATA,
    extended: 0,
    maxPacket: 0x1000000,
    charset: 45,
    user: 'agent',
    auth: Buffer.from('token\0'),
    database: 'crm',
    plugin: 'mysql_clear_password',
    attributes: new Map([['program_name', 'fuzz']]),
  }),
  1,
);

/** What a mutant replaces of what the server says. */
interface Lies {
  answer: Buffer | undefined;
  greeting: Buffer | undefined;
}

/** A server that knows no SQL: every query has the same rows. */
function serve(socket: Socket, lies: Lies): void {
  const cutter = new PayloadCutter(() => 1_000_000);
  let greeted = false;
  socket.on('error', () => {});
  socket.write(lies.greeting ?? greeting);
  socket.on('data', (chunk: Buffer) => {
    cutter.push(chunk);
    try {
      for (let payload = cutter.take(greeted ? 0 : 1); payload !== undefined; payload = cutter.take(greeted ? 0 : 1)) {
        if (greeted) {
          const answer = answerTo(payload.bytes);
          const own = answer !== settingsAnswer && answer !== tracked;
          socket.write(own ? (lies.answer ?? answer) : answer);
          if (own && lies.answer !== undefined) socket.end();
        } else socket.write(frame(encodeOk(okPacket(2), 0), 2));
        greeted = true;
      }
    } catch {
      // The gateway keeps to the protocol; only a mutated greeting can lead here.
      socket.destroy();
    }
  });
}

function answerTo(payload: Buffer): Buffer {
  switch (payload[0]) {
    case command.QUERY: {
      const text = payload.toString('latin1', 1, 40);
      if (text.startsWith('SET session_track')) return tracked;
      return text.startsWith('SELECT @@version') ? settingsAnswer : textAnswer;
    }
    case command.FIELD_LIST:
      return packets(column('id'), eof);
    case command.STMT_PREPARE:
      return prepareAnswer;
    case command.STMT_EXECUTE:
      return binaryAnswer;
    case command.STATISTICS:
      return frame(Buffer.from('Uptime: 1'), 1);
    case command.STMT_SEND_LONG_DATA:
    case command.STMT_CLOSE:
    case command.QUIT:
      return Buffer.alloc(0);
    default:
      return ok;
  }
}

/** Whether the client was shown a masked row as the server gave it, with both masked columns described by their names. */
function leaks(received: readonly Packet[]): boolean {
  const described = received.flatMap(({ payload }) => {
    try {
      return [decodeColumnDefinition(payload, false).orgName];
    } catch {
      return [];
    }
  });
  if (!described.includes('ssn') || !described.includes('email')) return false;
  return received.some(({ payload }) => [...textRows, ...binaryRows].some((row) => row.equals(payload)));
}

/** Errors of a login that was not let in; a server that cannot be reached is another matter. */
const loginErrors: ReadonlySet<number> = new Set([1043, 1045]);

/** The packets in what a client was sent; a last one that is cut is left out. */
function packetsIn(bytes: Buffer): Packet[] {
  const found: Packet[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUIntLE(at, 3);
    if (end > bytes.length) break;
    found.push({ sequence: bytes[at + 3] ?? 0, payload: bytes.subarray(at + 4, end) });
    at = end;
  }
  return found;
}

/** One gateway with its server and its clients, all in this process and without a network. */
async function openLane() {
  const lies: Lies = { answer: undefined, greeting: undefined };
  let reached = 0;
  const gateway = await startGateway(
    { host: '127.0.0.1', port: 1, user: 'root', password: '', database: 'crm' },
    {
      masks: ({ orgName }) => ({ ssn: stars, email: word('hidden') })[orgName],
      limits: { lingerMs: 100, loginMs: 300, connectMs: 100 },
      listener: {
        connect() {
          const [socket, server] = socketPair();
          reached += 1;
          process.nextTick(() => {
            socket.emit('connect');
            serve(server, lies);
          });
          return { socket, reading: readingEvents(socket) };
        },
      },
    },
  );

  /** Sends what a client sends, and resolves with what it was sent when the connection has ended; undefined where it does not end. */
  function converse(sent: Buffer, ends: boolean): Promise<Packet[] | undefined> {
    const [client, accepted] = socketPair();
    const chunks: Buffer[] = [];
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(undefined);
        client.destroy();
      }, 10_000);
      client.on('data', (chunk: Buffer) => chunks.push(chunk));
      client.on('error', () => {});
      client.once('close', () => {
        clearTimeout(timer);
        resolve(packetsIn(Buffer.concat(chunks)));
      });
      gateway.listener.handle(accepted);
      if (ends) client.end(sent);
      else client.write(sent);
    });
  }

  async function run(direction: Direction, label: string, next: () => number): Promise<string[]> {
    const before = reached;
    const binary = next() < 0.5;
    let received: Packet[] | undefined;
    if (direction === 'login') received = await converse(mutate(response, next), true);
    else if (direction === 'client')
      received = await converse(Buffer.concat([response, mutate(conversation, next)]), true);
    else {
      if (direction === 'server') lies.answer = mutate(binary ? binaryAnswer : textAnswer, next);
      else lies.greeting = mutate(greeting, next);
      const asked = [frame(say.query('SELECT 1'), 0), ...(direction === 'server login' ? [frame(say.quit, 0)] : [])];
      received = await converse(Buffer.concat([response, ...asked]), false);
    }
    const found: string[] = [];
    if (received === undefined) found.push(`${label} hangs`);
    const refusedLogin = received?.some(
      ({ payload }) => payload[0] === 0xff && payload.length > 3 && loginErrors.has(decodeErr(payload).code),
    );
    if (direction === 'login' && refusedLogin === true && reached !== before) {
      found.push(`${label} reached the server though its login was refused`);
    }
    if (direction === 'server' && leaks(received ?? [])) found.push(`${label} leaks`);
    const internal = gateway.errors.find((error) => JSON.stringify(error).includes('internal error'));
    if (internal !== undefined) found.push(`${label}: ${JSON.stringify(internal)}`);
    gateway.errors.length = 0;
    for (const notes of [gateway.settled, gateway.opened, gateway.hellos, gateway.ends, gateway.statuses])
      notes.length = 0;
    return found;
  }

  /** Resolves with what is wrong at the end. */
  async function close(): Promise<string[]> {
    for (let tries = 0; gateway.listener.sessions + gateway.listener.waiting > 0 && tries < 150; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const left = gateway.listener.sessions;
    await gateway.stop();
    return left === 0 ? [] : [`${left} sessions were left`];
  }

  return { run, close };
}

/** Runs `count` mutants of what clients send, or of what servers send; each has numbers of its own, so that one can be run again. */
export async function fuzz(direction: Direction, count: number, seed: number): Promise<FuzzReport> {
  const problems: string[] = [];
  let index = 0;
  // Most of a mutant's time may be a wait for what does not come: several are under way at a time.
  const lanes = await Promise.all(Array.from({ length: Math.min(200, Math.ceil(count / 10)) }, openLane));
  await Promise.all(
    lanes.map(async (lane) => {
      while (index < count && problems.length <= 20) {
        const number = index++;
        const next = random(seed + number * 7919);
        problems.push(...(await lane.run(direction, `${direction} mutant ${number} of seed ${seed}`, next)));
      }
      problems.push(...(await lane.close()));
    }),
  );
  return { mutants: index, problems };
}
