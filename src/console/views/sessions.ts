// Open sessions: who is connected to what, what it last sent, and a way to end it; below them, what is let in no more.
import { revocableOf } from '../actions.ts';
import { ago, count, time } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { Activity } from '../live.ts';
import type { RevocationView, SessionView } from '../sources.ts';
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
  readonly revocations: readonly RevocationView[];
}

const pageSize = 100;

export function sessionsView(data: SessionsData): Html {
  return html`${openSessions(data)}${revoked(data)}`;
}

function openSessions({ sessions, activity, viewer, after, confirm }: SessionsData): Html {
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
<td class="mono fine client">${client}</td>
<td class="num">${count(activity?.statements ?? 0)}</td>
<td class="num${(activity?.denied ?? 0) > 0 ? ' deny' : ''}">${count(activity?.denied ?? 0)}</td>
<td class="sql">${last === undefined ? '' : html`<div>${activity?.running === true ? html`<span class="running">running</span>` : ''}<code>${sql(last.text, 'line')}</code></div>`}</td>
<td class="act">${forRole(viewer.person, 'admin', () => html`<a class="button danger small" href="/sessions?kill=${encodeURIComponent(id)}">Kill</a>`)}</td>
</tr>`;
}

/** What a revocation ends, beside this one session. */
const ends = {
  credential: 'its credential: it is no password any more, and its sessions end',
  token: 'its token: it is no password any more, and its sessions end',
  identity: 'the identity: all its sessions end, and it is let in no more until the revocation is lifted',
};

function killForm(session: SessionView, { csrf }: Viewer): Html {
  const { id, identity, target } = session;
  return html`<form class="confirm" method="post" action="/sessions/${encodeURIComponent(id)}/kill">
<input type="hidden" name="csrf" value="${csrf}">
<p>Kill the session of <strong>${identity}</strong> on <strong>${target}</strong>? Its client gets an error and the statement that runs is cancelled.</p>
<fieldset class="choices"><legend>What ends</legend>
<label><input type="radio" name="what" value="session" checked> this session</label>
${revocableOf(session).map(({ kind }) => html`<label><input type="radio" name="what" value="${kind}"> ${ends[kind]}</label>`)}
</fieldset>
<label>Reason <input name="reason" maxlength="500" autocomplete="off" autofocus></label>
<p><button class="danger">Kill it</button> <a class="button" href="/sessions">Leave it</a></p>
</form>`;
}

const mostRevoked = 100;

/** Revocations that stand: what they mean is let in no more. A killed session is none of them, it is over. */
function revoked({ revocations, viewer }: SessionsData): Html | undefined {
  const standing = revocations.filter(({ kind }) => kind !== 'session').slice(0, mostRevoked);
  if (standing.length === 0) return undefined;
  return html`<section><h2>Revoked</h2>
<div class="scroll"><table class="revocations"><thead><tr><th scope="col">What</th><th scope="col">By</th><th scope="col">Reason</th><th scope="col">Since <span class="fine">UTC</span></th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
<tbody>${standing.map(
    ({ id, what, by, reason, at }) => html`<tr>
<td class="what"><span class="mono">${shortText(what, 120)}</span></td>
<td>${shortText(by, 60)}</td>
<td class="list">${shortText(reason ?? '', 200)}</td>
<td class="when">${time(at.toISOString())}</td>
<td class="act">${forRole(viewer.person, 'admin', () => html`<form method="post" action="/revocations/${encodeURIComponent(id)}/lift"><input type="hidden" name="csrf" value="${viewer.csrf}"><button class="small">Lift it</button></form>`)}</td>
</tr>`,
  )}</tbody></table></div></section>`;
}
