// The search: records that fit, newest first, a page at a time; the URL is the search.
import { query, type UrlFilter } from '../filters.ts';
import { fullTime } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { FoundPage, Page } from '../sources.ts';
import { filterForm } from './filter-form.ts';
import { empty } from './layout.ts';
import { recordTable } from './rows.ts';

export interface SearchData {
  readonly filter: UrlFilter;
  readonly page: FoundPage;
  /** True for any page but the first. */
  readonly later: boolean;
  readonly ms: number;
}

export function searchView({ filter, page, later, ms }: SearchData): Html {
  return html`${filterForm('/search', filter, true)}
${
  page.items.length === 0 && page.next !== undefined
    ? empty('Nothing so far', html`Looked back to ${fullTime(page.reached ?? '')}. The next page looks further.`)
    : page.items.length === 0
      ? empty(
          later ? 'No more records' : 'No record fits',
          filter.given.size === 0
            ? 'Nothing has been recorded yet. Connect an agent, and its statements appear here.'
            : 'Take a filter away, or look further back.',
        )
      : recordTable(page.items)
}
${pager('/search', filter.given, page, later, html`<span class="fine">${page.items.length} shown, answered in ${ms.toFixed(0)} ms</span>`)}`;
}

/** Forward by cursor, back by the browser or to the start. */
export function pager(
  action: string,
  given: ReadonlyMap<string, string>,
  page: Page<unknown>,
  later: boolean,
  note?: Html,
): Html {
  const link = (changes: Record<string, string | undefined>) => `${action}${query(given, changes)}`;
  return html`<nav class="pager" aria-label="Pages">${later ? html`<a href="${link({ after: undefined })}">First page</a>` : html`<span></span>`}${note}${
    page.next === undefined
      ? html`<span></span>`
      : html`<a rel="next" href="${link({ after: page.next })}">Next page</a>`
  }</nav>`;
}
