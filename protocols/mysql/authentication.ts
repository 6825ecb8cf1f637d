// The client's proof: a token through the methods that stock drivers have, or a password against its stored hash.
import { timingSafeEqual } from 'node:crypto';
import type { Challenge, Proof, Refusal } from '../gate.ts';
import { capability, errorCode } from './constants.ts';
import { errPacket, FatalError, refusalPacket } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { encodeAuthMoreData, encodeAuthSwitchRequest } from './handshake-messages.ts';
import { rsaKey } from './rsa.ts';
import { cachingSha2Matches, doubleSha1, nativeMatches, revealedPassword } from './scramble.ts';
import { newScramble } from './startup.ts';

/** The client's first move, from its handshake response or COM_CHANGE_USER. */
export interface FirstAnswer {
  readonly user: string;
  readonly plugin: string;
  readonly auth: Buffer;
  readonly scramble: Buffer;
  readonly capabilities: number;
  readonly encrypted: boolean;
  readonly attributes: ReadonlyMap<string, string>;
}

/** caching_sha2_password: bytes that steer the exchange. */
const requestPublicKey = 2;
const fastAuthentication = Buffer.from([3]);
const fullAuthentication = Buffer.from([4]);

/** Asks for the proof of this challenge. Throws FatalError where it is not given. */
export async function authenticate(
  exchange: Exchange,
  challenge: Challenge,
  first: FirstAnswer,
  maxPasswordBytes: number,
): Promise<Proof> {
  switch (challenge.kind) {
    case 'refused':
      throw new FatalError(refusalPacket(challenge.refusal));
    case 'token': {
      const password = await askPassword(exchange, first);
      if (password.length === 0 || password.length > maxPasswordBytes) throw denied(first.user, password.length > 0);
      return { kind: 'token', token: password.toString('utf8') };
    }
    case 'mysql-native':
      if (await passwordProof(exchange, challenge, first)) return { kind: 'verified' };
      throw denied(first.user, true);
    default:
      throw new FatalError(refusalPacket(wrongDialect));
  }
}

const wrongDialect: Refusal = {
  kind: 'login',
  rule: 'login-method',
  message: 'sallyport: this login cannot be checked over the MySQL protocol',
};

function denied(user: string, withPassword: boolean): FatalError {
  const using = withPassword ? 'YES' : 'NO';
  return new FatalError(
    errPacket(errorCode.ACCESS_DENIED, '28000', `Access denied for user '${user}' (using password: ${using})`),
  );
}

/** Has the client send its password as it is, within TLS or RSA where there is any. */
async function askPassword(exchange: Exchange, first: FirstAnswer): Promise<Buffer> {
  const switches = (first.capabilities & capability.PLUGIN_AUTH) !== 0;
  if (first.plugin === 'mysql_clear_password') return closed(first.auth);
  if (!switches) {
    throw new FatalError(
      errPacket(errorCode.HANDSHAKE, '08004', 'Client does not support authentication protocol requested by server'),
    );
  }
  // MariaDB's C library has a short buffer for RSA but sends passwords of any length in the clear when asked to.
  if (!first.encrypted && first.attributes.get('_client_name') === 'libmariadb') {
    exchange.send(encodeAuthSwitchRequest({ plugin: 'mysql_clear_password', data: Buffer.alloc(0) }));
    return closed(await exchange.read());
  }
  let { scramble, auth } = first;
  if (first.plugin !== 'caching_sha2_password') {
    scramble = newScramble();
    exchange.send(encodeAuthSwitchRequest({ plugin: 'caching_sha2_password', data: scramble }));
    auth = await exchange.read();
  }
  // An empty answer (or a lone NUL) says that there is no password; the client waits for nothing more.
  if (auth.length <= 1) return Buffer.alloc(0);
  return fullExchange(exchange, scramble, first.encrypted);
}

async function fullExchange(exchange: Exchange, scramble: Buffer, encrypted: boolean): Promise<Buffer> {
  exchange.send(encodeAuthMoreData(fullAuthentication));
  let answer = await exchange.read();
  // Over TLS, and on what the client takes for a safe transport, the password comes as it is.
  const wantsKey = answer.length === 1 && answer[0] === requestPublicKey;
  if (!wantsKey) {
    if (encrypted || answer.at(-1) === 0) return closed(answer);
    throw new FatalError(errPacket(errorCode.HANDSHAKE, '08S01', 'Bad handshake'));
  }
  const key = await rsaKey();
  exchange.send(encodeAuthMoreData(key.publicPem));
  answer = await exchange.read();
  const hidden = key.decrypt(answer);
  return hidden === undefined ? Buffer.alloc(0) : Buffer.from(revealedPassword(hidden, scramble));
}

/** Proves a password whose hashes we have, by whatever method the client has begun with. */
async function passwordProof(
  exchange: Exchange,
  { doubleSha1: stored, doubleSha256: stored256 }: Extract<Challenge, { kind: 'mysql-native' }>,
  first: FirstAnswer,
): Promise<boolean> {
  if (first.plugin === 'mysql_native_password' || (first.capabilities & capability.PLUGIN_AUTH) === 0) {
    return nativeMatches(first.auth, first.scramble, stored);
  }
  if (first.plugin === 'caching_sha2_password' && stored256 !== undefined) {
    if (!cachingSha2Matches(first.auth, first.scramble, stored256)) return false;
    // "fast_auth_success": the OK packet follows.
    exchange.send(encodeAuthMoreData(fastAuthentication));
    return true;
  }
  // Newer clients have no mysql_native_password any more; over TLS the password itself proves as much.
  if (first.plugin === 'mysql_clear_password' || (first.encrypted && first.plugin === 'caching_sha2_password')) {
    const password = await askPassword(exchange, first);
    return stored.length === 20 && timingSafeEqual(doubleSha1(password), stored);
  }
  const scramble = newScramble();
  exchange.send(encodeAuthSwitchRequest({ plugin: 'mysql_native_password', data: scramble }));
  return nativeMatches(await exchange.read(), scramble, stored);
}

/** A password up to its closing NUL. */
function closed(bytes: Buffer): Buffer {
  const nul = bytes.indexOf(0);
  return nul === -1 ? bytes : bytes.subarray(0, nul);
}
