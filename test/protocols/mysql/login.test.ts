// The connection phase with stock drivers and in packets: tokens and passwords, TLS on both sides, changes of user, refusals, limits.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createSecureContext } from 'node:tls';
import mysql from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Writer } from '../../../protocols/mysql/bytes.ts';
import { command } from '../../../protocols/mysql/constants.ts';
import { doubleSha1, doubleSha256 } from '../../../protocols/mysql/index.ts';
import { type MariadbServer, startMariadb } from '../../../src/demo/mariadb-server.ts';
import { haveMariadb, mariadbDatabase, onMariadb, run, sequences } from '../../support/mariadb.ts';
import { errorOf, isOk, RawClient, say } from './raw.ts';
import { type Gateway, refusal, type Script, startGateway } from './support.ts';

const tls = new URL('../../../fixtures/wire/postgres/tls/', import.meta.url);
const pem = (name: string) => readFileSync(new URL(name, tls));
const withTls = { tls: () => createSecureContext({ cert: pem('server.pem'), key: pem('server.key') }) };
const trusting = { ssl: { ca: pem('ca.pem'), verifyIdentity: false, rejectUnauthorized: true } };
const longToken = `header.${'x'.repeat(900)}.signature`;
const tooLongForRsa = `header.${'x'.repeat(5000)}.signature`;

