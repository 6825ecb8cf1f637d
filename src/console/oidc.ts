// Login of people through their OpenID provider: authorization code with PKCE. The ID token is verified by the identity room.
import { createHash } from 'node:crypto';
import { type Config, isLoopback } from '../config/index.ts';
import { createIdentity, type Identity, type IdentityVerifier } from '../identity/index.ts';
import { type Logins, secret } from './logins.ts';

/** A login that did not come about. The message is for the person and holds nothing from outside. */
export class LoginRefused extends Error {
  override readonly name = 'LoginRefused';
}

export interface Oidc {
  readonly issuer: string;
  /** The provider's address to send the browser to, for a login that ends at `path`. */
  begin(logins: Logins, browser: string, redirect: string, path: string): Promise<string>;
  /** Takes the answer the provider sent by way of the browser. Rejects with LoginRefused. */
  finish(
    logins: Logins,
    browser: string,
    redirect: string,
    answer: URLSearchParams,
  ): Promise<{ readonly identity: Identity; readonly path: string }>;
}

interface Provider {
  readonly authorization: string;
  readonly token: string;
  readonly scope: string;
  readonly namesIssuer: boolean;
}

const timeoutMs = 10_000;
const providerMs = 5 * 60_000;
const longestAnswer = 256 * 1024;

/** The login of the file, or undefined where it names no issuer and client for people. */
export function oidcOf(config: Config): Oidc | undefined {
  const { issuer, clientId } = config.console ?? {};
  if (issuer === undefined || clientId === undefined) return undefined;
  const known = config.identity.issuers.find((each) => each.issuer === issuer);
  if (known === undefined || known.kind !== 'remote') return undefined;
  // OpenID Connect Core, 3.1.3.7: an ID token is for the client, and signed by the keys that sign the issuer's other tokens.
  const verifier = createIdentity({ issuers: [{ ...known, audience: [clientId] }], graceMs: 0, saml: undefined });
  const provider = discovery(issuer);
  return {
    issuer,
    async begin(logins, browser, redirect, path) {
      const { authorization, scope } = await provider();
      const state = secret();
      const begun = { nonce: secret(), verifier: secret(), path };
      await logins.begin(state, browser, begun);
      const url = new URL(authorization);
      for (const [name, value] of Object.entries({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirect,
        scope,
        state,
        nonce: begun.nonce,
        code_challenge: createHash('sha256').update(begun.verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }))
        url.searchParams.set(name, value);
      return url.href;
    },
    async finish(logins, browser, redirect, answer) {
      const begun = await logins.take(answer.get('state') ?? '', browser);
      if (begun === undefined) {
        throw new LoginRefused(
          'This login was not begun in this browser, or more than ten minutes ago. Begin it again.',
        );
      }
      if (answer.has('error')) throw new LoginRefused('The identity provider did not let you in.');
      const { token, namesIssuer } = await provider();
      // RFC 9207: the answer says whose it is, so that one provider cannot pass off its answer as another's.
      if (answer.has('iss') ? answer.get('iss') !== issuer : namesIssuer) {
        throw new LoginRefused('The answer came from another identity provider.');
      }
      const idToken = await exchange(token, {
        grant_type: 'authorization_code',
        code: answer.get('code') ?? '',
        redirect_uri: redirect,
        client_id: clientId,
        code_verifier: begun.verifier,
      });
      return { identity: await verified(verifier, idToken, clientId, begun.nonce), path: begun.path };
    },
  };
}

async function verified(
  verifier: IdentityVerifier,
  idToken: string,
  clientId: string,
  nonce: string,
): Promise<Identity> {
  const verification = await verifier.verify(idToken);
  if (verification.kind === 'refused') throw new LoginRefused(`The ID token was refused: ${verification.message}.`);
  // The signature holds, so the claims can be read as they are.
  const claims = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    readonly nonce?: unknown;
    readonly azp?: unknown;
    readonly aud?: unknown;
  };
  if (claims.nonce !== nonce) throw new LoginRefused('The ID token belongs to another login (nonce).');
  const party = Array.isArray(claims.aud) && claims.aud.length > 1 ? (claims.azp ?? '') : (claims.azp ?? clientId);
  if (party !== clientId) throw new LoginRefused('The ID token was made for another client (azp).');
  return verification.identity;
}

/** OpenID Connect Discovery 1.0: the document names the very issuer it was asked for. Kept for a few minutes. */
function discovery(issuer: string): () => Promise<Provider> {
  let held: Provider | undefined;
  let until = 0;
  return async () => {
    if (held !== undefined && Date.now() < until) return held;
    const url = `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
    const document = await fetchJson(url, { headers: { accept: 'application/json' } });
    const authorization = webUrl(document.authorization_endpoint);
    const token = webUrl(document.token_endpoint);
    if (document.issuer !== issuer || authorization === undefined || token === undefined) {
      throw new LoginRefused('The identity provider describes itself wrongly (discovery document).');
    }
    // Some providers refuse a scope they do not know; those that know this one need it for the groups claim.
    const knowsGroups = Array.isArray(document.scopes_supported) && document.scopes_supported.includes('groups');
    const scope = knowsGroups ? 'openid profile email groups' : 'openid profile email';
    held = {
      authorization,
      token,
      scope,
      namesIssuer: document.authorization_response_iss_parameter_supported === true,
    };
    until = Date.now() + providerMs;
    return held;
  };
}

/** An https URL, or an http one on loopback. */
function webUrl(value: unknown): string | undefined {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname)) ? url.href : undefined;
}

async function exchange(url: string, form: Readonly<Record<string, string>>): Promise<string> {
  const answer = await fetchJson(url, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams(form),
  });
  if (typeof answer.id_token !== 'string') throw new LoginRefused('The identity provider gave no ID token.');
  return answer.id_token;
}

async function fetchJson(url: string, init: RequestInit): Promise<Readonly<Record<string, unknown>>> {
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > longestAnswer) throw new LoginRefused('The identity provider gave an answer that is too long.');
      chunks.push(chunk);
    }
    if (!response.ok) throw new LoginRefused(`The identity provider answered ${response.status}.`);
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    if (cause instanceof LoginRefused) throw cause;
  }
  throw new LoginRefused('The identity provider cannot be reached, or gave an answer that cannot be read.');
}
