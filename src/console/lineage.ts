// Lineage as a drawing: source columns on the left, the outputs that can reveal them on the right, lines in between.
import type { OutputLineage } from '../audit/index.ts';
import { type Html, html, joined } from './html.ts';

const rowHeight = 26;
const boxHeight = 20;
const sourceWidth = 300;
const outputWidth = 220;
const gap = 150;
const mostRows = 60;

type How = 'copied' | 'derived' | 'chosen';

/** Undefined where there is nothing to draw. */
export function lineageDrawing(outputs: readonly OutputLineage[], masked: readonly string[]): Html | undefined {
  const shown = outputs.slice(0, mostRows);
  // Conditions choose rows, and so every output alike: said in a line, they leave the drawing to what flows.
  const everywhere =
    outputs.length < 2
      ? []
      : (outputs[0]?.chosen ?? []).filter((source) => outputs.every(({ chosen = [] }) => chosen.includes(source)));
  const links = shown.flatMap((output, to) =>
    (['copied', 'derived', 'chosen'] as const).flatMap((how) =>
      (output[how] ?? [])
        .filter((source) => how !== 'chosen' || !everywhere.includes(source))
        .map((source): { source: string; to: number; how: How } => ({ source, to, how })),
    ),
  );
  const sources = [...new Set(links.map(({ source }) => source))].slice(0, mostRows);
  if (sources.length === 0 && everywhere.length === 0) return undefined;
  const chooser =
    everywhere.length === 0
      ? ''
      : html`<p class="choosers">Rows are chosen by ${joined(
          everywhere.map((source) => html`<code>${source}</code>`),
          ', ',
        )}.</p>`;
  if (sources.length === 0) return html`${chooser}`;
  const place = new Map(sources.map((source, index) => [source, index] as const));
  const rows = Math.max(sources.length, shown.length);
  const offset = (list: number, index: number) => ((rows - list) * rowHeight) / 2 + index * rowHeight + rowHeight / 2;
  const height = rows * rowHeight + 8;
  const width = sourceWidth + gap + outputWidth;
  const hidden = new Set(masked);
  const isMasked = ({ copied = [], derived = [] }: OutputLineage) =>
    [...copied, ...derived].some((each) => hidden.has(each));
  const left = sourceWidth;
  const right = sourceWidth + gap;
  return html`<div class="scroll"><svg class="lineage" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="lineage-title">
<title id="lineage-title">${describe(shown)}</title>
${links.map(({ source, to, how }) => {
  const from = place.get(source);
  if (from === undefined) return '';
  const y1 = offset(sources.length, from);
  const y2 = offset(shown.length, to);
  return html`<path class="link ${how}${hidden.has(source) ? ' masked' : ''}" data-from="${from}" data-to="${to}" d="M${left} ${y1}C${left + gap / 2} ${y1} ${right - gap / 2} ${y2} ${right} ${y2}"/>`;
})}
${sources.map((source, index) => box(0, offset(sources.length, index), sourceWidth, source, hidden.has(source), `from-${index}`))}
${shown.map((output, index) => box(right, offset(shown.length, index), outputWidth, output.name, isMasked(output), `to-${index}`))}
</svg></div>
<p class="legend"><span class="key copied">copied</span> <span class="key derived">computed from</span> <span class="key chosen">chosen by</span> <span class="key masked">masked</span>${
    outputs.length > shown.length
      ? html` <span class="fine">the first ${shown.length} of ${outputs.length} outputs</span>`
      : ''
  }</p>${chooser}`;
}

function box(x: number, y: number, width: number, label: string, masked: boolean, id: string): Html {
  // About 7 units a letter at the drawing's size; the whole name is in the title.
  const fits = Math.floor((width - 20) / 7);
  const text = label.length <= fits ? label : `…${label.slice(-(fits - 1))}`;
  return html`<g class="box${masked ? ' masked' : ''}" data-box="${id}"><title>${label}${masked ? ' (masked)' : ''}</title><rect x="${x + 0.5}" y="${y - boxHeight / 2 + 0.5}" width="${width - 1}" height="${boxHeight}" rx="3"/><text x="${x + 10}" y="${y + 4}">${text}</text></g>`;
}

/** The drawing in words, for those who do not see it. */
function describe(outputs: readonly OutputLineage[]): string {
  return outputs
    .map(({ name, copied = [], derived = [], chosen = [] }) => {
      const parts = [
        copied.join(', '),
        derived.length === 0 ? '' : `computed from ${derived.join(', ')}`,
        chosen.length === 0 ? '' : `chosen by ${chosen.join(', ')}`,
      ].filter((part) => part !== '');
      return `${name} from ${parts.length === 0 ? 'no column' : parts.join('; ')}`;
    })
    .join('. ');
}
