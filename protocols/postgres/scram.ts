// SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, as pure functions: the server's for clients with issued credentials, the
// client's for upstreams, with channel binding by tls-server-end-point (RFC 5929).
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import type { ScramVerifier } from '../gate.ts';

/** The other side's message breaks the protocol, or its proof is wrong. */
export class ScramError extends Error {
  /** `proof`: the password is wrong; `protocol`: the message is. */
  readonly kind: 'proof' | 'protocol';
  constructor(kind: 'proof' | 'protocol', message: string) {
    super(message);
    this.name = 'ScramError';
    this.kind = kind;
  }
}

const hmac = (key: Buffer, data: string | Buffer) => createHmac('sha256', key).update(data).digest();
const hash = (data: Buffer) => createHash('sha256').update(data).digest();

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] as number)));
}

/**
 * SASLprep (RFC 4013) as far as the server does it: a password that it does not take is used as it stands
 * ("pg_saslprep" and its callers).
 */
export function saslPrep(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password;
  const mapped = password.replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ').replace(
    // Code points "commonly mapped to nothing" (RFC 3454, B.1).
    /\u00ad|\u034f|\u1806|\u180b|\u180c|\u180d|\u200c|\u200d|\u2060|\ufe00|\ufe01|\ufe02|\ufe03|\ufe04|\ufe05|\ufe06|\ufe07|\ufe08|\ufe09|\ufe0a|\ufe0b|\ufe0c|\ufe0d|\ufe0e|\ufe0f|\ufeff/g,
    '',
  );
  const normal = mapped.normalize('NFKC');
  const prohibited = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u2028\u2029\ufff9-\uffff]/u;
  return normal === '' || prohibited.test(normal) ? password : normal;
}

/** What a server keeps of a password. */
export function scramVerifier(password: string, salt: Buffer, iterations: number): ScramVerifier {
  const salted = pbkdf2Sync(saslPrep(password), salt, iterations, 32, 'sha256');
  return {
    iterations,
    salt,
    storedKey: hash(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  };
}

/** Attributes of a message, `r=...,s=...`; the first of a name counts. */
function attributes(message: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of message.split(',')) {
    if (part[1] === '=' && !found.has(part[0] as string)) found.set(part[0] as string, part.slice(2));
  }
  return found;
}

function attribute(message: Map<string, string>, name: string): string {
  const value = message.get(name);
  if (value === undefined) throw new ScramError('protocol', `malformed SCRAM message: attribute "${name}" is missing`);
  return value;
}

// The server's side --------------------------------------------------------------------------------------------------------

export interface ServerFirst {
  /** server-first-message, to be sent. */
  readonly message: string;
  /** Checks client-final-message and gives server-final-message. Throws ScramError. */
  finish(clientFinal: string): string;
}

/** Answers client-first-message. `serverNonce` is random, printable and without commas. Throws ScramError. */
export function serverFirst(clientFirst: string, verifier: ScramVerifier, serverNonce: string): ServerFirst {
  // gs2-header: no channel binding ("n"), or the client could but believes that we cannot ("y"). We offer no -PLUS mechanism.
  const header = /^([ny]),(?:a=[^,]*)?,/.exec(clientFirst);
  if (header === null) {
    throw new ScramError(
      'protocol',
      clientFirst.startsWith('p=') ? 'SCRAM channel binding was not offered' : 'malformed SCRAM message',
    );
  }
  const bare = clientFirst.slice(header[0].length);
  // RFC 5802: an unknown mandatory extension must fail.
  if (bare.startsWith('m=')) throw new ScramError('protocol', 'client requires an unsupported SCRAM extension');
  const clientNonce = attribute(attributes(bare), 'r');
  if (clientNonce === '' || !/^[\x21-\x2b\x2d-\x7e]+$/.test(clientNonce)) {
    throw new ScramError('protocol', 'non-printable characters in SCRAM nonce');
  }
  const nonce = clientNonce + serverNonce;
  const message = `r=${nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`;
  return {
    message,
    finish(clientFinal) {
      const proofAt = clientFinal.lastIndexOf(',p=');
      if (proofAt < 0) throw new ScramError('protocol', 'malformed SCRAM message: no proof');
      const withoutProof = clientFinal.slice(0, proofAt);
      const fields = attributes(withoutProof);
      if (attribute(fields, 'c') !== Buffer.from(header[0]).toString('base64')) {
        throw new ScramError('protocol', 'unexpected SCRAM channel-binding attribute in client-final-message');
      }
      if (attribute(fields, 'r') !== nonce)
        throw new ScramError('protocol', 'invalid SCRAM response: nonce does not match');
      const proof = Buffer.from(clientFinal.slice(proofAt + 3), 'base64');
      if (proof.length !== 32) throw new ScramError('protocol', 'malformed SCRAM message: proof');
      const authMessage = `${bare},${message},${withoutProof}`;
      const clientKey = xor(proof, hmac(verifier.storedKey, authMessage));
      if (!timingSafeEqual(hash(clientKey), verifier.storedKey)) throw new ScramError('proof', 'wrong password');
      return `v=${hmac(verifier.serverKey, authMessage).toString('base64')}`;
    },
  };
}

