// Memory of a long result: 10 GB of masked rows through the gateway, as packed, and a client that reads slowly. BENCH_GB changes the size.
import { startEmbedded } from '../src/store/embedded.ts';
import { cpuSeconds, peakMemory, resetPeakMemory, residentMemory } from './support/cpu.ts';
import { type Metric, reporter, round } from './support/metric.ts';
import { makePeople, peopleMasks } from './support/people.ts';
import { drainProcess, gatewayLeg } from './support/processes.ts';

const gigabytes = Number(process.env.BENCH_GB ?? 10);
const slowSeconds = Number(process.env.BENCH_SECONDS ?? 20);
const slowRate = 1_000_000;
const goal = 120e6;
const tableRows = 100_000;

export async function run(json: boolean): Promise<Metric[]> {
  const say = reporter(json);
  const server = await startEmbedded({ settings: { shared_buffers: '128MB' } });
  try {
    const { host, port, user, password } = server;
    const login = { host, port, user, password, database: 'bench' };
    const rowBytes = await makePeople(server, tableRows);
    const repeats = Math.ceil((gigabytes * 1e9) / rowBytes / tableRows);
    const sql = (times: number) =>
      `select p.id, p.name, p.email, p.ssn, p.card_number, p.phone, p.city, p.amount from generate_series(1, ${times}) g, people p`;
    const gateway = await gatewayLeg({
      name: 'gateway',
      upstream: login,
      masks: peopleMasks('*'),
      durable: true,
      compiled: true,
    });
    const pid = gateway.pid ?? 0;
    try {
      const idle = residentMemory(pid);
      const client = await drainProcess(gateway.login);
      say(`at start: peak ${mega(peakMemory(pid))}, then ${mega(residentMemory(pid))} resident with one session`);
      resetPeakMemory(pid);
      const samples: number[] = [];
      const sampler = setInterval(() => samples.push(residentMemory(pid)), 500);
      const before = cpuSeconds(pid);
      const drained = await client.drain(sql(repeats));
      clearInterval(sampler);
      await client.stop();
      const seconds = cpuSeconds(pid) - before;
      const peak = peakMemory(pid);
      const late = Math.max(...samples.slice(samples.length >> 1));
      say(
        `${(drained.bytes / 1e9).toFixed(1)} GB, ${(drained.rows / 1e6).toFixed(0)} M rows in ${drained.seconds.toFixed(0)} s (${(drained.rows / drained.seconds / 1e6).toFixed(2)} M rows/s, ${((seconds / drained.rows) * 1e6).toFixed(2)} s CPU per M rows): peak ${mega(peak)}, second half at most ${mega(late)}; the goal is ${mega(goal)}`,
      );

      const slow = await drainProcess(gateway.login);
      const slowSamples: number[] = [];
      const lost = slow.drain(sql(repeats), 'text', slowRate).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const slowSampler = setInterval(() => slowSamples.push(residentMemory(pid)), 250);
      await new Promise((resolve) => setTimeout(resolve, slowSeconds * 1000));
      clearInterval(slowSampler);
      await slow.stop();
      await lost;
      const least = Math.min(...slowSamples);
      const most = Math.max(...slowSamples);
      say(`a client that reads 1 MB/s for ${slowSeconds} s: between ${mega(least)} and ${mega(most)} resident`);
      return [
        { bench: 'masking-long', metric: 'idle_bytes', value: round(idle) },
        { bench: 'masking-long', metric: 'peak_bytes', value: round(peak), against: 'goal', ratio: round(peak / goal) },
        {
          bench: 'masking-long',
          metric: 'second_half_bytes',
          value: round(late),
          against: 'goal',
          ratio: round(late / goal),
        },
        { bench: 'masking-long', metric: 'rows_per_second', value: round(drained.rows / drained.seconds) },
        { bench: 'masking-long', metric: 'slow_client_growth_bytes', value: most - least },
      ];
    } finally {
      await gateway.stop();
    }
  } finally {
    await server.stop();
  }
}

function mega(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
