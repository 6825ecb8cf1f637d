// The pages: each reads what it shows and draws it; each button posts a form, works without a script and comes back to its page.
import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';
import { FilterError } from '../audit/index.ts';
import { fieldsOf, killSession, reasonIn } from './actions.ts';
import { refusal } from './app-refusal.ts';
import type { Assets } from './assets.ts';
import { decisionPages } from './decision-pages.ts';
import { readerOf, recordStream } from './events.ts';
import { readFilter } from './filters.ts';
import { allow, type Env, formOf, type GuardParts } from './guard.ts';
import { liveFilter } from './live-filter.ts';
import { pathWithin } from './login.ts';
import type { ConsoleParts } from './parts.ts';
import { rangeOf } from './range.ts';
import { touchedBy } from './touched.ts';
import { columnsView } from './views/columns.ts';
import { identitiesView, identityView } from './views/identities.ts';
import { layout, type PageParts, type Theme, type Viewer } from './views/layout.ts';
import { liveView } from './views/live.ts';
import { overviewView } from './views/overview.ts';
import { recordView } from './views/record.ts';
import { recordRow } from './views/rows.ts';
import { rulesView } from './views/rules.ts';
import { searchView } from './views/search.ts';
import { sessionsView } from './views/sessions.ts';

export interface PageRoutes extends ConsoleParts {
  readonly guard: GuardParts;
  readonly assets: Assets;
}

/** Draws a view in its frame. */
export type Draw = (context: Context<Env>, page: PageParts) => Promise<Response>;

const pageSize = 50;

/** What a page says once after something was done; the URL names it, so nothing of the URL is shown. */
const done: Readonly<Record<string, string>> = {
  killed: 'The session was killed.',
  gone: 'That session had ended already.',
  approved: 'Approved.',
  agreed: 'Your approval counts; others must agree too.',
  denied: 'Denied.',
  revoked: 'Revoked.',
  lifted: 'The revocation was lifted: new logins pass again.',
};

