// Who gets in and what they may do: one-time links, cookies, bearer tokens, roles, forged requests, and the headers of every answer.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { csrfOf, Visitor } from './browser.ts';
import { consoleHouse } from './support.ts';

const house = consoleHouse();

describe('a one-time link', () => {
  test('lets one person in, once, and is on record', async () => {
    const link = (await house().gateway.console?.link()) ?? '';
    const first = new Visitor();
    const second = new Visitor();
    const page = await first.visit(link);
    // Looking at the link does not use it up: whatever unfurls links in a chat must not.
    await second.visit(link);
    expect((await first.submit(page)).text).toContain('<h1>Overview</h1>');
    const late = await second.submit(page);
    expect(late.status).toBe(403);
    expect(late.text).toContain('This link is used up');
    const records = (await (await house().ask('/api/records?kind=event')).json()) as { items: { message: string }[] };
    const messages = records.items.map(({ message }) => message);
    expect(messages).toContain('operator logged in to the console as admin');
    expect(messages).toContain('console: a one-time link that is not good any more');
  });

  test('comes from the command line too, for a name and a role', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      new URL('../../bin/sallyport.js', import.meta.url).pathname,
      ...['console-link', '-c', house().file, '--name', 'vera', '--role', 'viewer', '--url', house().url],
    ]);
    const vera = new Visitor();
    const page = await vera.submit(await vera.visit(stdout.trim()));
    expect(page.text).toMatch(/class="name"[^>]*>vera</);
    expect(page.text).toContain('class="role">viewer<');
  });

  test('that was made up lets nobody in', async () => {
    const visitor = new Visitor();
    const page = await visitor.visit(`${house().url}/login/link?link=${'x'.repeat(43)}`);
    expect((await visitor.submit(page)).status).toBe(403);
    expect((await visitor.visit(`${house().url}/`)).url).toContain('/login');
  });
});

describe('the cookie', () => {
  test('is out of reach of scripts and of other sites, and good for this host only', async () => {
    const visitor = new Visitor();
    const page = await visitor.visit((await house().gateway.console?.link()) ?? '');
    const answer = await visitor.once(`${house().url}/login/link`, {
      method: 'POST',
      body: new URLSearchParams({ link: /name="link" value="([^"]*)"/.exec(page.text)?.[1] ?? '' }),
    });
    const [cookie = ''] = answer.headers.getSetCookie();
    expect(cookie).toMatch(/^sallyport-session=[\w-]{43};/);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Lax');
    expect(cookie).toContain('Path=/');
    expect(cookie).not.toContain('Domain');
  });

  test('is worth nothing after a logout, and a new login gives another', async () => {
    const visitor = await house().operator();
    const before = visitor.cookie(house().url, 'sallyport-session') ?? '';
    const page = await visitor.visit(`${house().url}/`);
    await visitor.post(`${house().url}/logout`, { csrf: csrfOf(page) });
    const answer = await fetch(`${house().url}/`, {
      headers: { cookie: `sallyport-session=${before}` },
      redirect: 'manual',
    });
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe('/login');
  });

  test('that was made up, or is far too long, is nobody', async () => {
    for (const value of ['x'.repeat(43), 'x'.repeat(8000), "' or 1=1 --"]) {
      const answer = await fetch(`${house().url}/api/me`, { headers: { cookie: `sallyport-session=${value}` } });
      expect(answer.status).toBe(401);
    }
  });

  test('stands in the store as a hash only', async () => {
    const visitor = await house().operator();
    const cookie = visitor.cookie(house().url, 'sallyport-session') ?? '';
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: house().server.url('control') });
    await client.connect();
    const { rows } = await client.query('select row_to_json(s)::text as text from sallyport.console_sessions s');
    await client.end();
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(cookie);
  });
});

describe('a forged request', () => {
  const theme = { theme: 'dark', back: '/' };

  test('without the token of the session is refused', async () => {
    const visitor = await house().operator();
    const answer = await visitor.post(`${house().url}/theme`, theme);
    expect(answer.status).toBe(403);
    expect((await visitor.post(`${house().url}/theme`, { ...theme, csrf: 'x'.repeat(43) })).status).toBe(403);
  });

  test('from another origin is refused, even with the token', async () => {
    const visitor = await house().operator();
    const csrf = csrfOf(await visitor.visit(`${house().url}/`));
    for (const origin of ['https://evil.example', 'null', house().url.replace('127.0.0.1', 'localhost')]) {
      expect((await visitor.post(`${house().url}/theme`, { ...theme, csrf }, { origin })).status).toBe(403);
    }
    expect((await visitor.post(`${house().url}/theme`, { ...theme, csrf })).status).toBe(200);
  });

  test('with the token of another session is refused', async () => {
    const [one, two] = [await house().operator(), await house().operator()];
    const csrf = csrfOf(await one.visit(`${house().url}/`));
    expect((await two.post(`${house().url}/theme`, { ...theme, csrf })).status).toBe(403);
  });

  test('that logs somebody in from another site is refused', async () => {
    const visitor = new Visitor();
    const link = new URL((await house().gateway.console?.link()) ?? '').searchParams.get('link') ?? '';
    const answer = await visitor.post(`${house().url}/login/link`, { link }, { origin: 'https://evil.example' });
    expect(answer.status).toBe(403);
  });

  test('with a body that is far too long is refused', async () => {
    const visitor = await house().operator();
    const answer = await visitor.post(`${house().url}/theme`, { ...theme, csrf: 'x'.repeat(100_000) });
    expect(answer.status).toBe(413);
  });
});

