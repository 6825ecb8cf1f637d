// A mutation fuzzer for both directions of the Postgres relay: recorded conversations with bytes changed, cut, repeated and moved.
// After each mutant the gateway must still serve others; nothing may hang, crash or be called an internal error, and nothing that is no login
// may reach the upstream. Many mutants are under way at once, most of them against a server that only pretends: a million takes minutes.
import { createServer, type Socket } from 'node:net';
import type { EmbeddedServer } from '../../../src/store/embedded.ts';
import {
  type Gateway,
  int32,
  message,
  RawClient,
  type RawMessage,
  say,
  stars,
  startGateway,
  startUp,
  word,
} from './support.ts';

export interface FuzzReport {
  readonly mutants: number;
  readonly problems: readonly string[];
}

/** A small generator of numbers that a seed repeats (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function mutate(bytes: Buffer, next: () => number): Buffer {
  let mutant = Buffer.from(bytes);
  const below = (limit: number) => Math.floor(next() * limit);
  for (let i = 0; i <= below(4); i += 1) {
    if (mutant.length === 0) return mutant;
    const at = below(mutant.length);
    switch (below(6)) {
      case 0:
        mutant[at] = below(256);
        break;
      case 1:
        mutant[at] = (mutant[at] ?? 0) ^ (1 << below(8));
        break;
      case 2:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + below(12))]);
        break;
      case 3:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at, at + below(60)), mutant.subarray(at)]);
        break;
      case 4: {
        const value = [0, -1, 4, 5, 0x7fffffff, -0x80000000, 0x3fffffff, 65_536][below(8)] ?? 0;
        if (at + 4 <= mutant.length) mutant.writeInt32BE(value, at);
        break;
      }
      default:
        mutant = mutant.subarray(0, at);
    }
  }
  return mutant;
}

const names = (value: string) => Buffer.from(`${value}\0`);
const field = (name: string) =>
  Buffer.concat([
    names(name),
    int32(0),
    Buffer.from([0, 0]),
    int32(25),
    Buffer.from([255, 255]),
    int32(-1),
    Buffer.from([0, 0]),
  ]);
const cells = (...values: string[]) =>
  message(
    'D',
    Buffer.concat([
      Buffer.from([0, values.length]),
      ...values.map((v) => Buffer.concat([int32(v.length), Buffer.from(v)])),
    ]),
  );
const end = (tag: string) => [message('C', names(tag)), message('Z', Buffer.from('I'))];
const fields = message('T', Buffer.concat([Buffer.from([0, 3]), field('id'), field('ssn'), field('email')]));
/** What servers say to a query. The first shows masked columns. */
const answers: readonly Buffer[] = [
  Buffer.concat([
    message('1'),
    message('2'),
    fields,
    cells('1', 'secret', 'secret'),
    message('N', names('SNOTICE\0C00000\0Mhello\0')),
    cells('2', 'secret', 'secret'),
    message('S', names('TimeZone\0UTC')),
    ...end('SELECT 2'),
  ]),
  Buffer.concat([
    message('H', Buffer.from([0, 0, 3, 0, 0, 0, 0, 0, 0])),
    message('d', Buffer.from('1\tsecret\tsecret\n')),
    message('A', Buffer.concat([int32(7), names('news'), names('payload')])),
    message('d', Buffer.from('2\tsecret\tsec\\ret\n')),
    message('c'),
    ...end('COPY 2'),
  ]),
  Buffer.concat([
    message('G', Buffer.from([0, 0, 1, 0, 0])),
    message('E', names('SERROR\0C57014\0Mstopped\0')),
    message('Z', Buffer.from('E')),
  ]),
  Buffer.concat([
    fields,
    cells('1', 'secret', 'secret'),
    message('s'),
    message('I'),
    message('n'),
    message('3'),
    ...end('SELECT 1'),
    message('E', names('SFATAL\0C57P01\0Mgone\0')),
  ]),
];
const greeting = Buffer.concat([
  message('R', int32(0)),
  message('S', names('client_encoding\0UTF8')),
  message('S', names('standard_conforming_strings\0on')),
  message('K', Buffer.concat([int32(7), int32(8)])),
  message('Z', Buffer.from('I')),
]);
const greetings: readonly Buffer[] = [
  greeting,
  Buffer.concat([message('v', Buffer.concat([int32(0x30000), int32(1), names('_pq_.x')])), greeting]),
  Buffer.concat([message('R', int32(3)), greeting]),
  Buffer.concat([message('R', Buffer.concat([int32(5), int32(77)])), greeting]),
  Buffer.concat([
    message('R', Buffer.concat([int32(10), names('SCRAM-SHA-256'), Buffer.from([0])])),
    message('R', Buffer.concat([int32(11), Buffer.from('r=x,s=eA==,i=4096')])),
    greeting,
  ]),
];

