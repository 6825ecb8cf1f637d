// `node --import tsx scripts/large-values.ts [MB]`: one value of 200 MB through a gateway process, to the server and back, and the most memory
// the gateway had meanwhile; then the same value in a row with a masked column, and as a masked column itself.
import pg from 'pg';
import { residentMemory } from '../bench/support/cpu.ts';
import { gatewayLeg } from '../bench/support/processes.ts';
import { startEmbedded } from '../src/store/index.ts';

const megabytes = Number(process.argv[2] ?? 200);
const size = megabytes * 1024 * 1024;
const server = await startEmbedded();
const { host, port, user, password } = server;
const gateway = await gatewayLeg({
  name: 'gateway',
  upstream: { host, port, user, password, database: 'postgres' },
  targets: ['masked'],
  masks: 'masks:\n  - { columns: ["masked.public.large.secret"], mask: redact }',
  durable: false,
});
const memory = () => Math.round(residentMemory(gateway.pid ?? 0) / 1024 / 1024);

async function measure(label: string, work: () => Promise<string>): Promise<void> {
  const before = memory();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, memory());
  }, 20);
  const started = Date.now();
  const said = await work().catch((error: Error) => `refused: ${error.message}`);
  clearInterval(timer);
  console.log(`${label}: ${said}; gateway ${before} MB before, ${most} MB at most; ${Date.now() - started} ms`);
}

const connect = async (database: string) => {
  const client = new pg.Client({ ...gateway.login, database });
  await client.connect();
  return client;
};
const plain = await connect('postgres');
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
await gateway.stop();
await server.stop();
process.exit(0);