describe('a bearer token', () => {
  test('opens the API with the role its groups give', async () => {
    const me = await (await house().ask('/api/me', {}, ['staff'])).json();
    expect(me).toMatchObject({ role: 'viewer', via: 'bearer', groups: ['staff'] });
    expect(await (await house().ask('/api/me', {}, ['dba'])).json()).toMatchObject({ role: 'approver' });
    expect(await (await house().ask('/api/me', {}, ['staff', 'leads'])).json()).toMatchObject({ role: 'admin' });
  });

  test('whose groups have no role is refused, and one that does not verify is asked for another', async () => {
    const none = await house().ask('/api/me', {}, ['crew-support']);
    expect(none.status).toBe(403);
    expect(await none.json()).toEqual({
      error: { code: 'no-role', message: 'No group of this token has a role in the console.' },
    });
    const forged = `${(await house().token(['leads'])).slice(0, -4)}AAAA`;
    const answer = await fetch(`${house().url}/api/me`, { headers: { authorization: `Bearer ${forged}` } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    expect(await answer.text()).not.toContain(forged.slice(0, 20));
  });

  test('never falls back to a cookie that came along', async () => {
    const visitor = await house().operator();
    const cookie = `sallyport-session=${visitor.cookie(house().url, 'sallyport-session')}`;
    const answer = await fetch(`${house().url}/api/me`, { headers: { cookie, authorization: 'Bearer nothing' } });
    expect(answer.status).toBe(401);
  });
});

describe('a role', () => {
  test('keeps viewers and approvers from killing a session', async () => {
    const client = await house().agent();
    const { items } = (await (await house().ask('/api/sessions')).json()) as { items: { id: string }[] };
    const id = items[0]?.id ?? '';
    for (const group of ['staff', 'dba']) {
      const answer = await house().ask(`/api/sessions/${id}/kill`, { method: 'POST' }, [group]);
      expect(answer.status).toBe(403);
    }
    await client.query('select 1');
    await client.end();
  });
});

describe('every answer', () => {
  const paths = [
    '/login',
    '/healthz',
    '/nothing',
    '/api/records',
    '/assets/x/console.js',
    '/assets/x/../../package.json',
  ];

  test.each(paths)('%s carries the headers that keep a page inert', async (path) => {
    const answer = await fetch(house().url + path);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('referrer-policy')).toBe('same-origin');
    await answer.text();
  });

  test('has no script, style or handler of its own in its markup', async () => {
    const visitor = await house().operator();
    for (const path of [
      '/',
      '/live',
      '/search',
      '/approvals',
      '/sessions',
      '/identities',
      '/rules',
      '/columns',
      '/nothing',
    ]) {
      const { text } = await visitor.visit(house().url + path);
      expect(text).not.toMatch(/<script(?![^>]*src="\/assets\/)/);
      expect(text).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/i);
    }
  });

  test('to somebody unknown is the login, which leads back to where they wanted to go', async () => {
    const visitor = new Visitor();
    const page = await visitor.visit(`${house().url}/search?text=drop`);
    expect(page.url).toBe(`${house().url}/login?to=${encodeURIComponent('/search?text=drop')}`);
    expect((await fetch(`${house().url}/api/records`)).status).toBe(401);
  });
});

test('health and readiness answer anybody, and readiness says what is wrong', async () => {
  expect(await (await fetch(`${house().url}/healthz`)).json()).toMatchObject({ status: 'ok' });
  const ready = await fetch(`${house().url}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({ status: 'ok', journal: 'ok', store: 'ok' });
});

describe('over TLS', () => {
  const tls = fileURLToPath(new URL('../../fixtures/wire/postgres/tls/', import.meta.url));
  const secure = consoleHouse({ tls: { cert: `${tls}server.pem`, key: `${tls}server.key` } });

  /** fetch takes no certificates of its own. */
  const get = (path: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const url = new URL(path, secure().url);
      request(url, { ca: readFileSync(`${tls}ca.pem`), checkServerIdentity: () => undefined }, resolve)
        .on('error', reject)
        .end();
    });

  test('cookies are for TLS and this host alone, and browsers are told to come back by TLS only', async () => {
    expect(secure().url).toMatch(/^https:/);
    const answer = await get('/login/begin');
    answer.resume();
    expect(answer.headers['strict-transport-security']).toBe('max-age=31536000');
    const { pathname, search } = new URL((await secure().gateway.console?.link()) ?? '');
    const link = new URLSearchParams(search).get('link') ?? '';
    const login = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = new URL(pathname, secure().url);
      const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: url.origin };
      request(
        url,
        { method: 'POST', headers, ca: readFileSync(`${tls}ca.pem`), checkServerIdentity: () => undefined },
        resolve,
      )
        .on('error', reject)
        .end(new URLSearchParams({ link }).toString());
    });
    login.resume();
    expect(login.headers['set-cookie']?.[0]).toMatch(/^__Host-sallyport-session=[\w-]{43};.*Secure/);
  });
});
