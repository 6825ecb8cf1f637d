// The filter of the live view and of a search: one line for the usual question, the rest folded away until it is used.
import { type FilterName, query, type UrlFilter } from '../filters.ts';
import { type Html, html } from '../html.ts';

interface FieldSpec {
  readonly name: FilterName;
  readonly label: string;
  readonly hint?: string;
}

const fields: readonly FieldSpec[] = [
  { name: 'group', label: 'Group' },
  { name: 'target', label: 'Target' },
  { name: 'table', label: 'Table', hint: 'public.customers, orders, public.*' },
  { name: 'column', label: 'Column', hint: 'ssn, customers.ssn' },
  { name: 'rule', label: 'Rule' },
  { name: 'verb', label: 'Verb', hint: 'select, update, drop' },
  { name: 'min-duration', label: 'Ran at least', hint: '250ms, 1.5s' },
  { name: 'min-rows', label: 'Rows at least' },
  { name: 'fingerprint', label: 'Fingerprint' },
  { name: 'session', label: 'Session' },
];

const labels = new Map<FilterName, string>([
  ...fields.map(({ name, label }) => [name, label.toLowerCase()] as const),
  ['text', 'text'],
  ['identity', 'identity'],
  ['verdict', 'verdict'],
  ['since', 'since'],
  ['until', 'until'],
  ['kind', 'kind'],
]);

export function filterForm(action: string, { given, problems }: UrlFilter, times: boolean): Html {
  const more = [...given.keys()].some((name) => fields.some((field) => field.name === name));
  const input = ({ name, label, hint }: FieldSpec, type = 'text') => {
    const fault = problems.get(name);
    return html`<label>${label}<input name="${name}" type="${type}" value="${given.get(name)}" placeholder="${hint}" maxlength="1000" autocomplete="off" spellcheck="false"${
      fault === undefined ? '' : html` aria-invalid="true" aria-describedby="fault-${name}"`
    }></label>${fault === undefined ? '' : html`<p class="fault" id="fault-${name}">${fault}</p>`}`;
  };
  return html`<form class="filter" method="get" action="${action}" role="search" data-filter>
<div class="line">
${input({ name: 'text', label: 'Text', hint: 'part of a statement' }, 'search')}
${input({ name: 'identity', label: 'Identity', hint: 'crew-*' })}
${choice('verdict', 'Verdict', ['allow', 'deny', 'hold'], given.get('verdict'))}
${choice('kind', 'Kind', ['statement', 'event', 'login', 'login-refused', 'session-end', 'approval', 'grant', 'revocation', 'gateway', 'disagreement'], given.get('kind'))}
${times ? html`${input({ name: 'since', label: 'Since', hint: '1h, 7d, 2026-03-04' })}${input({ name: 'until', label: 'Until' })}` : ''}
<button class="primary">${action === '/live' ? 'Filter' : 'Search'}</button>
</div>
<details${more ? html` open` : ''}><summary>More filters</summary><div class="line">${fields.map((field) => input(field))}</div></details>
</form>
${chips(action, given)}`;
}

function choice(name: FilterName, label: string, options: readonly string[], chosen: string | undefined): Html {
  return html`<label>${label}<select name="${name}"><option value="">any</option>${options.map(
    (option) => html`<option${option === chosen ? html` selected` : ''}>${option}</option>`,
  )}</select></label>`;
}

/** What is asked for now, each with a way to take it away. */
function chips(action: string, given: ReadonlyMap<FilterName, string>): Html | undefined {
  if (given.size === 0) return undefined;
  return html`<ul class="chips" aria-label="Filters in use">${[...given].map(
    ([name, value]) =>
      html`<li><span class="fine">${labels.get(name) ?? name}</span> ${value.slice(0, 60)} <a href="${action}${query(given, { [name]: undefined })}" aria-label="Remove ${labels.get(name) ?? name}">×</a></li>`,
  )}<li><a href="${action}">clear all</a></li></ul>`;
}
