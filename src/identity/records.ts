// Records of the exchange: who was issued which credential, and who was refused one.
import { type EventRecord, newRecordId } from '../audit/index.ts';
import type { IssuedCredential } from './credentials.ts';
import type { ExchangeAnswer } from './exchange.ts';
import type { Identity } from './types.ts';

/** The record of a credential that was issued. */
export function issuedRecord(
  credential: Pick<IssuedCredential, 'user' | 'target' | 'identity' | 'expiresAt'>,
  client: string | undefined,
): EventRecord {
  const { identity, target, user, expiresAt } = credential;
  return {
    ...eventOf(identity, target, client),
    event: 'credential',
    message: `${identity.name} was issued the credential ${user} for ${target}`,
    details: {
      credential: user,
      subject: identity.subject,
      expires: new Date(expiresAt).toISOString(),
      actors: identity.actors.join(' <- '),
      ...(identity.tokenId === undefined ? {} : { token: identity.tokenId }),
    },
  };
}

/** The record of a token, or of an assertion, that was refused at the HTTP port. `what`: what it was for. */
export function refusedRecord(
  what: string,
  answer: Omit<Extract<ExchangeAnswer, { kind: 'refused' }>, 'kind'>,
  target: string | undefined,
  client: { readonly address: string; readonly encrypted: boolean },
): EventRecord {
  return {
    ...eventOf(answer.identity, target?.slice(0, 100), client.address),
    event: 'login-refused',
    message: `${what} refused by rule "${answer.check}": ${answer.message}`,
    details: { rule: answer.check, encrypted: client.encrypted },
  };
}

function eventOf(identity: Identity | undefined, target: string | undefined, client: string | undefined) {
  return {
    time: new Date().toISOString(),
    record: newRecordId(),
    session: undefined,
    identity: identity?.name,
    issuer: identity?.issuer,
    groups: identity?.groups ?? [],
    target,
    client,
  } as const;
}
