// How people come in and go: through their OpenID provider, or by a one-time link; each login and each refused one is on record.
import { type Context, Hono } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { newRecordId } from '../audit/index.ts';
import type { Assets } from './assets.ts';
import { cookieName, type Env, formOf, type GuardParts, hasToken, sessionCookie } from './guard.ts';
import { html, type Value } from './html.ts';
import { secret } from './logins.ts';
import { LoginRefused, type Oidc } from './oidc.ts';
import type { ConsoleParts } from './parts.ts';
import { type Person, personOf } from './people.ts';
import { plainPage } from './views/layout.ts';

export interface LoginParts extends Pick<ConsoleParts, 'audit' | 'log' | 'config'> {
  readonly guard: GuardParts;
  readonly assets: Assets;
  readonly oidc: () => Oidc | undefined;
}

const sessionMs = 8 * 60 * 60_000;

export function loginRoutes(parts: LoginParts): Hono<Env> {
  const { guard, assets, oidc } = parts;
  const app = new Hono<Env>();
  const page = (title: string, body: Value, status: 200 | 400 | 403 | 502 = 200) =>
    new Response(plainPage(assets.path, title, body, 'login.js').toString(), {
      status,
      headers: { 'Content-Type': 'text/html; charset=utf-8' },
    });
  const secure = guard.secure;
  const options = { path: '/', httpOnly: true, secure, sameSite: 'Lax' } as const;

  const enter = async (context: Context<Env>, person: Person, path: string) => {
    const old = sessionCookie(context, secure);
    if (old !== undefined) await guard.logins.close(old);
    const cookie = await guard.logins.open(person, sessionMs);
    setCookie(context, cookieName(secure, 'session'), cookie, { ...options, maxAge: sessionMs / 1000 });
    await record(parts, 'login', person, `${person.name} logged in to the console as ${person.role}`);
    return context.redirect(path, 303);
  };

  app.get('/login', async (context) => {
    const provider = oidc();
    const to = pathWithin(context.req.query('to'));
    if (provider === undefined) {
      return page(
        'Log in',
        html`<p>Ask whoever runs this gateway for a one-time link, or make one on its machine:</p><pre>npx sallyport console-link -c sallyport.yaml</pre>`,
      );
    }
    const begin = `/login/begin${to === '/' ? '' : `?${new URLSearchParams({ to }).toString()}`}`;
    return page(
      'Log in',
      html`<p>You are asked to log in by your identity provider, ${provider.issuer}.</p><p><a class="button primary" href="${begin}">Log in</a></p>`,
    );
  });

  app.get('/login/begin', async (context) => {
    const provider = oidc();
    if (provider === undefined) return context.notFound();
    const browser = secret();
    const path = pathWithin(context.req.query('to'));
    try {
      const url = await provider.begin(guard.logins, browser, redirectOf(context, secure), path);
      // Lax: the provider's answer is a navigation from another site, and must find this cookie.
      setCookie(context, cookieName(secure, 'login'), browser, { ...options, maxAge: 600 });
      return context.redirect(url);
    } catch (cause) {
      if (!(cause instanceof LoginRefused)) throw cause;
      parts.log.warn({ issuer: provider.issuer }, cause.message);
      return page('Not logged in', html`<p>${cause.message}</p><p><a href="/login">Try again</a></p>`, 502);
    }
  });

  app.get('/login/callback', async (context) => {
    const provider = oidc();
    if (provider === undefined) return context.notFound();
    const browser = getCookie(context, cookieName(secure, 'login')) ?? '';
    deleteCookie(context, cookieName(secure, 'login'), options);
    try {
      const answer = new URL(context.req.url).searchParams;
      const { identity, path } = await provider.finish(guard.logins, browser, redirectOf(context, secure), answer);
      const person = personOf(parts.config().console, identity, 'oidc');
      if (person !== undefined) return await enter(context, person, path);
      await record(parts, 'login-refused', identity, `${identity.name} has no role in the console`);
      return page(
        'No role here',
        html`<p>You are ${identity.name}, but none of your groups may look at this console.</p><p><a href="/login">Log in as somebody else</a></p>`,
        403,
      );
    } catch (cause) {
      if (!(cause instanceof LoginRefused)) throw cause;
      await record(parts, 'login-refused', undefined, `console: ${cause.message}`);
      return page('Not logged in', html`<p>${cause.message}</p><p><a href="/login">Try again</a></p>`, 403);
    }
  });

  // The link itself changes nothing, so that whatever looks at links in passing does not use it up: the page posts it.
  app.get('/login/link', (context) => {
    const link = context.req.query('link') ?? '';
    return page(
      'One-time link',
      html`<form method="post" action="/login/link" data-submit><input type="hidden" name="link" value="${link}"><p>This link lets you in once.</p><p><button class="primary">Open the console</button></p></form>`,
    );
  });

  app.post('/login/link', async (context) => {
    const person = await guard.logins.redeem((await formOf(context)).get('link') ?? '');
    if (person !== undefined) return enter(context, person, '/');
    await record(parts, 'login-refused', undefined, 'console: a one-time link that is not good any more');
    return page(
      'This link is used up',
      html`<p>A link is good once and for ten minutes. Make another on the gateway's machine:</p><pre>npx sallyport console-link -c sallyport.yaml</pre>`,
      403,
    );
  });

  app.post('/logout', async (context) => {
    const cookie = sessionCookie(context, secure);
    const login = cookie === undefined ? undefined : await guard.logins.find(cookie);
    if (cookie !== undefined && login !== undefined) {
      context.set('csrf', login.csrf);
      if (!(await hasToken(context))) return context.redirect('/', 303);
      await guard.logins.close(cookie);
    }
    deleteCookie(context, cookieName(secure, 'session'), options);
    return context.redirect('/login', 303);
  });
  return app;
}

/** Where this console is reached, as the provider must know it. The provider refuses a host it has not been told of. */
function redirectOf(context: Context, secure: boolean): string {
  return `${secure ? 'https' : 'http'}://${context.req.header('host') ?? 'localhost'}/login/callback`;
}

/** A path of our own to go to after the login; never another site. */
export function pathWithin(text: string | undefined): string {
  if (text === undefined || !/^\/(?![/\\])[\x20-\x7e]*$/.test(text)) return '/';
  const url = new URL(text, 'http://console.invalid');
  return url.host === 'console.invalid' && !url.pathname.startsWith('//') ? url.pathname + url.search : '/';
}

async function record(
  { audit, log }: LoginParts,
  event: 'login' | 'login-refused',
  who: Pick<Person, 'name' | 'issuer' | 'groups' | 'subject'> | undefined,
  message: string,
): Promise<void> {
  try {
    await audit.append({
      event,
      time: new Date().toISOString(),
      record: newRecordId(),
      session: undefined,
      identity: who?.name,
      issuer: who?.issuer,
      groups: who?.groups ?? [],
      target: undefined,
      client: undefined,
      message,
      details: { to: 'console', ...(who === undefined ? {} : { subject: who.subject }) },
    });
  } catch (cause) {
    // Where nothing can be recorded nobody may come in.
    if (event === 'login') throw cause;
    log.error({ err: cause }, 'a refused login to the console could not be recorded');
  }
}
