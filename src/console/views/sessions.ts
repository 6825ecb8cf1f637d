// Open sessions: who is connected to what, what it last sent, and a way to end it.
import { ago, count } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { Activity } from '../live.ts';
import type { SessionView } from '../sources.ts';
import { sql } from '../sql.ts';
import { empty, forRole, type Viewer } from './layout.ts';
import { identityPath, searchFor } from './record.ts';
import { shortText } from './rows.ts';
import { pager } from './search.ts';

export interface SessionsData {
  readonly sessions: readonly SessionView[];
  readonly activity: (id: string) => Activity | undefined;
  readonly viewer: Viewer;
  readonly after: string | undefined;
  /** The session somebody is about to kill. */
  readonly confirm: string | undefined;
}

const pageSize = 100;

export function sessionsView({ sessions, activity, viewer, after, confirm }: SessionsData): Html {
  const ordered = sessions.toSorted((a, b) => b.started - a.started || (a.id < b.id ? -1 : 1));
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  const items = ordered.slice(start, start + pageSize);
  const chosen = sessions.find(({ id }) => id === confirm);
  if (sessions.length === 0)
    return empty(
      'No session is open',
      html`An agent that connects appears here. <a href="/search?kind=session-end">Sessions that have ended</a>`,
    );
  const next = start + pageSize < ordered.length ? items.at(-1)?.id : undefined;
  return html`${chosen === undefined ? '' : (forRole(viewer.person, 'admin', () => killForm(chosen, viewer)) ?? '')}
<div class="scroll"><table class="sessions">
<thead><tr><th scope="col">Open for</th><th scope="col">Identity</th><th scope="col">Target</th><th scope="col">Client</th><th scope="col" class="num">Statements</th><th scope="col" class="num">Refused</th><th scope="col">Last statement</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
<tbody>${items.map((session) => sessionRow(session, activity(session.id), viewer))}</tbody></table></div>
${pager('/sessions', new Map(), { items, next }, after !== undefined, html`<span class="fine">${count(sessions.length)} open</span>`)}`;
}

function sessionRow(session: SessionView, activity: Activity | undefined, viewer: Viewer): Html {
  const { id, identity, target, client, started } = session;
  const last = activity?.last;
  return html`<tr data-session="${id}">
<td class="when"><a class="row" href="${searchFor({ session: id })}">${ago(started)}</a></td>
<td class="identity"><a href="${identityPath(identity)}">${shortText(identity, 40)}</a></td>
<td class="target">${shortText(target, 30)}</td>
<td class="mono fine">${client}</td>
<td class="num">${count(activity?.statements ?? 0)}</td>
<td class="num${(activity?.denied ?? 0) > 0 ? ' deny' : ''}">${count(activity?.denied ?? 0)}</td>
<td class="sql">${last === undefined ? '' : html`<div>${activity?.running === true ? html`<span class="running">running</span>` : ''}<code>${sql(last.text, 'line')}</code></div>`}</td>
<td class="act">${forRole(viewer.person, 'admin', () => html`<a class="button danger small" href="/sessions?kill=${encodeURIComponent(id)}">Kill</a>`)}</td>
</tr>`;
}

function killForm({ id, identity, target }: SessionView, { csrf }: Viewer): Html {
  return html`<form class="confirm" method="post" action="/sessions/${encodeURIComponent(id)}/kill">
<input type="hidden" name="csrf" value="${csrf}">
<p>Kill the session of <strong>${identity}</strong> on <strong>${target}</strong>? Its client gets an error and the statement that runs is cancelled.</p>
<label>Reason <input name="reason" maxlength="500" autocomplete="off" autofocus></label>
<p><button class="danger">Kill it</button> <a class="button" href="/sessions">Leave it</a></p>
</form>`;
}
