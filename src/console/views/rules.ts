// Rules: those of the file and those built in, with how often each decided.
import type { RuleConfig } from '../../config/types.ts';
import { count, time } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { Span } from '../range.ts';
import type { RuleHits } from '../sources.ts';
import { empty } from './layout.ts';
import { spanLinks } from './overview.ts';
import { searchFor } from './record.ts';

export interface RulesData {
  readonly span: Span;
  readonly rules: readonly RuleConfig[];
  readonly hits: readonly RuleHits[];
}

interface Row {
  readonly name: string;
  readonly effect: string;
  readonly when: string;
  readonly observe: boolean;
  readonly hits: RuleHits | undefined;
}

export function rulesView({ span, rules, hits }: RulesData): Html {
  const named = new Set(rules.map(({ name }) => name));
  const own: readonly Row[] = rules.map((rule) => ({
    name: rule.name,
    effect: rule.verdict,
    when: conditions(rule),
    observe: rule.mode === 'observe',
    hits: hits.find((hit) => hit.rule === rule.name),
  }));
  const builtIn: readonly Row[] = hits
    .filter(({ rule }) => !named.has(rule))
    .toSorted((a, b) => b.deny + b.hold - a.deny - a.hold || (a.rule < b.rule ? -1 : 1))
    .map((hit) => ({
      name: hit.rule,
      effect: hit.hold > hit.deny ? 'hold' : 'deny',
      when: '',
      observe: false,
      hits: hit,
    }));
  return html`${spanLinks('/rules', span)}
<section aria-labelledby="own"><h2 id="own">Rules of the file</h2>${
    own.length === 0
      ? empty('The file has no rules', 'Roles alone decide. Rules refuse or hold statements beyond them.')
      : table(own, span)
  }</section>
<section aria-labelledby="built-in"><h2 id="built-in">Built-in rules that decided</h2>${
    builtIn.length === 0
      ? empty('None did', `No built-in rule has decided a statement, ${span.label}.`)
      : table(builtIn, span)
  }</section>`;
}

function table(rows: readonly Row[], span: Span): Html {
  const cell = ({ name, hits }: Row, verdict: 'deny' | 'hold' | 'allow') => {
    const number = hits?.[verdict] ?? 0;
    return html`<td class="num">${
      number === 0
        ? html`<span class="fine">0</span>`
        : html`<a href="${searchFor({ rule: name, verdict, since: span.name })}">${count(number)}</a>`
    }</td>`;
  };
  return html`<div class="scroll"><table class="rules"><thead><tr><th scope="col">Rule</th><th scope="col">Then</th><th scope="col">When</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Held</th><th scope="col" class="num">Allowed</th><th scope="col">Last <span class="fine">UTC</span></th></tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr><td><a class="row" href="${searchFor({ rule: row.name, since: span.name })}">${row.name}</a></td>
<td class="verdict"><span class="badge ${row.effect}">${row.effect}</span>${row.observe ? html` <span class="note would">observes</span>` : ''}</td>
<td class="fine list">${row.when}</td>${cell(row, 'deny')}${cell(row, 'hold')}${cell(row, 'allow')}
<td class="when">${row.hits === undefined ? '' : time(row.hits.last)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** The conditions of a rule in a line. */
function conditions({ on }: RuleConfig): string {
  const parts: string[] = [];
  const add = (label: string, values: readonly string[] | undefined) => {
    if (values !== undefined) parts.push(`${label} ${values.join(', ')}`);
  };
  add('verbs', on.verbs);
  add(
    'tables',
    on.tables?.map(({ text }) => text),
  );
  add(
    'columns',
    on.columns?.map(({ text }) => text),
  );
  add('functions', on.functions);
  if (on.unbounded !== undefined) parts.push(on.unbounded ? 'unbounded' : 'bounded');
  add('targets', on.targets);
  add('roles', on.roles);
  add('groups', on.groups);
  return parts.length === 0 ? 'always' : parts.join('; ');
}
