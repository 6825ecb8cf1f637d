// Issued credentials: a database user and password for a quarter of an hour, for one identity and one target. The store keeps
// verifiers only, so what is read from it logs in nowhere.
import { createHash, createHmac, pbkdf2, randomBytes, randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import type { ScramVerifier } from '../../protocols/gate.ts';
import type { Queries, Store } from '../store/types.ts';
import type { Identity } from './types.ts';

/** What is handed out, once. */
export interface IssuedCredential {
  readonly user: string;
  readonly password: string;
  readonly target: string;
  readonly identity: Identity;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What the store knows of a credential. */
export interface StoredCredential {
  readonly user: string;
  readonly target: string;
  readonly scram: ScramVerifier;
  readonly doubleSha1: Buffer;
  readonly doubleSha256: Buffer;
  readonly identity: Identity;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly revoked: boolean;
}

export interface IssueRequest {
  readonly identity: Identity;
  readonly target: string;
  /** The longest it may live; it never outlives the token it was issued for. */
  readonly maxLifetimeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The issuer has no journal: a gateway that shares the store writes the record. */
  readonly unrecorded: boolean;
}

/** Signals on this channel say that credentials wait for their record. */
export const issuedChannel = 'sallyport_issued';

const userForm = /^sp-[a-z2-7]{12}$/;
const lowerBase32 = 'abcdefghijklmnopqrstuvwxyz234567';
const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Drivers exist that cut passwords after 32 characters, and MySQL's tools after 79; 32 of 62 characters are 190 bits. */
const passwordLength = 32;
/** The least that RFC 7677 allows; more protects passwords that can be guessed, and these cannot. */
const iterations = 4096;
/** How long an expired credential is still known by name, so that its login is refused with the reason. */
const keptAfterExpiry = '1 day';
const uniqueViolation = '23505';

const derive = promisify(pbkdf2);

/** True where a user name could be that of a credential: all others cost no look into the store. */
export function isCredentialUser(user: string): boolean {
  return userForm.test(user);
}

/** Makes a credential and keeps its verifiers. Rejects when the store cannot be written. */
export async function issueCredential(store: Queries, request: IssueRequest): Promise<IssuedCredential> {
  const { identity, target, now } = request;
  const expiresAt = Math.min(now + request.maxLifetimeMs, identity.expiresAt * 1000);
  const password = randomText(passwordLength, alphanumeric);
  const bytes = Buffer.from(password);
  const scram = await verifierOf(password);
  await store.query(`delete from sallyport.credentials where expires < now() - interval '${keptAfterExpiry}'`);
  for (let turn = 0; ; turn += 1) {
    const user = `sp-${randomText(12, lowerBase32)}`;
    try {
      await store.query(
        `insert into sallyport.credentials
           (user_name, target, scram, mysql_native, mysql_sha2, identity, issued, expires, unrecorded)
         values ($1, $2, $3, $4, $5, $6, to_timestamp($7::float8 / 1000), to_timestamp($8::float8 / 1000), $9)`,
        [
          user,
          target,
          scramText(scram),
          twice('sha1', bytes),
          twice('sha256', bytes),
          JSON.stringify(identity),
          now,
          expiresAt,
          request.unrecorded,
        ],
      );
      return { user, password, target, identity, expiresAt };
    } catch (cause) {
      if (turn > 2 || !(cause instanceof Error && 'code' in cause && cause.code === uniqueViolation)) throw cause;
    }
  }
}

interface Row {
  readonly user_name: string;
  readonly target: string;
  readonly scram: string;
  readonly mysql_native: Buffer;
  readonly mysql_sha2: Buffer;
  readonly identity: Identity;
  readonly expires: number;
  readonly revoked: boolean;
}

const columns = `user_name, target, scram, mysql_native, mysql_sha2, identity,
  (extract(epoch from expires) * 1000)::float8 as expires, revoked is not null as revoked`;

/** The credential of this user name, expired and revoked ones included. Rejects when the store cannot be asked. */
export type FindCredential = (user: string) => Promise<StoredCredential | undefined>;

const mostAtATime = 500;

interface Waiting {
  readonly user: string;
  found(credential: StoredCredential | undefined): void;
  failed(cause: unknown): void;
}

/**
 * Looks credentials up, one query at a time: those that are asked for meanwhile share the next one, so that a thousand logins at once
 * cost a handful of queries. An answer is never older than its question.
 */
export function credentialFinder(store: Queries): FindCredential {
  let waiting: Waiting[] = [];
  let asking = false;
  const ask = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, mostAtATime);
      waiting = waiting.slice(batch.length);
      try {
        const rows = await store.query<Row>(`select ${columns} from sallyport.credentials where user_name = any($1)`, [
          [...new Set(batch.map(({ user }) => user))],
        ]);
        const known = new Map(rows.map((row) => [row.user_name, storedCredential(row)]));
        for (const each of batch) each.found(known.get(each.user));
      } catch (cause) {
        for (const each of batch) each.failed(cause);
      }
    }
    asking = false;
  };
  return (user) =>
    isCredentialUser(user)
      ? new Promise((found, failed) => {
          waiting.push({ user, found, failed });
          void ask();
        })
      : Promise.resolve(undefined);
}

