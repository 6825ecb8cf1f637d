// A mutation fuzzer for both directions of the Postgres relay: recorded conversations with bytes changed, cut, repeated and moved.
// After each mutant the gateway must still serve another session; nothing may hang, crash or be called an internal error.
import { createServer, type Server } from 'node:net';
import type { EmbeddedServer } from '../../../src/store/embedded.ts';
import { int32, message, RawClient, say, stars, startGateway, startUp, word } from './support.ts';

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
const answer = Buffer.concat([
  message('1'),
  message('2'),
  message('T', Buffer.concat([Buffer.from([0, 3]), field('id'), field('ssn'), field('email')])),
  cells('1', 'secret', 'secret'),
  message('N', names('SNOTICE\0C00000\0Mhello\0')),
  cells('2', 'secret', 'secret'),
  message('S', names('TimeZone\0UTC')),
  message('C', names('SELECT 2')),
  message('Z', Buffer.from('I')),
]);
const greeting = Buffer.concat([
  message('R', int32(0)),
  message('S', names('client_encoding\0UTF8')),
  message('K', Buffer.concat([int32(7), int32(8)])),
  message('Z', Buffer.from('I')),
]);

const conversation = Buffer.concat([
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
]);

/** Runs `count` mutants of what clients send, or of what the server sends. */
export async function fuzz(
  server: EmbeddedServer,
  direction: 'client' | 'start-up' | 'server',
  count: number,
  seed: number,
): Promise<FuzzReport> {
  const next = random(seed);
  const problems: string[] = [];
  let wrong: Buffer = answer;
  let reached = 0;
  const fake: Server = createServer((socket) => {
    let greeted = false;
    reached += 1;
    socket.on('error', () => {});
    socket.on('data', () => {
      socket.write(greeted ? wrong : greeting);
      if (greeted) socket.end();
      greeted = true;
    });
  });
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
  const { port } = fake.address() as { port: number };
  const gateway = await startGateway(server, {
    ...(direction === 'client' ? {} : { upstream: { port } }),
    masks: (column) => ({ ssn: stars, email: word('hidden') })[column.name],
    limits: { lingerMs: 500, loginMs: 1_000 },
  });
  try {
    for (let i = 0; i < count; i += 1) {
      const before = reached;
      const mutant = mutate(
        direction === 'start-up' ? startUp() : direction === 'client' ? conversation : answer,
        next,
      );
      const label = `${direction} mutant ${i} of seed ${seed}`;
      const client =
        direction === 'start-up' ? await RawClient.connect(gateway.port) : await RawClient.open(gateway.port);
      if (direction === 'server') {
        wrong = mutant;
        client.send(say.query('select 1'));
      } else {
        client.send(mutant);
        client.socket.end();
      }
      try {
        await client.until(() => client.closed, 5_000);
      } catch {
        problems.push(`${label} hangs`);
        client.socket.destroy();
      }
      if (direction === 'start-up' && reached !== before) problems.push(`${label} reached the upstream before a login`);
      const rows = client.messages.filter(({ type }) => type === 'D');
      if (direction === 'server' && mutant.indexOf('secret') >= 0 && client.messages.some(({ type }) => type === 'T')) {
        // Both masked columns were described under their names: no row may show them.
        const described = client.messages.find(({ type }) => type === 'T')?.body;
        const whole = described?.includes('ssn') && described.includes('email');
        if (whole && rows.some(({ body }) => body.includes('secret'))) problems.push(`${label} leaks`);
      }
      const internal = gateway.errors.filter((error) => JSON.stringify(error).includes('internal error'));
      if (internal.length > 0) problems.push(`${label}: ${JSON.stringify(internal[0])}`);
      gateway.errors.length = 0;
      if (problems.length > 20) break;
    }
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, 3_000)),
      (async () => {
        while (gateway.listener.sessions + gateway.listener.waiting > 0)
          await new Promise((resolve) => setTimeout(resolve, 20));
      })(),
    ]);
    if (gateway.listener.sessions > 0) problems.push(`${gateway.listener.sessions} sessions were left`);
  } finally {
    await gateway.stop();
    fake.close();
  }
  return { mutants: count, problems };
}
