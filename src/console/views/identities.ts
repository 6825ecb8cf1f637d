// Identities: which machines were at work, and for one of them everything it touched.
import { count, plural, time } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { Span } from '../range.ts';
import type { IdentitySummary, Page, RevocationView, Touched } from '../sources.ts';
import { empty, forRole, type Viewer } from './layout.ts';
import { spanLinks } from './overview.ts';
import { facts, identityPath, searchFor } from './record.ts';
import { shortText } from './rows.ts';
import { pager } from './search.ts';

export interface IdentitiesData {
  readonly span: Span;
  readonly page: Page<IdentitySummary>;
  readonly later: boolean;
}

export function identitiesView({ span, page, later }: IdentitiesData): Html {
  return html`${spanLinks('/identities', span)}
${
  page.items.length === 0
    ? empty('No identity was at work', `Nobody has sent a statement, ${span.label}.`)
    : html`<div class="scroll"><table class="identities"><thead><tr><th scope="col">Identity</th><th scope="col">Issuer</th><th scope="col">Targets</th><th scope="col">Groups</th><th scope="col" class="num">Statements</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Rows</th><th scope="col">Last <span class="fine">UTC</span></th></tr></thead>
<tbody>${page.items.map(
        ({ identity, issuer, targets, groups, statements, denied, rows, last }) => html`<tr>
<td class="identity"><a class="row" href="${identityPath(issuer, identity)}&amp;span=${span.name}">${shortText(identity, 60)}</a></td>
<td class="fine">${shortText(issuer, 40)}</td>
<td>${shortText(targets.join(', '), 40)}</td>
<td>${shortText(groups.join(', '), 40)}</td>
<td class="num">${count(statements)}</td>
<td class="num${denied > 0 ? ' deny' : ''}">${count(denied)}</td>
<td class="num">${count(rows)}</td>
<td class="when">${time(last)}</td>
</tr>`,
      )}</tbody></table></div>`
}
${pager('/identities', new Map([['span', span.name]]), page, later)}`;
}

export interface IdentityData {
  readonly span: Span;
  readonly name: string;
  readonly issuer: string;
  readonly touched: Touched;
  readonly open: number;
  /** What the name stands for in tokens; a revocation names one. */
  readonly subjects: readonly string[];
  readonly revocations: readonly RevocationView[];
  /** This gateway can revoke. */
  readonly revocable: boolean;
  readonly viewer: Viewer;
}

export function identityView(data: IdentityData): Html {
  const { span, name, issuer, touched, open } = data;
  const { summary, tables, columns, verbs } = touched;
  const bars = (
    title: string,
    items: readonly { readonly name: string; readonly href: string; readonly count: number }[],
  ) => {
    const most = items[0]?.count ?? 1;
    return html`<section><h2>${title}</h2><ol class="bars">${items.map(
      (item) =>
        html`<li><a class="mono" href="${item.href}">${shortText(item.name, 60)}</a><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${Math.max(1, (item.count / most) * 100)}" height="8"/></svg><span class="num">${count(item.count)}</span></li>`,
    )}</ol></section>`;
  };
  return html`<p class="lead"><strong>${name}</strong> <span class="fine">of ${issuer}</span></p>
${revocation(data)}
${spanLinks('/identity', span, { issuer, name })}
${
  summary === undefined
    ? empty('Nothing in this time', `No statement of this identity, ${span.label}.`)
    : html`${facts([
        [
          'statements',
          html`<a href="${searchFor({ identity: name, since: span.name })}">${count(summary.statements)}</a>`,
        ],
        [
          'refused',
          html`<a href="${searchFor({ identity: name, verdict: 'deny', since: span.name })}">${count(summary.denied)}</a>`,
        ],
        ['rows returned', count(summary.rows)],
        ['groups', summary.groups.join(', ')],
        ['targets', summary.targets.join(', ')],
        ['last', time(summary.last)],
        ['open sessions', html`<a href="/sessions">${plural(open, 'session')}</a>`],
      ])}
<div class="columns">
${bars(
  'Tables',
  tables.map((each) => ({
    name: `${each.target} ${each.table}`,
    href: searchFor({ identity: name, target: each.target, table: each.table, since: span.name }),
    count: each.count,
  })),
)}
${bars(
  'Columns',
  columns.map((each) => ({
    name: `${each.target} ${each.column}`,
    href: searchFor({ identity: name, target: each.target, column: each.column, since: span.name }),
    count: each.count,
  })),
)}
${bars(
  'Verbs',
  verbs.map((each) => ({
    name: each.verb,
    href: searchFor({ identity: name, verb: each.verb, since: span.name }),
    count: each.count,
  })),
)}
</div>`
}`;
}

/** Whether the identity is revoked, and for admins the way to change that. */
function revocation({ name, issuer, subjects, revocations, revocable, viewer }: IdentityData): Html | undefined {
  if (!revocable) return undefined;
  const hidden = html`<input type="hidden" name="csrf" value="${viewer.csrf}"><input type="hidden" name="issuer" value="${issuer}"><input type="hidden" name="name" value="${name}">`;
  const revoked = new Set(revocations.map(({ subject }) => subject));
  const open = subjects.filter((subject) => !revoked.has(subject));
  return html`${revocations.map(
    (each) =>
      html`<div class="confirm"><p><span class="badge deny">revoked</span> subject <strong>${each.subject}</strong> by ${each.by}${each.reason === undefined || each.reason === '' ? '' : html`: ${each.reason}`} <span class="fine">${time(each.at.toISOString())}</span></p>${forRole(viewer.person, 'admin', () => html`<form method="post" action="/identity/lift">${hidden}<input type="hidden" name="revocation" value="${each.id}"><button>Lift it</button></form>`)}</div>`,
  )}${
    open.length === 0
      ? ''
      : forRole(
          viewer.person,
          'admin',
          () => html`<details class="revoke"><summary class="button danger">Revoke…</summary><form class="confirm" method="post" action="/identity/revoke">${hidden}
<p>All its sessions end now, and it cannot log in until the revocation is lifted.</p>
<label>Subject <select name="subject">${open.map((subject) => html`<option value="${subject}">${subject}</option>`)}</select></label>
<label>Reason <input name="reason" maxlength="500" autocomplete="off"></label>
<p><button class="danger">Revoke it</button></p></form></details>`,
        )
  }`;
}
