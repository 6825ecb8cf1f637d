// Identities: which machines were at work, and for one of them everything it touched.
import { count, plural, time } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { Span } from '../range.ts';
import type { IdentitySummary, Page, RevocationView } from '../sources.ts';
import type { Subject, Touched, Used } from '../touched.ts';
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
    : html`<div class="scroll"><table class="identities"><thead><tr><th scope="col">Identity</th><th scope="col">Tables it used most</th><th scope="col" class="num">Statements</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Held</th><th scope="col" class="num">Rows</th><th scope="col">Last <span class="fine">UTC</span></th></tr></thead>
<tbody>${page.items.map((each) => identityRow(each, span))}</tbody></table></div>`
}
${pager('/identities', new Map([['span', span.name]]), page, later)}`;
}

function identityRow({ identity, tables, allow, deny, hold, rows, last }: IdentitySummary, span: Span): Html {
  return html`<tr>
<td class="identity"><a class="row" href="${identityPath(identity)}&amp;span=${span.name}">${shortText(identity, 60)}</a></td>
<td class="list"><span class="mono">${shortText(tables.join(', '), 200)}</span></td>
<td class="num">${count(allow + deny + hold)}</td>
<td class="num${deny > 0 ? ' deny' : ''}">${count(deny)}</td>
<td class="num">${count(hold)}</td>
<td class="num">${count(rows)}</td>
<td class="when">${time(last)}</td>
</tr>`;
}

export interface IdentityData {
  readonly span: Span;
  readonly name: string;
  readonly summary: IdentitySummary | undefined;
  readonly touched: Touched;
  readonly open: number;
  readonly revocations: readonly RevocationView[];
  /** This gateway can revoke. */
  readonly revocable: boolean;
  readonly viewer: Viewer;
}

export function identityView(data: IdentityData): Html {
  const { span, name, summary, touched, open } = data;
  const since = { identity: name, since: span.name };
  const bars = (title: string, items: readonly Used[], filter: string, mark = '') =>
    items.length === 0 ? '' : html`<section><h2>${title}</h2>${usedBars(items, filter, since, mark)}</section>`;
  return html`<p class="lead"><strong>${name}</strong> <span class="fine">${touched.subjects.map(({ issuer, subject }) => `${subject} of ${issuer}`).join(', ')}</span></p>
${revocation(data)}
${spanLinks('/identity', span, { name })}
${
  summary === undefined && touched.statements === 0
    ? empty('Nothing in this time', `No statement of this identity, ${span.label}.`)
    : html`${facts(
        [
          ['statements', html`<a href="${searchFor({ ...since, kind: 'statement' })}">${count(sum(summary))}</a>`],
          ['refused', html`<a href="${searchFor({ ...since, verdict: 'deny' })}">${count(summary?.deny ?? 0)}</a>`],
          ['rows returned', count(summary?.rows ?? 0)],
          ['groups', touched.groups.join(', ')],
          ['targets', touched.targets.join(', ')],
          ['last', summary === undefined ? undefined : time(summary.last)],
          ['open sessions', html`<a href="/sessions">${plural(open, 'session')}</a>`],
        ],
        'across',
      )}
<div class="columns">
${bars('Tables', touched.tables, 'table')}
${bars('Columns', touched.columns, 'column')}
${bars('Masked for it', touched.masked, 'column', 'masked')}
${bars('Verbs', touched.verbs, 'verb')}
</div>
${touched.more ? html`<p class="fine">From its latest ${count(touched.statements)} statements.</p>` : ''}`
}`;
}

function sum(summary: IdentitySummary | undefined): number {
  return summary === undefined ? 0 : summary.allow + summary.deny + summary.hold;
}

function usedBars(items: readonly Used[], filter: string, since: Readonly<Record<string, string>>, mark: string): Html {
  const most = items[0]?.count ?? 1;
  return html`<ol class="bars">${items.map(({ name, target, count: uses }) => {
    const href = searchFor({ ...since, ...(target === undefined ? {} : { target }), [filter]: name });
    return html`<li><a class="mono ${mark}" href="${href}" title="${name}${target === undefined ? '' : ` on ${target}`}">${shortText(name, 80)}</a><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${Math.max(1, (uses / most) * 100)}" height="8"/></svg><span class="num">${count(uses)}</span></li>`;
  })}</ol>`;
}

/** Those the name is known to stand for, and those of that subject that are revoked: records of them may not have come to the store yet. */
function subjects(name: string, touched: Touched, revocations: readonly RevocationView[]): readonly Subject[] {
  const known = [...touched.subjects];
  for (const { kind, issuer, subject } of revocations) {
    if (kind !== 'identity' || issuer === undefined || subject !== name) continue;
    if (!known.some((each) => each.issuer === issuer && each.subject === subject)) known.push({ issuer, subject });
  }
  return known;
}

/** Whether the identity is revoked, and for admins the way to change that. */
function revocation({ name, touched, revocations, revocable, viewer }: IdentityData): Html | undefined {
  if (!revocable) return undefined;
  const hidden = html`<input type="hidden" name="csrf" value="${viewer.csrf}"><input type="hidden" name="name" value="${name}">`;
  const of = ({ issuer, subject }: Subject) =>
    revocations.find((each) => each.issuer === issuer && each.subject === subject);
  return html`${subjects(name, touched, revocations).map((each) => {
    const revoked = of(each);
    if (revoked !== undefined) {
      return html`<div class="confirm"><p><span class="badge deny">revoked</span> <strong>${each.subject}</strong> of ${each.issuer} by ${revoked.by}${revoked.reason === undefined || revoked.reason === '' ? '' : html`: ${revoked.reason}`} <span class="fine">${time(revoked.at.toISOString())}</span></p>${forRole(
        viewer.person,
        'admin',
        () =>
          html`<form method="post" action="/identity/lift">${hidden}<input type="hidden" name="revocation" value="${revoked.id}"><button>Lift it</button></form>`,
      )}</div>`;
    }
    return forRole(
      viewer.person,
      'admin',
      () => html`<details class="revoke"><summary class="button danger">Revoke ${each.subject}…</summary><form class="confirm" method="post" action="/identity/revoke">${hidden}<input type="hidden" name="issuer" value="${each.issuer}"><input type="hidden" name="subject" value="${each.subject}">
<p>All sessions of <strong>${each.subject}</strong> of ${each.issuer} end now, and it cannot log in until the revocation is lifted.</p>
<label>Reason <input name="reason" maxlength="500" autocomplete="off"></label>
<p><button class="danger">Revoke it</button></p></form></details>`,
    );
  })}`;
}
