// The live view: statements as they happen. The rows come from the server; the page's script only puts them in.
import { query, type UrlFilter } from '../filters.ts';
import { type Html, html } from '../html.ts';
import { filterForm } from './filter-form.ts';
import { recordTable } from './rows.ts';

export function liveView(filter: UrlFilter): Html {
  return html`${filterForm('/live', filter, false)}
<div class="livebar" data-live="/live/events${query(filter.given)}">
  <button type="button" id="pause" aria-pressed="false">Pause</button>
  <span class="state" id="state" role="status">connecting</span>
  <span class="rate" id="rate"></span>
  <span class="fine" id="dropped"></span>
  <button type="button" class="quiet" id="clear">Clear</button>
</div>
${recordTable([], 'live')}
<p class="waiting" id="waiting">Waiting for the first statement.</p>
<noscript><p class="empty">The live view needs JavaScript. <a href="/search${query(filter.given)}">Search the records</a> instead.</p></noscript>`;
}