/** The gateway notices a moment after its client that a connection is closed. */
async function nobodyWaits({ listener }: Gateway): Promise<void> {
  for (let tries = 0; listener.waiting > 0 && tries < 200; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(listener.waiting).toBe(0);
}

describe.runIf(haveMariadb)('a login', () => {
  const server = mariadbDatabase('CREATE TABLE t (a INT)');
  const open: { end?(): unknown; destroy(): unknown }[] = [];
  const gateways: Gateway[] = [];

  async function start(script: Script = {}): Promise<Gateway> {
    const gateway = await startGateway(server(), script);
    gateways.push(gateway);
    return gateway;
  }

  async function connection(gateway: Gateway, more: object = {}) {
    const made = await mysql.createConnection(gateway.login(more));
    made.on('error', () => {});
    open.push(made);
    return made;
  }

  const one = async (made: mysql.Connection) => (await made.query('SELECT 1 AS one'))[0];

  afterEach(async () => {
    for (const each of open.splice(0)) each.destroy();
    for (const gateway of gateways.splice(0)) await gateway.stop();
  });

  test('with a token works within TLS, where the client sends it as it is', async () => {
    const gateway = await start({ token: tooLongForRsa, listener: withTls });
    expect(await one(await connection(gateway, trusting))).toEqual([{ one: 1 }]);
    expect(gateway.hellos).toMatchObject([{ encrypted: true, loopback: true, user: 'agent', database: 'crm' }]);
  });

  test('with a token works without TLS, hidden by RSA', async () => {
    const gateway = await start({ token: longToken });
    expect(await one(await connection(gateway))).toEqual([{ one: 1 }]);
    expect(gateway.hellos).toMatchObject([{ encrypted: false }]);
  });

  test('with mysql_clear_password works', async () => {
    const gateway = await start({ token: tooLongForRsa });
    const { client, last } = await RawClient.open(gateway.port, {
      password: tooLongForRsa,
      plugin: 'mysql_clear_password',
    });
    open.push(client.socket);
    expect(isOk(last)).toBe(true);
  });

  test('of a client that begins with another method is switched', async () => {
    const gateway = await start();
    const { client, last } = await RawClient.open(gateway.port, { plugin: 'mysql_native_password' });
    open.push(client.socket);
    expect(isOk(last)).toBe(true);
  });

  test('with a wrong token, or none, is refused', async () => {
    const gateway = await start();
    await expect(connection(gateway, { password: 'other' })).rejects.toMatchObject({
      errno: 1045,
      sqlState: '28000',
      message: 'sallyport: the token is wrong',
    });
    await expect(connection(gateway, { password: '' })).rejects.toMatchObject({
      errno: 1045,
      message: "Access denied for user 'agent' (using password: NO)",
    });
    expect(gateway.listener.sessions).toBe(0);
  });

  test('is refused by the gate before any proof', async () => {
    const gateway = await start({
      challenge: () => ({ kind: 'refused', refusal: refusal('TLS only', { kind: 'login', hint: 'use TLS' }) }),
    });
    await expect(connection(gateway)).rejects.toMatchObject({ errno: 1045, message: 'sallyport: TLS only (use TLS)' });
  });

  describe('with an issued credential', () => {
    const secret = Buffer.from('issued-password');
    const hashes = {
      kind: 'mysql-native',
      doubleSha1: doubleSha1(secret),
      doubleSha256: doubleSha256(secret),
    } as const;

    test.each(['caching_sha2_password', 'mysql_native_password', 'mysql_clear_password'])(
      'works by %s',
      async (plugin) => {
        const gateway = await start({ challenge: () => hashes });
        const good = await RawClient.open(gateway.port, { password: secret.toString(), plugin });
        open.push(good.client.socket);
        expect(isOk(good.last)).toBe(true);
        const bad = await RawClient.open(gateway.port, { password: 'wrong', plugin });
        open.push(bad.client.socket);
        expect(errorOf(bad.last)).toMatchObject({ code: 1045, sqlstate: '28000' });
      },
    );

    test('works with a stock driver, with and without TLS', async () => {
      const gateway = await start({ challenge: () => hashes, listener: withTls });
      expect(await one(await connection(gateway, { password: secret.toString() }))).toEqual([{ one: 1 }]);
      expect(await one(await connection(gateway, { ...trusting, password: secret.toString() }))).toEqual([{ one: 1 }]);
    });

    test('is switched to mysql_native_password where only that hash is there', async () => {
      const gateway = await start({ challenge: () => ({ kind: 'mysql-native', doubleSha1: hashes.doubleSha1 }) });
      expect(await one(await connection(gateway, { password: secret.toString() }))).toEqual([{ one: 1 }]);
      await expect(connection(gateway, { password: 'wrong' })).rejects.toMatchObject({ errno: 1045 });
    });
  });

  describe('by COM_CHANGE_USER', () => {
    test('gives a new session on a new upstream connection', async () => {
      const gateway = await start();
      const made = await connection(gateway);
      const [before] = await made.query('SELECT CONNECTION_ID() AS id, @a := 5');
      await made.changeUser({ user: 'other', password: 'token', database: 'sales' });
      const [after] = await made.query('SELECT CONNECTION_ID() AS id, @a AS a');
      expect(after).toMatchObject([{ a: null }]);
      expect((after as { id: number }[])[0]?.id).not.toBe((before as { id: number }[])[0]?.id);
      expect(gateway.hellos.map(({ user, database }) => `${user} ${database}`)).toEqual(['agent crm', 'other sales']);
      expect(gateway.ends).toEqual(['another login']);
      expect(gateway.listener.sessions).toBe(1);
    });

    test('with a wrong token ends the connection', async () => {
      const gateway = await start();
      const made = await connection(gateway);
      await expect(made.changeUser({ user: 'other', password: 'wrong' })).rejects.toMatchObject({ errno: 1045 });
      expect(gateway.ends).toEqual(['another login']);
      expect(gateway.listener.sessions).toBe(0);
    });

    test('takes commands that were sent behind it', async () => {
      const gateway = await start();
      const { client } = await RawClient.open(gateway.port);
      open.push(client.socket);
      const change = new Writer().int1(command.CHANGE_USER).nulText('agent').int1(6).text('token\0').nulText('crm');
      client.send(change.int2(45).nulText('mysql_clear_password').done());
      client.send(say.ping);
      const packets = await client.takeMany(2);
      expect(packets.map(({ sequence, payload }) => [sequence, payload[0]])).toEqual([
        [1, 0],
        [1, 0],
      ]);
    });
  });

  test('tells the server the client’s attributes and the gateway’s own', async () => {
    const gateway = await start();
    const made = await connection(gateway, { connectAttributes: { program_name: 'mine', other: 'kept' } });
    await one(made);
    expect([...(gateway.hellos[0]?.parameters ?? [])]).toContainEqual(['program_name', 'mine']);
  });

  test('that takes too long is ended', async () => {
    const gateway = await start({ limits: { loginMs: 200 } });
    const client = await RawClient.connect(gateway.port);
    open.push(client.socket);
    await client.take();
    expect(errorOf((await client.rest())[0] ?? (await client.take())).message).toContain('not complete within 200 ms');
    await nobodyWaits(gateway);
  });

  test('beyond the number that may wait is refused', async () => {
    const gateway = await start({ limits: { maxUnauthenticated: 1 } });
    const first = await RawClient.connect(gateway.port);
    open.push(first.socket);
    await first.take();
    const second = await RawClient.connect(gateway.port);
    expect((await second.take()).payload.toString('latin1', 3)).toContain('too many connections');
    await second.rest();
  });

  test('of more bytes than anybody needs is refused', async () => {
    const gateway = await start({ limits: { maxUnauthenticatedBytes: 1000 } });
    const client = await RawClient.connect(gateway.port);
    open.push(client.socket);
    await client.take();
    client.send(Buffer.alloc(5000, 1), 1);
    expect(errorOf(await client.take())).toMatchObject({ code: 1043, sqlstate: '08S01' });
    await client.rest();
  });

  test('that is no MySQL at all is ended', async () => {
    const gateway = await start();
    const client = await RawClient.connect(gateway.port);
    await client.take();
    client.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.rest();
    await nobodyWaits(gateway);
    expect(gateway.errors).toEqual([]);
  });

  test('of a client that leaves in the middle leaves nothing behind', async () => {
    const gateway = await start();
    const socket = connect(gateway.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await nobodyWaits(gateway);
  });

  test('with a connection character set in which quotes can hide is refused', async () => {
    const gateway = await start();
    const { last } = await RawClient.open(gateway.port, { charset: 28 });
    expect(errorOf(last).message).toContain('"gbk" is not supported');
    expect(gateway.ends).toHaveLength(1);
  });

  test('whose settings the gate cannot follow is refused', async () => {
    const gateway = await start({
      parameter: (name) => (name === 'sql_mode' ? refusal('no such mode') : undefined),
    });
    await expect(connection(gateway)).rejects.toMatchObject({ message: 'sallyport: no such mode' });
    expect(gateway.ends).toHaveLength(1);
  });

  test('to a server that is not there is refused by the target’s name', async () => {
    const gateway = await start({ upstream: { port: 1 } });
    await expect(connection(gateway)).rejects.toMatchObject({
      message: 'sallyport: target "crm" cannot be reached: ECONNREFUSED',
    });
    const silent = await start({ upstream: { host: '127.0.0.1', password: 'wrong' } });
    await expect(connection(silent)).rejects.toMatchObject({
      message: 'sallyport: target "crm" refused the gateway (1045, 28000)',
    });
  });

  test('while the gateway drains is refused', async () => {
    const gateway = await start();
    const made = await connection(gateway);
    const drained = gateway.listener.drain(5_000);
    await expect(connection(gateway)).rejects.toThrow();
    await drained;
    await expect(one(made)).rejects.toThrow();
    expect(gateway.ends).toEqual(['shutdown']);
  });

  describe('of the gateway at its server', () => {
    /** A gateway is a server with caching_sha2_password too: one behind the other. */
    async function behind(script: Script, upstream: Script['upstream']): Promise<mysql.Connection> {
      const inner = await start(script);
      const outer = await start({ upstream: { host: '127.0.0.1', port: inner.port, ...upstream } });
      return connection(outer);
    }

    test('works by caching_sha2_password, hidden by RSA', async () => {
      const made = await behind({ token: longToken }, { password: longToken });
      expect(await one(made)).toEqual([{ one: 1 }]);
    });

    test('works by caching_sha2_password within TLS', async () => {
      const secure = { mode: 'verify-ca', ca: pem('ca.pem') } as const;
      const made = await behind({ token: tooLongForRsa, listener: withTls }, { password: tooLongForRsa, tls: secure });
      expect(await one(made)).toEqual([{ one: 1 }]);
    });

    test('works by the fast way of caching_sha2_password', async () => {
      const secret = Buffer.from('issued');
      const made = await behind(
        {
          challenge: () => ({
            kind: 'mysql-native',
            doubleSha1: doubleSha1(secret),
            doubleSha256: doubleSha256(secret),
          }),
        },
        { password: 'issued' },
      );
      expect(await one(made)).toEqual([{ one: 1 }]);
    });

    test('is not made where TLS is asked for and the server has none, or another name', async () => {
      await expect(behind({}, { password: 'token', tls: { mode: 'require' } })).rejects.toMatchObject({
        message: 'sallyport: target "crm" cannot be reached: the server has no TLS, which the target asks for',
      });
      const strange = { mode: 'verify-ca' } as const;
      await expect(behind({ listener: withTls }, { password: 'token', tls: strange })).rejects.toThrow(
        'cannot be reached: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      );
    });
  });
});

describe.runIf(haveMariadb)('a server of its own', () => {
  let server: MariadbServer;
  const gateways: Gateway[] = [];
  beforeAll(async () => {
    const file = (name: string) => new URL(name, tls).pathname;
    server = await startMariadb({
      options: [`--ssl-cert=${file('server.pem')}`, `--ssl-key=${file('server.key')}`, `--ssl-ca=${file('ca.pem')}`],
    });
    await run(server.url(), 'CREATE DATABASE crm');
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop();
    await server.stop();
  });

  async function answer(upstream: NonNullable<Script['upstream']>, sql: string): Promise<unknown> {
    const gateway = await startGateway({ ...server, database: 'crm' }, { upstream });
    gateways.push(gateway);
    const made = await mysql.createConnection(gateway.login());
    const [rows] = await made.query(sql);
    await made.end();
    return rows;
  }

  test.each(['require', 'verify-ca'] as const)('is spoken to within TLS (%s)', async (mode) => {
    const secure = { mode, ca: pem('ca.pem') };
    expect(await answer({ tls: secure }, "SHOW STATUS LIKE 'Ssl_version'")).toMatchObject([{ Value: 'TLSv1.3' }]);
  });

  test.runIf(onMariadb)('is logged in to by ed25519', async () => {
    await run(
      server.url(),
      "INSTALL SONAME 'auth_ed25519'",
      "CREATE USER edward@'%' IDENTIFIED VIA ed25519 USING PASSWORD('curve')",
      'GRANT ALL ON crm.* TO edward',
    );
    expect(await answer({ user: 'edward', password: 'curve' }, 'SELECT CURRENT_USER() AS who')).toEqual([
      { who: 'edward@%' },
    ]);
    await expect(answer({ user: 'edward', password: 'line' }, 'SELECT 1')).rejects.toThrow('refused the gateway (1045');
  });

  test.runIf(onMariadb)('is logged in to by mysql_native_password, with and without a password', async () => {
    await run(server.url(), "CREATE USER nobody@'%'", 'GRANT ALL ON crm.* TO nobody');
    expect(await answer({ user: 'nobody', password: undefined }, 'SELECT CURRENT_USER() AS who')).toEqual([
      { who: 'nobody@%' },
    ]);
  });
});

describe.runIf(haveMariadb && !onMariadb)('a MySQL server of its own', () => {
  let server: MariadbServer;
  const gateways: Gateway[] = [];
  const file = (name: string) => new URL(name, tls).pathname;
  beforeAll(async () => {
    server = await startMariadb({
      options: [`--ssl-cert=${file('server.pem')}`, `--ssl-key=${file('server.key')}`, `--ssl-ca=${file('ca.pem')}`],
    });
    await run(
      server.url(),
      'CREATE DATABASE crm',
      "CREATE USER sha@'%' IDENTIFIED WITH caching_sha2_password BY 'cached-secret'",
      "CREATE USER nobody@'%' IDENTIFIED WITH caching_sha2_password",
      'GRANT ALL ON crm.* TO sha, nobody',
    );
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop();
    await server.stop();
  });

  async function who(upstream: NonNullable<Script['upstream']>): Promise<unknown> {
    const gateway = await startGateway({ ...server, database: 'crm' }, { upstream });
    gateways.push(gateway);
    const made = await mysql.createConnection(gateway.login());
    const [rows] = await made.query("SELECT CURRENT_USER() AS who, @@sql_mode LIKE '%STRICT%' AS strict");
    await made.end();
    return rows;
  }

  const sha = { user: 'sha', password: 'cached-secret' };
  test.each([
    ['by RSA without TLS', { mode: 'disable' }],
    ['whole within TLS', { mode: 'require' }],
    ['whole within TLS, its name checked', { mode: 'verify-ca', ca: pem('ca.pem') }],
  ] as const)('is logged in to by caching_sha2_password, %s, and then by its fast way', async (_name, secure) => {
    // The server forgets the passwords that it has seen: the next login is a full one.
    await run(server.url(), 'FLUSH PRIVILEGES');
    for (let turn = 0; turn < 2; turn++) {
      expect(await who({ ...sha, tls: secure })).toEqual([{ who: 'sha@%', strict: 1 }]);
    }
  });

  test('is logged in to without a password, and not with a wrong one', async () => {
    expect(await who({ user: 'nobody', password: undefined })).toMatchObject([{ who: 'nobody@%' }]);
    for (const mode of ['disable', 'require'] as const) {
      const wrong = who({ ...sha, password: 'other', tls: { mode } });
      await expect(wrong).rejects.toThrow('refused the gateway (1045');
    }
  });
});

describe.runIf(haveMariadb)('the compressed protocol', () => {
  const server = mariadbDatabase(
    'CREATE TABLE words (id INT PRIMARY KEY AUTO_INCREMENT, word LONGTEXT)',
    ...sequences(3000),
  );
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway(server(), { listener: withTls });
  });
  afterAll(() => gateway.stop());

  test.each([
    ['without TLS', {}],
    ['within TLS', trusting],
  ])('carries small and large texts and results, %s', async (_name, more) => {
    const made = await mysql.createConnection(gateway.login({ compress: true, ...more }));
    const large = 'words and more '.repeat(20_000);
    const [insert] = await made.execute<mysql.ResultSetHeader>('INSERT INTO words (word) VALUES (?)', [large]);
    const [rows] = await made.query('SELECT word FROM words WHERE id = ?', [insert.insertId]);
    expect(rows).toEqual([{ word: large }]);
    const [many] = await made.query('SELECT seq FROM seq_1_to_3000');
    expect(many).toHaveLength(3000);
    await expect(made.query('SELECT * FROM missing')).rejects.toMatchObject({ errno: 1146 });
    await made.changeUser({ user: 'other', password: 'token' });
    expect(await made.query('SELECT 1 AS one')).toMatchObject([[{ one: 1 }], {}]);
    await made.end();
    expect(gateway.errors).toEqual([]);
  });
});
