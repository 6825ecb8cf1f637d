// The frame around every view: navigation, who is logged in, and what stands the same on every page.
import { type Html, html, type Value } from '../html.ts';
import { may, type Person } from '../people.ts';

/** What every view is given beside its own data. */
export interface Viewer {
  readonly person: Person;
  readonly csrf: string;
  readonly theme: Theme;
  /** Held statements and requests that wait for a person. */
  readonly waiting: number;
  /** Where the page is, with its query. */
  readonly here: string;
  /** What was just done, to be said once. */
  readonly done: string | undefined;
}

export type Theme = 'auto' | 'light' | 'dark';

export interface PageParts {
  readonly title: string;
  readonly page: PageName;
  readonly body: Value;
  /** Beside the heading. */
  readonly actions?: Value;
  readonly wide?: boolean;
}

const pages = [
  ['overview', '/', 'Overview', 'o'],
  ['live', '/live', 'Live', 'l'],
  ['search', '/search', 'Search', 's'],
  ['approvals', '/approvals', 'Approvals', 'a'],
  ['sessions', '/sessions', 'Sessions', 'e'],
  ['identities', '/identities', 'Identities', 'i'],
  ['rules', '/rules', 'Rules', 'r'],
  ['columns', '/columns', 'Columns', 'c'],
] as const;
export type PageName = (typeof pages)[number][0];

/** Where the page's own files are; the door fills it in with their version. */
export type AssetPath = (name: string) => string;

export function layout(viewer: Viewer, asset: AssetPath, { title, page, body, actions }: PageParts): Html {
  const { person, csrf, theme, waiting, done } = viewer;
  return document(
    asset,
    theme,
    title,
    html`<body data-page="${page}" data-csrf="${csrf}">
<a class="skip" href="#main">Skip to content</a>
<div class="frame">
<header class="side">
  <a class="brand" href="/">${mark}<span>Sallyport</span></a>
  <nav aria-label="Views"><ul>${pages.map(
    ([name, path, label, key]) =>
      html`<li><a href="${path}" data-key="${key}"${name === page ? html` aria-current="page"` : ''}>${label}${
        name === 'approvals' && waiting > 0
          ? html` <span class="count" title="waiting for a decision">${waiting}</span>`
          : ''
      }</a></li>`,
  )}</ul></nav>
  <div class="who">
    <span class="name" title="${person.issuer}">${person.name}</span>
    <span class="role">${person.role}</span>
    <form method="post" action="/logout"><input type="hidden" name="csrf" value="${csrf}"><button class="quiet">Log out</button></form>
    <form method="post" action="/theme"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="back" value="${viewer.here}"><button class="quiet" name="theme" value="${nextTheme[theme]}" title="Change to ${nextTheme[theme]}" aria-label="Theme: ${themeName[theme]}">${themeName[theme]}</button></form>
  </div>
</header>
<main id="main" tabindex="-1">
  <div class="head"><h1>${title}</h1>${actions === undefined ? '' : html`<div class="actions">${actions}</div>`}</div>
  ${done === undefined ? '' : html`<p class="done" role="status">${done}</p>`}
  ${body}
</main>
</div>
${help}
</body>`,
  );
}

/** A page for somebody who is not logged in, or for an error. */
export function plainPage(asset: AssetPath, title: string, body: Value, script?: string): Html {
  return document(
    asset,
    'auto',
    title,
    html`<body class="plain"><main id="main"><a class="brand" href="/">${mark}<span>Sallyport</span></a><h1>${title}</h1>${body}</main></body>`,
    script,
  );
}

function document(asset: AssetPath, theme: Theme, title: string, body: Html, script = 'console.js'): Html {
  return html`<!doctype html>
<html lang="en" data-theme="${theme}">
<head>
<meta charset="utf-8">
<title>${title} · Sallyport</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="${theme === 'auto' ? 'light dark' : theme}">
<link rel="stylesheet" href="${asset('console.css')}">
<link rel="icon" type="image/svg+xml" href="${asset('icon.svg')}">
<script type="module" src="${asset(script)}"></script>
</head>
${body}
</html>
`;
}

/** Controls only for those who may use them. */
export function forRole(person: Person, role: 'approver' | 'admin', controls: () => Html): Html | undefined {
  return may(person, role) ? controls() : undefined;
}

export function empty(title: string, hint: Value): Html {
  return html`<div class="empty"><p class="big">${title}</p><p>${hint}</p></div>`;
}

export function problem(title: string, hint: Value): Html {
  return html`<div class="empty problem" role="alert"><p class="big">${title}</p><p>${hint}</p></div>`;
}

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: 'dark', dark: 'light', light: 'auto' };
const themeName: Readonly<Record<Theme, string>> = { auto: 'Auto', dark: 'Dark', light: 'Light' };

/** A gate in a wall: two towers, one opening. */
const mark = html`<svg class="mark" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"><path d="M2 18V3h3v2h2V3h2v2h2V3h2v2h2V3h3v15h-5v-5a3 3 0 0 0-6 0v5z"/></svg>`;

const help = html`<dialog id="help" aria-labelledby="help-title">
<h2 id="help-title">Keys</h2>
<dl class="keys">
<div><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous row</dd></div>
<div><dt><kbd>Enter</kbd></dt><dd>open the row</dd></div>
<div><dt><kbd>/</kbd></dt><dd>go to the filter</dd></div>
<div><dt><kbd>p</kbd></dt><dd>pause and resume the live view</dd></div>
<div><dt><kbd>n</kbd></dt><dd>next page</dd></div>
<div><dt><kbd>g</kbd> then <kbd>o</kbd> <kbd>l</kbd> <kbd>s</kbd> <kbd>a</kbd> <kbd>e</kbd> <kbd>i</kbd> <kbd>r</kbd> <kbd>c</kbd></dt><dd>go to a view</dd></div>
<div><dt><kbd>?</kbd></dt><dd>this list</dd></div>
</dl>
<form method="dialog"><button>Close</button></form>
</dialog>`;