const conversations: readonly Buffer[] = [
  Buffer.concat([
    say.query('select 1; select 2'),
    say.parse('s', 'select 1'),
    say.bind('p', 's', ['1', null]),
    say.describe('P', 'p'),
    say.execute('p', 1),
    say.close('S', 's'),
    say.flush,
    say.sync,
    say.query('copy t from stdin'),
    say.copyData('1\n'),
    say.copyDone,
    say.query('select 3'),
    say.terminate,
  ]),
  Buffer.concat([
    say.parse('', 'insert into t values ($1, $2)'),
    say.describe('S', ''),
    ...[1, 2, 3].flatMap((n) => [say.bind('', '', [String(n), 'x'.repeat(n * 40)], true), say.execute('')]),
    say.sync,
    say.query('copy t from stdin (format binary)'),
    say.copyData(Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff', 'latin1')),
    say.copyFail('no'),
    say.query('begin; savepoint a; select 1/0; rollback'),
    message('F', Buffer.concat([int32(100), Buffer.alloc(6)])),
    say.terminate,
  ]),
];

/** Ways to begin that do not log in. */
const beginnings: readonly Buffer[] = [
  startUp(),
  startUp({
    minor: 2,
    parameters: { options: '-c search_path=a -c sallyport.login=oauth', application_name: 'x', '_pq_.y': '1' },
  }),
  Buffer.concat([int32(8), int32(80877103), startUp()]),
  Buffer.concat([int32(8), int32(80877104), int32(8), int32(80877103), startUp({ minor: 9 })]),
  Buffer.concat([int32(16), int32(80877102), int32(7), int32(8)]),
  Buffer.concat([
    startUp(),
    message('p', Buffer.concat([names('SCRAM-SHA-256'), int32(3), Buffer.from('n,,')])),
  ]).subarray(0, -4),
];

/** Takes whatever comes and answers each message as a server in a hurry does. */
function pretend(socket: Socket): void {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    const said: Buffer[] = [];
    while (pending.length >= 5) {
      const length = pending.readInt32BE(1) + 1;
      if (length < 5) return void socket.destroy();
      if (pending.length < length) break;
      const letter = String.fromCharCode(pending[0] ?? 0);
      const body = pending.toString('latin1', 5, length);
      pending = pending.subarray(length);
      if (letter === 'X') socket.end();
      else if (letter === 'Q') {
        if (body.includes('stdin')) said.push(message('G', Buffer.from([0, 0, 1, 0, 0])));
        else said.push(...body.split(';').map(() => message('C', names('SELECT 0'))), message('Z', Buffer.from('I')));
      } else if (letter === 'P') said.push(message('1'));
      else if (letter === 'B') said.push(message('2'));
      else if (letter === 'D')
        said.push(...(body.startsWith('S') ? [message('t', Buffer.from([0, 0]))] : []), message('n'));
      else if (letter === 'E') said.push(message('C', names('SELECT 0')));
      else if (letter === 'C') said.push(message('3'));
      else if (letter === 'S') said.push(message('Z', Buffer.from('I')));
      else if (letter === 'c') said.push(...end('COPY 1'));
      else if (letter === 'f') said.push(message('E', names('SERROR\0C57014\0Mno\0')), message('Z', Buffer.from('I')));
    }
    if (said.length > 0) socket.write(Buffer.concat(said));
  });
}

export const directions = ['client', 'start-up', 'server', 'server login', 'client of a real server'] as const;
export type Direction = (typeof directions)[number];

const recorded: Readonly<Record<Direction, readonly Buffer[]>> = {
  client: conversations,
  'client of a real server': conversations,
  'start-up': beginnings,
  server: answers,
  'server login': greetings,
};

