// One record with everything about it.
import type { Merged, MergedEvent, MergedStatement } from '../../audit/index.ts';
import { bytes, count, duration, fullTime } from '../format.ts';
import { type Html, html, joined, preformatted, type Value, whole } from '../html.ts';
import { lineageDrawing } from '../lineage.ts';
import { sql } from '../sql.ts';
import { badge } from './rows.ts';

/** A longer text is cut until somebody asks for all of it. */
export const textLimit = 8000;

export function recordView(record: Merged, all: boolean): Html {
  return record.event === 'statement' ? statementView(record, all) : eventView(record);
}

function statementView(record: MergedStatement, all: boolean): Html {
  const { identity, issuer, target, session, masked } = record;
  const drawing = lineageDrawing(record.lineage ?? [], masked);
  return html`<p class="lead">${badge(record)} ${
    record.rule === undefined ? '' : html`by rule <a href="${searchFor({ rule: record.rule })}">${record.rule}</a>`
  }${record.role === undefined ? '' : html` <span class="fine">under role ${record.role}</span>`}</p>
${record.reason === undefined ? '' : html`<p class="reason">${record.reason}</p>`}
<section aria-labelledby="text"><h2 id="text">Statement</h2>${textOf(record.text, record.record, all)}</section>
${
  drawing === undefined
    ? ''
    : html`<section aria-labelledby="lineage"><h2 id="lineage">Lineage</h2>${drawing}</section>`
}
<div class="columns">
<section aria-labelledby="who"><h2 id="who">Who and where</h2>${facts([
    ['identity', html`<a href="${identityPath(identity)}">${identity}</a>`],
    ['issuer', issuer],
    ['groups', list(record.groups)],
    ['target', html`<a href="${searchFor({ target })}">${target}</a>`],
    ['session', html`<a class="mono" href="${searchFor({ session })}">${session}</a>`],
    ['client', html`<span class="mono">${record.client}</span>`],
  ])}</section>
<section aria-labelledby="reading"><h2 id="reading">Reading</h2>${facts([
    ['verbs', list(record.verbs)],
    ['tables', links(record.tables, 'table')],
    ['columns', links(record.columns, 'column')],
    ['masked', links(masked, 'column', 'masked')],
    ['would be', list(record.wouldBe ?? [])],
    ['detected', list(Object.entries(record.detected ?? {}).map(([kind, n]) => `${kind} in ${count(n)}`))],
    [
      'fingerprint',
      record.fingerprint === ''
        ? undefined
        : html`<a class="mono" href="${searchFor({ fingerprint: record.fingerprint })}">${record.fingerprint}</a>`,
    ],
  ])}</section>
<section aria-labelledby="timing"><h2 id="timing">Run</h2>${facts([
    ['opened', fullTime(record.time)],
    ['took', record.ms === undefined ? undefined : duration(record.ms)],
    ['outcome', ending(record)],
    ['rows', record.rows === undefined ? undefined : count(record.rows)],
    ['bytes', record.bytes === undefined ? undefined : bytes(record.bytes)],
    [
      'prepared by',
      record.prepared === undefined
        ? undefined
        : html`<a class="mono" href="/records/${encodeURIComponent(record.prepared)}">${record.prepared}</a>`,
    ],
    ['imitates the tag', record.imitatesTag ? 'yes: the text holds a comment that looks like the tag' : undefined],
  ])}</section>
<section aria-labelledby="kept"><h2 id="kept">Record</h2>${facts([
    ['record', html`<span class="mono">${record.record}</span>`],
    ['chain', `${record.worker}, line ${count(record.seq)}`],
    ['as JSON', html`<a href="/api/records/${encodeURIComponent(record.record)}">/api/records/${record.record}</a>`],
  ])}</section>
</div>`;
}

function eventView(record: MergedEvent): Html {
  const { identity, issuer, session } = record;
  return html`<p class="lead"><span class="badge event">${record.event}</span> ${record.message}</p>
<div class="columns">
<section aria-labelledby="who"><h2 id="who">Who and where</h2>${facts([
    ['identity', identity === undefined ? undefined : html`<a href="${identityPath(identity)}">${identity}</a>`],
    ['issuer', issuer],
    ['groups', list(record.groups ?? [])],
    ['target', record.target],
    [
      'session',
      session === undefined ? undefined : html`<a class="mono" href="${searchFor({ session })}">${session}</a>`,
    ],
    ['client', record.client],
  ])}</section>
<section aria-labelledby="details"><h2 id="details">Details</h2>${facts([
    ['time', fullTime(record.time)],
    ...Object.entries(record.details ?? {}).map(([name, value]) => [name, String(value)] as const),
  ])}</section>
<section aria-labelledby="kept"><h2 id="kept">Record</h2>${facts([
    ['record', html`<span class="mono">${record.record}</span>`],
    ['chain', `${record.worker}, line ${count(record.seq)}`],
    ['as JSON', html`<a href="/api/records/${encodeURIComponent(record.record)}">/api/records/${record.record}</a>`],
  ])}</section>
</div>`;
}

function textOf(text: string, record: string, all: boolean): Html {
  if (all || text.length <= textLimit) return html`<pre class="text" tabindex="0">${sql(text, 'block')}</pre>`;
  return html`<pre class="text" tabindex="0">${preformatted(whole(text, textLimit))}</pre>
<p class="more">${count(textLimit)} of ${count(text.length)} characters. <a href="/records/${encodeURIComponent(record)}?all=1">Show all</a></p>`;
}

/** Terms and what they are; those without a value are left out. */
export function facts(pairs: readonly (readonly [string, Value])[], shape: 'down' | 'across' = 'down'): Html {
  const there = pairs.filter(([, value]) => value !== undefined && value !== '');
  return html`<dl class="facts ${shape}">${there.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function searchFor(filter: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(filter).map(([name, value]): [string, string] => [name, value.toWellFormed()]);
  return `/search?${new URLSearchParams(pairs).toString()}`;
}

export function identityPath(identity: string): string {
  return `/identity?${new URLSearchParams({ name: identity.toWellFormed() }).toString()}`;
}

const mostListed = 60;

function links(names: readonly string[], filter: string, mark?: string): Html | undefined {
  if (names.length === 0) return undefined;
  const pieces = names
    .slice(0, mostListed)
    .map(
      (name) =>
        html`<a class="mono${mark === undefined ? '' : ` ${mark}`}" href="${searchFor({ [filter]: name })}">${name}</a>`,
    );
  return html`${joined(pieces, html`, `)}${names.length > mostListed ? ` and ${names.length - mostListed} more` : ''}`;
}

function list(names: readonly string[]): Html | undefined {
  return names.length === 0
    ? undefined
    : html`${names.slice(0, mostListed).join(', ')}${names.length > mostListed ? ` and ${names.length - mostListed} more` : ''}`;
}

function ending({ outcome, sqlstate, tag, verdict }: MergedStatement): Value {
  if (outcome === undefined) return verdict === 'allow' ? 'running, or not settled' : 'not run';
  return [outcome, sqlstate, tag].filter((part) => part !== undefined).join(', ');
}
