// Columns: the masks of the file, and the columns they were put on.
import type { MaskConfig } from '../../config/types.ts';
import type { MaskSpec } from '../../masking/spec.ts';
import { count, time } from '../format.ts';
import { type Html, html, joined } from '../html.ts';
import type { Span } from '../range.ts';
import type { MaskedColumn } from '../sources.ts';
import { empty } from './layout.ts';
import { spanLinks } from './overview.ts';
import { searchFor } from './record.ts';

export interface ColumnsData {
  readonly span: Span;
  readonly masks: readonly MaskConfig[];
  readonly masked: readonly MaskedColumn[];
}

const mostShown = 200;

export function columnsView({ span, masks, masked }: ColumnsData): Html {
  return html`${spanLinks('/columns', span)}
<section aria-labelledby="masked"><h2 id="masked">Masked, ${span.label}</h2>${
    masked.length === 0
      ? empty('No column was masked', `No statement has returned a masked column, ${span.label}.`)
      : html`<div class="scroll"><table><thead><tr><th scope="col">Column</th><th scope="col">Target</th><th scope="col" class="num">Statements</th><th scope="col">Last <span class="fine">UTC</span></th></tr></thead><tbody>${masked
          .slice(0, mostShown)
          .map(
            (each) =>
              html`<tr><td><a class="row mono masked" href="${searchFor({ target: each.target, column: each.column, since: span.name })}">${each.column}</a></td><td>${each.target}</td><td class="num">${count(each.count)}</td><td class="when">${time(each.last)}</td></tr>`,
          )}</tbody></table></div>${masked.length > mostShown ? html`<p class="fine">The first ${mostShown} of ${count(masked.length)}.</p>` : ''}`
  }</section>
<section aria-labelledby="file"><h2 id="file">Masks of the file</h2>${
    masks.length === 0
      ? empty('The file has no masks', 'Columns are masked by patterns under "masks".')
      : html`<div class="scroll"><table><thead><tr><th scope="col">Columns</th><th scope="col">Mask</th><th scope="col">In conditions</th><th scope="col">Not for</th><th scope="col">Mode</th></tr></thead><tbody>${masks.map(
          ({ columns, spec, unless, predicates, mode }) =>
            html`<tr><td>${joined(
              columns.map(({ text }) => html`<code>${text}</code>`),
              html`<br>`,
            )}</td><td>${maskText(spec)}</td><td>${predicates}</td><td class="fine">${[...unless.roles.map((role) => `role ${role}`), ...unless.groups.map((group) => `group ${group}`)].join(', ')}</td><td>${mode === 'observe' ? html`<span class="note would">observes</span>` : mode}</td></tr>`,
        )}</tbody></table></div>`
  }</section>`;
}

function maskText(spec: MaskSpec): string {
  switch (spec.kind) {
    case 'keep-last':
      return `keep the last ${spec.count}`;
    case 'keep-first':
      return `keep the first ${spec.count}`;
    case 'round':
      return `round to ${spec.to}`;
    case 'fake':
      return `fake ${spec.of}`;
    case 'paths':
      return `${maskText(spec.inner)} at ${spec.paths.join(', ')}`;
    default:
      return spec.kind;
  }
}
