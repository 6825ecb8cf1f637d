// The client's proof: a token as a cleartext password or by SASL OAUTHBEARER (RFC 7628), or a credential by SCRAM-SHA-256.
import { randomBytes } from 'node:crypto';
import type { Challenge, Proof, ScramVerifier } from '../gate.ts';
import { encodeAuthentication } from './backend.ts';
import { FatalError, refusalFields } from './errors.ts';
import { int32 } from './frames.ts';
import { frontend } from './letters.ts';
import { ScramError, serverFirst } from './scram.ts';
import type { ClientConnection } from './startup.ts';

/** What clients that log in by OAUTHBEARER are told when they bring no token, so that they can get one. */
export interface OAuthHints {
  /** URL of the issuer's discovery document. */
  readonly openidConfiguration: string;
  readonly scope: string;
}

export interface AuthenticationOptions {
  /** The largest password, token or SASL message taken. */
  readonly maxBytes: number;
  readonly oauth: OAuthHints | undefined;
}

// Codes of the Authentication messages ("Message Formats").
const cleartextPassword = 3;
const sasl = 10;
const saslContinue = 11;
const saslFinal = 12;

/** Asks the client for the proof the gate wants. Throws FatalError where it does not come. */
export async function authenticate(
  client: ClientConnection,
  challenge: Challenge,
  oauth: boolean,
  user: string,
  options: AuthenticationOptions,
): Promise<Proof> {
  switch (challenge.kind) {
    case 'refused':
      throw FatalError.of(refusalFields(challenge.refusal, 'FATAL'));
    case 'mysql-native':
      throw new FatalError('XX000', 'sallyport: this login is not for the Postgres protocol');
    case 'token':
      return { kind: 'token', token: oauth ? await bearerToken(client, options) : await password(client, options) };
    case 'scram-sha-256':
      await scram(client, challenge.verifier, user, options);
      return { kind: 'verified' };
  }
}

async function password(client: ClientConnection, options: AuthenticationOptions): Promise<string> {
  client.socket.write(encodeAuthentication(cleartextPassword));
  const body = await response(client, options);
  const nul = body.indexOf(0);
  if (nul !== body.length - 1) throw new FatalError('08P01', 'invalid password packet size');
  if (nul === 0) throw new FatalError('28P01', 'empty password returned by client');
  return body.toString('utf8', 0, nul);
}

/** The body of a PasswordMessage, SASLInitialResponse or SASLResponse, which share a letter. */
async function response(client: ClientConnection, options: AuthenticationOptions): Promise<Buffer> {
  const header = await client.reader.read(5);
  if (header[0] !== frontend.Password) {
    throw new FatalError('08P01', `expected password response, got message type ${header[0]}`);
  }
  const length = int32(header, 1);
  if (length < 4) throw new FatalError('08P01', 'invalid message length');
  if (length > options.maxBytes) {
    throw new FatalError('28P01', `sallyport: the password is longer than the ${options.maxBytes} bytes allowed`);
  }
  return length === 4 ? Buffer.alloc(0) : client.reader.read(length - 4);
}

/** SASLInitialResponse: the mechanism the client has chosen and its first message. */
async function initialResponse(
  client: ClientConnection,
  mechanism: string,
  options: AuthenticationOptions,
): Promise<string> {
  client.socket.write(encodeAuthentication(sasl, Buffer.from(`${mechanism}\0\0`)));
  const body = await response(client, options);
  const nul = body.indexOf(0);
  if (nul < 0 || nul + 5 > body.length) throw new FatalError('08P01', 'malformed SASL initial response');
  if (body.toString('utf8', 0, nul) !== mechanism) {
    throw new FatalError('08P01', 'client selected an invalid SASL authentication mechanism');
  }
  const length = int32(body, nul + 1);
  // -1: no first message, which both mechanisms need.
  if (length < 0 || nul + 5 + length !== body.length) throw new FatalError('08P01', 'malformed SASL initial response');
  return body.toString('utf8', nul + 5);
}

async function scram(
  client: ClientConnection,
  verifier: ScramVerifier,
  user: string,
  options: AuthenticationOptions,
): Promise<void> {
  try {
    const first = await initialResponse(client, 'SCRAM-SHA-256', options);
    const exchange = serverFirst(first, verifier, randomBytes(18).toString('base64'));
    client.socket.write(encodeAuthentication(saslContinue, Buffer.from(exchange.message)));
    const final = exchange.finish((await response(client, options)).toString('utf8'));
    client.socket.write(encodeAuthentication(saslFinal, Buffer.from(final)));
  } catch (cause) {
    if (!(cause instanceof ScramError)) throw cause;
    if (cause.kind === 'protocol') throw new FatalError('08P01', cause.message);
    throw new FatalError('28P01', `password authentication failed for user "${user}"`);
  }
}

const separator = String.fromCharCode(1);

/** OAUTHBEARER (RFC 7628, section 3.1): `n,,^Aauth=Bearer <token>^A^A`, ^A being the byte 1. */
async function bearerToken(client: ClientConnection, options: AuthenticationOptions): Promise<string> {
  const message = await initialResponse(client, 'OAUTHBEARER', options);
  const [header, ...pairs] = message.split(separator);
  // Two separators end the message: one of the last pair, one of the whole.
  if (header === undefined || !/^[ny],(?:a=[^,]*)?,$/.test(header) || pairs.splice(-2).join('') !== '') {
    throw new FatalError('08P01', 'malformed OAUTHBEARER message');
  }
  const auth = pairs.find((pair) => pair.startsWith('auth='))?.slice('auth='.length);
  if (auth === undefined) throw new FatalError('08P01', 'malformed OAUTHBEARER message: no auth value');
  const bearer = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(auth)?.[1];
  if (bearer !== undefined) return bearer;
  // Section 3.2.2: the error status tells where to get a token; the client acknowledges with a single ^A, then the login fails.
  const hints = options.oauth;
  const status = {
    status: 'invalid_token',
    ...(hints === undefined ? {} : { 'openid-configuration': hints.openidConfiguration, scope: hints.scope }),
  };
  client.socket.write(encodeAuthentication(saslContinue, Buffer.from(JSON.stringify(status))));
  const acknowledged = await response(client, options);
  if (acknowledged.length !== 1 || acknowledged[0] !== 1)
    throw new FatalError('08P01', 'malformed OAUTHBEARER message');
  throw new FatalError('28000', 'sallyport: OAUTHBEARER needs a bearer token');
}
