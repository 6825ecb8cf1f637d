// Random conversations, pipelined, through the gateway and with the server itself: the client sees the same packets.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reader } from '../../../protocols/mysql/bytes.ts';
import { capability, trackedVariables } from '../../../protocols/mysql/constants.ts';
import { decodeOk } from '../../../protocols/mysql/messages.ts';
import { haveMariadb, mariadbDatabase, onMariadb, run, sequences } from '../../support/mariadb.ts';
import { RawClient, say } from './raw.ts';
import { type Gateway, startGateway } from './support.ts';

const sql = fc.constantFrom(
  'SELECT 1',
  'SELECT id, name, small, big, price, day, moment, data FROM items ORDER BY id',
  "SELECT seq, repeat('x', seq % 300) FROM seq_1_to_400",
  "SELECT repeat('y', 70000) AS wide, NULL, 1.5e0",
  "SELECT 'a;b' -- note",
  "INSERT INTO items (name) VALUES ('new')",
  "UPDATE items SET name = 'same' WHERE id = 2",
  'SELECT 1; SELECT 2; SELECT name FROM items WHERE id = 1',
  "INSERT INTO items (name) VALUES ('a'), ('b'); SELECT 3",
  'SELECT 1; SELECT 2; ; \n',
  'SELECT 1;',
  'SELECT 1; -- note;',
  ';',
  'SELECT 1; SELECT * FROM missing; SELECT 2',
  'SELEC 1',
  'SELECT * FROM missing',
  '',
  '/* nothing */',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'CALL several()',
  'SET autocommit = 0',
  'SET NAMES latin1',
  'SET NAMES utf8mb4',
  "SET sql_mode = 'ANSI_QUOTES'",
  "SET sql_mode = ''",
  'USE __DB__',
  "SELECT 'abc' + 1; SHOW WARNINGS",
  'DO 1',
  'SET @a = 5',
  'SELECT @a',
);

const statements = fc.constantFrom(
  'SELECT 1; ',
  'SELECT id, name, small, big, price, day, moment, data FROM items ORDER BY id',
  'SELECT ?, ? + 1',
  'SELECT * FROM items WHERE name = ? OR id > ?',
  'INSERT INTO items (name, data) VALUES (?, ?)',
  'SELECT seq FROM seq_1_to_50',
  'SELECT * FROM missing',
  'SELEC',
  '',
  'CALL several()',
);
/** Stand-ins for the numbers of the statements prepared first, the one prepared last, and one that nobody has. */
const id = fc.constantFrom(0xaaaaaa01, 0xaaaaaa02, 0xaaaaaa03, 0xffff_ffff, 0xaaaaaa0f);
const value = fc.oneof(fc.constant(null), fc.constantFrom('', '2', 'text', 'é', 'z'.repeat(300)));
const values = fc.array(value, { minLength: 0, maxLength: 2 });

const step = fc.oneof(
  { weight: 6, arbitrary: sql.map(say.query) },
  { weight: 4, arbitrary: statements.map(say.prepare) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(id, fc.tuple(value, value), fc.constantFrom(0, 0, onMariadb ? 1 : 0))
      .map(([of, bound, cursor]) => say.execute(of, bound, { cursor })),
  },
  { weight: 1, arbitrary: fc.tuple(id, values).map(([of, bound]) => say.execute(of, bound)) },
  { weight: 2, arbitrary: fc.tuple(id, fc.integer({ min: 1, max: 30 })).map(([of, rows]) => say.fetch(of, rows)) },
  { weight: 1, arbitrary: id.map(say.reset) },
  { weight: 1, arbitrary: id.map(say.close) },
  {
    weight: 1,
    arbitrary: fc.tuple(id, fc.integer({ min: 0, max: 1 })).map(([of, at]) => say.longData(of, at, 'long')),
  },
  { weight: 1, arbitrary: fc.constantFrom('__DB__', 'missing').map(say.initDb) },
  { weight: 1, arbitrary: fc.constantFrom('items', 'missing').map(say.fieldList) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1).map(say.setOption) },
  { weight: 1, arbitrary: fc.constant(say.ping) },
  { weight: 1, arbitrary: fc.constant(say.resetConnection) },
);

const flags = fc
  .subarray([capability.DEPRECATE_EOF, capability.SESSION_TRACK, capability.MULTI_STATEMENTS, capability.FOUND_ROWS])
  .map((chosen) => chosen.reduce((sum, flag) => sum | flag, 0));

/** Reported changes of variables come in no order: in an OK packet with such, they are sorted. */
function sorted(payload: Buffer): string {
  const text = payload.toString('latin1');
  const changed = payload[0] === 0 && payload.length > 7 && ((payload[4] as number) & 0x40) !== 0;
  if (!changed) return text;
  const ok = decodeOk(payload, capability.SESSION_TRACK);
  const reader = new Reader(ok.state ?? Buffer.alloc(0));
  const changes: string[] = [];
  while (reader.left > 0) changes.push(`${reader.int1()} ${reader.lenencView().toString('latin1')}`);
  return `OK ${ok.status} ${ok.info.toString('latin1')} ${changes.sort().join(', ')}`;
}

