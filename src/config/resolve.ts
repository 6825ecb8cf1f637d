// From the file as written to the configuration as used: paths made absolute, names turned, secrets wrapped, all of it frozen.
import { join, resolve } from 'node:path';
import { detectors, type MaskSpec } from '../masking/spec.ts';
import type { Approvers } from '../policy/types.ts';
import { localIssuerName } from './references.ts';
import type { FileContent } from './schema.ts';
import { Secret } from './secret.ts';
import type {
  Config,
  IssuerConfig,
  KeySourceConfig,
  MaskConfig,
  RoleConfig,
  RuleConfig,
  SignatureAlgorithm,
  StoreConfig,
  TargetConfig,
  TargetTls,
} from './types.ts';
import { isLoopback } from './values.ts';

const allAlgorithms: readonly SignatureAlgorithm[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

/** Turns a checked file into a Config. `file` is absolute; relative paths in the file start from `folder`. */
export function resolveConfig(content: FileContent, file: string, folder: string): Config {
  const path = (text: string) => resolve(folder, text);
  const { listen, identity, audit, limits } = content;
  const data = path(content.data);
  const loop = content['loop-breaker'];
  return freeze({
    file,
    folder,
    data,
    listen: {
      postgres: listen.postgres,
      mysql: listen.mysql,
      console: listen.console,
      tls: listen.tls && { cert: path(listen.tls.cert), key: path(listen.tls.key) },
    },
    insecure: content.insecure || listen.insecure === true,
    identity: {
      issuers: identity.issuers.map((issuer) => resolveIssuer(issuer, path, data)),
      graceMs: identity.grace,
      saml: identity.saml && {
        issuer: identity.saml.issuer,
        audience: identity.saml.audience,
        certificate: path(identity.saml.certificate),
        groupsAttribute: identity.saml['groups-attribute'],
        recipient: identity.saml.recipient,
      },
    },
    credentials: content.credentials && { maxLifetimeMs: content.credentials['max-lifetime'] },
    targets: new Map(
      Object.entries(content.targets).map(([name, target]) => [name, resolveTarget(name, target, path)] as const),
    ),
    roles: content.roles.map(resolveRole),
    rules: content.rules.map((rule) => resolveRule(rule, content.mode)),
    masks: content.masks.map((mask) => resolveMask(mask, content.mode)),
    maskKey: secret(content['mask-key'], path),
    secondReader: content['second-reader'],
    mode: content.mode,
    audit: {
      journal: path(audit.journal),
      durable: audit.durable,
      rotation: { bytes: audit.rotation.size, ageMs: audit.rotation.age },
      retentionMs: audit.retention === 'forever' ? undefined : audit.retention,
      compress: audit.compress,
      export: audit.export,
    },
    store: resolveStore(content.store),
    limits: {
      loginTimeoutMs: limits['login-timeout'],
      idleTimeoutMs: limits['idle-timeout'],
      drainTimeoutMs: limits['drain-timeout'],
      sessions: limits.sessions,
      sessionsPerIdentity: limits['sessions-per-identity'],
      unauthenticated: limits.unauthenticated,
    },
    loopBreaker: loop && { repeats: loop.repeats, withinMs: loop.within, pauseMs: loop.pause },
    notifications: content.notifications && {
      webhook: {
        url: content.notifications.webhook.url,
        secret: secret(content.notifications.webhook.secret, path) ?? Secret.literal(''),
        format: content.notifications.webhook.format,
      },
    },
    console: content.console && {
      issuer: content.console.issuer,
      clientId: content.console['client-id'],
      viewers: content.console.viewers,
      approvers: content.console.approvers,
      admins: content.console.admins,
    },
    keepApplicationName: content['keep-application-name'],
    workers: content.workers,
  });
}

type PathOf = (text: string) => string;

function resolveIssuer(issuer: FileContent['identity']['issuers'][number], path: PathOf, data: string): IssuerConfig {
  const list = (value: string | readonly string[] | undefined, fallback: readonly string[]) =>
    value === undefined ? fallback : typeof value === 'string' ? [value] : value;
  const subject = list(issuer.claims?.subject, ['sub']);
  const name = issuer.issuer ?? localIssuerName;
  const common = {
    issuer: name,
    audience: list(issuer.audience, ['sallyport']),
    algorithms: issuer.algorithms ?? allAlgorithms,
    clockSkewMs: issuer['clock-skew'],
    maxLifetimeMs: issuer['max-lifetime'],
    claims: { subject, name: list(issuer.claims?.name, subject), groups: list(issuer.claims?.groups, ['groups']) },
    groups: issuer.groups ?? [],
  };
  if (issuer.local === true) return { kind: 'local', ...common, folder: join(data, 'issuer') };
  const timing = {
    timeoutMs: issuer['jwks-timeout'],
    maxAgeMs: issuer['jwks-max-age'],
    cooldownMs: issuer['jwks-cooldown'],
  };
  return { kind: 'remote', ...common, keys: { ...timing, ...keySource(name, issuer.jwks, path) } };
}

function keySource(issuer: string, jwks: string | undefined, path: PathOf): KeyPlace {
  if (jwks === undefined) {
    return { kind: 'discovery', url: `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration` };
  }
  if (!jwks.startsWith('file:')) return { kind: 'url', url: jwks };
  // Both file:keys/jwks.json and file:///etc/keys/jwks.json are in use; only the latter is a URL proper.
  return { kind: 'file', path: path(jwks.replace(/^file:(\/\/(?=\/))?/, '')) };
}

type KeyPlace = KeySourceConfig extends infer T
  ? T extends unknown
    ? Omit<T, 'timeoutMs' | 'maxAgeMs' | 'cooldownMs'>
    : never
  : never;

function resolveTarget(name: string, target: FileContent['targets'][string], path: PathOf): TargetConfig {
  const url = new URL(target.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const guard = target['cost-guard'];
  return {
    name,
    dialect: target.dialect,
    host,
    port: url.port === '' ? (target.dialect === 'postgres' ? 5432 : 3306) : Number(url.port),
    user: decodeURIComponent(url.username),
    database: decodeURIComponent(url.pathname.slice(1)),
    password:
      secret(target.password, path) ??
      (url.password === '' ? undefined : Secret.literal(decodeURIComponent(url.password))),
    tls: resolveTls(target.tls, host, path),
    connectTimeoutMs: target['connect-timeout'],
    trustedFunctions: target['trusted-functions'].map((text) => text.toLowerCase()),
    maxStatementBytes: target['max-statement-bytes'],
    settings: new Map(
      Object.entries(target.settings).map(([key, value]) => [key.toLowerCase(), settingText(value)] as const),
    ),
    catalogRefreshMs: target['catalog-refresh'],
    detectors: target.detectors && { action: target.detectors.action, kinds: target.detectors.kinds ?? detectors },
    costGuard: guard && {
      rows: guard.rows,
      cost: guard.cost,
      verdict: guard.then,
      approvers: guard.approvers && approvers(guard.approvers),
    },
  };
}

function settingText(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}

function resolveTls(tls: FileContent['targets'][string]['tls'], host: string, path: PathOf): TargetTls {
  if (typeof tls !== 'object') {
    const mode = tls ?? (isLoopback(host) ? 'disable' : 'verify-full');
    return { mode, ca: undefined, cert: undefined, key: undefined };
  }
  const file = (text: string | undefined) => (text === undefined ? undefined : path(text));
  return { mode: tls.mode, ca: file(tls.ca), cert: file(tls.cert), key: file(tls.key) };
}

function resolveRole(role: FileContent['roles'][number]): RoleConfig {
  const { budgets, request } = role;
  return {
    name: role.name,
    groups: role.groups,
    targets: role.targets,
    allow: role.allow,
    tables: role.tables,
    hours: role.hours,
    maxRows: role['max-rows'],
    statementTimeoutMs: role['statement-timeout'],
    budgets: budgets && {
      sessions: budgets.sessions,
      statementsPerMinute: budgets['statements-per-minute'],
      rowsPerMinute: budgets['rows-per-minute'],
      bytesPerDay: budgets['bytes-per-day'],
    },
    request: request && { approvers: approvers(request.approvers), maxDurationMs: request['max-duration'] },
  };
}

function approvers(value: {
  readonly groups: readonly string[];
  readonly count: number;
  readonly timeout: number;
}): Approvers {
  return { groups: value.groups, count: value.count, timeoutMs: value.timeout };
}

function resolveRule(rule: FileContent['rules'][number], mode: Config['mode']): RuleConfig {
  const { on } = rule;
  return {
    name: rule.name,
    on: {
      verbs: on.verbs,
      tables: on.tables,
      columns: on.columns,
      functions: on.functions,
      unbounded: on.unbounded,
      targets: on.targets,
      roles: on.roles,
      groups: on.groups,
    },
    verdict: rule.then,
    message: rule.message,
    approvers: rule.approvers && approvers(rule.approvers),
    mode: mode === 'observe' ? 'observe' : (rule.mode ?? 'enforce'),
  };
}

function resolveMask(mask: FileContent['masks'][number], mode: Config['mode']): MaskConfig {
  return {
    columns: mask.columns,
    spec: maskSpec(mask.mask, mask.paths),
    unless: { roles: mask.unless?.roles ?? [], groups: mask.unless?.groups ?? [] },
    predicates: mask.predicates,
    mode: mode === 'observe' ? 'observe' : (mask.mode ?? 'enforce'),
  };
}

function maskSpec(mask: FileContent['masks'][number]['mask'], paths: readonly string[] | undefined): MaskSpec {
  if (paths !== undefined) return { kind: 'paths', paths, inner: maskSpec(mask, undefined) };
  if (mask === undefined) return { kind: 'redact' };
  if (mask === null) return { kind: 'null' };
  if (typeof mask === 'string') return { kind: mask };
  if (mask['keep-last'] !== undefined) return { kind: 'keep-last', count: mask['keep-last'] };
  if (mask['keep-first'] !== undefined) return { kind: 'keep-first', count: mask['keep-first'] };
  if (mask.round !== undefined) return { kind: 'round', to: mask.round };
  if (mask.fake !== undefined) return { kind: 'fake', of: mask.fake };
  if (mask.paths !== undefined) return { kind: 'paths', paths: mask.paths, inner: { kind: mask.with ?? 'redact' } };
  return { kind: 'redact' };
}

function resolveStore(text: string | undefined): StoreConfig | undefined {
  if (text === undefined) return undefined;
  return text === 'embedded' ? { kind: 'embedded' } : { kind: 'postgres', url: Secret.literal(text) };
}

function secret(
  value: { readonly env?: string | undefined; readonly file?: string | undefined } | undefined,
  path: PathOf,
): Secret | undefined {
  if (value?.env !== undefined) return Secret.env(value.env);
  return value?.file === undefined ? undefined : Secret.file(path(value.file));
}

/** Freezes plain objects and lists all the way down; maps are only read through their ReadonlyMap type. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) for (const item of value.values()) freeze(item);
  else for (const item of Object.values(value)) freeze(item);
  return Object.freeze(value);
}
