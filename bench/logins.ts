// Logins: a thousand sessions at once, and logins one after the other; on the server itself, through the gateway with a
// token of its own for each session, and with issued credentials, in one run. Counts how often the issuer's keys are fetched.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import pg from 'pg';
import { loadConfig } from '../src/config/index.ts';
import { createIdentity, exchange } from '../src/identity/index.ts';
import { freePort, startEmbedded } from '../src/store/embedded.ts';
import { openStore } from '../src/store/index.ts';
import { cpuSeconds } from './support/cpu.ts';
import { compared, type Metric, reporter, round, spread, table } from './support/metric.ts';
import { end, firstLine, root } from './support/processes.ts';

const sessions = Number(process.env.BENCH_SESSIONS ?? 1000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const logins = 200;

type Settings = pg.ClientConfig;

/** How one subject logs in the n-th time. */
interface Subject {
  readonly name: string;
  settings(turn: number): Settings;
}

interface Issuer {
  readonly url: string;
  readonly server: Server;
  fetches: number;
  token(subject: string): Promise<string>;
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const upstream = await startEmbedded({ settings: { max_connections: String(sessions + 50) } });
  const issuer = await startIssuer();
  const port = await freePort();
  const file = join(folder, 'sallyport.yaml');
  await writeFile(join(folder, 'password'), upstream.password, { mode: 0o600 });
  await writeFile(file, configuration(issuer, upstream.port, port));
  const command = join(root, 'bin', 'sallyport.js');
  const gateway = spawn(process.execPath, [command, 'serve', '-c', file], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SALLYPORT_LOG: 'error' },
  });
  try {
    await firstLine(gateway, /^ready\b/);
    const tokens = await Promise.all(Array.from({ length: sessions }, (_, n) => issuer.token(`agent-${n}`)));
    const credentials = await issueAll(file, tokens.slice(0, Math.min(sessions, 200)));
    const before = issuer.fetches;
    const via = { host: '127.0.0.1', port, database: 'bench' };
    const subjects: Subject[] = [
      {
        name: 'direct',
        settings: () => ({
          host: upstream.host,
          port: upstream.port,
          user: upstream.user,
          password: upstream.password,
          database: 'postgres',
        }),
      },
      { name: 'token', settings: (n) => ({ ...via, user: 'agent', password: at(tokens, n) }) },
      { name: 'credential', settings: (n) => ({ ...via, ...at(credentials, n) }) },
    ];

    // The first session opens the catalog, once for the gateway's life.
    for (const subject of subjects) await timed([subject.settings(0)]);
    const storms = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
    const cpu = new Map<string, number[]>(subjects.slice(1).map(({ name }) => [name, []]));
    const steady = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
    for (let turn = 0; turn < rounds; turn++) {
      for (const { name, settings } of subjects) {
        const before = cpuSeconds(gateway.pid ?? 0);
        steady.get(name)?.push(...(await oneByOne(settings)));
        storms.get(name)?.push(...(await timed(Array.from({ length: sessions }, (_, n) => settings(n)))));
        cpu.get(name)?.push(((cpuSeconds(gateway.pid ?? 0) - before) * 1000) / (sessions + logins));
      }
      say(`round ${turn + 1} of ${rounds} done`);
    }
    const fetches = issuer.fetches - before;
    say('');
    say(summary(`${sessions} sessions at once`, storms));
    say('');
    say(summary('one login after the other', steady));
    const spent = [...cpu].map(([name, values]) => `${name} ${spread(values).median.toFixed(1)}`);
    say(`\nCPU ms of the gateway for a login and its end: ${spent.join(', ')}`);
    say(`fetches of the issuer's keys: ${fetches}`);
    return [
      ...compared('logins', 'storm_median_ms', storms, 'direct'),
      ...compared('logins', 'median_ms', steady, 'direct'),
      ...['token', 'credential'].flatMap((name) => [
        { bench: 'logins', metric: `${name}.storm_overhead_ms`, value: round(overhead(storms, name)) },
        { bench: 'logins', metric: `${name}.overhead_ms`, value: round(overhead(steady, name)) },
      ]),
      ...[...cpu].map(([name, values]) => ({
        bench: 'logins',
        metric: `${name}.gateway_cpu_ms`,
        value: round(spread(values).median),
      })),
      { bench: 'logins', metric: 'key_fetches', value: fetches },
    ];
  } finally {
    await end(gateway);
    await new Promise((resolve) => issuer.server.close(resolve));
    await upstream.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function at<T>(list: readonly T[], n: number): T {
  const item = list[n % list.length];
  if (item === undefined) throw new Error('an empty list');
  return item;
}

/** Opens all sessions at once, holds them until the last is in, and gives how long each login took. Rejects when one fails. */
async function timed(all: readonly Settings[]): Promise<number[]> {
  const open: pg.Client[] = [];
  try {
    return await Promise.all(
      all.map(async (settings) => {
        const client = new pg.Client(settings);
        client.on('error', () => undefined);
        open.push(client);
        const begun = performance.now();
        await client.connect();
        return performance.now() - begun;
      }),
    );
  } finally {
    await Promise.all(open.map((client) => client.end().catch(() => undefined)));
  }
}

async function oneByOne(settings: Subject['settings']): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < logins; turn++) times.push(...(await timed([settings(turn)])));
  return times;
}

