// From verified claims to an identity: who, by which name, in which groups, on whose behalf.
import type { IssuerConfig } from '../config/types.ts';
import { TokenRefused } from './errors.ts';
import type { Identity } from './types.ts';

type Claims = Readonly<Record<string, unknown>>;

const longestName = 512;
const mostGroups = 2000;
const mostActors = 16;

/** Builds the identity of a token whose signature, issuer, audience and times have been checked. */
export function identityOf(claims: Claims, issuer: IssuerConfig): Identity {
  const subject = first(claims, issuer.claims.subject);
  if (subject === undefined) {
    throw new TokenRefused(
      'claims',
      `the token has no claim "${issuer.claims.subject.join('" or "')}" that says who it is for`,
    );
  }
  const subjectName = nameText(subject, 'subject');
  const name = first(claims, issuer.claims.name);
  return Object.freeze({
    issuer: issuer.issuer,
    subject: subjectName,
    name: name === undefined ? subjectName : nameText(name, 'name'),
    groups: Object.freeze([...new Set([...groupsOf(first(claims, issuer.claims.groups)), ...issuer.groups])]),
    expiresAt: Number(claims.exp),
    tokenId: claims.jti === undefined ? undefined : nameText(claims.jti, 'jti'),
    actors: Object.freeze(actorsOf(claims.act)),
  });
}

function first(claims: Claims, paths: readonly string[]): unknown {
  for (const path of paths) {
    const value = claimAt(claims, path);
    if (value !== undefined && value !== null && value !== '') return value;
  }
  return undefined;
}

/**
 * Follows a dotted path. Names of claims may hold dots themselves (`https://example.com/groups`, `kubernetes.io`), so at each
 * step the longest name that is there is taken first.
 */
export function claimAt(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const members = value as Claims;
  if (Object.hasOwn(members, path)) return members[path];
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const name = path.slice(0, dot);
    if (!Object.hasOwn(members, name)) continue;
    const found = claimAt(members[name], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Names go into records, tags and server settings: nothing that could break a line or end a text there. */
export function nameText(value: unknown, what: string): string {
  const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value;
  if (typeof text !== 'string' || text.trim() === '')
    throw new TokenRefused('claims', `the ${what} of the token is not a text`);
  if (text.length > longestName)
    throw new TokenRefused('claims', `the ${what} of the token is longer than ${longestName} characters`);
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|[\u202a-\u202e\u2066-\u2069]/u.test(text)) {
    throw new TokenRefused('claims', `the ${what} of the token holds control characters`);
  }
  return text;
}

function groupsOf(value: unknown): readonly string[] {
  if (value === undefined) return [];
  const list = typeof value === 'string' ? value.split(/[\s,]+/).filter((group) => group !== '') : value;
  if (!Array.isArray(list)) throw new TokenRefused('claims', 'the groups of the token are neither a list nor a text');
  if (list.length > mostGroups) throw new TokenRefused('claims', `the token names more than ${mostGroups} groups`);
  return list.map((group) => {
    if (typeof group !== 'string') throw new TokenRefused('claims', 'a group of the token is not a text');
    return nameText(group, 'group');
  });
}

/** RFC 8693, 4.1: the outermost `act` is the present actor, those nested in it came before. */
function actorsOf(act: unknown): string[] {
  const actors: string[] = [];
  for (let at = act; at !== undefined; at = (at as Claims).act) {
    if (typeof at !== 'object' || at === null || Array.isArray(at))
      throw new TokenRefused('claims', 'the actor (act) of the token is not an object');
    if (actors.length === mostActors)
      throw new TokenRefused('claims', `the token names more than ${mostActors} actors`);
    actors.push(nameText((at as Claims).sub ?? (at as Claims).client_id, 'actor'));
  }
  return actors;
}
