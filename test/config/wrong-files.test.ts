// Wrong configuration files: each says where the fault is and what was expected there.
import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/index.ts';

const good = `listen:
  postgres: 127.0.0.1:6432
identity:
  issuers:
    - local: true
targets:
  shop:
    dialect: postgres
    url: postgres://gateway@127.0.0.1:5432/shop
roles:
  - name: support
    groups: [crew-support]
    targets: [shop]
    allow: [read]
rules:
  - name: no-drops
    on: { verbs: [drop] }
    then: deny
masks:
  - columns: ["shop.public.customers.ssn"]
    mask: redact
`;

function faultsOf(text: string): string {
  try {
    parseConfig(text, 'file.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'no fault';
}

/** The good file with one part replaced; the part must be there exactly once. */
function changed(part: string, replacement: string): string {
  expect(good.split(part).length).toBe(2);
  return good.replace(part, replacement);
}

const cases: readonly (readonly [name: string, text: () => string, message: string])[] = [
  ['an empty file', () => '', 'file.yaml:1:1: expected the keys listen, identity, targets, roles, ..., not nothing'],
  [
    'a text instead of a mapping',
    () => 'hello',
    'file.yaml:1:1: expected the keys listen, identity, targets, roles, ..., not "hello"',
  ],
  [
    'a list instead of a mapping',
    () => '- a\n- b',
    'file.yaml:1:1: expected the keys listen, identity, targets, roles, ..., not a list',
  ],
  ['broken YAML', () => changed('{ verbs: [drop] }', '{ verbs: [drop }'), 'file.yaml:17:24: expected YAML'],
  [
    'an indentation by tabs',
    () => changed('  postgres: 127', '\tpostgres: 127'),
    'file.yaml:2:1: expected spaces for indentation, not tabs',
  ],
  [
    'a repeated key',
    () => changed('    then: deny', '    then: deny\n    then: allow'),
    'file.yaml:19:5: expected each key once; this one stands here twice',
  ],
  [
    'two documents',
    () => `${good}---\na: 1\n`,
    'file.yaml:22:1: expected one YAML document, not several divided by ---',
  ],
  ['a YAML tag', () => changed('local: true', 'local: !!js/function "f"'), 'file.yaml:5:14: expected no YAML tags'],
  [
    'an unknown key at the top',
    () => `${good}rule: []\n`,
    'file.yaml:22:1: rule: unknown key "rule", did you mean "rules"?',
  ],
  [
    'a misspelt key',
    () => changed('allow: [read]', 'alow: [read]'),
    'file.yaml:14:5: roles[0].alow: unknown key "alow", did you mean "allow"?',
  ],
  [
    'an underscore for a dash',
    () => changed('allow: [read]', 'allow: [read]\n    max_rows: 5'),
    'file.yaml:15:5: roles[0].max_rows: unknown key "max_rows", did you mean "max-rows"?',
  ],
  [
    'a missing key',
    () => changed('    targets: [shop]\n', ''),
    'file.yaml:11:5: roles[0]: expected the key "targets" (a list of targets)',
  ],
  [
    'a number for a name',
    () => changed('name: support', 'name: 7'),
    'file.yaml:11:11: roles[0].name: expected a role name, not 7',
  ],
  [
    'a text for a list',
    () => changed('allow: [read]', 'allow: read'),
    'file.yaml:14:12: roles[0].allow: expected a list such as [read] or [select, insert], not "read"',
  ],
  [
    'an unknown verb',
    () => changed('[drop]', '[drop, explode]'),
    'file.yaml:17:25: rules[0].on.verbs[1]: expected read, write, ddl, session or admin, or a single verb such as select, insert, drop, not "explode"',
  ],
  [
    'an unknown word for then',
    () => changed('then: deny', 'then: forbid'),
    'file.yaml:18:11: rules[0].then: expected deny, hold or allow, not "forbid"',
  ],
  [
    'a rule without conditions',
    () => changed('{ verbs: [drop] }', '{}'),
    'file.yaml:17:9: rules[0].on: expected at least one condition, e.g. { verbs: [drop] }',
  ],
  [
    'a role for an unknown target',
    () => changed('targets: [shop]', 'targets: [shpo]'),
    'file.yaml:13:15: roles[0].targets[0]: expected a target of this file, but none is called "shpo"; did you mean "shop"?',
  ],
  [
    'a mask for an unknown target',
    () => changed('"shop.public', '"shp.public'),
    'file.yaml:20:15: masks[0].columns[0]: expected a pattern that begins with a target, but no target is called "shp"; did you mean "shop"?',
  ],
  [
    'a mask pattern with three parts',
    () => changed('shop.public.customers.ssn', 'public.customers.ssn'),
    'file.yaml:20:15: masks[0].columns[0]: expected a pattern target.schema.table.column, wildcards allowed, not "public.customers.ssn"',
  ],
  [
    'a table pattern with one part',
    () => changed('allow: [read]', 'allow: [read]\n    tables: [customers]'),
    'file.yaml:15:14: roles[0].tables[0]: expected a pattern schema.table, wildcards allowed, not "customers"',
  ],
  [
    'an empty part of a pattern',
    () => changed('shop.public.customers.ssn', 'shop..customers.ssn'),
    'expected a pattern target.schema.table.column',
  ],
  [
    'an unknown mask',
    () => changed('mask: redact', 'mask: scramble'),
    'file.yaml:21:11: masks[0].mask: expected redact, null, email, hash, year, or one of',
  ],
  [
    'a mask without its number',
    () => changed('mask: redact', 'mask: { keep-last: four }'),
    'file.yaml:21:24: masks[0].mask.keep-last: expected a whole number, not "four"',
  ],
  [
    'two masks at once',
    () => changed('mask: redact', 'mask: { keep-last: 4, keep-first: 4 }'),
    'file.yaml:21:11: masks[0].mask: expected redact, null',
  ],
  [
    'a mask exception for a misspelt role',
    () => changed('mask: redact', 'unless: { roles: [suport] }'),
    'masks[0].unless.roles[0]: expected a role of this file, but none is called "suport"; did you mean "support"?',
  ],
  [
    'a store of a kind there is not',
    () => `${changed('mask: redact', 'mask: email')}\nstore: memory\n`,
    'store: expected embedded or postgres://...',
  ],
  [
    'bad hours',
    () => changed('allow: [read]', 'allow: [read]\n    hours: Mon-Fry 07:00-19:00'),
    'file.yaml:15:12: roles[0].hours: expected days such as Mon-Fri or Sat,Sun before the time',
  ],
  [
    'an unknown time zone',
    () => changed('allow: [read]', 'allow: [read]\n    hours: "07:00-19:00 Europe/Berln"'),
    'roles[0].hours: expected a time zone such as Europe/Berlin or UTC, not "Europe/Berln"',
  ],
  [
    'hours past midnight',
    () => changed('allow: [read]', 'allow: [read]\n    hours: "07:00-25:00"'),
    'roles[0].hours: expected times from 00:00 to 24:00, not "07:00-25:00"',
  ],
  [
    'a bad duration',
    () => changed('allow: [read]', 'allow: [read]\n    statement-timeout: 30 sec'),
    'roles[0].statement-timeout: expected a duration such as 500ms, 30s, 10m, 12h or 90d, not "30 sec"',
  ],
  [
    'a bad address',
    () => changed('127.0.0.1:6432', '127.0.0.1:99999'),
    'file.yaml:2:13: listen.postgres: expected an address such as 127.0.0.1:6432, not "127.0.0.1:99999"',
  ],
  [
    'no listener',
    () => changed('  postgres: 127.0.0.1:6432', '  insecure: true'),
    'listen: expected an address for postgres or mysql',
  ],
  [
    'two issuers alike',
    () => changed('- local: true', '- local: true\n    - local: true'),
    'file.yaml:6:7: identity.issuers[1]: expected an issuer unlike issuers[0]',
  ],
  [
    'an issuer without a name',
    () => changed('local: true', 'audience: x'),
    'file.yaml:5:7: identity.issuers[0]: expected the key "issuer", or local: true',
  ],
  [
    'an issuer whose keys nobody can find',
    () => changed('local: true', 'issuer: acme'),
    'identity.issuers[0].issuer: expected an https URL for OIDC discovery (this is no URL), or the key "jwks"',
  ],
  [
    'keys over plain http',
    () => changed('local: true', 'issuer: acme\n      jwks: http://idp.example.com/jwks'),
    'identity.issuers[0].jwks: expected file:PATH or an https URL (http is for loopback only)',
  ],
  [
    'an algorithm with a shared key',
    () => changed('local: true', 'issuer: https://a.example\n      algorithms: [HS256]'),
    'identity.issuers[0].algorithms[0]: expected RS256, PS256, ES256, ES384 or EdDSA, not "HS256"',
  ],
  ['no issuers', () => changed('    - local: true', '    []'), 'identity.issuers: expected at least one issuer'],
  [
    'a URL of another dialect',
    () => changed('postgres://gateway', 'mysql://gateway'),
    'targets.shop.url: expected a URL such as postgres://user@host:5432/database',
  ],
  [
    'a URL without a user',
    () => changed('postgres://gateway@', 'postgres://'),
    'targets.shop.url: expected a user in the URL',
  ],
  [
    'a URL with parameters',
    () => changed(':5432/shop', ':5432/shop?sslmode=disable'),
    'targets.shop.url: expected no parameters in the URL: use tls and settings',
  ],
  [
    'a password in the open',
    () => changed('    url:', '    password: hunter2\n    url:'),
    'file.yaml:9:15: targets.shop.password: expected { env: NAME } or { file: PATH }',
  ],
  [
    'a password from nowhere',
    () => changed('    url:', '    password: { envv: X }\n    url:'),
    'targets.shop.password.envv: unknown key "envv", did you mean "env"?',
  ],
  [
    'two rules alike',
    () => `${good.replace('rules:\n', 'rules:\n  - { name: no-drops, on: { verbs: [drop] }, then: deny }\n')}`,
    'rules[1].name: expected a name unlike rules[0], not "no-drops"',
  ],
  [
    'a rule with the name of a built-in one',
    () => changed('name: no-drops', 'name: no-role'),
    'rules[0].name: expected a name of its own; "no-role" is a built-in rule',
  ],
  [
    'approvers where nothing is held',
    () => changed('then: deny', 'then: deny\n    approvers: { groups: [dba] }'),
    'rules[0].approvers: expected approvers only beside then: hold',
  ],
  [
    'a hold without approvers',
    () => changed('then: deny', 'then: hold'),
    'rules[0]: expected the key "approvers" beside then: hold',
  ],
  [
    'a bad JSON path',
    () => changed('mask: redact', 'paths: [contact.ssn]'),
    'masks[0].paths[0]: expected a path such as $.contact.ssn',
  ],
  [
    'a target called __proto__',
    () => changed('  shop:', '  __proto__:'),
    'file.yaml:7:3: expected another key than __proto__',
  ],
  ['a key that is a list', () => changed('  shop:', '  [shop]:'), 'file.yaml:7:3: expected a plain text as key'],
  [
    'no targets',
    () => `${good.split('targets:')[0]}targets: {}\n`,
    'file.yaml:6:10: targets: expected at least one target',
  ],
  [
    'a role named by spaces',
    () => changed('name: support', 'name: the support'),
    'roles[0].name: expected a role name of letters, digits, "_", "-" and ".", not "the support"',
  ],
  [
    'aliases that multiply',
    () =>
      `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n`,
    'file.yaml:1:1: expected YAML whose aliases can be resolved and do not multiply',
  ],
];

describe('a wrong file names the place and what was expected:', () => {
  test('the file that the cases change is good itself', () => {
    expect(faultsOf(good)).toBe('no fault');
  });
  test.each(cases)('%s', (_name, text, message) => {
    expect(faultsOf(text())).toContain(message);
  });
});
