// Issued credentials: a user and password that log in through the gateway to one target, for a while, and nowhere else.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { pino } from 'pino';
import { beforeAll, expect, test } from 'vitest';
import { readRecords } from '../../src/audit/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway.ts';
import {
  createIdentity,
  exchange,
  type IssuedCredential,
  issueLocalToken,
  revokeCredential,
} from '../../src/identity/index.ts';
import { freePort, openStore, type Store } from '../../src/store/index.ts';
import { house } from './support.ts';

const run = promisify(execFile);
const sallyport = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));

const at = house({ issuers: () => '  grace: 1s', extra: 'credentials: { max-lifetime: 10m }\n' });
/** Records are written behind what they tell of, and machines may be slow. */
const patient = { timeout: 20_000 };
/** Each command is a process that loads the sources anew. */
const slow = 240_000;
let store: Store;

beforeAll(async () => {
  store = await openStore(await loadConfig(join(at().folder, 'sallyport.yaml')), { as: 'visitor' });
  return () => store.close();
});

async function issue(groups?: readonly string[], lifetime?: number): Promise<IssuedCredential> {
  const config = await loadConfig(join(at().folder, 'sallyport.yaml'));
  const answer = await exchange(
    {
      config: lifetime === undefined ? config : { ...config, credentials: { maxLifetimeMs: lifetime } },
      identity: createIdentity(config.identity),
      store,
      unrecorded: true,
    },
    { proof: { kind: 'token', token: await at().token(groups) }, target: 'shop' },
  );
  if (answer.kind === 'refused') throw new Error(answer.message);
  return answer.credential;
}

async function connect(settings: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port: at().port, ...settings });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function refusal(settings: pg.ClientConfig): Promise<pg.DatabaseError> {
  const outcome = await connect(settings).then(
    async (client) => client.end(),
    (cause: unknown) => cause,
  );
  if (outcome instanceof pg.DatabaseError) return outcome;
  throw new Error(`expected a refused login, got ${String(outcome)}`);
}

test('a credential logs in as the identity it was issued to', async () => {
  const { user, password } = await issue();
  const client = await connect({ user, password, database: 'shop' });
  const { rows } = await client.query('select ssn from customers where id = 1');
  await client.end();
  expect(rows).toEqual([{ ssn: expect.stringMatching(/^[^0-9]{3}.*0001$/) }]);
  const login = (await at().records()).findLast((record) => record.event === 'login');
  expect(login).toMatchObject({ identity: 'crew-support-7', groups: ['crew-support'], details: { user } });
});

test('a credential has a short password and lives no longer than its token and the file allow', async () => {
  const { user, password, expiresAt } = await issue();
  expect(user).toMatch(/^sp-[a-z2-7]{12}$/);
  expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(expiresAt - Date.now()).toBeLessThanOrEqual(600_000);
  expect(expiresAt - Date.now()).toBeGreaterThan(590_000);
  // The token of the test lives for 15 minutes.
  expect((await issue(undefined, 3_600_000)).expiresAt - Date.now()).toBeLessThanOrEqual(900_000);
});

test('the database may be left out, and no other than the target is entered', async () => {
  const { user, password } = await issue();
  const client = await connect({ user, password, database: user });
  await client.end();
  const error = await refusal({ user, password, database: 'elsewhere' });
  expect(error.message).toContain('rule "credential-target"');
});

test('a wrong password is refused as the server would', async () => {
  const { user, password } = await issue();
  const error = await refusal({ user, password: `${password.slice(1)}x`, database: 'shop' });
  expect(error).toMatchObject({ code: '28P01', message: `password authentication failed for user "${user}"` });
  await expect
    .poll(async () => (await at().records()).findLast(({ event }) => event === 'login-refused'), patient)
    .toMatchObject({ details: { rule: 'credential', user } });
});

test('a user name that was never issued brings a token', async () => {
  const client = await connect({ user: 'sp-aaaaaaaaaaaa', password: await at().token(), database: 'shop' });
  await client.end();
});

test('what the store holds of a credential logs in nowhere', async () => {
  const { user, password } = await issue();
  const [row] = await store.query<Record<string, unknown>>(
    `select scram, encode(mysql_native, 'hex') as native, encode(mysql_sha2, 'hex') as sha2, c::text as whole
     from sallyport.credentials c where user_name = $1`,
    [user],
  );
  expect(JSON.stringify(row)).not.toContain(password);
  for (const stored of [row?.scram, row?.native, row?.sha2])
    expect((await refusal({ user, password: String(stored), database: 'shop' })).code).toBe('28P01');
});

