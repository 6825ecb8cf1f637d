// Faults that take more than one place of the file to see: names that nothing has, two that are alike, URLs that do not fit.
import { matcher } from '../policy/index.ts';
import { consoleFaults } from './console-references.ts';
import type { Path } from './document.ts';
import type { FileContent } from './schema.ts';
import type { ShapeFault } from './shape.ts';
import { nearest } from './suggest.ts';
import { isLoopback } from './values.ts';

export function checkReferences(content: FileContent): readonly ShapeFault[] {
  return [
    ...listenFaults(content),
    ...consoleFaults(content),
    ...issuerFaults(content),
    ...targetFaults(content),
    ...roleFaults(content),
    ...ruleFaults(content),
    ...maskFaults(content),
  ];
}

function fault(path: Path, expected: string, at: 'key' | 'value' = 'value'): ShapeFault {
  return { path, at, expected };
}

function listenFaults({ listen, targets }: FileContent): readonly ShapeFault[] {
  const faults: ShapeFault[] = [];
  if (listen.postgres === undefined && listen.mysql === undefined) {
    faults.push(fault(['listen'], 'expected an address for postgres or mysql'));
  }
  const taken = new Map<string, string>();
  for (const protocol of ['postgres', 'mysql', 'console'] as const) {
    const address = listen[protocol];
    if (address === undefined || address.port === 0) continue;
    const text = `${address.host}:${address.port}`;
    const other = taken.get(text);
    if (other !== undefined)
      faults.push(fault(['listen', protocol], `expected an address of its own, not that of ${other}`));
    taken.set(text, protocol);
  }
  for (const [name, target] of Object.entries(targets)) {
    if (listen[target.dialect] === undefined && (listen.postgres ?? listen.mysql) !== undefined) {
      faults.push(
        fault(
          ['targets', name, 'dialect'],
          `expected an address listen.${target.dialect} for a target of this dialect`,
        ),
      );
    }
  }
  return faults;
}

/** The issuer name of `local: true` without one of its own. */
export const localIssuerName = 'sallyport:local';

function issuerFaults({ identity }: FileContent): readonly ShapeFault[] {
  const faults: ShapeFault[] = [];
  const seen = new Map<string, number>();
  for (const [index, issuer] of identity.issuers.entries()) {
    const at = ['identity', 'issuers', index];
    const name = issuer.issuer ?? localIssuerName;
    const twin = seen.get(name);
    if (twin !== undefined) {
      faults.push(
        fault(issuer.issuer === undefined ? at : [...at, 'issuer'], `expected an issuer unlike issuers[${twin}]`),
      );
    }
    seen.set(name, index);
    if (issuer.local === true) continue;
    if (issuer.jwks === undefined) {
      const problem = webProblem(name);
      if (problem !== undefined) {
        faults.push(
          fault([...at, 'issuer'], `expected an https URL for OIDC discovery (${problem}), or the key "jwks"`),
        );
      }
    } else if (!/^file:./.test(issuer.jwks)) {
      const problem = webProblem(issuer.jwks);
      if (problem !== undefined) faults.push(fault([...at, 'jwks'], `expected file:PATH or an https URL (${problem})`));
    }
  }
  return faults;
}

/** Keys fetched without TLS could be anybody's; only from this machine itself may they come so. */
function webProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return 'this is no URL';
  if (url.username !== '' || url.password !== '') return 'without user and password';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return `not ${url.protocol.replace(':', '')}`;
  return isLoopback(url.hostname) ? undefined : 'http is for loopback only';
}

