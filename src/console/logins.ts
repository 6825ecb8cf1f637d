// People's sessions with the console, one-time links and logins on their way, in the store: every gateway that shares it knows them.
import { createHash, randomBytes } from 'node:crypto';
import type { Queries } from '../store/index.ts';
import type { Person, Role } from './people.ts';

/** What the browser holds as cookie, and what stands behind it. */
export interface Login {
  readonly person: Person;
  /** Goes into every form and every unsafe request. */
  readonly csrf: string;
}

/** A login through the issuer that has begun. */
export interface Begun {
  readonly nonce: string;
  readonly verifier: string;
  /** Where the person wanted to go. */
  readonly path: string;
}

export interface Logins {
  /** Begins a session and gives the cookie's value. */
  open(person: Person, lifetimeMs: number): Promise<string>;
  find(cookie: string): Promise<Login | undefined>;
  close(cookie: string): Promise<void>;
  /** Remembers a login under its state and the browser it began in. */
  begin(state: string, browser: string, begun: Begun): Promise<void>;
  /** Takes a login that has begun in this very browser; it cannot be taken twice. */
  take(state: string, browser: string): Promise<Begun | undefined>;
  /** Uses a one-time link up. */
  redeem(link: string): Promise<Person | undefined>;
}

const idleMs = 60 * 60_000;
const loginMs = 10 * 60_000;
export const linkMs = 10 * 60_000;

export function secret(): string {
  return randomBytes(32).toString('base64url');
}

function hash(value: string): string {
  return createHash('sha256').update(value).digest('base64url');
}

/** A link's secret: whoever has it first becomes this person, once, for ten minutes. */
export async function createLink(store: Queries, name: string, role: Role): Promise<string> {
  const link = secret();
  await store.query('delete from sallyport.console_links where expires < now()');
  await store.query(
    `insert into sallyport.console_links (hash, name, role, expires) values ($1, $2, $3, now() + $4 * interval '1 ms')`,
    [hash(link), name, role, linkMs],
  );
  return link;
}

export function loginsIn(store: Queries): Logins {
  return {
    async open(person, lifetimeMs) {
      const cookie = secret();
      await store.query('delete from sallyport.console_sessions where expires < now()');
      await store.query(
        `insert into sallyport.console_sessions (hash, person, csrf, expires) values ($1, $2, $3, now() + $4 * interval '1 ms')`,
        [hash(cookie), JSON.stringify(person), secret(), lifetimeMs],
      );
      return cookie;
    },
    async find(cookie) {
      if (cookie.length > 100) return undefined;
      // Seen is written once a minute at most: a page asks for many things.
      const [row] = await store.query<Login>(
        `with seen as (
           update sallyport.console_sessions set seen = now()
            where hash = $1 and seen between now() - $2 * interval '1 ms' and now() - interval '1 minute')
         select person, csrf from sallyport.console_sessions
          where hash = $1 and expires > now() and seen > now() - $2 * interval '1 ms'`,
        [hash(cookie), idleMs],
      );
      return row;
    },
    async close(cookie) {
      await store.query('delete from sallyport.console_sessions where hash = $1', [hash(cookie)]);
    },
    async begin(state, browser, { nonce, verifier, path }) {
      await store.query('delete from sallyport.console_logins where expires < now()');
      await store.query(
        `insert into sallyport.console_logins (hash, browser, nonce, verifier, path, expires)
         values ($1, $2, $3, $4, $5, now() + $6 * interval '1 ms')`,
        [hash(state), hash(browser), nonce, verifier, path, loginMs],
      );
    },
    async take(state, browser) {
      const [row] = await store.query<Begun>(
        `delete from sallyport.console_logins where hash = $1 and browser = $2 and expires > now()
          returning nonce, verifier, path`,
        [hash(state), hash(browser)],
      );
      return row;
    },
    async redeem(link) {
      const [row] = await store.query<{ name: string; role: Role }>(
        'delete from sallyport.console_links where hash = $1 and expires > now() returning name, role',
        [hash(link)],
      );
      if (row === undefined) return undefined;
      return { name: row.name, issuer: 'one-time link', subject: row.name, groups: [], role: row.role, via: 'link' };
    },
  };
}
