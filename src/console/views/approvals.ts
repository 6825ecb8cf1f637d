// What waits for a person: held statements and access requests, with everything a decision needs; and what was decided.
import { count, duration, fullTime, left, time } from '../format.ts';
import { type Html, html, preformatted, type Value, whole } from '../html.ts';
import { may } from '../people.ts';
import type { GrantView, HoldView, OpinionView } from '../sources.ts';
import { sql } from '../sql.ts';
import { empty, type Viewer } from './layout.ts';
import { facts, identityPath } from './record.ts';

export interface ApprovalsData {
  readonly holds: readonly HoldView[];
  readonly grants: readonly GrantView[];
  readonly active: readonly GrantView[];
  readonly past: boolean;
  /** Why the last answer was not taken. */
  readonly refused: string | undefined;
  /** How often anything had changed before. */
  readonly drawnAt: number;
  readonly viewer: Viewer;
}

const textLimit = 4000;

export function approvalsView({ holds, grants, active, past, refused, drawnAt, viewer }: ApprovalsData): Html {
  return html`<nav class="spans" aria-label="Which"><a href="/approvals"${past ? '' : html` aria-current="true"`}>waiting</a><a href="/approvals?past=1"${past ? html` aria-current="true"` : ''}>decided</a></nav>
${refused === undefined ? '' : html`<p class="reason" role="alert">Not taken: ${refused}.</p>`}
<div data-refresh="/approvals/events?since=${drawnAt}"></div>
<section aria-labelledby="holds"><h2 id="holds">${past ? 'Statements that were held' : 'Held statements'}</h2>${
    holds.length === 0
      ? empty(
          past ? 'None yet' : 'No statement waits',
          past ? '' : 'When a rule holds a statement, it stands here until somebody decides or its time is over.',
        )
      : holds.map((hold) => holdCard(hold, viewer))
  }</section>
<section aria-labelledby="requests"><h2 id="requests">${past ? 'Access that was asked for' : 'Access requests'}</h2>${
    grants.length === 0
      ? empty(
          past ? 'None yet' : 'No request waits',
          past ? '' : html`Agents ask with <code>sallyport grants request</code>.`,
        )
      : grants.map((grant) => grantCard(grant, viewer))
  }</section>
${past ? '' : html`<section aria-labelledby="active"><h2 id="active">Granted now</h2>${active.length === 0 ? empty('Nothing is granted', 'Roles that were asked for and given stand here until they end.') : activeTable(active, viewer)}</section>`}`;
}

function holdCard(hold: HoldView, viewer: Viewer): Html {
  const waiting = hold.state === 'pending';
  return html`<article class="card hold" id="hold-${hold.id}" data-hold="${hold.id}">
<header><strong><a href="${identityPath(hold.identity)}">${hold.identity}</a></strong> on <strong>${hold.target}</strong> <span class="fine">by rule ${hold.rule}</span>${state(hold.state, hold.expires)}</header>
<pre class="text" tabindex="0">${hold.text.length > textLimit ? preformatted(whole(hold.text, textLimit)) : sql(hold.text, 'block')}</pre>
${hold.text.length > textLimit ? html`<p class="more">${count(textLimit)} of ${count(hold.text.length)} characters. <a href="/records/${encodeURIComponent(hold.record)}?all=1">Show all</a></p>` : ''}
${facts([
  ['what', hold.message],
  [
    'estimated',
    hold.estimate.kind === 'estimate'
      ? html`<strong>${count(Math.round(hold.estimate.rows))}</strong> rows, cost ${count(Math.round(hold.estimate.cost))}`
      : html`<span class="fine">not known: ${hold.estimate.why}</span>`,
  ],
  ['parameters', hold.parameters.length === 0 ? undefined : parameters(hold)],
  ['asked', fullTime(hold.created.toISOString())],
  ['groups', hold.groups.join(', ')],
  ['approvals', approvals(hold)],
  ['reason', waiting ? undefined : hold.reason],
  ['record', html`<a class="mono" href="/records/${encodeURIComponent(hold.record)}">${hold.record}</a>`],
])}
${waiting ? controls('hold', hold, viewer, html`<label>Approve this shape for <select name="for"><option value="">once</option><option value="10m">10 minutes</option><option value="1h">1 hour</option><option value="8h">8 hours</option></select></label>`) : ''}
</article>`;
}