/** Runs `count` mutants of what clients send, or of what the server sends. */
export async function fuzz(
  server: EmbeddedServer,
  direction: Direction,
  count: number,
  seed: number,
): Promise<FuzzReport> {
  const next = random(seed);
  const problems: string[] = [];
  /** Of the server's side: what to say to the query or the login with this number. */
  const wrong = new Map<string, Buffer>();
  let reached = 0;
  const sockets = new Set<Socket>();
  const fake = createServer((socket) => {
    reached += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (first: Buffer) => {
      if (direction === 'server login') {
        socket.end(wrong.get(/number\0(\d+)\0/.exec(first.toString('latin1'))?.[1] ?? '') ?? greeting);
        return;
      }
      socket.write(greeting);
      if (direction !== 'server') pretend(socket);
      else
        socket.once('data', (query: Buffer) =>
          socket.end(wrong.get(/select (\d+)/.exec(query.toString('latin1'))?.[1] ?? '') ?? greeting),
        );
    });
  });
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
  const { port } = fake.address() as { port: number };
  const gateway = await startGateway(server, {
    ...(direction === 'client of a real server'
      ? {}
      : { upstream: { port, ...(direction === 'server login' ? { password: 'secret' } : {}) } }),
    masks: (column) => ({ ssn: stars, email: word('hidden') })[column.name],
    limits: { lingerMs: 500, loginMs: 3_000, connectMs: 3_000, maxUnauthenticated: 1_000 },
  });

  async function one(i: number): Promise<void> {
    const originals = recorded[direction];
    const mutant = mutate(originals[Math.floor(next() * originals.length)] ?? Buffer.alloc(0), next);
    const label = `${direction} mutant ${i} of seed ${seed}`;
    wrong.set(String(i), mutant);
    const open = { parameters: direction === 'server login' ? { 'x.number': String(i) } : {} };
    const client = await (direction === 'start-up'
      ? RawClient.connect(gateway.port)
      : RawClient.open(gateway.port, open)
    ).catch(() => undefined);
    if (client === undefined) {
      problems.push(`${label}: the login hangs`);
      return;
    }
    if (direction === 'server') client.send(say.query(`select ${i}`));
    else client.socket.end(direction === 'server login' ? Buffer.alloc(0) : mutant);
    try {
      await client.until(() => client.closed, 5_000);
    } catch {
      problems.push(`${label} hangs`);
      client.socket.destroy();
    }
    wrong.delete(String(i));
    if (direction === 'server' && leaks(client.messages)) problems.push(`${label} leaks`);
    const internal = gateway.errors.find((error) => JSON.stringify(error).includes('internal error'));
    if (internal !== undefined) problems.push(`${label}, or one beside it: ${JSON.stringify(internal)}`);
    gateway.errors.length = 0;
    forget(gateway);
  }

  let begun = 0;
  const worker = async () => {
    while (begun < count && problems.length <= 20) await one(begun++);
  };
  try {
    await Promise.all(Array.from({ length: direction === 'client of a real server' ? 8 : 32 }, worker));
    if (direction === 'start-up' && reached > 0)
      problems.push(`${reached} of seed ${seed} reached the upstream before a login`);
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, 5_000)),
      (async () => {
        while (gateway.listener.sessions + gateway.listener.waiting > 0)
          await new Promise((resolve) => setTimeout(resolve, 20));
      })(),
    ]);
    if (gateway.listener.sessions > 0) problems.push(`${gateway.listener.sessions} sessions of seed ${seed} were left`);
  } finally {
    await gateway.stop();
    for (const socket of sockets) socket.destroy();
    fake.close();
  }
  return { mutants: begun, problems };
}

/** Whether a row shows the masked columns of the description before it: as a client reads them, by their names and lengths. */
function leaks(messages: readonly RawMessage[]): boolean {
  let masked: readonly boolean[] = [];
  for (const { type, body } of messages) {
    if (type === 'T') masked = describedNames(body).map((name) => name === 'ssn' || name === 'email');
    if (type !== 'D') continue;
    let at = 2;
    for (const hidden of masked) {
      const length = at + 4 <= body.length ? body.readInt32BE(at) : body.length;
      at += 4;
      if (length < 0) continue;
      if (at + length > body.length) break;
      if (hidden && body.subarray(at, at + length).includes('secret')) return true;
      at += length;
    }
  }
  return false;
}

function describedNames(body: Buffer): string[] {
  const found: string[] = [];
  for (let at = 2; at < body.length; ) {
    const stop = body.indexOf(0, at);
    if (stop < 0) break;
    found.push(body.toString('latin1', at, stop));
    at = stop + 19;
  }
  return found;
}

/** What the test's gate keeps of each session would fill the memory. */
function forget(gateway: Gateway): void {
  for (const list of [gateway.settled, gateway.opened, gateway.hellos, gateway.ends, gateway.statuses]) list.length = 0;
}
