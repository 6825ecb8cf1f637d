// The room that says who a machine is: tokens of any number of issuers, SAML assertions, credentials issued for them, and a local
// issuer for development.
export {
  credentialFinder,
  type FindCredential,
  type IssuedCredential,
  isCredentialUser,
  issuedChannel,
  keepingFinder,
  recordIssued,
  revokeCredential,
  type StoredCredential,
} from './credentials.ts';
export { type Client, type DoorParts, door, type Failure, invalid, tooLong } from './door.ts';
export { credentialType, grantTypes, type TokenEndpointParts, tokenEndpoint } from './endpoint.ts';
export { type Check, IdentityError, KeysUnavailableError, LocalIssuerError } from './errors.ts';
export {
  connectionUrl,
  type ExchangeAnswer,
  type ExchangeParts,
  type ExchangeRequest,
  exchange,
} from './exchange.ts';
export { parseStrictJson } from './json.ts';
export { issueLocalToken, type LocalTokenRequest } from './local.ts';
export { Rate, type RateLimit } from './rate.ts';
export { issuedRecord, refusedRecord } from './records.ts';
export { createSamlVerifier, type SamlVerifier } from './saml.ts';
export type { Identity } from './types.ts';
export { createIdentity, type IdentityOptions, type IdentityVerifier, type Verification } from './verify.ts';