function grantCard(grant: GrantView, viewer: Viewer): Html {
  const waiting = grant.state === 'pending';
  return html`<article class="card" id="grant-${grant.id}" data-grant="${grant.id}">
<header><strong><a href="${identityPath(grant.identity)}">${grant.identity}</a></strong> asks for role <strong>${grant.role}</strong> for ${duration(grant.forMs)}${state(grant.state, grant.expires)}</header>
${facts([
  ['reason', grant.reason],
  ['asked', fullTime(grant.created.toISOString())],
  ['groups', grant.groups.join(', ')],
  ['approvals', approvals(grant)],
])}
${waiting ? controls('grant', grant, viewer, html`<label>For at most <input name="for" placeholder="${duration(grant.forMs)}" maxlength="20" autocomplete="off"></label>`) : ''}
</article>`;
}

/** The state, and how long is left while it waits. */
function state(name: string, expires: Date): Html {
  if (name !== 'pending')
    return html` <span class="badge ${name === 'approved' || name === 'active' ? 'allow' : 'deny'}">${name}</span>`;
  return html` <span class="left">ends in ${left(expires)}</span>`;
}

function approvals({
  approvers,
  opinions,
}: {
  readonly approvers: HoldView['approvers'];
  readonly opinions: readonly OpinionView[];
}): Html {
  const yes = opinions.filter(({ verdict }) => verdict === 'approve').length;
  return html`<span class="count-of"><strong>${yes} of ${approvers.count}</strong> <span class="fine">by ${approvers.groups.join(', ')}</span></span>${opinions.map(
    ({ by, verdict, reason, at }) =>
      html`<br><span class="badge ${verdict === 'approve' ? 'allow' : 'deny'}">${verdict === 'approve' ? 'approved' : 'denied'}</span> ${by}${reason === undefined || reason === '' ? '' : html`: ${reason}`} <span class="fine">${time(at.toISOString())}</span>`,
  )}`;
}

function parameters({ parameters: list }: HoldView): Html {
  return html`<ol class="parameters">${list
    .slice(0, 100)
    .map(
      ({ text, masked }) =>
        html`<li><code>${text === null ? html`<span class="fine">NULL</span>` : preformatted(whole(text, 200))}</code>${masked ? html` <span class="note masked">masked</span>` : ''}</li>`,
    )}</ol>`;
}

/** Approve and deny, for those who may; for others, why not. */
function controls(kind: 'hold' | 'grant', item: HoldView | GrantView, { person, csrf }: Viewer, more: Value): Html {
  if (!may(person, 'approver')) return html`<p class="fine">Your role may look, not decide.</p>`;
  if (person.via !== 'link' && !item.approvers.groups.some((group) => person.groups.includes(group)))
    return html`<p class="fine">Only members of ${item.approvers.groups.join(', ')} decide this.</p>`;
  if (person.issuer === item.issuer && person.subject === item.subject)
    return html`<p class="fine">Nobody decides on what they have asked for themselves.</p>`;
  return html`<form class="decide" method="post" action="/approvals/${kind}/${encodeURIComponent(item.id)}">
<input type="hidden" name="csrf" value="${csrf}">
<label class="grow">Reason <input name="reason" maxlength="500" autocomplete="off"></label>${more}
<button class="primary" name="verdict" value="approve">Approve</button><button class="danger" name="verdict" value="deny">Deny</button>
</form>`;
}

function activeTable(active: readonly GrantView[], { person, csrf }: Viewer): Html {
  return html`<div class="scroll"><table><thead><tr><th scope="col">Identity</th><th scope="col">Role</th><th scope="col">Ends in</th><th scope="col">Reason</th><th scope="col">Approved by</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead><tbody>${active.map(
    (grant) => {
      return html`<tr data-grant="${grant.id}"><td><a href="${identityPath(grant.identity)}">${grant.identity}</a></td><td>${grant.role}</td>
<td>${grant.ends === undefined ? '' : left(grant.ends)}</td>
<td>${grant.reason}</td><td>${grant.opinions.map(({ by }) => by).join(', ')}</td>
<td class="act">${may(person, 'approver') ? html`<form method="post" action="/grants/${encodeURIComponent(grant.id)}/revoke"><input type="hidden" name="csrf" value="${csrf}"><button class="danger small">Revoke</button></form>` : ''}</td></tr>`;
    },
  )}</tbody></table></div>`;
}
