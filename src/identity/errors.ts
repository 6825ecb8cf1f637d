// Errors of the identity room: one class for each thing a caller may tell apart, each with a stable code.

export class IdentityError extends Error {
  override readonly name: string = 'IdentityError';
  readonly code: string = 'ERR_IDENTITY';
}

/** An issuer's public keys cannot be had now: the file is broken, the server does not answer. */
export class KeysUnavailableError extends IdentityError {
  override readonly name = 'KeysUnavailableError';
  override readonly code = 'ERR_KEYS_UNAVAILABLE';
}

/** The local issuer cannot issue: the file names none, or its key cannot be used. */
export class LocalIssuerError extends IdentityError {
  override readonly name = 'LocalIssuerError';
  override readonly code = 'ERR_LOCAL_ISSUER';
}

/** Which check of a token failed. Stands in refusals and records, so the names stay. */
export type Check =
  | 'size'
  | 'format'
  | 'type'
  | 'critical'
  | 'algorithm'
  | 'issuer'
  | 'keys-unavailable'
  | 'key'
  | 'signature'
  | 'expiry'
  | 'not-before'
  | 'issued-at'
  | 'lifetime'
  | 'audience'
  | 'binding'
  | 'claims'
  // Of SAML assertions alone.
  | 'markup'
  | 'wrapping'
  | 'conditions'
  | 'confirmation'
  | 'replay';

/** A token is refused. The message says which check failed and never repeats the token or its claims. */
export class TokenRefused extends IdentityError {
  override readonly name = 'TokenRefused';
  override readonly code = 'ERR_TOKEN_REFUSED';
  readonly check: Check;

  constructor(check: Check, message: string) {
    super(message);
    this.check = check;
  }
}
