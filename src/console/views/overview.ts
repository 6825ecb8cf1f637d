// The overview: how much was asked and refused over time, by which rules, and what was refused last.
import type { Merged } from '../../audit/index.ts';
import { countsChart, sum } from '../chart.ts';
import { count, plural } from '../format.ts';
import { type Html, html } from '../html.ts';
import { type Span, spans } from '../range.ts';
import type { Counts, RuleHits } from '../sources.ts';
import { empty } from './layout.ts';
import { searchFor } from './record.ts';
import { recordTable } from './rows.ts';

export interface OverviewData {
  readonly span: Span;
  readonly counts: readonly Counts[];
  readonly hits: readonly RuleHits[];
  readonly refused: readonly Merged[];
  readonly open: number;
}

export function overviewView({ span, counts, hits, refused, open }: OverviewData): Html {
  const allowed = sum(counts, 'allow');
  const denied = sum(counts, 'deny');
  const held = sum(counts, 'hold');
  const all = allowed + denied + held;
  const figure = (label: string, value: string, href: string, kind = '') =>
    html`<a class="figure ${kind}" href="${href}"><span class="value">${value}</span><span class="label">${label}</span></a>`;
  const since = { since: span.name };
  return html`${spanLinks('/', span)}
<div class="figures">
${figure('statements', count(all), searchFor({ kind: 'statement', ...since }))}
${figure('refused', count(denied), searchFor({ verdict: 'deny', ...since }), 'deny')}
${figure('held', count(held), searchFor({ verdict: 'hold', ...since }), 'hold')}
${figure('open sessions', count(open), '/sessions')}
</div>
<section aria-labelledby="over-time"><h2 id="over-time">Statements and refusals, ${span.label} <span class="fine">UTC</span></h2>
${countsChart(counts, `Statements, ${span.label}`)}
<p class="legend"><span class="key allow">allowed</span> <span class="key hold">held</span> <span class="key deny">refused</span></p></section>
<div class="columns wide">
<section aria-labelledby="latest"><h2 id="latest">Refused last</h2>${
    refused.length === 0
      ? empty('Nothing was refused', `Not one statement, ${span.label}.`)
      : recordTable(refused, 'refused')
  }</section>
<section aria-labelledby="by-rule"><h2 id="by-rule">Rules at work</h2>${ruleBars(hits, span)}</section>
</div>`;
}

export function spanLinks(path: string, span: Span, more: Readonly<Record<string, string>> = {}): Html {
  return html`<nav class="spans" aria-label="Span of time">${spans.map(
    ([name, label]) =>
      html`<a href="${path}?${new URLSearchParams({ ...more, span: name }).toString()}"${name === span.name ? html` aria-current="true"` : ''}>${label}</a>`,
  )}</nav>`;
}

/** The rules that refused or held most, with bars to compare. */
function ruleBars(hits: readonly RuleHits[], span: Span): Html {
  const stopped = hits
    .flatMap(({ rule, deny, hold }) => [
      { rule, verdict: 'deny', stops: deny },
      { rule, verdict: 'hold', stops: hold },
    ])
    .filter(({ stops }) => stops > 0)
    .toSorted((a, b) => b.stops - a.stops)
    .slice(0, 10);
  if (stopped.length === 0)
    return empty('No rule has stopped anything', 'Rules that refuse or hold statements are listed here.');
  const most = stopped[0]?.stops ?? 1;
  return html`<ol class="bars">${stopped.map(
    ({ rule, verdict, stops }) =>
      html`<li><a href="${searchFor({ rule, verdict, since: span.name })}" title="${rule}">${rule}</a><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="${verdict}" width="${Math.max(1, (stops / most) * 100)}" height="8"/></svg><span class="num" title="${plural(stops, 'statement')}">${count(stops)}</span></li>`,
  )}</ol>`;
}
