// The benchmarks by name: npm run bench [name] [-- --json]. Without a name, all of them.
import type { Metric } from './support/metric.ts';

export interface Bench {
  run(json: boolean): Promise<Metric[]>;
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  masking: () => import('./masking.ts'),
  pgbench: () => import('./pgbench.ts'),
};

const json = process.argv.includes('--json');
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`no benchmark is called ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}

const metrics: Metric[] = [];
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  const bench = await benches[name]?.();
  if (bench === undefined) continue;
  if (!json) console.log(`\n== ${name}`);
  try {
    metrics.push(...(await bench.run(json)));
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
if (json) for (const metric of metrics) console.log(JSON.stringify(metric));
