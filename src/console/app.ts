// The HTTP side put together: open doors first (health, login, the page's files), then everything that asks who you are.
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { api } from './api.ts';
import { isApi, json, refusal } from './app-refusal.ts';
import { loadAssets } from './assets.ts';
import { type Env, type GuardParts, hasToken, headers, identify, sameOrigin } from './guard.ts';
import { loginRoutes } from './login.ts';
import { loginsIn } from './logins.ts';
import { oidcOf } from './oidc.ts';
import { pages } from './pages.ts';
import type { ConsoleParts } from './parts.ts';
import type { Health } from './sources.ts';

const longestBody = 64 * 1024;

/** The console as one handler. `secure`: it is served over TLS. */
export function consoleApp(parts: ConsoleParts, secure: boolean): Hono<Env> {
  const assets = loadAssets();
  const guard: GuardParts = { config: parts.config, verify: parts.verify, logins: loginsIn(parts.store), secure };
  const app = new Hono<Env>();
  app.use(headers(secure));
  app.onError((error, context) => {
    if (error instanceof HTTPException) return refusal(assets, context.req.path, error.status, error.message);
    parts.log.error({ err: error, path: context.req.path }, 'a request of the console failed');
    return refusal(assets, context.req.path, 500, 'Something went wrong inside the gateway. Its log says what.');
  });
  app.notFound((context) => refusal(assets, context.req.path, 404, 'There is nothing here.'));

  app.get('/healthz', () => healthAnswer(parts.healthy()));
  app.get('/readyz', async () => healthAnswer(await parts.ready()));
  for (const [path, handle] of parts.mounts ?? []) {
    app.all(path, (context) => handle(context.req.raw, context.env ?? {}));
    app.all(`${path}/*`, (context) => handle(context.req.raw, context.env ?? {}));
  }
  app.get('/assets/:version/:name', (context) => {
    const { version, name } = context.req.param();
    return assets.respond(name, version) ?? context.notFound();
  });

  app.use(bodyLimit({ maxSize: longestBody, onError: () => refusal(assets, '/', 413, 'The request is too long.') }));
  app.use(async (context, next) => {
    if (!sameOrigin(context) && context.req.header('authorization') === undefined) {
      throw new HTTPException(403, { message: 'This request did not come from the console itself.' });
    }
    await next();
  });
  app.route('/', loginRoutes({ ...parts, guard, assets, oidc: () => oidcOf(parts.config()) }));

  app.use(async (context, next) => {
    const asking = await identify(context, guard);
    if (asking === undefined) {
      if (isApi(context.req.path)) {
        return json(401, 'unauthenticated', 'Log in, or send a bearer token of an issuer.', {
          'WWW-Authenticate': 'Bearer realm="sallyport"',
        });
      }
      if (context.req.method !== 'GET') throw new HTTPException(401, { message: 'You are no longer logged in.' });
      const { pathname, search } = new URL(context.req.url);
      const back = pathname === '/' ? '' : `?${new URLSearchParams({ to: pathname + search }).toString()}`;
      return context.redirect(`/login${back}`);
    }
    if (asking === 'no-role') {
      return json(403, 'no-role', 'No group of this token has a role in the console.');
    }
    context.set('person', asking.person);
    context.set('csrf', asking.csrf);
    context.set('stillIn', async () => typeof (await identify(context, guard)) === 'object');
    if (asking.person.via !== 'bearer' && !(await hasToken(context))) {
      throw new HTTPException(403, {
        message: 'The form is out of date. Load the page again and repeat what you did.',
      });
    }
    return next();
  });
  app.route('/api', api(parts));
  app.route('/', pages({ ...parts, guard, assets }));
  return app;
}

function healthAnswer(health: Health): Response {
  return Response.json({ status: health.ok ? 'ok' : 'failing', ...health.detail }, { status: health.ok ? 200 : 503 });
}
