// Columns: the masks of the file, and the columns they were put on.
import type { MaskConfig } from '../../config/types.ts';
import type { MaskSpec } from '../../masking/spec.ts';
import { count, time } from '../format.ts';
import { type Html, html, joined } from '../html.ts';
import type { Span } from '../range.ts';
import type { ColumnSummary, Detected, Page } from '../sources.ts';
import { empty } from './layout.ts';
import { spanLinks } from './overview.ts';
import { searchFor } from './record.ts';
import { pager } from './search.ts';

export interface ColumnsData {
  readonly span: Span;
  readonly masks: readonly MaskConfig[];
  readonly page: Page<ColumnSummary>;
  readonly later: boolean;
  readonly detected: readonly Detected[];
  /** Some target has detectors. */
  readonly detecting: boolean;
}

export function columnsView({ span, masks, page, later, detected, detecting }: ColumnsData): Html {
  return html`${spanLinks('/columns', span)}
<section aria-labelledby="used"><h2 id="used">Columns that statements named, ${span.label}</h2>${
    page.items.length === 0
      ? empty('No column was named', `No statement has named a column, ${span.label}.`)
      : html`<div class="scroll"><table><thead><tr><th scope="col">Column</th><th scope="col" class="num">Masked</th><th scope="col" class="num">Allowed</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Held</th><th scope="col">Last <span class="fine">UTC</span></th></tr></thead><tbody>${page.items.map(
          (each) =>
            html`<tr><td><a class="row mono${each.masked > 0 ? ' masked' : ''}" href="${searchFor({ column: each.column, since: span.name })}">${each.column}</a></td><td class="num">${each.masked === 0 ? html`<span class="fine">0</span>` : html`<span class="note masked">${count(each.masked)}</span>`}</td><td class="num">${count(each.allow)}</td><td class="num${each.deny > 0 ? ' deny' : ''}">${count(each.deny)}</td><td class="num">${count(each.hold)}</td><td class="when">${time(each.last)}</td></tr>`,
        )}</tbody></table></div>`
  }</section>
${pager('/columns', new Map([['span', span.name]]), page, later)}
<section aria-labelledby="detected"><h2 id="detected">Detected in columns that no mask lists, ${span.label}</h2>${
    detected.length === 0
      ? empty(
          detecting ? 'Nothing was detected' : 'No target has detectors',
          detecting
            ? 'No value looked like a card number, an address or the like.'
            : html`Name <code>detectors</code> on a target to find sensitive values by what they look like.`,
        )
      : html`<div class="scroll"><table><thead><tr><th scope="col">Looks like</th><th scope="col">Table</th><th scope="col" class="num">Values</th><th scope="col" class="num">Statements</th><th scope="col">Last <span class="fine">UTC</span></th></tr></thead><tbody>${detected.map(
          (each) =>
            html`<tr><td><span class="note would">${each.detector}</span></td><td>${each.table === undefined ? html`<span class="fine">several</span>` : html`<a class="row mono" href="${searchFor({ table: each.table, since: span.name })}">${each.table}</a>`}</td><td class="num">${count(each.values)}</td><td class="num">${count(each.statements)}</td><td class="when">${time(each.last)}</td></tr>`,
        )}</tbody></table></div>`
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