function targetFaults({ targets }: FileContent): readonly ShapeFault[] {
  const faults: ShapeFault[] = [];
  for (const [name, target] of Object.entries(targets)) {
    const at = ['targets', name];
    const schemes = target.dialect === 'postgres' ? ['postgres:', 'postgresql:'] : ['mysql:', 'mariadb:'];
    const form = `${target.dialect}://user@host:${target.dialect === 'postgres' ? 5432 : 3306}/database`;
    const url = URL.canParse(target.url) ? new URL(target.url) : undefined;
    if (url === undefined || !schemes.includes(url.protocol)) {
      faults.push(fault([...at, 'url'], `expected a URL such as ${form}`));
      continue;
    }
    if (url.hostname === '') faults.push(fault([...at, 'url'], `expected a host in the URL, as in ${form}`));
    if (url.username === '') faults.push(fault([...at, 'url'], `expected a user in the URL, as in ${form}`));
    if (url.pathname.length < 2 || url.pathname.indexOf('/', 1) > 0) {
      faults.push(fault([...at, 'url'], `expected one database in the URL, as in ${form}`));
    }
    if (url.search !== '' || url.hash !== '') {
      faults.push(fault([...at, 'url'], 'expected no parameters in the URL: use tls and settings'));
    }
    if (!isDecodable(url)) faults.push(fault([...at, 'url'], 'expected valid percent-encoding in the URL'));
    if (url.password !== '' && target.password !== undefined) {
      faults.push(fault([...at, 'password'], 'expected the password once, here or in the URL'));
    }
    if (typeof target.tls === 'object') {
      if ((target.tls.cert === undefined) !== (target.tls.key === undefined)) {
        faults.push(fault([...at, 'tls'], 'expected cert and key together'));
      }
    }
  }
  return faults;
}

function isDecodable(url: URL): boolean {
  try {
    decodeURIComponent(url.username + url.password + url.pathname);
    return true;
  } catch {
    return false;
  }
}

function roleFaults({ roles, targets }: FileContent): readonly ShapeFault[] {
  return [
    ...twins(roles, 'roles'),
    ...roles.flatMap((role, index) => [
      ...unknownNames(role.targets, Object.keys(targets), ['roles', index, 'targets'], 'target', true),
      ...(role.groups.length === 0 && role.request === undefined
        ? [fault(['roles', index, 'groups'], 'expected at least one group')]
        : []),
    ]),
  ];
}

function ruleFaults({ rules, roles, targets }: FileContent): readonly ShapeFault[] {
  const roleNames = roles.map((role) => role.name);
  return [
    ...twins(rules, 'rules'),
    ...rules.flatMap((rule, index) => [
      ...unknownNames(rule.on.targets ?? [], Object.keys(targets), ['rules', index, 'on', 'targets'], 'target', true),
      ...unknownNames(rule.on.roles ?? [], roleNames, ['rules', index, 'on', 'roles'], 'role', false),
      ...(builtInRules.includes(rule.name)
        ? [fault(['rules', index, 'name'], `expected a name of its own; "${rule.name}" is a built-in rule`)]
        : []),
    ]),
  ];
}

/** Names that refusals of the gateway itself carry. */
export const builtInRules = [
  'no-role',
  'unreadable',
  'unresolved',
  'masked-predicate',
  'masked-flow',
  'side-door',
  'opaque-function',
  'second-reader',
];

function maskFaults({ masks, roles, targets }: FileContent): readonly ShapeFault[] {
  const roleNames = roles.map((role) => role.name);
  const targetNames = Object.keys(targets);
  return masks.flatMap((mask, index) => [
    ...mask.columns.flatMap((pattern, at) => {
      const part = pattern.parts[0] ?? '';
      const fits = matcher(part, false);
      if (targetNames.some((name) => fits(name))) return [];
      const suggestion = nearest(part, targetNames);
      return [
        fault(
          ['masks', index, 'columns', at],
          `expected a pattern that begins with a target, but no target is called "${part}"${meaning(suggestion)}`,
        ),
      ];
    }),
    // A role that nobody has excuses nobody, so a name that is not there yet is no fault; one that is nearly there is a slip.
    ...unknownNames(
      (mask.unless?.roles ?? []).filter((name) => nearest(name, roleNames) !== undefined),
      roleNames,
      ['masks', index, 'unless', 'roles'],
      'role',
      false,
    ),
  ]);
}

function meaning(suggestion: string | undefined): string {
  return suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
}

function twins(items: readonly { readonly name: string }[], list: string): readonly ShapeFault[] {
  const seen = new Map<string, number>();
  return items.flatMap((item, index) => {
    const twin = seen.get(item.name);
    seen.set(item.name, twin ?? index);
    return twin === undefined
      ? []
      : [fault([list, index, 'name'], `expected a name unlike ${list}[${twin}], not "${item.name}"`)];
  });
}

function unknownNames(
  given: readonly string[],
  known: readonly string[],
  path: Path,
  what: string,
  star: boolean,
): readonly ShapeFault[] {
  return given.flatMap((name, index) => {
    if (known.includes(name) || (star && name === '*')) return [];
    return [
      fault(
        [...path, index],
        `expected a ${what} of this file, but none is called "${name}"${meaning(nearest(name, known))}`,
      ),
    ];
  });
}
