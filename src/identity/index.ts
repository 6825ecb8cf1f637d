// The room that says who a machine is: tokens of any number of issuers, and a local issuer for development.
export { type Check, IdentityError, KeysUnavailableError, LocalIssuerError } from './errors.ts';
export { issueLocalToken, type LocalTokenRequest } from './local.ts';
export type { Identity } from './types.ts';
export { createIdentity, type IdentityOptions, type IdentityVerifier, type Verification } from './verify.ts';
