// Draws the figures of a benchmark as an SVG: groups of bars below each other, on no ground of its own; follows the reader's light or dark setting.

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** One of ours; the others are what we are compared with. */
  readonly ours: boolean;
}

export interface Bars {
  readonly title: string;
  /** What is better. */
  readonly better: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const width = 800;
const left = 222;
const right = 90;
const barHeight = 18;
const pitch = 26;

/** An SVG document; `note` stands below the bars, a line each, and says how the figures were made. */
export function picture(groups: readonly Bars[], note: readonly string[]): string {
  const parts: string[] = [];
  let y = 6;
  for (const { title, better, unit, bars } of groups) {
    parts.push(text(0, y + 14, title, 'title'), text(width, y + 14, better, 'better'));
    y += 30;
    const top = y - 4;
    const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
    const drawn = bars.map(({ name, value, ours }, index) => {
      const length = Math.max(2, Math.round((value / most) * (width - left - right)));
      const at = y + index * pitch;
      return [
        text(left - 12, at + 14, name, ours ? 'name own' : 'name'),
        `<rect class="${ours ? 'ours' : 'bar'}" x="${left}" y="${at}" width="${length}" height="${barHeight}" rx="4"/>`,
        text(left + length + 8, at + 14, `${value.toFixed(2)} ${unit}`, 'value'),
      ].join('\n');
    });
    y += bars.length * pitch;
    parts.push(`<line class="axis" x1="${left}" y1="${top}" x2="${left}" y2="${y - 4}"/>`, ...drawn);
    y += 22;
  }
  for (const line of note) {
    parts.push(text(0, y + 4, line, 'note'));
    y += 17;
  }
  const label = groups.map(({ title }) => title).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" role="img" aria-label="${escaped(label)}">
<style>
text { font: 13px -apple-system, "Segoe UI", system-ui, "Noto Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.better { text-anchor: end; fill: #59636e; }
.name { text-anchor: end; fill: #59636e; }
.own { fill: #1f2328; font-weight: 600; }
.value { font-variant-numeric: tabular-nums; }
.note { font-size: 11.5px; fill: #59636e; }
.axis { stroke: #d1d9e0; }
.bar { fill: #b6bfc9; }
.ours { fill: #1a7f37; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .better, .name, .note { fill: #9198a1; }
  .own { fill: #f0f6fc; }
  .axis { stroke: #3d444d; }
  .bar { fill: #4b545f; }
  .ours { fill: #3fb950; }
}
</style>
${parts.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, name: string): string {
  return `<text class="${name}" x="${x}" y="${y}">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
