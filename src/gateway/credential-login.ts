// Logins with issued credentials: the verifier to challenge with, and what is asked once the password is proven.
import type { Challenge, ClientHello, Refusal } from '../../protocols/gate.ts';
import type { Journal } from '../audit/index.ts';
import {
  credentialFinder,
  type FindCredential,
  type Identity,
  issuedChannel,
  issuedRecord,
  keepingFinder,
  recordIssued,
  type StoredCredential,
} from '../identity/index.ts';
import type { Store } from '../store/index.ts';
import type { Log } from './log.ts';
import { loginRefusal } from './refusals.ts';

/** What the store said of the client's credential when it was challenged, and when. */
const challenged = new WeakMap<ClientHello, { readonly credential: StoredCredential; readonly at: number }>();
/** A client that takes longer for its answer has its credential looked up again: it may have been revoked meanwhile. */
const goodForMs = 1000;

const finders = new WeakMap<Store, FindCredential>();

/** One a store, so that logins that come together are looked up together, and one that comes again not at all. */
function finder(store: Store): FindCredential {
  let find = finders.get(store);
  if (find === undefined) {
    find = keepingFinder(credentialFinder(store));
    finders.set(store, find);
  }
  return find;
}

/** Whoever gives the name of an issued credential is asked to prove its password; everyone else brings a token. */
export async function credentialChallenge(store: Store, log: Log, hello: ClientHello): Promise<Challenge> {
  try {
    const credential = await finder(store)(hello.user);
    if (credential === undefined) return { kind: 'token' };
    challenged.set(hello, { credential, at: Date.now() });
    return hello.dialect === 'postgres'
      ? { kind: 'scram-sha-256', verifier: credential.scram }
      : { kind: 'mysql-native', doubleSha1: credential.doubleSha1, doubleSha256: credential.doubleSha256 };
  } catch (cause) {
    log.error({ err: cause, client: hello.clientAddress }, 'the store cannot be asked for a credential');
    return {
      kind: 'refused',
      refusal: {
        kind: 'unavailable',
        rule: 'store-unavailable',
        message: 'sallyport: credentials cannot be checked now',
        hint: "The gateway's log says why. Logins with a token are not affected.",
        sqlstate: '08006',
      },
    };
  }
}

export type CredentialLogin =
  | { readonly kind: 'good'; readonly credential: StoredCredential }
  | { readonly kind: 'refused'; readonly identity: Identity | undefined; readonly refusal: Refusal };

/** Whether the credential of a proven password lets its client in now. Rejects when the store cannot be asked. */
export async function credentialLogin(store: Store | undefined, hello: ClientHello): Promise<CredentialLogin> {
  const known = challenged.get(hello);
  const fresh = known !== undefined && Date.now() - known.at < goodForMs ? known.credential : undefined;
  const credential = fresh ?? (store === undefined ? undefined : await finder(store)(hello.user));
  if (credential === undefined) return refusedAs(undefined, 'credential', 'the credential is not known any more');
  const { identity, target } = credential;
  if (credential.revoked) return refusedAs(identity, 'revoked', 'the credential has been revoked');
  if (credential.expiresAt <= Date.now()) return refusedAs(identity, 'expiry', 'the credential has expired');
  // libpq names the user as database where none is given.
  if (hello.database !== undefined && hello.database !== target && hello.database !== hello.user)
    return refusedAs(identity, 'credential-target', `the credential is for the target "${target}" only`);
  return { kind: 'good', credential };
}

function refusedAs(identity: Identity | undefined, rule: string, reason: string): CredentialLogin {
  return {
    kind: 'refused',
    identity,
    refusal: loginRefusal(rule, reason, 'Exchange a token for a new credential (`sallyport login`).'),
  };
}

/** Credentials issued by commands get their record from the gateway, which has the journal. */
export function recordCredentials(store: Store, journal: Journal, log: Log): void {
  let running = false;
  let again = false;
  const record = async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      // Signals that come meanwhile are answered by one more look.
      while (again) {
        again = false;
        const count = await recordIssued(store, (credential) => journal.append(issuedRecord(credential, undefined)));
        again ||= count > 0;
      }
    } catch (cause) {
      log.warn({ err: cause }, 'issued credentials could not be recorded; tried again with the next');
    } finally {
      running = false;
    }
  };
  store.listen(issuedChannel, () => void record());
}