/** A credential that is found is known for so long without asking again. */
const keptMs = 60_000;
const mostKept = 10_000;

/**
 * The same, and what was found good is kept for a minute, so that a client that connects again and again costs no query. What is
 * revoked meanwhile is not seen here: the caller asks the registry of revocations, which knows within a second.
 */
export function keepingFinder(find: FindCredential, now: () => number = Date.now): FindCredential {
  const kept = new Map<string, { readonly credential: StoredCredential; readonly until: number }>();
  return async (user) => {
    const known = kept.get(user);
    if (known !== undefined && now() < known.until) return known.credential;
    kept.delete(user);
    const credential = await find(user);
    if (credential === undefined || credential.revoked) return credential;
    kept.set(user, { credential, until: Math.min(now() + keptMs, credential.expiresAt) });
    if (kept.size > mostKept) kept.delete(kept.keys().next().value ?? '');
    return credential;
  };
}

/** Ends a credential before its time. False where there is none of this name, or it has been revoked before. */
export async function revokeCredential(store: Queries, user: string): Promise<boolean> {
  const rows = await store.query(
    'update sallyport.credentials set revoked = now() where user_name = $1 and revoked is null returning user_name',
    [user],
  );
  return rows.length > 0;
}

/**
 * Has credentials that wait for their record recorded, each by one caller; what `record` rejects for waits on. Gives how many there
 * were: after `atATime` there may be more.
 */
export async function recordIssued(
  store: Store,
  record: (credential: StoredCredential) => void | Promise<void>,
  atATime = 500,
): Promise<number> {
  return store.transaction(async (queries) => {
    const rows = await queries.query<Row>(
      `select ${columns} from sallyport.credentials where unrecorded order by issued limit $1 for update skip locked`,
      [atATime],
    );
    await Promise.all(rows.map((row) => record(storedCredential(row))));
    if (rows.length > 0)
      await queries.query('update sallyport.credentials set unrecorded = false where user_name = any($1)', [
        rows.map(({ user_name }) => user_name),
      ]);
    return rows.length;
  });
}

function storedCredential(row: Row): StoredCredential {
  const { issuer, subject, name, groups, expiresAt, tokenId, actors } = row.identity;
  return {
    user: row.user_name,
    target: row.target,
    scram: parseScram(row.scram),
    doubleSha1: row.mysql_native,
    doubleSha256: row.mysql_sha2,
    // JSON has no undefined: a token without an id comes back without the member.
    identity: Object.freeze({ issuer, subject, name, groups, expiresAt, tokenId: tokenId ?? undefined, actors }),
    expiresAt: Math.round(row.expires),
    revoked: row.revoked,
  };
}

/** The form of pg_authid.rolpassword: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. */
function scramText({ iterations, salt, storedKey, serverKey }: ScramVerifier): string {
  const [a, b, c] = [salt, storedKey, serverKey].map((bytes) => bytes.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${a}$${b}:${c}`;
}

function parseScram(text: string): ScramVerifier {
  const [, count, salt, storedKey, serverKey] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(text) ?? [];
  if (salt === undefined || storedKey === undefined || serverKey === undefined)
    throw new Error('a stored credential cannot be read');
  const [a, b, c] = [salt, storedKey, serverKey].map((part) => Buffer.from(part, 'base64')) as [Buffer, Buffer, Buffer];
  return { iterations: Number(count), salt: a, storedKey: b, serverKey: c };
}

/** RFC 5802, section 3. The password is ASCII, which SASLprep leaves as it is. */
async function verifierOf(password: string): Promise<ScramVerifier> {
  const salt = randomBytes(16);
  const salted = await derive(password, salt, iterations, 32, 'sha256');
  const mac = (text: string) => createHmac('sha256', salted).update(text).digest();
  return {
    iterations,
    salt,
    storedKey: createHash('sha256').update(mac('Client Key')).digest(),
    serverKey: mac('Server Key'),
  };
}

function twice(algorithm: 'sha1' | 'sha256', bytes: Buffer): Buffer {
  const hash = (input: Buffer) => createHash(algorithm).update(input).digest();
  return hash(hash(bytes));
}

function randomText(length: number, letters: string): string {
  return Array.from({ length }, () => letters.charAt(randomInt(letters.length))).join('');
}
