// Short statements: pgbench's select-only script with 8 clients and prepared statements; through the gateway with policy, tag and records on,
// against no proxy, pgbouncer and a plain Node pipe, in one run, one after the other, several rounds. The gateway is the compiled one, as
// the published package runs it.
import pg from 'pg';
import { startEmbedded } from '../src/store/embedded.ts';
import { cpuSeconds } from './support/cpu.ts';
import type { Login } from './support/drain-client.ts';
import { compared, type Metric, reporter, spread, table } from './support/metric.ts';
import {
  addLeg,
  directLeg,
  gatewayLeg,
  type Leg,
  output,
  pgbouncerLeg,
  pipeLeg,
  programPath,
} from './support/processes.ts';

const seconds = Number(process.env.BENCH_SECONDS ?? 5);
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const clients = 8;
const warmUpSeconds = 3;

interface Measured {
  readonly leg: Leg;
  readonly rate: number[];
  readonly latency: number[];
  readonly cpu: number[];
}

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const program = programPath('pgbench');
  if (program === undefined) {
    say('pgbench is not on the PATH: left out');
    return [];
  }
  const server = await startEmbedded({ settings: { max_connections: '100' } });
  const legs: Leg[] = [];
  try {
    const admin = new pg.Client({ connectionString: server.url() });
    await admin.connect();
    await admin.query('create database bench');
    await admin.end();
    const login = {
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
      database: 'bench',
    };
    await pgbench(program, login, ['-i', '-s', '10', '-q', '--unlogged-tables']);
    legs.push(directLeg(login));
    await addLeg(legs, 'pgbouncer', () => pgbouncerLeg(login));
    await addLeg(legs, 'pipe', () => pipeLeg(login));
    for (const [name, more] of [
      ['gateway', { durable: true }],
      ['gateway-fast', { durable: false }],
      ['gateway-2', { durable: true, workers: 2 }],
      ['gateway-2-fast', { durable: false, workers: 2 }],
    ] as const)
      await addLeg(legs, name, () => gatewayLeg({ name, upstream: login, masks: '', compiled: true, ...more }));

    const measured: Measured[] = legs.map((leg) => ({ leg, rate: [], latency: [], cpu: [] }));
    // What an engine compiles while it runs hot for the first time is no part of a statement's cost.
    for (const { leg } of measured) await pgbench(program, leg.login, selectOnly(warmUpSeconds));
    for (let round = 1; round <= rounds; round++) {
      for (const entry of measured) await measure(program, entry);
      say(
        `round ${round} of ${rounds}: ${measured.map(({ leg, rate }) => `${leg.name} ${Math.round(rate.at(-1) ?? 0)}`).join(', ')} per second`,
      );
    }
    say('');
    say(summary(measured));
    const by = (pick: (entry: Measured) => readonly number[]) =>
      new Map(measured.filter((entry) => pick(entry).length > 0).map((entry) => [entry.leg.name, pick(entry)]));
    return [
      ...compared(
        'pgbench',
        'transactions_per_second',
        by(({ rate }) => rate),
        legs.some(({ name }) => name === 'pgbouncer') ? 'pgbouncer' : 'direct',
      ),
      ...compared(
        'pgbench',
        'latency_ms',
        by(({ latency }) => latency),
        'direct',
      ),
      ...compared(
        'pgbench',
        'cpu_seconds_per_100000',
        by(({ cpu }) => cpu),
        'pipe',
      ),
    ];
  } finally {
    for (const leg of legs.reverse()) await leg.stop();
    await server.stop();
  }
}

function selectOnly(length: number): readonly string[] {
  return ['-S', '-n', '-M', 'prepared', '-c', String(clients), '-T', String(length)];
}

async function measure(program: string, { leg, rate, latency, cpu }: Measured): Promise<void> {
  const before = leg.pid === undefined ? 0 : cpuSeconds(leg.pid);
  const said = await pgbench(program, leg.login, selectOnly(seconds));
  const number = (pattern: RegExp) => Number(pattern.exec(said)?.[1] ?? Number.NaN);
  rate.push(number(/^tps = ([\d.]+)/m));
  latency.push(number(/^latency average = ([\d.]+) ms/m));
  const done = number(/^number of transactions actually processed: (\d+)/m);
  if (leg.pid !== undefined) cpu.push(((cpuSeconds(leg.pid) - before) / done) * 100_000);
}

function pgbench(
  program: string,
  { host, port, user, password, database }: Login,
  args: readonly string[],
): Promise<string> {
  return output(program, [...args, '-h', host, '-p', String(port), '-U', user, database], undefined, {
    PGPASSWORD: password,
  });
}

function summary(measured: readonly Measured[]): string {
  const reference = spread((measured.find(({ leg }) => leg.name === 'pgbouncer') ?? measured[0])?.rate ?? []).median;
  const lines = measured.map(({ leg, rate, latency, cpu }) => {
    const { min, median, max } = spread(rate);
    return [
      leg.name,
      `${Math.round(min)} / ${Math.round(median)} / ${Math.round(max)}`,
      (median / reference).toFixed(2),
      spread(latency).median.toFixed(2),
      cpu.length === 0 ? '' : spread(cpu).median.toFixed(2),
    ];
  });
  return [
    `pgbench -S -M prepared, ${clients} clients, ${seconds} s a round, ${rounds} rounds, min / median / max`,
    table([['', 'statements/s', 'of pgbouncer', 'ms', 'CPU s per 100,000'], ...lines]),
  ].join('\n');
}
