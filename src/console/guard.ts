// What stands in front of every request: headers that keep a page inert, who is asking, and that the asking is their own will.
import { timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import type { Config } from '../config/index.ts';
import type { Verification } from '../identity/index.ts';
import type { Logins } from './logins.ts';
import { may, type Person, personOf, type Role } from './people.ts';

export interface Env {
  Variables: {
    person: Person;
    /** Empty for a bearer token, which no browser sends by itself. */
    csrf: string;
    /** Whether who asked is still let in: asked now and then while an answer goes on and on. */
    stillIn: () => Promise<boolean>;
  };
}

export interface GuardParts {
  readonly config: () => Config;
  readonly verify: (token: string) => Promise<Verification>;
  readonly logins: Logins;
  /** Served over TLS. */
  readonly secure: boolean;
}

export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

/** Headers of every answer, errors included. */
export function headers(secure: boolean): MiddlewareHandler {
  return async (context, next) => {
    await next();
    const set = (name: string, value: string) => context.res.headers.set(name, value);
    set('Content-Security-Policy', contentPolicy);
    set('X-Content-Type-Options', 'nosniff');
    set('Referrer-Policy', 'same-origin');
    set('Cross-Origin-Opener-Policy', 'same-origin');
    set('Cross-Origin-Resource-Policy', 'same-origin');
    set('Permissions-Policy', 'camera=(), geolocation=(), microphone=()');
    if (!context.res.headers.has('Cache-Control')) set('Cache-Control', 'no-store');
    if (secure) set('Strict-Transport-Security', 'max-age=31536000');
  };
}

/** `__Host-` makes browsers insist on Secure, the whole host and no Domain (RFC 6265bis, 4.1.3.2). */
export function cookieName(secure: boolean, name: 'session' | 'login'): string {
  return `${secure ? '__Host-' : ''}sallyport-${name}`;
}

export function sessionCookie(context: Context, secure: boolean): string | undefined {
  return getCookie(context, cookieName(secure, 'session'));
}

/** Who is asking: a bearer token where there is one, else the session's cookie. Undefined for nobody we know. */
export async function identify(
  context: Context<Env>,
  parts: GuardParts,
): Promise<{ readonly person: Person; readonly csrf: string } | 'no-role' | undefined> {
  const bearer = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
  if (bearer !== undefined) {
    const verification = await parts.verify(bearer);
    if (verification.kind === 'refused') return undefined;
    const person = personOf(parts.config().console, verification.identity, 'bearer');
    return person === undefined ? 'no-role' : { person, csrf: '' };
  }
  const cookie = sessionCookie(context, parts.secure);
  return cookie === undefined ? undefined : await parts.logins.find(cookie);
}

const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * True where the request was made by our own page: for unsafe methods the Origin (or, where a browser leaves it out,
 * Sec-Fetch-Site) must be ours. Programs without either have no cookie to misuse.
 */
export function sameOrigin(context: Context): boolean {
  if (safe.has(context.req.method)) return true;
  const origin = context.req.header('origin');
  if (origin !== undefined) return URL.canParse(origin) && new URL(origin).host === context.req.header('host');
  return context.req.header('sec-fetch-site') === 'same-origin';
}

/** The form's or the header's token is the session's. */
export async function hasToken(context: Context<Env>): Promise<boolean> {
  if (safe.has(context.req.method)) return true;
  const header = context.req.header('x-csrf-token');
  const given = header ?? (await formOf(context)).get('csrf') ?? '';
  const expected = Buffer.from(context.get('csrf'));
  const actual = Buffer.from(given);
  return expected.length > 0 && actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The fields of a posted form; none for any other body. */
export async function formOf(context: Context): Promise<URLSearchParams> {
  const type = context.req.header('content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\b/i.test(type)) return new URLSearchParams();
  // Hono keeps the text, so that it can be read again by the handler.
  return new URLSearchParams(await context.req.text());
}

/** Lets the request on where the person may do this; `refuse` makes the answer otherwise. */
export function allow(
  role: Role,
  refuse: (context: Context<Env>) => Response | Promise<Response>,
): MiddlewareHandler<Env> {
  return async (context, next) => (may(context.get('person'), role) ? next() : refuse(context));
}
