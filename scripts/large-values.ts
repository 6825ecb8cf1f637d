// `node --import tsx scripts/large-values.ts [MB]`: one value of 200 MB through a gateway process, to the server and back, and the most memory
// the gateway had meanwhile; then the same value in a row with a masked column, and as a masked column itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { loadConfig } from '../src/config/index.ts';
import { issueLocalToken } from '../src/identity/index.ts';
import { startEmbedded } from '../src/store/index.ts';

const megabytes = Number(process.argv[2] ?? 200);
const size = megabytes * 1024 * 1024;
const server = await startEmbedded();
const folder = await mkdtemp(join(tmpdir(), 'sallyport-large-'));
const file = join(folder, 'sallyport.yaml');
await writeFile(join(folder, 'password'), server.password, { mode: 0o600 });
await writeFile(
  file,
  `listen: { postgres: 127.0.0.1:0 }
identity: { issuers: [{ local: true }] }
targets:
  plain: { dialect: postgres, url: "postgres://postgres@127.0.0.1:${server.port}/postgres", password: { file: password }, tls: disable }
  masked: { dialect: postgres, url: "postgres://postgres@127.0.0.1:${server.port}/postgres", password: { file: password }, tls: disable }
roles:
  - { name: everything, groups: [everything], targets: [plain, masked], allow: [read, write, ddl, session, admin] }
masks:
  - { columns: ["masked.public.large.secret"], mask: redact }
audit: { journal: journal, durable: false }
`,
);
const config = await loadConfig(file);
const token = await issueLocalToken(config, { sub: 'large', groups: ['everything'], ttlMs: 3_600_000 });
const gateway = spawn(process.execPath, [resolve(import.meta.dirname, '../bin/sallyport.js'), 'serve', '-c', file], {
  cwd: folder,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const lines = createInterface({ input: gateway.stdout });
let port = 0;
for await (const line of lines) {
  port = Number(/postgres[^0-9]*127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? 0);
  if (port > 0) break;
}
gateway.stdout.resume();

async function memory(): Promise<number> {
  const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

async function measure(label: string, work: () => Promise<string>): Promise<void> {
  const before = await memory();
  let most = before;
  const timer = setInterval(async () => {
    most = Math.max(most, await memory());
  }, 20);
  const started = Date.now();
  const said = await work().catch((error: Error) => `refused: ${error.message}`);
  clearInterval(timer);
  console.log(`${label}: ${said}; gateway ${before} MB before, ${most} MB at most; ${Date.now() - started} ms`);
}

const connect = async (database: string) => {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'x', password: token, database });
  await client.connect();
  return client;
};
const plain = await connect('plain');
await plain.query('create table large (id int, value bytea, secret bytea)');
const value = Buffer.alloc(size, 7);
await measure('to the server, in a parameter', async () => {
  const { rowCount } = await plain.query('insert into large (id, value) values (1, $1)', [value]);
  return `${rowCount} row`;
});
const read = async (client: pg.Client, column: string) => {
  // `binary` is the driver's, though its types do not know it.
  const query = { text: `select id, ${column} from large`, binary: true };
  const { rows } = await client.query<Record<string, Buffer>>(query);
  return `${rows[0]?.[column]?.length ?? 0} bytes`;
};
await measure('from the server, in a row', () => read(plain, 'value'));
await plain.query('update large set secret = value');
const masked = await connect('masked');
await measure('from the server, beside masks', () => read(masked, 'value'));
await measure('from the server, masked itself', () => read(masked, 'secret'));
await measure('to the server, while masks apply', async () => {
  const { rowCount } = await masked.query('insert into large (id, value) values (2, $1)', [value]);
  return `${rowCount} row`;
});
await measure('the session goes on', async () => JSON.stringify((await masked.query('select 1 as one')).rows));
await plain.end();
await masked.end();
gateway.kill('SIGTERM');
await once(gateway, 'exit');
await server.stop();
await rm(folder, { recursive: true, force: true });
process.exit(0);
