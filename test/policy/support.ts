// Hand-built readings and policies for the tests: plain data with everything left out that a test does not speak of.
import { parseConfig } from '../../src/config/index.ts';
import type { Config } from '../../src/config/types.ts';
import { compilePolicy, type SessionPolicy, type Verdict } from '../../src/policy/index.ts';
import type { ColumnName, ColumnUse, Dependence, Output, Reading, Source, TableUse } from '../../src/sql/index.ts';

export function reading(part: Partial<Reading> = {}): Reading {
  return {
    dialect: 'postgres',
    verbs: ['select'],
    summary: 'SELECT FROM customers',
    fingerprint: 'f',
    tables: [table('customers')],
    columns: [],
    functions: [],
    unbounded: [],
    outputs: undefined,
    uses: [],
    flows: [],
    stores: [],
    opaque: [],
    sideDoors: [],
    settings: [],
    ...part,
  };
}

/** `schema.table`, or a table of public. */
export function table(name: string, access: TableUse['access'] = 'read', direct = true): TableUse {
  const [first = '', second] = name.split('.');
  return second === undefined
    ? { schema: 'public', table: first, access, direct }
    : { schema: first, table: second, access, direct };
}

/** `table.column` of public, or `schema.table.column`. */
export function column(name: string): ColumnName {
  const parts = name.split('.');
  const [a = '', b = '', c] = parts;
  return c === undefined ? { schema: 'public', table: a, column: b } : { schema: a, table: b, column: c };
}

export function source(name: string, how: Dependence = 'copied'): Source {
  return { ...column(name), how };
}

export function output(...sources: readonly Source[]): Output {
  return { name: 'c', sources };
}

export interface PolicyParts {
  readonly roles?: readonly object[];
  readonly rules?: readonly object[];
  readonly masks?: readonly object[];
  readonly more?: Readonly<Record<string, unknown>>;
  readonly target?: Readonly<Record<string, unknown>>;
}

export const reader = { name: 'reader', groups: ['crew'], targets: ['shop'], allow: ['read'] };
export const everything = {
  name: 'all',
  groups: ['crew'],
  targets: ['shop'],
  allow: ['read', 'write', 'ddl', 'session', 'admin'],
};

export function config({ roles = [everything], rules = [], masks = [], more = {}, target = {} }: PolicyParts): Config {
  const file = {
    listen: { postgres: '127.0.0.1:0' },
    identity: { issuers: [{ local: true }] },
    targets: {
      shop: { dialect: 'postgres', url: 'postgres://gateway@localhost/shop', ...target },
      other: { dialect: 'postgres', url: 'postgres://gateway@localhost/other' },
    },
    roles,
    rules,
    masks,
    ...more,
  };
  return parseConfig(JSON.stringify(file), 'sallyport.yaml', { unavailable: [] });
}

/** The session of an identity in group `crew` on target `shop`. */
export function session(
  parts: PolicyParts,
  groups: readonly string[] = ['crew'],
  now = new Date('2026-01-07T12:00:00Z'),
): SessionPolicy {
  const policy = compilePolicy(config(parts), 'shop').forIdentity(groups, [], now);
  if (policy.kind === 'no-role') throw new Error(policy.hint);
  return policy;
}

/** A rule as it stands in the file. */
export function rule(name: string, on: object, verdict: string, more: object = {}): object {
  return Object.fromEntries([...Object.entries({ name, on, ...more }), ['then', verdict]]);
}

// Masks, rules and readings that many tests speak of.
export const ssn = { columns: ['shop.public.customers.ssn'], mask: { 'keep-last': 4 } };
export const ssnCopy = { columns: ['shop.public.vault.ssn'], mask: { 'keep-last': 4 } };
export const email = { columns: ['*.*.*.email'], mask: 'email' };
export const strict = { columns: ['shop.public.customers.ssn'], predicates: 'deny' };
export const open = { columns: ['shop.public.customers.ssn'], predicates: 'allow' };
export const dropVerbs = { verbs: ['drop', 'truncate'] };
export const noDrops = rule('no-drops', dropVerbs, 'deny');
export const unbounded = rule('unbounded', { verbs: ['update', 'delete'], unbounded: true }, 'deny');
export const hold = rule('ask', { verbs: ['delete'] }, 'hold', { approvers: { groups: ['dba'] } });

export function uses(how: ColumnUse['how'], more: Partial<ColumnUse> = {}): Partial<Reading> {
  return { uses: [{ column: column('customers.ssn'), how, ...more }] };
}

export const deleteAll: Partial<Reading> = {
  verbs: ['delete'],
  summary: 'DELETE FROM orders',
  tables: [table('orders', 'write')],
  unbounded: [{ verb: 'delete', table: { schema: 'public', table: 'orders' }, why: 'no WHERE' }],
};
export const drop: Partial<Reading> = {
  verbs: ['drop'],
  summary: 'DROP TABLE customers',
  tables: [table('customers', 'ddl')],
};

/** What a verdict comes to, in short. */
export function short(verdict: Verdict): string {
  if (verdict.kind !== 'allow') return `${verdict.kind} ${verdict.rule}`;
  const masks = verdict.masks.map((mask) =>
    mask === undefined ? '-' : mask.kind === 'redact' ? 'redact' : mask.mask.spec.kind,
  );
  return ['allow', ...masks].join(' ');
}

export type Case = readonly [name: string, policy: PolicyParts, reading: Partial<Reading>, expected: string];
