// Who a machine is, once its token has been verified.

export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** From the `name` claim path of the issuer's config; falls back to the subject. */
  readonly name: string;
  readonly groups: readonly string[];
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** `jti`, where the token has one; revocation names it. */
  readonly tokenId: string | undefined;
  /** The actor chain (`act` of RFC 8693), outermost first. */
  readonly actors: readonly string[];
}