async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }] });
  const server = createServer((_, response) => {
    issuer.fetches += 1;
    response.setHeader('content-type', 'application/json').end(keys);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const issuer: Issuer = {
    url,
    server,
    fetches: 0,
    token: (subject) =>
      new SignJWT({ groups: ['bench'] })
        .setProtectedHeader({ alg: 'ES256', kid: 'bench' })
        .setIssuer(url)
        .setSubject(subject)
        .setAudience('sallyport')
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey),
  };
  return issuer;
}

function configuration(issuer: Issuer, upstream: number, port: number): string {
  return `listen:
  postgres: 127.0.0.1:${port}
identity:
  issuers:
    - issuer: ${issuer.url}
      jwks: ${issuer.url}/jwks
credentials: { max-lifetime: 1h }
targets:
  bench:
    dialect: postgres
    url: postgres://postgres@127.0.0.1:${upstream}/postgres
    password: { file: password }
    tls: disable
roles:
  - { name: bench, groups: [bench], targets: [bench], allow: [read, session] }
limits: { unauthenticated: ${sessions * 2}, sessions: ${sessions * 2}, login-timeout: 60s }
audit: { journal: journal }
`;
}

/** Credentials for the storm, through the store as \`sallyport login\` issues them. */
async function issueAll(file: string, tokens: readonly string[]): Promise<Settings[]> {
  const config = await loadConfig(file);
  const store = await openStore(config, { as: 'visitor' });
  try {
    const identity = createIdentity(config.identity);
    const issued: Settings[] = [];
    for (const token of tokens) {
      const answer = await exchange(
        { config, identity, store, unrecorded: false },
        { proof: { kind: 'token', token }, target: 'bench' },
      );
      if (answer.kind === 'refused') throw new Error(answer.message);
      issued.push({ user: answer.credential.user, password: answer.credential.password });
    }
    return issued;
  } finally {
    await store.close();
  }
}

/** How much longer the median login takes than on the server itself. */
function overhead(times: ReadonlyMap<string, readonly number[]>, name: string): number {
  return spread(times.get(name) ?? []).median - spread(times.get('direct') ?? []).median;
}

function summary(title: string, times: ReadonlyMap<string, readonly number[]>): string {
  const rows = [...times].map(([name, values]) => {
    const { min, median, max } = spread(values);
    const over = name === 'direct' ? '' : overhead(times, name).toFixed(1);
    return [name, min.toFixed(1), median.toFixed(1), max.toFixed(1), over];
  });
  return `${title}, ms\n${table([['', 'least', 'median', 'most', 'overhead of the median'], ...rows])}`;
}
