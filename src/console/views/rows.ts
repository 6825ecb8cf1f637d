// Records as rows: the same in the live view, in a search and wherever else records are listed.
import type { Merged, MergedEvent, MergedStatement } from '../../audit/index.ts';
import { count, duration, time } from '../format.ts';
import { type Html, html, oneLine } from '../html.ts';
import type { LiveRecord } from '../live.ts';
import { sql } from '../sql.ts';

type Row = Merged | LiveRecord;
type StatementRow = Omit<MergedStatement, 'worker' | 'seq'>;
type EventRow = Omit<MergedEvent, 'worker' | 'seq'>;

/** A table of records; `body` may be filled later by the page's script. */
export function recordTable(rows: readonly Row[], id = 'records'): Html {
  return html`<div class="scroll"><table class="records" id="${id}">
<thead><tr><th scope="col">Time <span class="fine">UTC</span></th><th scope="col">Verdict</th><th scope="col">Identity</th><th scope="col">Target</th><th scope="col">Statement</th><th scope="col" class="num">Rows</th><th scope="col" class="num">Took</th></tr></thead>
<tbody>${rows.map(recordRow)}</tbody>
</table></div>`;
}

export function recordRow(record: Row): Html {
  return record.event === 'statement' ? statementRow(record as StatementRow) : eventRow(record as EventRow);
}

function statementRow(record: StatementRow): Html {
  const { verdict, identity, target, outcome } = record;
  return html`<tr class="${verdict}" data-record="${record.record}">
<td class="when"><a class="row" href="/records/${encodeURIComponent(record.record)}">${time(record.time)}</a></td>
<td class="verdict">${badge(record)}</td>
<td class="identity"><a href="/search?${new URLSearchParams({ identity }).toString()}">${shortText(identity, 40)}</a></td>
<td class="target">${shortText(target, 30)}</td>
<td class="sql"><div><code>${sql(record.text, 'line')}</code>${notes(record)}</div></td>
<td class="num">${record.rows === undefined ? '' : count(record.rows)}</td>
<td class="num">${record.ms === undefined ? (outcome === undefined && verdict === 'allow' ? html`<span class="running">running</span>` : '') : duration(record.ms)}</td>
</tr>`;
}

function eventRow(record: EventRow): Html {
  return html`<tr class="event" data-record="${record.record}">
<td class="when"><a class="row" href="/records/${encodeURIComponent(record.record)}">${time(record.time)}</a></td>
<td class="verdict"><span class="badge event">${record.event}</span></td>
<td class="identity">${shortText(record.identity ?? '', 40)}</td>
<td class="target">${shortText(record.target ?? '', 30)}</td>
<td class="sql">${oneLine(record.message)}</td>
<td class="num"></td><td class="num"></td>
</tr>`;
}

/** What was decided, and how it ended where that is not as usual. */
export function badge({ verdict, outcome, sqlstate }: Pick<StatementRow, 'verdict' | 'outcome' | 'sqlstate'>): Html {
  const ending =
    outcome === undefined || outcome === 'completed'
      ? ''
      : html` <span class="badge failed">${outcome}${sqlstate === undefined ? '' : ` ${sqlstate}`}</span>`;
  return html`<span class="badge ${verdict}">${verdict}</span>${ending}`;
}

function notes({ verdict, rule, masked, imitatesTag, wouldBe }: StatementRow): Html {
  return html`${verdict === 'allow' || rule === undefined ? '' : html` <span class="note rule ${verdict}">${shortText(rule, 40)}</span>`}${
    masked.length === 0
      ? ''
      : html` <span class="note masked" title="${masked.slice(0, 20).join(', ')}">${masked.length} masked</span>`
  }${(wouldBe ?? []).length === 0 ? '' : html` <span class="note would">would be: ${shortText(wouldBe.join(', '), 40)}</span>`}${
    imitatesTag ? html` <span class="note rule">imitates the tag</span>` : ''
  }`;
}

export function shortText(text: string, limit: number): Html {
  return text.length <= limit
    ? oneLine(text, limit)
    : html`<span title="${text.slice(0, 300)}">${oneLine(text, limit)}</span>`;
}
