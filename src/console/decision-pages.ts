// The pages where people decide: held statements and access requests, and what is revoked.
import { type Context, Hono } from 'hono';
import { FilterError } from '../audit/index.ts';
import { answerIn, fieldsOf, reasonIn, revocableIn } from './actions.ts';
import { changeStream, readerOf } from './events.ts';
import { allow, type Env } from './guard.ts';
import type { Draw, PageRoutes } from './pages.ts';
import type { Taken } from './sources.ts';
import { approvalsView } from './views/approvals.ts';
import { empty, type Viewer } from './views/layout.ts';

export interface DecisionRoutes extends PageRoutes {
  readonly draw: Draw;
  readonly viewer: (context: Context<Env>) => Promise<Viewer>;
  readonly forbidden: (context: Context<Env>) => Response;
}

export function decisionPages({ decisions, draw, viewer, forbidden }: DecisionRoutes): Hono<Env> {
  const app = new Hono<Env>();
  const frame = { title: 'Approvals', page: 'approvals' } as const;

  if (decisions === undefined) {
    app.get('/approvals', (context) =>
      draw(context, {
        ...frame,
        body: empty('Nothing is held here', 'No rule of the file holds statements, and no role can be requested.'),
      }),
    );
    return app;
  }
  /** How often anything has changed. A page says the count that it was drawn at, so that its stream misses nothing in between. */
  let changes = 0;
  decisions.watch(() => {
    changes += 1;
  });
  const page = async (context: Context<Env>, refused?: string) => {
    const drawnAt = changes;
    const past = context.req.query('past') !== undefined;
    const [holds, grants, active] = await Promise.all([
      decisions.holds(past ? 'past' : 'waiting'),
      decisions.grants(past ? 'past' : 'waiting'),
      past ? [] : decisions.grants('active'),
    ]);
    const body = approvalsView({ holds, grants, active, past, refused, drawnAt, viewer: await viewer(context) });
    return draw(context, { ...frame, body });
  };
  /** Back to the list, or the list with why the answer was not taken. */
  const told = (context: Context<Env>, taken: Taken, done: string) =>
    taken.kind === 'taken' ? context.redirect(`/approvals?done=${done}`, 303) : page(context, taken.message);

  app.get('/approvals', (context) => page(context));
  app.get('/approvals/events', (context) => {
    const since = context.req.query('since');
    const missed = since !== undefined && since !== String(changes);
    return changeStream((changed) => decisions.watch(changed), readerOf(context), missed);
  });
  app.post('/approvals/:kind{hold|grant}/:id', allow('approver', forbidden), async (context) => {
    const fields = await fieldsOf(context);
    const verdict = fields.get('verdict') === 'approve' ? 'approve' : 'deny';
    const kind = context.req.param('kind') === 'hold' ? 'hold' : 'grant';
    try {
      const answer = answerIn(verdict, fields);
      const id = context.req.param('id') ?? '';
      const taken = await decisions.decide(kind, id, context.get('person'), answer);
      const waits = (await decisions[kind === 'hold' ? 'holds' : 'grants']('waiting')).some((each) => each.id === id);
      return told(context, taken, verdict === 'deny' ? 'denied' : waits ? 'agreed' : 'approved');
    } catch (cause) {
      if (!(cause instanceof FilterError)) throw cause;
      return page(context, cause.message);
    }
  });
  app.post('/grants/:id/revoke', allow('approver', forbidden), async (context) => {
    const reason = reasonIn(await fieldsOf(context));
    return told(
      context,
      await decisions.revokeGrant(context.req.param('id') ?? '', context.get('person'), reason),
      'revoked',
    );
  });
  app.post('/identity/revoke', allow('admin', forbidden), async (context) => {
    const fields = await fieldsOf(context);
    const what = revocableIn(fields);
    if (what !== undefined) await decisions.revoke(what, context.get('person'), reasonIn(fields));
    return context.redirect(backTo(fields, 'revoked'), 303);
  });
  app.post('/identity/lift', allow('admin', forbidden), async (context) => {
    const fields = await fieldsOf(context);
    await decisions.liftRevocation(fields.get('revocation') ?? '', context.get('person'));
    return context.redirect(backTo(fields, 'lifted'), 303);
  });
  app.post('/revocations/:id/lift', allow('admin', forbidden), async (context) => {
    await decisions.liftRevocation(context.req.param('id') ?? '', context.get('person'));
    return context.redirect('/sessions?done=lifted', 303);
  });
  return app;
}

function backTo(fields: ReadonlyMap<string, string>, done: string): string {
  const query = new URLSearchParams({ name: fields.get('name') ?? '', done });
  return `/identity?${query.toString()}`;
}