test('an expired and a revoked credential are refused by name', async () => {
  const short = await issue(undefined, 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await refusal({ ...short, database: 'shop' })).message).toContain('rule "expiry"');
  const revoked = await issue();
  expect(await revokeCredential(store, revoked.user)).toBe(true);
  expect((await refusal({ ...revoked, database: 'shop' })).message).toContain('rule "revoked"');
  expect(await revokeCredential(store, revoked.user)).toBe(false);
});

test('a session ends when its token does, after the grace of the file', async () => {
  const config = await loadConfig(join(at().folder, 'sallyport.yaml'));
  const password = await issueLocalToken(config, { sub: 'brief', groups: ['crew-support'], ttlMs: 6000 });
  const { exp = 0 } = decodeJwt(password);
  const client = await connect({ user: 'agent', password, database: 'shop' });
  const ended = new Promise<Error>((resolve) => client.once('error', resolve));
  expect(await ended).toMatchObject({ message: expect.stringContaining('its token has expired') });
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 + 950);
  await expect
    .poll(async () => (await at().records()).findLast(({ event }) => event === 'session-end'), patient)
    .toMatchObject({ identity: 'brief' });
});

test('a session ends when its credential does', async () => {
  const short = await issue(undefined, 6000);
  const client = await connect({ user: short.user, password: short.password, database: 'shop' });
  const ended = new Promise<Error>((resolve) => client.once('error', resolve));
  await client.query('select 1');
  expect((await ended).message).toContain('expired');
  expect(Date.now()).toBeGreaterThanOrEqual(short.expiresAt + 950);
});

test(
  'sallyport login prints a URL that psql takes, while the gateway runs',
  async () => {
    const file = join(at().folder, 'token.jwt');
    await writeFile(file, `${await at().token()}\n`);
    const config = join(at().folder, 'sallyport.yaml');
    const { stdout } = await run(process.execPath, [
      sallyport,
      ...['login', '-c', config, '--token-file', file, '--target', 'shop', '--json'],
    ]);
    const answer = JSON.parse(stdout) as Record<string, unknown>;
    expect(answer).toMatchObject({ target: 'shop', dialect: 'postgres' });
    const client = await connect({ user: String(answer.user), password: String(answer.password), database: 'shop' });
    await client.end();
    await expect
      .poll(
        async () =>
          (await at().records()).some(
            (record) => record.event === 'credential' && record.details.credential === answer.user,
          ),
        patient,
      )
      .toBe(true);
  },
  slow,
);

test(
  'sallyport login works while no gateway runs; the gateway records it when it starts',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-offline-'));
    const file = join(folder, 'sallyport.yaml');
    const port = await freePort();
    await writeFile(
      file,
      JSON.stringify({
        listen: { postgres: `127.0.0.1:${port}` },
        identity: { issuers: [{ local: true }] },
        credentials: {},
        targets: {
          shop: {
            dialect: 'postgres',
            url: `postgres://gateway@127.0.0.1:${at().server.port}/postgres`,
            password: { env: 'E2E_SHOP_PASSWORD' },
            tls: 'disable',
          },
        },
        roles: [{ name: 'support', groups: ['crew-support'], targets: ['shop'], allow: ['read'] }],
      }),
    );
    const config = await loadConfig(file);
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, await issueLocalToken(config, { sub: 'agent-1', groups: ['crew-support'] }));
    const login = ['login', '-c', file, '--token-file', tokenFile, '--target', 'shop'];
    const { stdout } = await run(process.execPath, [sallyport, ...login]);
    expect(stdout).toMatch(/^postgresql:\/\/sp-[a-z2-7]{12}:[A-Za-z0-9]{32}@127\.0\.0\.1:\d+\/shop\n$/);
    await writeFile(tokenFile, 'hunter2');
    await expect(run(process.execPath, [sallyport, ...login])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^login refused by rule "format": /),
    });
    const gateway = await startGateway(config, pino({ level: 'silent' }));
    const client = new pg.Client({ connectionString: stdout.trim() });
    await client.connect();
    await client.end();
    const recorded = async () => {
      const found: string[] = [];
      for await (const { record } of readRecords(config.audit.journal)) found.push(record.event);
      return found;
    };
    await expect.poll(recorded, patient).toContain('credential');
    await gateway.drain(0);
    await rm(folder, { recursive: true, force: true });
  },
  slow,
);

test(
  'a file that issues no credentials says so',
  async () => {
    const file = join(at().folder, 'without.yaml');
    const { folder } = at();
    const text = await readFile(join(folder, 'sallyport.yaml'), 'utf8');
    await writeFile(file, text.replace(/^credentials:.*$/m, ''));
    await expect(
      run(process.execPath, [sallyport, 'login', '-c', file, '--token-file', file, '--target', 'shop']),
    ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('credentials: {}') });
    await expect(
      run(process.execPath, [sallyport, 'login', '-c', join(folder, 'sallyport.yaml'), '--target', 'shop']),
    ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('--token-file') });
  },
  slow,
);
