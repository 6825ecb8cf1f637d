// The door of the OAuth endpoints at the HTTP port: who asks, over what, how often, and errors in the form of RFC 6749 (5.2) and
// RFC 6750 (3).
import type { Context } from 'hono';
import { type Config, isLoopback } from '../config/index.ts';
import { Rate, type RateLimit } from './rate.ts';

/** As the socket says; headers are the client's word. */
export interface Client {
  readonly address: string;
  readonly encrypted: boolean;
}

export interface DoorParts {
  /** Asked for each request, since a reload replaces it. */
  readonly current: () => { readonly config: Config };
  readonly log: { error(details: object, message: string): void };
  /** Who asks, where the server in front is not @hono/node-server. */
  readonly client?: ((context: Context) => Client) | undefined;
  /** For each address: all requests, and those that were refused. */
  readonly limits: { readonly all: RateLimit; readonly refused: RateLimit };
}

export interface Failure {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 503;
  readonly error:
    | 'invalid_request'
    | 'invalid_token'
    | 'invalid_grant'
    | 'invalid_target'
    | 'invalid_scope'
    | 'unsupported_grant_type'
    | 'temporarily_unavailable';
  readonly description: string;
  /** RFC 6750, 3: the challenge names the error unless there was no token at all. */
  readonly challenge?: 'bare' | 'named';
  /** Seconds to wait. */
  readonly retryAfter?: number;
}

export type Answer = (context: Context, client: Client) => Promise<Response | Failure>;

/** Makes handlers that let a request in where its client may ask now. `failure`: for people, when something fails inside. */
export function door(parts: DoorParts, failure: string): (answer: Answer) => (context: Context) => Promise<Response> {
  const all = new Rate(parts.limits.all);
  const refusals = new Rate(parts.limits.refused);
  return (answer) => async (context) => {
    uncached(context);
    const client = (parts.client ?? socketOf)(context);
    if (!client.encrypted && !isLoopback(client.address) && !parts.current().config.insecure)
      return failed(context, {
        status: 403,
        error: 'invalid_request',
        description: 'a token is accepted over TLS only',
      });
    if (!all.allows(client.address) || !refusals.allows(client.address))
      return failed(context, {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'too many requests from this address; try again in a while',
        retryAfter: 1,
      });
    all.take(client.address);
    try {
      const answered = await answer(context, client);
      if (answered instanceof Response) return answered;
      refusals.take(client.address);
      return failed(context, answered);
    } catch (cause) {
      parts.log.error({ err: cause, client: client.address }, 'a request with a token failed inside the gateway');
      return failed(context, { status: 503, error: 'temporarily_unavailable', description: failure });
    }
  };
}

export function failed(context: Context, failure: Failure): Response {
  uncached(context);
  const { status, error } = failure;
  const description = plain(failure.description);
  if (failure.retryAfter !== undefined) context.header('Retry-After', String(failure.retryAfter));
  if (failure.challenge !== undefined)
    context.header(
      'WWW-Authenticate',
      `Bearer realm="sallyport"${failure.challenge === 'bare' ? '' : `, error="${error}", error_description="${description}"`}`,
    );
  return context.json({ error, error_description: description }, status);
}

/** The answer to a body that is larger than its endpoint reads. */
export function tooLong(context: Context): Response {
  return failed(context, { status: 413, error: 'invalid_request', description: 'the request is too long' });
}

/** RFC 6749, 5.1 */
function uncached(context: Context): void {
  context.header('Cache-Control', 'no-store');
  context.header('Pragma', 'no-cache');
}

export function invalid(description: string): Failure {
  return { status: 400, error: 'invalid_request', description };
}

/** RFC 6749, 5.2: a description is printable ASCII without quote and backslash. */
export function plain(text: string): string {
  return text
    .replace(/"/g, "'")
    .replace(/[^\x20-\x7e]|\\/g, '?')
    .slice(0, 500);
}

interface NodeSocket {
  readonly remoteAddress?: string;
  readonly encrypted?: boolean;
}

/** @hono/node-server hands the request of Node to the handlers. */
function socketOf(context: Context): Client {
  const { incoming } = context.env as { readonly incoming?: { readonly socket?: NodeSocket } };
  const { remoteAddress = '', encrypted = false } = incoming?.socket ?? {};
  return { address: remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''), encrypted };
}
