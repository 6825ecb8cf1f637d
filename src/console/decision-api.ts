// The part of the API that is about people's decisions: holds, grants and revocations.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { FilterError } from '../audit/index.ts';
import { answerIn, fieldsOf, reasonIn, revocableIn } from './actions.ts';
import { allow, type Env } from './guard.ts';
import { json } from './json.ts';
import type { ConsoleParts } from './parts.ts';
import type { AnswerView, DecisionSource, Taken } from './sources.ts';

export function decisionApi({ decisions }: Pick<ConsoleParts, 'decisions'>): Hono<Env> {
  const app = new Hono<Env>();
  const source = (): DecisionSource => {
    if (decisions === undefined)
      throw new HTTPException(404, { message: 'Nothing is held or granted by this gateway.' });
    return decisions;
  };
  const forbidden = () => {
    throw new HTTPException(403, { message: 'Your role does not allow that.' });
  };
  const past = (text: string | undefined) => text !== undefined && text !== 'false';

  app.get('/holds', async (context) =>
    json({ items: await source().holds(past(context.req.query('past')) ? 'past' : 'waiting') }),
  );
  app.get('/grants', async (context) => {
    const which = context.req.query('which') ?? 'waiting';
    if (which !== 'waiting' && which !== 'active' && which !== 'past')
      throw new HTTPException(400, { message: 'which: expected waiting, active or past' });
    return json({ items: await source().grants(which) });
  });
  app.post('/:kind{holds|grants}/:id/:verdict{approve|deny}', allow('approver', forbidden), async (context) => {
    const { kind, id, verdict } = context.req.param();
    const answer = answerOf(verdict === 'approve' ? 'approve' : 'deny', await fieldsOf(context));
    const person = context.get('person');
    return told(await source().decide(kind === 'holds' ? 'hold' : 'grant', id ?? '', person, answer));
  });
  app.post('/grants/:id/revoke', allow('approver', forbidden), async (context) => {
    const reason = reasonIn(await fieldsOf(context));
    return told(await source().revokeGrant(context.req.param('id') ?? '', context.get('person'), reason));
  });
  app.get('/revocations', async () => json({ items: await source().revocations() }));
  app.post('/revocations', allow('admin', forbidden), async (context) => {
    const fields = await fieldsOf(context);
    const what = revocableIn(fields);
    if (what === undefined)
      throw new HTTPException(400, { message: 'expected issuer and subject, or token, or credential' });
    await source().revoke(what, context.get('person'), reasonIn(fields));
    return json({ revoked: true });
  });
  app.post('/revocations/:id/lift', allow('admin', forbidden), async (context) => {
    const lifted = await source().liftRevocation(context.req.param('id') ?? '', context.get('person'));
    if (!lifted) throw new HTTPException(404, { message: 'There is no revocation of this id.' });
    return json({ lifted });
  });
  return app;
}

function answerOf(verdict: 'approve' | 'deny', fields: ReadonlyMap<string, string>): AnswerView {
  try {
    return answerIn(verdict, fields);
  } catch (cause) {
    if (!(cause instanceof FilterError)) throw cause;
    throw new HTTPException(400, { message: `for: ${cause.message}` });
  }
}

function told(taken: Taken): Response {
  if (taken.kind === 'taken') return json({ taken: true });
  return json({ error: { code: taken.why, message: taken.message } }, 409);
}
