// The console on the gateway's own port: hands it the rooms and the sessions that are open here.
import { Hono } from 'hono';
import { grantEndpoint } from '../approvals/index.ts';
import type { Address, Config } from '../config/index.ts';
import { createLink, type Live, startConsole, storeSource, withRecent } from '../console/index.ts';
import { type Identity, type TokenEndpointParts, tokenEndpoint } from '../identity/index.ts';
import { type Health, healthOf, readinessOf } from '../metrics/index.ts';
import type { Premises } from './admission.ts';
import { decisionSource, sessionSource } from './decisions.ts';
import type { Setup } from './setup.ts';

export interface OpenConsole {
  readonly address: Address;
  readonly url: string;
  /** The same for clients: with a placeholder where the gateway listens on every address. */
  readonly outside: string;
  /** A link that lets one person in, once. */
  link(): Promise<string>;
  close(): Promise<void>;
}

/** Starts the console where the file gives it an address. */
export async function openConsole(
  premises: Premises,
  live: Live,
  setup: () => Setup,
  addresses: TokenEndpointParts['addresses'],
): Promise<OpenConsole | undefined> {
  const { journal, log, store, approvals } = premises;
  const { listen } = setup().config;
  if (listen.console === undefined || store === undefined || approvals === undefined) return undefined;
  const revoked = (identity: Identity) => approvals.revocations.isRevoked(identity) !== undefined;
  const oauth = new Hono()
    .route('/oauth2', tokenEndpoint({ current: setup, store, audit: journal, addresses, log, revoked }))
    .route('/oauth2', grantEndpoint({ current: setup, approvals, audit: journal, log }));
  const server = await startConsole(listen.console, {
    config: () => setup().config,
    verify: (token) => setup().identity.verify(token),
    store,
    audit: journal,
    live,
    // What the shipper has not copied yet is looked for at the journal's end.
    records: withRecent(storeSource(store), setup().config.audit.journal),
    sessions: sessionSource(premises.sessions, approvals),
    decisions: decisionSource(approvals),
    log,
    mounts: new Map<string, (request: Request, env: object) => Response | Promise<Response>>([
      ['/oauth2', (request, env) => oauth.fetch(request, env)],
      ['/metrics', () => premises.numbers.respond()],
    ]),
    healthy: healthOf,
    ready: () => readiness(premises),
  });
  const link = async () => linkTo(server.url, await createLink(store, 'operator', 'admin'));
  if (hasLocalIssuer(setup().config))
    log.info({ link: await link() }, 'a link into the console, good once and for ten minutes');
  const outside = server.url.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, '//GATEWAY');
  return { address: server.address, url: server.url, outside, link, close: () => server.close() };
}

/** Whether sessions can be taken: by this process, and by those that work for it. */
export async function readiness({ journal, store, draining, part }: Premises): Promise<Health> {
  const own = await readinessOf({
    journal: () => journal.state.kind === 'ok',
    store: store === undefined ? undefined : () => store.query('select 1'),
    draining,
  });
  const crew = await part.crew?.readiness();
  return crew === undefined ? own : { ok: own.ok && crew.ok, detail: { ...own.detail, ...crew.detail } };
}

/** Where a one-time link leads. */
export function linkTo(url: string, link: string): string {
  return `${url}/login/link?link=${link}`;
}

function hasLocalIssuer(config: Config): boolean {
  return config.identity.issuers.some(({ kind }) => kind === 'local');
}
