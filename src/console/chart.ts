// Bars over time as an SVG of our own: allowed and held below, refused on top, every step with its numbers for those who ask.
import { count } from './format.ts';
import { type Html, html } from './html.ts';
import type { Counts } from './sources.ts';

const width = 960;
const height = 180;
const left = 44;
const bottom = 22;
const top = 8;

/** A bar for each step; the height of the chart is the next round number above the largest. */
export function countsChart(counts: readonly Counts[], label: string): Html {
  const most = Math.max(0, ...counts.map(total));
  const ceiling = roundUp(most);
  const plot = { w: width - left, h: height - bottom - top };
  const step = plot.w / Math.max(1, counts.length);
  const y = (value: number) => top + plot.h - (value / ceiling) * plot.h;
  const bar = (index: number, from: number, value: number, kind: string) => {
    if (value === 0) return '';
    // One statement among thousands is still seen.
    const h = Math.max(2, y(from) - y(from + value));
    return html`<rect class="${kind}" x="${fixed(left + index * step + step * 0.1)}" y="${fixed(y(from) - h)}" width="${fixed(step * 0.8)}" height="${fixed(h)}"/>`;
  };
  const lines = [0, ceiling / 2, ceiling].filter((value) => Number.isInteger(value));
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="chart-title" preserveAspectRatio="none">
<title id="chart-title">${label}: ${count(sum(counts, 'allow'))} allowed, ${count(sum(counts, 'deny'))} refused, ${count(sum(counts, 'hold'))} held</title>
${lines.map((value) => html`<line class="grid" x1="${left}" x2="${width}" y1="${fixed(y(value))}" y2="${fixed(y(value))}"/><text class="axis" x="${left - 6}" y="${fixed(y(value) + 4)}" text-anchor="end">${short(value)}</text>`)}
${ticks(counts).map(({ index, text }) => html`<text class="axis" x="${fixed(left + index * step)}" y="${height - 6}">${text}</text>`)}
${counts.map(
  (each, index) =>
    html`<g><title>${each.time.slice(0, 16).replace('T', ' ')} UTC: ${count(each.allow)} allowed, ${count(each.deny)} refused, ${count(each.hold)} held</title><rect class="hit" x="${fixed(left + index * step)}" y="${top}" width="${fixed(step)}" height="${plot.h}"/>${bar(index, 0, each.allow, 'allow')}${bar(index, each.allow, each.hold, 'hold')}${bar(index, each.allow + each.hold, each.deny, 'deny')}</g>`,
)}
</svg>`;
}

export function total({ allow, deny, hold }: Counts): number {
  return allow + deny + hold;
}

export function sum(counts: readonly Counts[], verdict: 'allow' | 'deny' | 'hold'): number {
  return counts.reduce((all, each) => all + each[verdict], 0);
}

function fixed(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** 1, 2 or 5 times a power of ten, and at least 4, so that small counts do not fill the chart. */
function roundUp(value: number): number {
  for (let power = 1; ; power *= 10) {
    for (const factor of [1, 2, 4, 5]) if (factor * power >= Math.max(4, value)) return factor * power;
  }
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e4 ? `${value / 1e3}k` : String(value);
}

/** About six names of times, at even places; days where the chart spans more than two. */
function ticks(counts: readonly Counts[]): readonly { index: number; text: string }[] {
  const first = counts[0];
  const last = counts.at(-1);
  if (first === undefined || last === undefined) return [];
  const days = Date.parse(last.time) - Date.parse(first.time) > 2 * 86_400_000;
  const every = Math.max(1, Math.ceil(counts.length / 6));
  return counts.flatMap(({ time }, index) =>
    index % every === 0 ? [{ index, text: days ? time.slice(5, 10) : time.slice(11, 16) }] : [],
  );
}
