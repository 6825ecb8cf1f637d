// Who looks at the console and what they may do there: three roles, each holding the ones before it.
import type { ConsoleConfig } from '../config/types.ts';
import type { Identity } from '../identity/index.ts';

export const roles = ['viewer', 'approver', 'admin'] as const;
export type Role = (typeof roles)[number];

/** A person, or a program with a bearer token, that has proved who it is and holds a role. */
export interface Person {
  readonly name: string;
  readonly issuer: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly role: Role;
  readonly via: 'oidc' | 'link' | 'bearer';
}

/** True where the person's role is the asked one or holds it. */
export function may(person: Person, role: Role): boolean {
  return roles.indexOf(person.role) >= roles.indexOf(role);
}

/** The highest role these groups give; undefined where they give none. */
export function roleOf(config: ConsoleConfig | undefined, groups: readonly string[]): Role | undefined {
  if (config === undefined) return undefined;
  const holds = (listed: readonly string[]) => listed.some((group) => groups.includes(group));
  if (holds(config.admins)) return 'admin';
  if (holds(config.approvers)) return 'approver';
  return holds(config.viewers) ? 'viewer' : undefined;
}

/** The person a verified identity stands for, or undefined where its groups give no role. */
export function personOf(
  config: ConsoleConfig | undefined,
  { name, issuer, subject, groups }: Identity,
  via: Person['via'],
): Person | undefined {
  const role = roleOf(config, groups);
  return role === undefined ? undefined : { name, issuer, subject, groups, role, via };
}
