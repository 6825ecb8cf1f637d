// The benchmarks by name: npm run bench [name] [-- --json]. Without a name, all of them. Each is a file of this folder that exports `run`.
import { readdirSync } from 'node:fs';
import type { Metric } from './support/metric.ts';

/** What a file of this folder exports. With `json`, lines for people go to stderr (see `reporter`). */
export interface Bench {
  run(json: boolean): Promise<Metric[]>;
}

const benches = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

const json = process.argv.includes('--json');
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const unknown = names.filter((name) => !benches.includes(name));
if (unknown.length > 0) {
  console.error(`no benchmark is called ${unknown.join(', ')}; there are: ${benches.join(', ')}`);
  process.exit(2);
}

const metrics: Metric[] = [];
for (const name of names.length > 0 ? names : benches) {
  const bench = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as Bench;
  if (!json) console.log(`\n== ${name}`);
  try {
    metrics.push(...(await bench.run(json)));
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
if (json) for (const metric of metrics) console.log(JSON.stringify(metric));
