// Counters, gauges and histograms, and the text that Prometheus reads (exposition format 0.0.4). Counting is an addition to a number:
// whoever counts often asks for its series once and keeps it.

type Labels = Readonly<Record<string, string>>;

/** More label values than these in one family are counted together: a stranger's words must not fill the memory. */
const MOST_SERIES = 200;

export class Counter {
  value = 0;
  add(by = 1): void {
    this.value += by;
  }
}

export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;

  /** Upper bounds of the buckets, ascending; one more takes the rest. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

/** Series of one name that differ in their labels. */
export class Family<Series> {
  readonly #make: () => Series;
  readonly #series = new Map<string, { readonly labels: Labels; readonly series: Series }>();

  constructor(make: () => Series) {
    this.#make = make;
  }

  with(labels: Labels): Series {
    const key = Object.values(labels).join('\0');
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    if (this.#series.size >= MOST_SERIES) {
      const other = Object.fromEntries(Object.keys(labels).map((name) => [name, 'other']));
      if (Object.values(labels).some((value) => value !== 'other')) return this.with(other);
    }
    const series = this.#make();
    this.#series.set(key, { labels, series });
    return series;
  }

  *[Symbol.iterator](): Generator<readonly [Labels, Series]> {
    for (const { labels, series } of this.#series.values()) yield [labels, series];
  }
}

export type Sample = readonly [Labels, number];

interface Entry {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  lines(): Generator<string>;
}

export class Registry {
  readonly #entries: Entry[] = [];

  counter(name: string, help: string): Counter {
    return this.counters(name, help).with({});
  }

  counters(name: string, help: string): Family<Counter> {
    const family = new Family(() => new Counter());
    this.#add(name, help, 'counter', function* () {
      for (const [labels, { value }] of family) yield line(name, labels, value);
    });
    return family;
  }

  histogram(name: string, help: string, bounds: readonly number[]): Family<Histogram> {
    const family = new Family(() => new Histogram(bounds));
    this.#add(name, help, 'histogram', function* () {
      for (const [labels, { counts, sum }] of family) {
        let total = 0;
        for (const [index, bound] of bounds.entries()) {
          total += counts[index] ?? 0;
          yield line(`${name}_bucket`, { ...labels, le: String(bound) }, total);
        }
        total += counts[bounds.length] ?? 0;
        yield line(`${name}_bucket`, { ...labels, le: '+Inf' }, total);
        yield line(`${name}_sum`, labels, sum);
        yield line(`${name}_count`, labels, total);
      }
    });
    return family;
  }

  /** Asked for when the text is read. */
  read(
    type: 'counter' | 'gauge',
    name: string,
    help: string,
    samples: () => Iterable<Sample> | number | undefined,
  ): void {
    this.#add(name, help, type, function* () {
      const found = samples();
      if (found === undefined) return;
      if (typeof found === 'number') yield line(name, {}, found);
      else for (const [labels, value] of found) yield line(name, labels, value);
    });
  }

  /** The whole text. A family without series is left out. */
  render(): string {
    let text = '';
    for (const { name, help, type, lines } of this.#entries) {
      const all = [...lines()];
      if (all.length === 0) continue;
      text += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${all.join('')}`;
    }
    return text;
  }

  #add(name: string, help: string, type: Entry['type'], lines: Entry['lines']): void {
    if (this.#entries.some((entry) => entry.name === name)) throw new Error(`the metric ${name} is there already`);
    this.#entries.push({ name, help, type, lines });
  }
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}\n`;
}

/** Backslash, quote and line feed are what the format escapes. */
function escaped(text: string): string {
  return text.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
