// What comes before a session: encryption, start-up parameters, logins, and everything that can be wrong with them.

import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scramVerifier } from '../../../protocols/postgres/index.ts';
import { clientFirst } from '../../../protocols/postgres/scram.ts';
import { postgresServer } from '../../support/postgres.ts';
import {
  errorOf,
  type Gateway,
  int32,
  letters,
  message,
  RawClient,
  refusal,
  rowsOf,
  type Script,
  say,
  startGateway,
  startUp,
} from './support.ts';

const pem = (name: string) => readFileSync(new URL(`../../../fixtures/wire/postgres/tls/${name}`, import.meta.url));
const server = postgresServer();
const gateways: Gateway[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
});

async function start(script: Script = {}): Promise<Gateway> {
  const gateway = await startGateway(server(), script);
  gateways.push(gateway);
  return gateway;
}

const withTls: Script = {
  listener: { tls: () => createSecureContext({ cert: pem('server.pem'), key: pem('server.key') }) },
};
const sslRequest = Buffer.concat([int32(8), int32(80877103)]);
const gssRequest = Buffer.concat([int32(8), int32(80877104)]);
const password = (text: string) => message('p', Buffer.from(`${text}\0`));

function secure(socket: Socket | undefined, port: number, alpn: string[]): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      ...(socket === undefined ? { port, host: '127.0.0.1' } : { socket }),
      ca: pem('ca.pem'),
      servername: 'localhost',
      ALPNProtocols: alpn,
    });
    tls.once('secureConnect', () => resolve(tls));
    tls.once('error', reject);
  });
}

async function oneByte(client: Socket): Promise<string> {
  return new Promise((resolve) => client.once('data', (chunk) => resolve(chunk.toString('latin1'))));
}

describe('encryption', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start(withTls);
  });

  test('pg connects over TLS, and the gate is told so', async () => {
    const client = new pg.Client({ connectionString: gateway.url(), ssl: { ca: pem('ca.pem').toString() } });
    await client.connect();
    expect((await client.query('select 1 as a')).rows).toEqual([{ a: 1 }]);
    expect(gateway.hellos.at(-1)).toMatchObject({ encrypted: true, loopback: true, user: 'agent', database: 'shop' });
    await client.end();
  });

  test('direct TLS works with the protocol named, and is refused without', async () => {
    const client = new RawClient(await secure(undefined, gateway.port, ['postgresql']));
    client.send(startUp());
    await client.until((received) => received.length > 0);
    client.send(password('token'));
    await client.take();
    expect(rowsOf(await client.ask(say.query('select 1')))).toEqual([['1']]);
    await client.close();
    const nameless = new RawClient(await secure(undefined, gateway.port, []));
    await nameless.until((received) => received.length > 0);
    expect(errorOf(nameless.messages)).toMatchObject({ S: 'FATAL', C: '08P01' });
  });

  test('GSS encryption is answered N, and TLS can follow', async () => {
    const { socket } = await RawClient.connect(gateway.port);
    socket.removeAllListeners('data');
    socket.write(gssRequest);
    expect(await oneByte(socket)).toBe('N');
    socket.write(sslRequest);
    expect(await oneByte(socket)).toBe('S');
    const client = new RawClient(await secure(socket, 0, ['postgresql']));
    client.send(startUp());
    await client.until((received) => received.length > 0);
    expect(letters(client.messages)).toBe('R');
    client.socket.destroy();
  });

  test('bytes behind the SSLRequest that were not encrypted are refused', async () => {
    const client = await RawClient.connect(gateway.port);
    client.send(sslRequest, startUp());
    await client.until(() => client.closed);
    expect(errorOf(client.messages)).toMatchObject({ C: '08P01', M: 'received unencrypted data after SSL request' });
  });

  test('a listener without a certificate answers N', async () => {
    const plain = await start();
    const { socket } = await RawClient.connect(plain.port);
    socket.removeAllListeners('data');
    socket.write(sslRequest);
    expect(await oneByte(socket)).toBe('N');
    socket.destroy();
  });
});

