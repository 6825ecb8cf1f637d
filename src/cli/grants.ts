// `sallyport grants`: roles for a time, asked for by the identity of a token.
import { inertJson } from '../audit/index.ts';
import { grantLines, print } from './approvals.ts';
import { CommandError, durationOf, identityOf, inRoom, personOf, taken } from './approvals-room.ts';

/** Asks for a role as the identity of the token; prints the request's id. */
export async function requestGrant(options: {
  readonly config: string;
  readonly role: string;
  readonly for: string;
  readonly reason: string;
  readonly tokenFile?: string;
  readonly json: boolean;
}): Promise<void> {
  await inRoom(options.config, async ({ config, approvals }) => {
    const identity = await identityOf(config, options.tokenFile);
    if (identity === undefined)
      throw new CommandError(
        'a role is asked for by the identity of a token: give --token-file, or set SALLYPORT_TOKEN',
      );
    const forMs = durationOf('--for', options.for);
    const grant = taken(
      await approvals.grants.request({ identity, role: options.role, forMs, reason: options.reason }),
    );
    if (options.json) return print(inertJson(grant));
    print(
      `${grant.id}: ${grant.approvers.count} of ${grant.approvers.groups.join(', ')} must agree before ${grant.expires.toISOString()}`,
    );
  });
}

/** Prints requests and grants in force, or with `all` those that are over too. */
export async function listGrants(options: {
  readonly config: string;
  readonly all: boolean;
  readonly json: boolean;
}): Promise<void> {
  await inRoom(options.config, async ({ approvals }) => {
    const grants = await approvals.grants.list(
      options.all ? { states: ['pending', 'active', 'denied', 'withdrawn', 'expired', 'revoked'], most: 100 } : {},
    );
    if (options.json) for (const grant of grants) print(inertJson(grant));
    else if (grants.length === 0) print('nothing is granted or asked for');
    else for (const grant of grants) for (const line of grantLines(grant)) print(line);
  });
}

/** Ends a grant, or withdraws a request. */
export async function revokeGrant(
  id: string,
  options: { readonly config: string; readonly reason?: string; readonly tokenFile?: string; readonly json: boolean },
): Promise<void> {
  await inRoom(options.config, async ({ config, approvals }) => {
    const by = await personOf(config, options.tokenFile);
    const grant = taken(await approvals.grants.revoke(id, by, options.reason));
    print(options.json ? inertJson(grant) : `${grant.id}: ${grant.state}`);
  });
}
