// The commands of the protocol one by one, in packets: what is carried out, what is refused, and that the session lives on.
import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Execution, Outcome, RecordId } from '../../../protocols/gate.ts';
import { Writer } from '../../../protocols/mysql/bytes.ts';
import { capability, command, extendedCapability, maxPayload } from '../../../protocols/mysql/constants.ts';
import { encodeGreeting } from '../../../protocols/mysql/handshake-messages.ts';
import { encodeOk, okPacket } from '../../../protocols/mysql/messages.ts';
import { frame } from '../../../protocols/mysql/packets.ts';
import { haveMariadb, mariadbDatabase, onMariadb, sequences } from '../../support/mariadb.ts';
import { errorOf, isOk, RawClient, type RawLogin, say } from './raw.ts';
import { type Gateway, refusal, type Script, stars, startGateway } from './support.ts';

describe.runIf(haveMariadb)('a command', () => {
  const server = mariadbDatabase(
    'CREATE TABLE people (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40), ssn VARCHAR(20))',
    "INSERT INTO people (name, ssn) VALUES ('Ada', '123-45-6789'), ('Grace', '987-65-4321')",
    'CREATE TABLE blobs (data LONGBLOB)',
    ...sequences(10),
  );
  const clients: RawClient[] = [];
  const gateways: Gateway[] = [];

  async function gatewayOf(script: Script = {}): Promise<Gateway> {
    const gateway = await startGateway(server(), { listener: { serverVersion: '10.11.6-MariaDB' }, ...script });
    gateways.push(gateway);
    return gateway;
  }

  async function enter(gateway: Gateway, login: RawLogin = {}) {
    const entered = await RawClient.open(gateway.port, login);
    clients.push(entered.client);
    expect(isOk(entered.last)).toBe(true);
    return entered;
  }

  async function through(script: Script = {}, login: RawLogin = {}) {
    const gateway = await gatewayOf(script);
    return { gateway, ...(await enter(gateway, login)) };
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    for (const gateway of gateways.splice(0)) {
      await gateway.stop();
      expect(gateway.errors).toEqual([]);
    }
  });

  test.each([
    ['COM_BINLOG_DUMP', 0x12],
    ['COM_REGISTER_SLAVE', 0x15],
    ['COM_BINLOG_DUMP_GTID', 0x1e],
    ['COM_SHUTDOWN', 0x08],
    ['COM_REFRESH', 0x07],
    ['COM_PROCESS_INFO', 0x0a],
    ['COM_DEBUG', 0x0d],
    ['COM_TABLE_DUMP', 0x13],
    ['COM_CLONE', 0x20],
  ])('%s is refused by name and the session lives on', async (name, byte) => {
    const { client } = await through();
    const answer = errorOf(await client.ask(Buffer.from([byte, 1, 2, 3, 4])));
    expect(answer).toMatchObject({ code: 1235, sqlstate: '42000' });
    expect(answer.message).toContain(name);
    expect(isOk(await client.ask(say.ping))).toBe(true);
  });

  test('of an unknown number, or none, is refused and the session lives on', async () => {
    const { client } = await through();
    expect(errorOf(await client.ask(Buffer.from([0x77])))).toMatchObject({ code: 1047, sqlstate: '08S01' });
    expect(errorOf(await client.ask(Buffer.alloc(0)))).toMatchObject({ code: 1835 });
    expect(isOk(await client.ask(say.ping))).toBe(true);
  });

  test('COM_INIT_DB is judged as the USE that it is', async () => {
    const texts: string[] = [];
    const { client } = await through({
      judge(text) {
        texts.push(text);
        return text.includes('secret') ? { kind: 'deny', refusal: refusal('not there') } : undefined;
      },
    });
    expect(errorOf(await client.ask(say.initDb('secret`s')))).toMatchObject({ message: 'sallyport: not there' });
    expect(isOk(await client.ask(say.initDb(server().database)))).toBe(true);
    expect(texts).toEqual(['USE `secret``s`', `USE \`${server().database}\``]);
  });

  test('COM_FIELD_LIST is judged as the SHOW COLUMNS that it is', async () => {
    const texts: string[] = [];
    const { client, gateway } = await through({
      judge(text) {
        texts.push(text);
        return text.includes('blobs') ? { kind: 'deny', refusal: refusal('not that') } : undefined;
      },
    });
    expect(errorOf(await client.ask(say.fieldList('blobs'))).message).toBe('sallyport: not that');
    client.send(say.fieldList('people'));
    const packets = await client.takeMany(4);
    expect(packets.map(({ payload }) => payload[0])).toEqual([3, 3, 3, 0xfe]);
    expect(texts).toEqual(['SHOW COLUMNS FROM `blobs`', 'SHOW COLUMNS FROM `people`']);
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'completed', rows: 3 } }]);
  });

  test('COM_STATISTICS and COM_PING are the server’s', async () => {
    const { client } = await through();
    expect((await client.ask(say.statistics)).payload.toString()).toMatch(/^Uptime: /);
    expect(isOk(await client.ask(say.ping))).toBe(true);
  });

  test('COM_SET_OPTION turns several statements in one text on and off', async () => {
    const { client, gateway } = await through();
    expect(errorOf(await client.ask(say.query('DO 1; DO 2')))).toMatchObject({ code: 1064 });
    expect((await client.ask(say.setOption(0))).payload[0]).toBe(0xfe);
    client.send(say.query('DO 1; DO 2'));
    expect((await client.takeMany(2)).every(isOk)).toBe(true);
    expect((await client.ask(say.setOption(1))).payload[0]).toBe(0xfe);
    expect(errorOf(await client.ask(say.query('DO 1; DO 2')))).toMatchObject({ code: 1064 });
    expect(gateway.settled.map(({ outcome }) => outcome.kind)).toEqual([
      'failed',
      'not-run',
      'completed',
      'completed',
      'failed',
      'not-run',
    ]);
  });

  test('COM_RESET_CONNECTION sets the session back and tells the gate of the settings', async () => {
    let resets = 0;
    const { client, gateway } = await through({ reset: () => void resets++ });
    await client.ask(say.prepare('DO 1'));
    expect(isOk(await client.ask(say.query("SET sql_mode = 'ANSI_QUOTES', @a = 1")))).toBe(true);
    expect(gateway.parameters.get('sql_mode')).toBe('ANSI_QUOTES');
    expect(isOk(await client.ask(say.resetConnection))).toBe(true);
    expect(resets).toBe(1);
    expect(gateway.parameters.get('sql_mode')).not.toContain('ANSI_QUOTES');
    // Reports of changes go on, and prepared statements are gone.
    expect(isOk(await client.ask(say.query("SET sql_mode = 'PIPES_AS_CONCAT'")))).toBe(true);
    expect(gateway.parameters.get('sql_mode')).toBe('PIPES_AS_CONCAT');
    expect(errorOf(await client.ask(say.execute(0xffff_ffff)))).toMatchObject({ code: 1243 });
  });

  test('that turns the server’s reports off does not blind the gate', async () => {
    const { client, gateway } = await through();
    expect(isOk(await client.ask(say.query("SET session_track_system_variables = ''")))).toBe(true);
    expect(isOk(await client.ask(say.query("SET sql_mode = 'ANSI_QUOTES'")))).toBe(true);
    expect(gateway.parameters.get('sql_mode')).toBe('ANSI_QUOTES');
    expect(isOk(await client.ask(say.query('SET NAMES latin1')))).toBe(true);
    expect(gateway.parameters.get('character_set_client')).toBe('latin1');
  });

  test('that sets a character set in which quotes can hide ends the session', async () => {
    const { client, gateway } = await through();
    expect(errorOf(await client.ask(say.query('SET NAMES gbk'))).message).toContain('"gbk" is not supported');
    await client.rest();
    expect(gateway.ends).toHaveLength(1);
  });

  test('KILL by number reaches sessions of the same owner only', async () => {
    const gateway = await gatewayOf({ owner: ({ user }) => user });
    const mine = await enter(gateway);
    const sibling = await enter(gateway);
    const stranger = await enter(gateway, { user: 'stranger' });
    const unknown = errorOf(await mine.client.ask(say.kill(stranger.greeting.threadId)));
    expect(unknown).toMatchObject({ code: 1094, message: `Unknown thread id: ${stranger.greeting.threadId}` });
    expect(isOk(await stranger.client.ask(say.ping))).toBe(true);
    expect(isOk(await mine.client.ask(say.kill(sibling.greeting.threadId)))).toBe(true);
    expect(errorOf((await sibling.client.rest())[0] ?? { sequence: 0, payload: Buffer.alloc(0) })).toMatchObject({
      code: 1927,
      sqlstate: '70100',
    });
    expect(isOk(await mine.client.ask(say.ping))).toBe(true);
  });

  test('pipelined behind a refused one is still carried out, in order', async () => {
    const { client } = await through({
      judge: async (text) =>
        text.startsWith('DROP')
          ? { kind: 'deny', refusal: refusal('no drops') }
          : { kind: 'allow', text, plans: (await gatewayLater).allow(text).plans },
    });
    const gatewayLater = Promise.resolve(gateways[0] as Gateway);
    for (const sql of ['DO 1', 'DROP TABLE people', 'DO 2']) client.send(say.query(sql));
    const packets = await client.takeMany(3);
    expect(packets.map(({ payload }) => payload[0])).toEqual([0, 0xff, 0]);
    expect(packets.map(({ sequence }) => sequence)).toEqual([1, 1, 1]);
  });

  test.runIf(onMariadb)('COM_STMT_BULK_EXECUTE has one record and its values are seen', async () => {
    const seen: (string | undefined)[] = [];
    const { client, gateway } = await through(
      {
        open(_text, parameters) {
          for (let index = 0; index < (parameters?.count ?? 0); index++) {
            seen.push(parameters?.value(index)?.toString());
          }
          return undefined;
        },
      },
      { extended: extendedCapability.STMT_BULK_OPERATIONS },
    );
    const prepared = await client.ask(say.prepare('INSERT INTO people (name, ssn) VALUES (?, ?)'));
    await client.takeMany(3);
    const id = prepared.payload.readUInt32LE(1);
    const rows = [
      ['Edsger', '1'],
      ['Barbara', null],
    ];
    expect(isOk(await client.ask(say.bulk(id, rows)))).toBe(true);
    expect(seen).toEqual(['Edsger', '1', 'Barbara', undefined]);
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'completed', tag: 'OK 2' } }]);
  });

  test('COM_STMT_BULK_EXECUTE of a client that has not agreed on it is refused', async () => {
    const { client } = await through();
    expect(errorOf(await client.ask(say.bulk(1, [['x']])))).toMatchObject({ code: 1235 });
  });

  test('with a cursor gives its rows in parts, masked, as one run', async () => {
    const { client, gateway } = await through({ masks: (field) => (field.orgName === 'ssn' ? stars : undefined) });
    const prepared = await client.ask(say.prepare('SELECT ssn FROM people ORDER BY id LIMIT 2'));
    await client.takeMany(2);
    const id = prepared.payload.readUInt32LE(1);
    client.send(say.execute(id, [], { cursor: 1 }));
    expect((await client.takeMany(3)).at(-1)?.payload[0]).toBe(0xfe);
    expect(gateway.settled).toEqual([]);
    client.send(say.fetch(id, 1));
    expect((await client.takeMany(2)).map(({ payload }) => payload.toString('latin1', 3))).toMatchObject([
      '***********',
      {},
    ]);
    expect(gateway.settled).toEqual([]);
    client.send(say.fetch(id, 5));
    expect((await client.takeMany(2))[0]?.payload.toString('latin1', 3)).toBe('***********');
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'completed', rows: 2 } }]);
  });

  test('with a cursor that is closed early has its run settled', async () => {
    const { client, gateway } = await through();
    const id = (await client.ask(say.prepare('SELECT ssn FROM people'))).payload.readUInt32LE(1);
    await client.takeMany(2);
    client.send(say.execute(id, [], { cursor: 1 }));
    await client.takeMany(3);
    client.send(say.fetch(id, 1));
    await client.takeMany(2);
    client.send(say.close(id));
    expect(isOk(await client.ask(say.ping))).toBe(true);
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'completed', tag: 'CURSOR', rows: 1 } }]);
  });

  test('with a row limit ends a fetch with an error', async () => {
    const { client, gateway } = await through({ plan: () => ({ maxRows: 2 }) });
    const id = (await client.ask(say.prepare('SELECT seq FROM seq_1_to_10'))).payload.readUInt32LE(1);
    await client.takeMany(2);
    client.send(say.execute(id, [], { cursor: 1 }));
    await client.takeMany(3);
    client.send(say.fetch(id, 4));
    const packets = await client.takeMany(3);
    expect(errorOf(packets[2] as (typeof packets)[0]).message).toContain('ended after 2 rows');
    expect(gateway.settled).toMatchObject([{ outcome: { kind: 'failed', rows: 2 } }]);
    expect(isOk(await client.ask(say.ping))).toBe(true);
  });

  test('COM_STMT_SEND_LONG_DATA goes ahead of the execution', async () => {
    const { client } = await through();
    const id = (await client.ask(say.prepare('SELECT ?, ?'))).payload.readUInt32LE(1);
    await client.takeMany(6);
    client.send(say.longData(id, 1, 'long '));
    client.send(say.longData(id, 1, 'data'));
    client.send(say.execute(id, ['short', undefined]));
    const packets = await client.takeMany(6);
    expect(packets[4]?.payload.toString('latin1')).toContain('\x05short\x09long data');
  });

  test('of more than 16 MB reaches the server, and so do its results the client', { timeout: 60_000 }, async () => {
    const { client } = await through();
    const size = maxPayload + 1000;
    const data = 'x'.repeat(size);
    const id = (await client.ask(say.prepare('INSERT INTO blobs VALUES (?)'))).payload.readUInt32LE(1);
    await client.takeMany(2);
    expect(isOk(await client.ask(say.execute(id, [data])))).toBe(true);
    client.send(say.query('SELECT data, length(data) FROM blobs'));
    const packets = await client.takeMany(7);
    expect(packets.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const row = Buffer.concat(packets.slice(4, 6).map(({ payload }) => payload));
    expect(row.length).toBe(9 + size + 9);
    expect(row.subarray(9, 9 + size).every((byte) => byte === 0x78)).toBe(true);
    expect(row.toString('latin1', 9 + size)).toBe(`\x08${size}`);
  });

  test('a row of more than 16 MB is masked', { timeout: 60_000 }, async () => {
    const { client, gateway } = await through({ masks: (field) => (field.name === 'a' ? stars : undefined) });
    client.send(say.query(`SELECT repeat('x', ${maxPayload}) AS a, 'seen' AS b`));
    const packets = await client.takeMany(7);
    const row = Buffer.concat(packets.slice(4, 6).map(({ payload }) => payload));
    expect(row.subarray(4, 4 + maxPayload).every((byte) => byte === 0x2a)).toBe(true);
    expect(row.toString('latin1', 4 + maxPayload)).toBe('\x04seen');
    expect(gateway.settled).toMatchObject([{ outcome: { rows: 1 } }]);
    expect(isOk(await client.ask(say.ping))).toBe(true);
  });

  test('a row larger than can be masked ends its result with an error', { timeout: 60_000 }, async () => {
    const { client } = await through({ masks: () => stars, limits: { maxMaskedBytes: 20_000_000 } });
    client.send(say.query("SELECT repeat('x', 40000000) AS a"));
    const packets = await client.takeMany(4);
    expect(errorOf(packets[3] as (typeof packets)[0]).message).toContain('larger than the 20000000 bytes');
    expect(isOk(await client.ask(say.ping))).toBe(true);
  });

  test('longer than allowed is refused; a packet larger than allowed ends the session', async () => {
    const { client } = await through({ limits: { maxStatementBytes: 1000, maxPacketBytes: 5000 } });
    expect(errorOf(await client.ask(say.query(`SELECT '${'x'.repeat(2000)}'`)))).toMatchObject({ code: 1153 });
    expect(isOk(await client.ask(say.ping))).toBe(true);
    expect(errorOf(await client.ask(say.query(`SELECT '${'x'.repeat(6000)}'`)))).toMatchObject({ code: 1153 });
    await client.rest();
  });

  test('with a wrong packet number ends the session', async () => {
    const { client } = await through();
    client.send(say.ping, 3);
    expect(errorOf(await client.take())).toMatchObject({ code: 1156, sqlstate: '08S01' });
    await client.rest();
    gateways[0]?.errors.splice(0);
  });

  test('query attributes are read past, and left out where the server has none', async () => {
    const texts: string[] = [];
    const { client } = await through(
      {
        judge(text) {
          texts.push(text);
          return undefined;
        },
      },
      { capabilities: capability.QUERY_ATTRIBUTES },
    );
    const attribute = (writer: Writer) =>
      writer
        .raw(Buffer.from([0]))
        .int1(1)
        .int2(0xfd)
        .lenencText('traceparent')
        .lenencText('00-abc-def-01');
    const query = attribute(new Writer().int1(command.QUERY).lenenc(1).lenenc(1)).text("SELECT 'x' AS y").done();
    client.send(query);
    expect((await client.takeMany(5))[3]?.payload.toString()).toBe('\x01x');
    const plain = new Writer().int1(command.QUERY).lenenc(0).lenenc(1).text('DO 1').done();
    expect(isOk(await client.ask(plain))).toBe(true);
    expect(isOk(await client.ask(say.initDb(server().database)))).toBe(true);
    expect(texts).toEqual(["SELECT 'x' AS y", 'DO 1', `USE \`${server().database}\``]);

    const id = (await client.ask(say.prepare('SELECT ? AS y'))).payload.readUInt32LE(1);
    await client.takeMany(4);
    const execute = new Writer().int1(command.STMT_EXECUTE).int4(id).int1(8).int4(1).lenenc(2).int1(0).int1(1);
    execute.int2(0xfd).lenencText('').int2(0xfd).lenencText('traceparent').lenencText('own').lenencText('00-abc');
    client.send(execute.done());
    expect((await client.takeMany(5))[3]?.payload.toString('latin1', 2)).toBe('\x03own');
  });

  test('optional metadata: the client is told that a description follows', async () => {
    const { client } = await through({}, { capabilities: capability.OPTIONAL_RESULTSET_METADATA });
    client.send(say.query('SELECT 1'));
    expect((await client.takeMany(5))[0]?.payload).toEqual(Buffer.from([1, 1]));
    expect((await client.ask(say.prepare('SELECT 1'))).payload).toHaveLength(13);
  });

  test('a server that asks for a file of the client is cut off', async () => {
    const impostor = createServer((socket) => {
      socket.write(
        frame(
          encodeGreeting({
            serverVersion: '8.0.36',
            threadId: 1,
            scramble: Buffer.alloc(20, 65),
            capabilities: 0x81ff_f7ff,
            extended: 0,
            charset: 45,
            status: 2,
            plugin: 'mysql_native_password',
          }),
          0,
        ),
      );
      socket.on('error', () => {});
      let turn = 0;
      socket.on('data', () => {
        turn += 1;
        if (turn === 1) socket.write(frame(encodeOk(okPacket(2), 0), 2));
        else if (turn === 2) socket.write(settingsAnswer());
        else if (turn === 3) socket.write(frame(encodeOk(okPacket(2), 0), 1));
        else socket.write(frame(Buffer.from('\xfb/etc/passwd', 'latin1'), 1));
      });
    });
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
    const { port } = impostor.address() as { port: number };
    try {
      const { client, gateway } = await through({ upstream: { host: '127.0.0.1', port } });
      const answer = errorOf(await client.ask(say.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE people")));
      expect(answer).toMatchObject({ sqlstate: '08S01' });
      expect(answer.message).toContain('asks the client for a file');
      await client.rest();
      expect(gateway.settled).toMatchObject([{ outcome: { kind: 'lost' } }]);
      gateway.errors.splice(0);
    } finally {
      impostor.close();
    }
  });

  test('a query whose record is still being written when its session ends is settled as not run', async () => {
    const settled: Outcome[] = [];
    let write: (() => void) | undefined;
    const execution: Execution = { record: 'r1' as RecordId, settle: (outcome) => void settled.push(outcome) };
    const { client, gateway } = await through({
      open: () =>
        new Promise((resolve) => {
          write = () => resolve({ kind: 'opened', execution });
        }),
    });
    client.send(say.query('select 1'));
    await vi.waitFor(() => expect(write).toBeDefined());
    gateway.endSessions(refusal('revoked'));
    await client.rest();
    write?.();
    await vi.waitFor(() => expect(settled).toEqual([{ kind: 'not-run', rows: 0, bytes: 0 }]));
  });

  test('LOAD DATA LOCAL of a client that asks for the capability is the server’s to refuse', async () => {
    const { client } = await through({}, { capabilities: 128 });
    const answer = errorOf(await client.ask(say.query("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE people")));
    expect(answer.code).toBe(onMariadb ? 4166 : 3948);
  });
});

/** One row of settings and what is reported of them, as a server without DEPRECATE_EOF gives it. */
function settingsAnswer(): Buffer {
  const values = [
    '8.0.36',
    '',
    'utf8mb4',
    'utf8mb4',
    'utf8mb4',
    'utf8mb4_general_ci',
    '0',
    'SYSTEM',
    '1',
    'crm',
    'autocommit',
  ];
  const eof = Buffer.from([0xfe, 0, 0, 2, 0]);
  const row = new Writer();
  for (const value of values) row.lenencText(value);
  const payloads = [Buffer.from([values.length]), ...values.map(() => Buffer.from([3])), eof, row.done(), eof];
  return Buffer.concat(payloads.map((payload, index) => frame(payload, index + 1)));
}
