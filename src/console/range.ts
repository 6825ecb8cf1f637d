// The span of time a page looks at: a few fixed lengths, each with a step that makes a chart of about a hundred bars.
import type { Range } from './sources.ts';

export const spans = [
  ['1h', 'last hour', 3_600_000, 60_000],
  ['24h', 'last 24 hours', 86_400_000, 900_000],
  ['7d', 'last 7 days', 7 * 86_400_000, 7_200_000],
  ['30d', 'last 30 days', 30 * 86_400_000, 28_800_000],
] as const;

export interface Span extends Range {
  readonly name: string;
  readonly label: string;
  readonly stepMs: number;
}

/** The span a URL names by `span`; the last 24 hours where it names none. Ends with the step that is running now. */
export function rangeOf(parameters: URLSearchParams, now = Date.now()): Span {
  const [name, label, length, stepMs] = spans.find(([each]) => each === parameters.get('span')) ?? spans[1];
  const until = (Math.floor(now / stepMs) + 1) * stepMs;
  return {
    name,
    label,
    stepMs,
    since: new Date(until - length).toISOString(),
    until: new Date(until).toISOString(),
  };
}