describe('start-up', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });

  test('protocol 3.2 gets a long cancel key that works, 3.9 is talked down to it', async () => {
    for (const minor of [2, 9]) {
      const client = await RawClient.connect(gateway.port);
      client.send(startUp({ minor, parameters: minor === 9 ? { '_pq_.nonsense': '1' } : {} }));
      await client.until((received) => received.some(({ type }) => type === 'R'));
      expect(letters(client.messages)).toBe(minor === 9 ? 'vR' : 'R');
      if (minor === 9) {
        expect(client.messages[0]?.body).toEqual(
          Buffer.concat([int32((3 << 16) | 2), int32(1), Buffer.from('_pq_.nonsense\0')]),
        );
      }
      client.send(password('token'));
      const key = (await client.take()).find(({ type }) => type === 'K')?.body;
      expect(key).toHaveLength(4 + 32);
      client.send(say.query('select pg_sleep(30)'));
      await new Promise((resolve) => setTimeout(resolve, 100));
      const cancel = await RawClient.connect(gateway.port);
      cancel.send(int32(8 + 36), int32(80877102), key ?? Buffer.alloc(0));
      await cancel.until(() => cancel.closed);
      expect(errorOf(await client.take())).toMatchObject({ C: '57014' });
      await client.close();
    }
  });

  test('parameters and options reach the server', async () => {
    const client = await RawClient.open(gateway.port, {
      parameters: {
        options: '-c work_mem=77MB --search-path="a\\ b",public',
        DateStyle: 'German',
        application_name: 'mine',
      },
    });
    expect(
      rowsOf(
        await client.ask(
          say.query(
            "select current_setting('work_mem'), current_setting('search_path'), current_setting('datestyle'), current_setting('application_name')",
          ),
        ),
      ),
    ).toEqual([['77MB', '"a b",public', 'German, DMY', 'sallyport:test']]);
    expect(gateway.hellos.at(-1)?.parameters.get('work_mem')).toBe('77MB');
    await client.close();
  });

  test.each([
    [{ client_encoding: 'LATIN1' }, '0A000', /client_encoding "LATIN1"/],
    [{ standard_conforming_strings: 'off' }, '0A000', /standard_conforming_strings/],
    [{ options: '-c standard_conforming_strings=off' }, '0A000', /standard_conforming_strings/],
    [{ options: '-c Client-Encoding=EUC_JP' }, '0A000', /client_encoding/],
    [{ options: '-f s' }, '0A000', /option "-f"/],
    [{ replication: 'database' }, '0A000', /replication/],
    [{ no_such_setting: '1' }, '42704', /no_such_setting/],
    [{ DateStyle: 'nonsense' }, '22023', /DateStyle/],
  ])('parameters %j are refused by name', async (parameters, sqlstate, text) => {
    const client = await RawClient.open(gateway.port, { parameters });
    expect(errorOf(client.messages)).toMatchObject({ S: 'FATAL', C: sqlstate, M: expect.stringMatching(text) });
    await client.until(() => client.closed);
  });

  test.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), '08P01'],
    ['a length of 2 GB', Buffer.concat([int32(0x7fffffff), int32(196608)]), '08P01'],
    ['a length of 0', Buffer.concat([int32(0), int32(196608)]), '08P01'],
    ['protocol 2.0', Buffer.concat([int32(8), int32(2 << 16)]), '0A000'],
    ['no terminator', Buffer.concat([int32(13), int32(196608), Buffer.from('user\0')]), '08P01'],
    ['no user', Buffer.concat([int32(9), int32(196608), Buffer.from([0])]), '28000'],
    ['two SSLRequests', Buffer.concat([sslRequest, sslRequest]), '0A000'],
    ['a cancel request cut short', Buffer.concat([int32(8), int32(80877102)]), '08P01'],
    ['a query instead of a password', Buffer.concat([startUp(), say.query('select 1')]), '08P01'],
    ['an empty password', Buffer.concat([startUp(), password('')]), '28P01'],
    ['a password of 2 GB', Buffer.concat([startUp(), Buffer.from('p'), int32(0x7fffffff)]), '28P01'],
    ['a wrong token', Buffer.concat([startUp(), password('wrong')]), '28P01'],
  ])('%s is a clear error', async (_what, bytes, sqlstate) => {
    const client = await RawClient.connect(gateway.port);
    client.send(bytes);
    await client.until(() => client.closed);
    // The answer to an SSLRequest is a byte of its own before the error.
    const all = client.messages.length > 0 ? errorOf(client.messages).C : sqlstate;
    expect(all).toBe(sqlstate);
    const next = await RawClient.open(gateway.port);
    expect(letters(next.messages)).toContain('Z');
    await next.close();
  });

  test('nothing is sent upstream before the gate has admitted', async () => {
    let connections = 0;
    const upstream = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as { port: number };
    const closed = await start({ upstream: { port } });
    const wrong = await RawClient.open(closed.port, { password: 'wrong' });
    expect(errorOf(wrong.messages)).toMatchObject({ C: '28P01', M: 'sallyport: the token is wrong' });
    expect(connections).toBe(0);
    const right = await RawClient.open(closed.port);
    expect(connections).toBe(1);
    expect(errorOf(right.messages)).toMatchObject({ S: 'FATAL', C: '08006' });
    expect(closed.ends).toHaveLength(1);
    await new Promise((resolve) => upstream.close(resolve));
  });

  test('an upstream that is not there is an error without secrets', async () => {
    const lost = await start({ upstream: { port: 1, password: 'verysecret' } });
    const client = await RawClient.open(lost.port);
    expect(errorOf(client.messages)).toMatchObject({
      C: '08006',
      M: 'sallyport: target "shop" cannot be reached: ECONNREFUSED',
    });
  });

  test('a login that takes too long, is too large or one too many is refused', async () => {
    const tight = await start({ limits: { loginMs: 200, maxUnauthenticatedBytes: 1000, maxUnauthenticated: 1 } });
    const slow = await RawClient.connect(tight.port);
    const tooMany = await RawClient.connect(tight.port);
    await tooMany.until(() => tooMany.closed);
    expect(errorOf(tooMany.messages)).toMatchObject({ C: '53300' });
    await slow.until(() => slow.closed);
    expect(errorOf(slow.messages)).toMatchObject({ C: '08006' });
    await expect.poll(() => tight.listener.waiting).toBe(0);
    const large = await RawClient.connect(tight.port);
    large.send(startUp(), Buffer.alloc(2000));
    await large.until(() => large.closed);
    expect(errorOf(large.messages)).toMatchObject({ C: '54000' });
  });

  test('a setting that makes text unreadable ends the session, however it is set', async () => {
    const client = await RawClient.open(gateway.port);
    client.messages.length = 0;
    client.send(say.query('set standard_conforming_strings = off'));
    await client.until(() => client.closed);
    expect(errorOf(client.messages)).toMatchObject({ S: 'FATAL', C: '0A000' });
  });

  test('a parameter that the gate refuses ends the session', async () => {
    const strict = await start({
      parameter: (name, value) =>
        name === 'TimeZone' && value === 'Asia/Tokyo' ? refusal('not there', { kind: 'unsupported' }) : undefined,
    });
    const client = await RawClient.open(strict.port);
    client.messages.length = 0;
    client.send(say.query("set timezone = 'Asia/Tokyo'"));
    await client.until(() => client.closed);
    expect(errorOf(client.messages)).toMatchObject({ S: 'FATAL', M: 'sallyport: not there' });
    expect(strict.ends).toHaveLength(1);
  });

  test('an identity that ends takes its session with it', async () => {
    const own = await start();
    const client = await RawClient.open(own.port);
    client.messages.length = 0;
    own.endSessions(refusal('the token has expired', { kind: 'login', sqlstate: '28000' }));
    await client.until(() => client.closed);
    expect(errorOf(client.messages)).toMatchObject({ S: 'FATAL', C: '28000' });
  });

  test('a drain lets a transaction finish and then ends its session', async () => {
    const own = await start();
    const idle = await RawClient.open(own.port);
    const busy = await RawClient.open(own.port);
    await busy.ask(say.query('begin'));
    const drained = own.listener.drain(10_000);
    await idle.until(() => idle.closed);
    expect(errorOf(idle.messages)).toMatchObject({ C: '57P01' });
    expect(rowsOf(await busy.ask(say.query('select 1')))).toEqual([['1']]);
    busy.send(say.query('commit'));
    await busy.until(() => busy.closed);
    expect(letters(busy.messages)).toBe('CZE');
    await drained;
  });
});

