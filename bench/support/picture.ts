// Draws the figures of a benchmark as an SVG with two groups of bars; follows the reader's light or dark setting.

export interface Bars {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly { readonly name: string; readonly value: number; readonly ours: boolean }[];
}

const width = 760;
const left = 110;
const barHeight = 22;
const gap = 8;

/** An SVG document; `note` stands below the bars and says how the figures were made. */
export function picture(groups: readonly Bars[], note: string): string {
  const parts: string[] = [];
  let y = 16;
  for (const { title, unit, bars } of groups) {
    parts.push(text(0, y + 12, title, 'title'));
    y += 26;
    const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
    for (const { name, value, ours } of bars) {
      const length = Math.max(1, Math.round((value / most) * (width - left - 110)));
      parts.push(text(0, y + 16, name, 'name'));
      parts.push(
        `<rect class="${ours ? 'ours' : 'bar'}" x="${left}" y="${y}" width="${length}" height="${barHeight}" rx="3"/>`,
      );
      parts.push(text(left + length + 8, y + 16, `${value.toFixed(2)} ${unit}`, 'value'));
      y += barHeight + gap;
    }
    y += 18;
  }
  parts.push(text(0, y, note, 'note'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 10}" width="${width}" role="img" aria-label="${escaped(groups.map(({ title }) => title).join('; '))}">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.note { font-size: 11px; fill: #57606a; }
.bar { fill: #afb8c1; }
.ours { fill: #1f883d; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .note { fill: #8d96a0; }
  .bar { fill: #484f58; }
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