export function pages(parts: PageRoutes): Hono<Env> {
  const { records, sessions, decisions, live, config, guard, assets } = parts;
  const app = new Hono<Env>();

  const viewer = async (context: Context<Env>): Promise<Viewer> => {
    const { pathname, search } = new URL(context.req.url);
    return {
      person: context.get('person'),
      csrf: context.get('csrf'),
      theme: themeOf(getCookie(context, 'sallyport-theme')),
      waiting: await waitingFor(parts),
      here: pathname + search,
      done: done[context.req.query('done') ?? ''],
    };
  };
  const draw: Draw = async (context, page) => context.html(layout(await viewer(context), assets.path, page).toString());
  const forbidden = (context: Context<Env>) =>
    refusal(assets, context.req.path, 403, 'Your role in the console does not allow that.');
  const parameters = (context: Context<Env>) => new URL(context.req.url).searchParams;

  app.get('/', async (context) => {
    const span = rangeOf(parameters(context));
    const [counts, hits, latest, open] = await Promise.all([
      records.counts(span, span.stepMs),
      records.ruleHits(span),
      records.search({ verdict: 'deny', since: span.since }, { limit: 8 }),
      sessions.list(),
    ]);
    const body = overviewView({ span, counts, hits, refused: latest.items, open: open.length });
    return draw(context, { title: 'Overview', page: 'overview', body });
  });

  app.get('/live', (context) => {
    const filter = readFilter(parameters(context));
    return draw(context, { title: 'Live', page: 'live', body: liveView(filter) });
  });
  app.get('/live/events', (context) => {
    const watcher = live.watch(liveFilter(parameters(context)));
    if (watcher === undefined) throw new HTTPException(503, { message: 'Too many are watching already.' });
    const row = (record: Parameters<typeof recordRow>[0]) => ({
      id: record.record,
      html: recordRow(record).toString(),
    });
    return recordStream(watcher, row, readerOf(context));
  });

  app.get('/search', async (context) => {
    const filter = readFilter(parameters(context));
    const after = context.req.query('after');
    const began = performance.now();
    // A cursor that is none is as good as none.
    const page = await records.search(filter.filter, { limit: pageSize, after }).catch((cause: unknown) => {
      if (cause instanceof FilterError) return { items: [], next: undefined, reached: undefined };
      throw cause;
    });
    const body = searchView({ filter, page, later: after !== undefined, ms: performance.now() - began });
    return draw(context, { title: 'Search', page: 'search', body });
  });
  app.get('/records/:id', async (context) => {
    const record = await records.record(context.req.param('id'));
    if (record === undefined)
      throw new HTTPException(404, { message: 'There is no record of this id, or none any more.' });
    const body = recordView(record, context.req.query('all') !== undefined);
    return draw(context, { title: record.event === 'statement' ? 'Statement' : 'Event', page: 'search', body });
  });

  app.get('/sessions', async (context) => {
    const body = sessionsView({
      sessions: await sessions.list(),
      activity: (id) => live.activity(id),
      viewer: await viewer(context),
      after: context.req.query('after'),
      confirm: context.req.query('kill'),
      revocations: (await decisions?.revocations()) ?? [],
    });
    return draw(context, { title: 'Sessions', page: 'sessions', body });
  });
  app.post('/sessions/:id/kill', allow('admin', forbidden), async (context) => {
    const fields = await fieldsOf(context);
    const id = context.req.param('id') ?? '';
    const also = fields.get('what');
    const killed = await killSession(parts, context.get('person'), id, reasonIn(fields), also);
    return context.redirect(
      `/sessions?done=${killed ? (also === undefined || also === 'session' ? 'killed' : 'revoked') : 'gone'}`,
      303,
    );
  });

  app.get('/identities', async (context) => {
    const span = rangeOf(parameters(context));
    const after = context.req.query('after');
    const page = await records.identities(span, { limit: pageSize, after });
    return draw(context, {
      title: 'Identities',
      page: 'identities',
      body: identitiesView({ span, page, later: after !== undefined }),
    });
  });
  app.get('/identity', async (context) => {
    const span = rangeOf(parameters(context));
    const name = context.req.query('name') ?? '';
    const [summary, touched, open, revocations] = await Promise.all([
      records.identity(name, span),
      touchedBy(parts, name, span),
      sessions.list(),
      decisions?.revocations() ?? [],
    ]);
    const body = identityView({
      span,
      name,
      summary,
      touched,
      open: open.filter(({ identity }) => identity === name).length,
      revocations,
      revocable: decisions !== undefined,
      viewer: await viewer(context),
    });
    return draw(context, { title: 'Identity', page: 'identities', body });
  });

  app.get('/rules', async (context) => {
    const span = rangeOf(parameters(context));
    const body = rulesView({ span, rules: config().rules, hits: await records.ruleHits(span) });
    return draw(context, { title: 'Rules', page: 'rules', body });
  });
  app.get('/columns', async (context) => {
    const span = rangeOf(parameters(context));
    const after = context.req.query('after');
    const [page, detected] = await Promise.all([
      records.columns(span, { limit: pageSize, after }),
      records.detections(span),
    ]);
    const detecting = [...config().targets.values()].some(({ detectors }) => detectors !== undefined);
    const body = columnsView({ span, masks: config().masks, page, later: after !== undefined, detected, detecting });
    return draw(context, { title: 'Columns', page: 'columns', body });
  });

  app.route('/', decisionPages({ ...parts, draw, viewer, forbidden }));

  app.post('/theme', async (context) => {
    const form = await formOf(context);
    setCookie(context, 'sallyport-theme', themeOf(form.get('theme') ?? ''), {
      path: '/',
      httpOnly: true,
      secure: guard.secure,
      sameSite: 'Lax',
      maxAge: 365 * 86_400,
    });
    return context.redirect(pathWithin(form.get('back') ?? undefined), 303);
  });
  return app;
}

function themeOf(text: string | undefined): Theme {
  return text === 'light' || text === 'dark' ? text : 'auto';
}

/** How many holds and requests wait for a person; a store that cannot be asked does not keep a page from being drawn. */
async function waitingFor({ decisions, log }: ConsoleParts): Promise<number> {
  if (decisions === undefined) return 0;
  try {
    const [holds, grants] = await Promise.all([decisions.holds('waiting'), decisions.grants('waiting')]);
    return holds.length + grants.length;
  } catch (cause) {
    log.warn({ err: cause }, 'what waits for a decision could not be counted');
    return 0;
  }
}
