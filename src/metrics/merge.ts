// One text for Prometheus out of those of several processes: what they counted is added up.

interface Family {
  /** The HELP and TYPE lines. */
  readonly head: string;
  readonly type: string;
  readonly series: Map<string, number>;
}

/** Of these the least counts: one process that cannot write is what matters, and the gateway is as old as its first process. */
const least = new Set(['sallyport_journal_writable', 'process_start_time_seconds']);

/** The sum of texts that `Registry.render` has made. */
export function mergeMetrics(texts: readonly string[]): string {
  const sums = new Map<string, Family>();
  for (const text of texts) {
    for (const [name, { head, type, series }] of parse(text)) {
      const sum = sums.get(name);
      if (sum === undefined) {
        sums.set(name, { head, type, series });
        continue;
      }
      for (const [key, value] of series) {
        const known = sum.series.get(key);
        if (known === undefined) sum.series.set(key, value);
        else sum.series.set(key, least.has(name) ? Math.min(known, value) : known + value);
      }
    }
  }
  return render(sums.values());
}

/** What of a process's numbers stays true when it has ended: counters and histograms, so that no sum ever falls. */
export function lastingMetrics(text: string): string {
  return render([...parse(text).values()].filter(({ type }) => type !== 'gauge'));
}

function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let help = '';
  let current: Family | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('# HELP ')) help = `${line}\n`;
    else if (line.startsWith('# TYPE ')) {
      const [, , name = '', type = ''] = line.split(' ');
      current = { head: `${help}${line}\n`, type, series: new Map() };
      families.set(name, current);
    } else if (line !== '') {
      // The value stands behind the last blank: label values may hold blanks too.
      const blank = line.lastIndexOf(' ');
      current?.series.set(line.slice(0, blank), Number(line.slice(blank + 1).replace('Inf', 'Infinity')));
    }
  }
  return families;
}

function render(families: Iterable<Family>): string {
  let text = '';
  for (const { head, series } of families) {
    text += head;
    for (const [key, value] of series)
      text += `${key} ${String(value).replace('Infinity', '+Inf').replace('-+', '-')}\n`;
  }
  return text;
}
