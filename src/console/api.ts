// The HTTP API: what the page shows, as JSON, for programs with a bearer token and for the page's own scripts.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { FilterError } from '../audit/index.ts';
import { fieldsOf, killSession, reasonIn } from './actions.ts';
import { decisionApi } from './decision-api.ts';
import { readerOf, recordStream } from './events.ts';
import { numberOf, readFilter } from './filters.ts';
import { allow, type Env } from './guard.ts';
import { json } from './json.ts';
import { liveFilter } from './live-filter.ts';
import type { ConsoleParts } from './parts.ts';
import { rangeOf } from './range.ts';
import { touchedBy } from './touched.ts';

export function api(parts: ConsoleParts): Hono<Env> {
  const { records, sessions, live, config } = parts;
  const app = new Hono<Env>();
  const forbidden = () => {
    throw new HTTPException(403, { message: 'Your role does not allow that.' });
  };

  app.get('/me', (context) => {
    const { name, issuer, role, groups, via } = context.get('person');
    return json({ name, issuer, role, groups, via });
  });
  app.get('/records', async (context) => {
    const { filter, problems } = readFilter(new URL(context.req.url).searchParams);
    for (const [name, message] of problems) throw new HTTPException(400, { message: `${name}: ${message}` });
    const limit = numberOf(context.req.query('limit'), 100, 1000);
    try {
      return json(await records.search(filter, { limit, after: context.req.query('after') }));
    } catch (cause) {
      if (!(cause instanceof FilterError)) throw cause;
      throw new HTTPException(400, { message: cause.message });
    }
  });
  app.get('/records/:id', async (context) => {
    const record = await records.record(context.req.param('id'));
    if (record === undefined) throw new HTTPException(404, { message: 'There is no record of this id.' });
    return json(record);
  });
  app.get('/live', (context) => {
    const wanted = liveFilter(new URL(context.req.url).searchParams);
    const watcher = live.watch(wanted);
    if (watcher === undefined) throw new HTTPException(503, { message: 'Too many are watching already.' });
    return recordStream(watcher, (record) => record, readerOf(context));
  });
  app.get('/sessions', async () => {
    const items = (await sessions.list()).map((session) => {
      const activity = live.activity(session.id);
      return {
        ...session,
        started: new Date(session.started).toISOString(),
        statements: activity?.statements ?? 0,
        denied: activity?.denied ?? 0,
        lastRecord: activity?.last?.record,
        running: activity?.running ?? false,
      };
    });
    return json({ items });
  });
  app.post('/sessions/:id/kill', allow('admin', forbidden), async (context) => {
    const reason = reasonIn(await fieldsOf(context));
    const killed = await killSession(parts, context.get('person'), context.req.param('id') ?? '', reason);
    if (!killed) throw new HTTPException(404, { message: 'There is no open session of this id.' });
    return json({ killed: true });
  });
  app.get('/identities', async (context) => {
    const range = rangeOf(new URL(context.req.url).searchParams);
    const limit = numberOf(context.req.query('limit'), 100, 1000);
    return json(await records.identities(range, { limit, after: context.req.query('after') }));
  });
  app.get('/identity', async (context) => {
    const range = rangeOf(new URL(context.req.url).searchParams);
    const name = context.req.query('name') ?? '';
    const [summary, touched] = await Promise.all([records.identity(name, range), touchedBy(parts, name, range)]);
    return json({ summary, ...touched });
  });
  app.get('/counts', async (context) => {
    const range = rangeOf(new URL(context.req.url).searchParams);
    return json({ range, stepMs: range.stepMs, items: await records.counts(range, range.stepMs) });
  });
  app.get('/rules', async (context) => {
    const range = rangeOf(new URL(context.req.url).searchParams);
    const hits = await records.ruleHits(range);
    const rules = config().rules.map(({ name, verdict, mode }) => ({ name, verdict, mode }));
    return json({ rules, hits });
  });
  app.get('/columns', async (context) => {
    const range = rangeOf(new URL(context.req.url).searchParams);
    const masks = config().masks.map(({ columns, spec, predicates, mode }) => ({
      columns: columns.map(({ text }) => text),
      mask: spec,
      predicates,
      mode,
    }));
    const limit = numberOf(context.req.query('limit'), 100, 1000);
    const [page, detected] = await Promise.all([
      records.columns(range, { limit, after: context.req.query('after') }),
      records.detections(range),
    ]);
    return json({ masks, detected, ...page });
  });
  app.route('/', decisionApi(parts));
  app.all('*', () => {
    throw new HTTPException(404, { message: 'The API has nothing of this name.' });
  });
  return app;
}
