// What a benchmark hands back, and how it is printed for people and for machines.

export interface Metric {
  readonly bench: string;
  readonly metric: string;
  readonly value: number;
  /** What it is compared with in the same run. */
  readonly against?: string;
  /** `value` divided by the value of `against`. */
  readonly ratio?: number;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[Math.min(sorted.length - 1, Math.max(0, index))] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) };
}

/** One metric for each subject, with the ratio of its median to the median of `against`. */
export function compared(
  bench: string,
  metric: string,
  subjects: ReadonlyMap<string, readonly number[]>,
  against: string,
): Metric[] {
  const base = spread(subjects.get(against) ?? []).median;
  return [...subjects].map(([subject, values]) => {
    const value = spread(values).median;
    return subject === against || !Number.isFinite(base)
      ? { bench, metric: `${subject}.${metric}`, value: round(value) }
      : {
          bench,
          metric: `${subject}.${metric}`,
          value: round(value),
          against: `${against}.${metric}`,
          ratio: round(value / base),
        };
  });
}

/** Four significant digits: more would claim a precision that no run has. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Rows of cells with aligned columns; every column but the first is set to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row.map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}

/** Lines for people go to stderr when stdout is read by a machine. */
export function reporter(json: boolean): (line: string) => void {
  return json ? (line) => console.error(line) : (line) => console.log(line);
}
