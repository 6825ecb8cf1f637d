// `sallyport sessions` and `sallyport revoke`: who is connected, and who no longer may be.
import { describeRevoked, type Revoked } from '../approvals/index.ts';
import { inert, inertJson } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { print } from './approvals.ts';
import { CommandError, inRoom, operator } from './approvals-room.ts';

interface Common {
  readonly config: string;
  readonly json: boolean;
}

/** Prints the sessions of all gateways that share the store. */
export async function listSessions(options: Common): Promise<void> {
  await inRoom(options.config, async ({ approvals }) => {
    const sessions = await approvals.sessions.list();
    if (options.json) for (const session of sessions) print(inertJson(session));
    else if (sessions.length === 0) print('nobody is connected');
    else
      for (const session of sessions)
        print(
          `${session.id}  ${inert(session.identity)}@${session.target}  from ${session.client}  since ${session.started.toISOString()}${
            session.lastStatement === undefined ? '' : `  last statement ${session.lastStatement.toISOString()}`
          }  (${session.gateway})`,
        );
  });
}

/** Ends one session, wherever it is. */
export async function killSession(session: string, options: Common & { readonly reason?: string }): Promise<void> {
  await inRoom(options.config, async ({ approvals }) => {
    const known = await approvals.sessions.list();
    if (!known.some(({ id }) => id === session)) throw new CommandError(`there is no session ${session}`);
    const revocation = await approvals.revocations.add({ kind: 'session', session }, operator(), options.reason);
    print(options.json ? inertJson(revocation) : `${session}: ended`);
  });
}

/** Revokes what exactly one of the options names; prints the revocation's id, by which it can be lifted. */
export async function revoke(
  options: Common & {
    readonly identity?: string;
    readonly tokenId?: string;
    readonly session?: string;
    readonly credential?: string;
    readonly reason?: string;
  },
): Promise<void> {
  await inRoom(options.config, async ({ config, approvals }) => {
    const what = named(options, config);
    const revocation = await approvals.revocations.add(what, operator(), options.reason);
    print(options.json ? inertJson(revocation) : `${revocation.id}: ${inert(describeRevoked(what))} revoked`);
  });
}

export async function listRevocations(options: Common): Promise<void> {
  await inRoom(options.config, async ({ approvals }) => {
    const revocations = await approvals.revocations.list();
    if (options.json) for (const revocation of revocations) print(inertJson(revocation));
    else if (revocations.length === 0) print('nothing is revoked');
    else
      for (const each of revocations)
        print(
          `${each.id}  ${inert(describeRevoked(each))}  by ${inert(each.by)} at ${each.at.toISOString()}${
            each.reason === undefined ? '' : `  ${inert(each.reason)}`
          }`,
        );
  });
}

export async function liftRevocation(id: string, options: Common): Promise<void> {
  await inRoom(options.config, async ({ approvals }) => {
    if (!(await approvals.revocations.lift(id, operator()))) throw new CommandError(`there is no revocation ${id}`);
    print(options.json ? inertJson({ id, lifted: true }) : `${id}: lifted`);
  });
}

function named(
  options: {
    readonly identity?: string;
    readonly tokenId?: string;
    readonly session?: string;
    readonly credential?: string;
  },
  config: Config,
): Revoked {
  const { identity, tokenId, session, credential } = options;
  const given = [identity, tokenId, session, credential].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw new CommandError('expected exactly one of --identity ISSUER/SUBJECT, --token-id, --session, --credential');
  if (tokenId !== undefined) return { kind: 'token', tokenId };
  if (session !== undefined) return { kind: 'session', session };
  if (credential !== undefined) return { kind: 'credential', user: credential };
  return identityNamed(identity ?? '', config);
}

/** Issuers are URLs and subjects may hold slashes: an issuer of the file decides, else the last slash does. */
function identityNamed(text: string, { identity }: Config): Revoked {
  const issuer = identity.issuers
    .map((each) => each.issuer)
    .filter((each) => text.startsWith(`${each}/`))
    .sort((a, b) => b.length - a.length)[0];
  const at = issuer?.length ?? text.lastIndexOf('/');
  if (at <= 0 || at === text.length - 1)
    throw new CommandError(`--identity: expected ISSUER/SUBJECT, got ${JSON.stringify(text)}`);
  return { kind: 'identity', issuer: text.slice(0, at), subject: text.slice(at + 1) };
}