describe('logins', () => {
  test('a credential logs in by SCRAM-SHA-256, a wrong password does not', async () => {
    const verifier = scramVerifier('s3cret', Buffer.from('0123456789abcdef'), 4096);
    const gateway = await start({ challenge: () => ({ kind: 'scram-sha-256', verifier }) });
    const client = new pg.Client({ connectionString: gateway.url('shop', 's3cret') });
    await client.connect();
    expect((await client.query('select 1 as a')).rows).toEqual([{ a: 1 }]);
    await client.end();
    const wrong = new pg.Client({ connectionString: gateway.url('shop', 'guess') });
    await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
  });

  test('OAUTHBEARER takes a token, and tells a client without one where to get it', async () => {
    const gateway = await start({
      listener: {
        oauth: { openidConfiguration: 'https://idp.example.com/.well-known/openid-configuration', scope: 'db' },
      },
    });
    const initial = (data: string) =>
      message('p', Buffer.concat([Buffer.from('OAUTHBEARER\0'), int32(data.length), Buffer.from(data)]));
    const begin = async () => {
      const client = await RawClient.connect(gateway.port);
      client.send(startUp({ parameters: { options: '-c sallyport.login=oauth' } }));
      await client.until((received) => received.length > 0);
      expect(client.messages[0]?.body).toEqual(Buffer.concat([int32(10), Buffer.from('OAUTHBEARER\0\0')]));
      return client;
    };
    const client = await begin();
    client.send(initial('n,,\x01auth=Bearer token\x01\x01'));
    expect(letters(await client.take())).toContain('Z');
    await client.close();
    const asking = await begin();
    asking.send(initial('n,,\x01auth=\x01\x01'));
    await asking.until((received) => received.length > 1);
    expect(JSON.parse(asking.messages[1]?.body.toString('utf8', 4) ?? '')).toMatchObject({
      status: 'invalid_token',
      scope: 'db',
    });
    asking.send(message('p', Buffer.from([1])));
    await asking.until(() => asking.closed);
    expect(errorOf(asking.messages)).toMatchObject({ S: 'FATAL', C: '28000' });
    for (const wrong of ['', 'n,,auth=x', 'n,,\x01host=x\x01\x01', 'p=x,,\x01auth=Bearer token\x01\x01']) {
      const broken = await begin();
      broken.send(initial(wrong));
      await broken.until(() => broken.closed);
      expect(errorOf(broken.messages)).toMatchObject({ C: '08P01' });
    }
  });

  test('a client that picks a mechanism that was not offered is refused', async () => {
    const verifier = scramVerifier('x', Buffer.from('0123456789abcdef'), 2);
    const gateway = await start({ challenge: () => ({ kind: 'scram-sha-256', verifier }) });
    const client = await RawClient.connect(gateway.port);
    const first = clientFirst('x', 'abc', { kind: 'none' }).message;
    client.send(
      startUp(),
      message('p', Buffer.concat([Buffer.from('SCRAM-SHA-1\0'), int32(first.length), Buffer.from(first)])),
    );
    await client.until(() => client.closed);
    expect(errorOf(client.messages)).toMatchObject({ C: '08P01' });
  });
});
