// The outside of a token, before any trust: three parts, a header and claims that are JSON objects. Nothing here verifies.
import { TokenRefused } from './errors.ts';
import { parseStrictJson } from './json.ts';

export const longestToken = 16 * 1024;

export interface UnverifiedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Splits and decodes a token, refusing what no issuer would send. */
export function decodeToken(token: string): UnverifiedToken {
  // Characters are at most as many as bytes, so the cheap test comes first.
  if (token.length > longestToken || Buffer.byteLength(token) > longestToken) {
    throw new TokenRefused('size', `the token is longer than ${longestToken} bytes`);
  }
  const parts = token.split('.');
  if (parts.length === 5) throw new TokenRefused('format', 'the token is encrypted; a signed token (JWS) is expected');
  const [header, claims, signature] = parts;
  if (parts.length !== 3 || header === undefined || claims === undefined || signature === undefined) {
    throw new TokenRefused('format', 'the password is not a token (three parts divided by dots are expected)');
  }
  const decoded = { header: decodePart(header, 'header'), claims: decodePart(claims, 'claims') };
  checkHeader(decoded.header);
  if (signature === '') throw new TokenRefused('signature', 'the token is not signed');
  if (!isBase64url(signature)) throw new TokenRefused('format', 'the signature of the token is not base64url');
  return decoded;
}

function decodePart(part: string, what: string): Readonly<Record<string, unknown>> {
  if (!isBase64url(part)) throw new TokenRefused('format', `the ${what} of the token is not base64url`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'));
  } catch {
    throw new TokenRefused('format', `the ${what} of the token is not UTF-8`);
  }
  const value = parseStrictJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TokenRefused('format', `the ${what} of the token is not a JSON object with each member once`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function isBase64url(text: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(text) && text.length % 4 !== 1;
}

const algorithmsOfSharedKeys = /^HS\d+$/i;

function checkHeader(header: Readonly<Record<string, unknown>>): void {
  // RFC 7515, 4.1.11: an extension that is not understood and marked critical must be refused. None is understood here.
  if ('crit' in header || 'b64' in header)
    throw new TokenRefused('critical', 'the token uses an extension (crit) that is not supported');
  if ('zip' in header || 'enc' in header)
    throw new TokenRefused('format', 'the token is encrypted; a signed token (JWS) is expected');
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') throw new TokenRefused('algorithm', 'the token names no algorithm');
  if (/^none$/i.test(alg)) throw new TokenRefused('algorithm', 'the token is not signed (alg none)');
  if (algorithmsOfSharedKeys.test(alg)) {
    throw new TokenRefused(
      'algorithm',
      'the token is signed with a shared key (HMAC); only public-key signatures are accepted',
    );
  }
  if (kid !== undefined && typeof kid !== 'string')
    throw new TokenRefused('format', 'the key id (kid) of the token is not a text');
  // RFC 8725, 3.11: tokens made for another purpose (logout, security events) must not pass as access tokens.
  if (typ !== undefined && (typeof typ !== 'string' || !/^(application\/)?(at\+)?jwt$/i.test(typ))) {
    throw new TokenRefused('type', 'the token is of another type (typ) than JWT or at+jwt');
  }
}

/** An issuer's name as it may stand in a message: printable, short, no quotes. */
export function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]|["\\]/g, '?');
  return clean.length > 100 ? `${clean.slice(0, 97)}...` : clean;
}