// The client's side --------------------------------------------------------------------------------------------------------

/** How the exchange is bound to the TLS connection below it. */
export type ChannelBinding =
  | { readonly kind: 'none' }
  /** The connection has TLS, but the server offers no -PLUS mechanism. */
  | { readonly kind: 'unused' }
  | { readonly kind: 'tls-server-end-point'; readonly hash: Buffer };

export interface ClientFirst {
  readonly message: string;
  /** Answers server-first-message; `verify` checks server-final-message. Both throw ScramError. */
  finish(serverFirst: string): { readonly message: string; verify(serverFinal: string): void };
}

/**
 * SaltedPassword (RFC 5802, section 3), which costs thousands of hashes and is the same for every login of a user until its password
 * is set anew. Whoever could read it here could read the password as well.
 */
function saltedPassword(password: string, salt: string, iterations: number): Buffer {
  const name = createHash('sha256').update(`${iterations} ${salt} ${password}`).digest('base64');
  let salted = saltedPasswords.get(name);
  if (salted === undefined) {
    salted = pbkdf2Sync(saslPrep(password), Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
    if (saltedPasswords.size >= mostSaltedPasswords)
      saltedPasswords.delete(saltedPasswords.keys().next().value as string);
    saltedPasswords.set(name, salted);
  }
  return salted;
}

const saltedPasswords = new Map<string, Buffer>();
const mostSaltedPasswords = 256;

/** Starts a login. The server takes the user from the start-up packet, so none is named here. */
export function clientFirst(password: string, clientNonce: string, binding: ChannelBinding): ClientFirst {
  const header = { none: 'n,,', unused: 'y,,', 'tls-server-end-point': 'p=tls-server-end-point,,' }[binding.kind];
  const bare = `n=*,r=${clientNonce}`;
  return {
    message: header + bare,
    finish(serverFirstMessage) {
      if (serverFirstMessage.startsWith('m='))
        throw new ScramError('protocol', 'the server requires a SCRAM extension');
      const fields = attributes(serverFirstMessage);
      const nonce = attribute(fields, 'r');
      const iterations = Number(attribute(fields, 'i'));
      if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) {
        throw new ScramError('protocol', 'the SCRAM nonce of the server does not continue ours');
      }
      // A server could keep us busy for ever otherwise.
      if (!Number.isSafeInteger(iterations) || iterations < 1 || iterations > 10_000_000) {
        throw new ScramError('protocol', 'the SCRAM iteration count of the server is out of range');
      }
      const salted = saltedPassword(password, attribute(fields, 's'), iterations);
      const bound =
        binding.kind === 'tls-server-end-point'
          ? Buffer.concat([Buffer.from(header), binding.hash])
          : Buffer.from(header);
      const withoutProof = `c=${bound.toString('base64')},r=${nonce}`;
      const authMessage = `${bare},${serverFirstMessage},${withoutProof}`;
      const clientKey = hmac(salted, 'Client Key');
      const proof = xor(clientKey, hmac(hash(clientKey), authMessage));
      return {
        message: `${withoutProof},p=${proof.toString('base64')}`,
        verify(serverFinal) {
          const given = Buffer.from(attributes(serverFinal).get('v') ?? '', 'base64');
          const expected = hmac(hmac(salted, 'Server Key'), authMessage);
          if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
            throw new ScramError('proof', 'the server does not know the password');
          }
        },
      };
    },
  };
}

/**
 * The tls-server-end-point binding of a certificate: its hash by its own signature's algorithm, or SHA-256 where that is MD5
 * or SHA-1 (RFC 5929, section 4.1).
 */
export function endpointHash(certificate: Buffer, signatureHash: string): Buffer {
  const weak = signatureHash === 'md5' || signatureHash === 'sha1';
  return createHash(weak ? 'sha256' : signatureHash)
    .update(certificate)
    .digest();
}