const runs = Number(process.env.SALLYPORT_RUNS ?? 60);

describe.runIf(haveMariadb)('the MySQL relay beside the server itself', () => {
  const tables = (database: string) => [
    `CREATE TABLE ${database}.items (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(400), small TINYINT, big BIGINT UNSIGNED, price DECIMAL(8,2), day DATE, moment DATETIME(3), data BLOB)`,
    `CREATE PROCEDURE ${database}.several() BEGIN SELECT 1 AS one; SELECT name FROM items WHERE id < 3 ORDER BY id; DO 1; SELECT 2 AS two; END`,
  ];
  const server = mariadbDatabase();
  let gateway: Gateway;
  let names: readonly [direct: string, through: string];

  beforeAll(async () => {
    const { url, database } = server();
    names = [`${database}_d`, `${database}_g`];
    for (const name of names)
      await run(
        url(),
        `CREATE DATABASE ${name} CHARACTER SET utf8mb4`,
        ...tables(name),
        `USE ${name}`,
        ...sequences(50, 400),
      );
    // What the gateway asks of the server is asked for everybody, so that the server reports the same to both.
    await run(url(), `SET GLOBAL session_track_system_variables = '${trackedVariables.join(',')}'`);
    gateway = await startGateway({ ...server(), database: names[1] });
  });
  afterAll(async () => {
    await gateway.stop();
    await run(server().url(), 'SET GLOBAL session_track_system_variables = DEFAULT');
    for (const name of names) await run(server().url(), `DROP DATABASE ${name}`);
  });

  async function fresh(): Promise<void> {
    for (const name of names) {
      await run(
        server().url(name),
        'TRUNCATE items',
        `INSERT INTO items VALUES (1, 'one', -1, 18446744073709551615, 1.25, '2020-02-29', '2021-01-02 03:04:05.678', x'00ff'), (2, 'two', NULL, NULL, NULL, NULL, NULL, NULL), (3, 'three', 7, 3, -0.5, '1000-01-01', '1999-12-31 23:59:59', '')`,
      );
    }
  }

  /** All packets of a conversation, with what cannot be the same taken out. */
  async function converse(
    port: number,
    login: object,
    name: string,
    prepared: readonly string[],
    commands: readonly Buffer[],
  ) {
    const { client, last } = await RawClient.open(port, login);
    if (last.payload[0] !== 0) throw new Error(`no login: ${last.payload.toString('latin1')}`);
    // The numbers of statements are the server's own: they are known only when it has answered.
    const numbers: number[] = [];
    for (const text of prepared) {
      const { payload } = await client.ask(say.prepare(text));
      if (payload[0] !== 0) continue;
      numbers.push(payload.readUInt32LE(1));
      client.send(say.ping);
      let answered = false;
      while (!answered) answered = (await client.take()).sequence === 1;
    }
    for (const command of [...commands, say.quit]) {
      const bytes = Buffer.from(command.toString('latin1').replaceAll('__DB__', name), 'latin1');
      const stand = bytes.length >= 5 ? bytes.readUInt32LE(1) - 0xaaaaaa01 : -1;
      if (stand >= 0 && stand < numbers.length) bytes.writeUInt32LE(numbers[stand] ?? 0, 1);
      client.send(bytes);
    }
    return (await client.rest()).map(({ sequence, payload }) => {
      if (payload[0] === 0 && payload.length === 12 && sequence === 1) payload.fill(0, 1, 5);
      // Commands that are no statements repeat MySQL's count of warnings of the one before, which it may not have been sent.
      if (!onMariadb && payload[0] === 0 && payload.length === 7) payload.writeUInt16LE(0, 5);
      if (!onMariadb && payload[0] === 0xfe && payload.length === 5) payload.writeUInt16LE(0, 1);
      // Two errors of the server for the same fault, depending on where it notices.
      const text = sorted(payload)
        .replaceAll(name, '__DB__')
        .replace(
          /..#HY000(?:Malformed communication packet\.?|Incorrect arguments to mysqld_stmt_execute)/s,
          'malformed',
        );
      return `${sequence} ${numbers.reduce((told, number, at) => told.replaceAll(`(${number})`, `(#${at})`), text)}`;
    });
  }

  test('random conversations have the same packets', { timeout: 60_000 + runs * 1000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        flags,
        fc.array(statements, { maxLength: 3 }),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        async (capabilities, prepared, commands) => {
          await fresh();
          const { port, user, password } = server();
          const expected = await converse(
            port,
            { user, password, database: names[0], capabilities },
            names[0],
            prepared,
            commands,
          );
          const actual = await converse(
            gateway.port,
            { database: names[0], capabilities },
            names[1],
            prepared,
            commands,
          );
          expect(actual).toEqual(expected);
        },
      ),
      { numRuns: runs },
    );
    expect(gateway.errors).toEqual([]);
  });
});
