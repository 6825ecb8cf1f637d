// Good configuration files: what the rest of the product gets from them.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ConfigError,
  configRemarks,
  jsonSchema,
  loadConfig,
  loadMaskKey,
  missingFiles,
  missingSecrets,
  parseConfig,
  Secret,
  unavailableSettings,
} from '../../src/config/index.ts';

const interfaceFile = `listen:
  postgres: 127.0.0.1:6432
  mysql: 127.0.0.1:6306
  console: 127.0.0.1:8090
  tls: { cert: tls/cert.pem, key: tls/key.pem }

identity:
  issuers:
    - issuer: https://idp.example.com
      audience: sallyport
      jwks: file:keys/jwks.json            # or an https URL; left out: OIDC discovery
      claims: { name: sub, groups: groups } # dotted paths allowed, e.g. realm_access.roles
    - local: true                           # development: keys under data/, used by \`token\` and \`demo\`

targets:
  shop:
    dialect: postgres
    url: postgres://gateway@127.0.0.1:5432/shop
    password: { env: SHOP_PASSWORD }        # or { file: PATH }
    tls: verify-full                        # disable | require | verify-ca | verify-full
  crm:
    dialect: mysql
    url: mysql://gateway@127.0.0.1:3306/crm
    password: { env: CRM_PASSWORD }

roles:
  - name: support
    groups: [crew-support]
    targets: [shop, crm]
    allow: [read]
    tables: ["public.*", "crm.*"]
    hours: "Mon-Fri 07:00-19:00 Europe/Berlin"
    max-rows: 10000
    statement-timeout: 30s

rules:
  - name: no-drops
    on: { verbs: [drop, truncate, alter, grant] }
    then: deny
  - name: unbounded-writes
    on: { verbs: [update, delete], unbounded: true }
    then: hold
    approvers: { groups: [dba], count: 1, timeout: 10m }

masks:
  - columns: ["shop.public.customers.ssn", "*.*.*.card_number"]
    mask: { keep-last: 4 }
  - columns: ["*.*.*.email"]
    mask: email
    unless: { roles: [fraud] }
    predicates: equality

second-reader: observe
mode: enforce

audit:
  journal: data/journal
  durable: true
store: embedded
`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-config-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function written(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function minimal(more = ''): string {
  return `listen: { postgres: "127.0.0.1:0" }
identity: { issuers: [{ local: true }] }
targets: { shop: { dialect: postgres, url: "postgres://gateway@localhost/shop" } }
${more}`;
}

describe('the file of the interface page', () => {
  test('is read with every value in its unit and every path made absolute', async () => {
    const config = await loadConfig(await written('all.yaml', interfaceFile), { unavailable: [] });
    expect(config.listen.postgres).toEqual({ host: '127.0.0.1', port: 6432 });
    expect(config.listen.tls).toEqual({ cert: join(folder, 'tls/cert.pem'), key: join(folder, 'tls/key.pem') });
    expect(config.identity.issuers[0]).toMatchObject({
      kind: 'remote',
      issuer: 'https://idp.example.com',
      audience: ['sallyport'],
      keys: { kind: 'file', path: join(folder, 'keys/jwks.json') },
      claims: { subject: ['sub'], name: ['sub'], groups: ['groups'] },
      clockSkewMs: 30_000,
    });
    expect(config.identity.issuers[1]).toMatchObject({ kind: 'local', folder: join(folder, 'data/issuer') });
    expect(config.targets.get('crm')).toMatchObject({ dialect: 'mysql', port: 3306, user: 'gateway', database: 'crm' });
    expect(config.roles[0]).toMatchObject({ maxRows: 10_000, statementTimeoutMs: 30_000, allow: ['read'] });
    expect(config.roles[0]?.tables?.map((pattern) => pattern.parts)).toEqual([
      ['public', '*'],
      ['crm', '*'],
    ]);
    expect(config.rules[1]).toMatchObject({
      verdict: 'hold',
      approvers: { groups: ['dba'], count: 1, timeoutMs: 600_000 },
      on: { unbounded: true },
    });
    expect(config.masks[0]).toMatchObject({ spec: { kind: 'keep-last', count: 4 }, predicates: 'equality' });
    expect(config.masks[1]).toMatchObject({ spec: { kind: 'email' }, unless: { roles: ['fraud'], groups: [] } });
    expect(await configRemarks(config)).toContain(
      'masks[1].unless.roles: no role of this file is called "fraud"; until there is one, it excuses nobody',
    );
    expect(config.audit).toMatchObject({ journal: join(folder, 'data/journal'), durable: true });
    expect(config.store).toEqual({ kind: 'embedded' });
  });

  test('is refused as long as parts of it are not available, each by its place', async () => {
    const table = [
      { path: 'listen.mysql' },
      { path: 'store' },
      { path: 'targets.*.dialect', values: ['mysql'] },
      { path: 'rules.[].then', values: ['hold'] },
    ];
    const path = await written('unavailable.yaml', interfaceFile);
    const error = await loadConfig(path, { unavailable: table }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message.split('\n')).toEqual([
      `${path}:3:3: listen.mysql: not available yet`,
      `${path}:22:14: targets.crm.dialect: mysql is not available yet`,
      `${path}:42:11: rules[1].then: hold is not available yet`,
      `${path}:59:1: store: not available yet`,
    ]);
  });

  test('every setting of the table of unavailable ones exists in the schema', () => {
    for (const { path } of unavailableSettings) {
      let node = jsonSchema() as { properties?: Record<string, object>; additionalProperties?: object; items?: object };
      for (const step of path.split('.')) {
        const next = step === '[]' ? node.items : step === '*' ? node.additionalProperties : node.properties?.[step];
        expect(next, path).toBeDefined();
        node = next ?? {};
      }
    }
  });
});

describe('a configuration', () => {
  test('has sensible defaults', () => {
    const config = parseConfig(minimal(), join(folder, 'x.yaml'));
    expect(config).toMatchObject({
      mode: 'enforce',
      secondReader: 'observe',
      insecure: false,
      workers: 1,
      data: join(folder, 'data'),
      roles: [],
      rules: [],
      masks: [],
      audit: { durable: true, retentionMs: undefined, rotation: { bytes: 64 * 1024 ** 2, ageMs: 86_400_000 } },
      limits: { loginTimeoutMs: 15_000, sessions: 5000 },
    });
    expect(config.targets.get('shop')).toMatchObject({
      port: 5432,
      tls: { mode: 'disable' },
      maxStatementBytes: 16 * 1024 ** 2,
      trustedFunctions: [],
    });
  });

  test('checks the certificate of a server elsewhere unless told otherwise', () => {
    const config = parseConfig(minimal().replace('localhost', 'db.example.com'), 'x.yaml');
    expect(config.targets.get('shop')?.tls.mode).toBe('verify-full');
  });

  test('is frozen all the way down', () => {
    const config = parseConfig(minimal('roles: [{ name: a, groups: [g], targets: [shop], allow: [read] }]'), 'x.yaml');
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.roles[0]?.groups)).toBe(true);
    expect(Object.isFrozen(config.targets.get('shop')?.tls)).toBe(true);
  });

  test('puts observe on every rule and mask when the file says so', () => {
    const config = parseConfig(
      minimal(`mode: observe
rules: [{ name: r, on: { verbs: [drop] }, then: deny, mode: enforce }]
masks: [{ columns: ["shop.*.*.ssn"] }]`),
      'x.yaml',
    );
    expect(config.rules[0]?.mode).toBe('observe');
    expect(config.masks[0]?.mode).toBe('observe');
  });

  test('knows every kind of mask', () => {
    const masks = [
      'redact',
      'null',
      '"null"',
      'email',
      'hash',
      'year',
      '{ keep-last: 4 }',
      '{ keep-first: 2 }',
      '{ round: 100 }',
      '{ fake: phone }',
      '{ paths: ["$.contact.ssn"] }',
      '{ paths: ["$.a[*].b"], with: hash }',
    ];
    const config = parseConfig(
      minimal(`masks:\n${masks.map((mask) => `  - { columns: ["shop.*.*.c"], mask: ${mask} }\n`).join('')}
  - { columns: ["shop.*.*.c"], paths: ["$.x"], mask: "null" }`),
      'x.yaml',
    );
    expect(config.masks.map((mask) => mask.spec)).toEqual([
      { kind: 'redact' },
      { kind: 'null' },
      { kind: 'null' },
      { kind: 'email' },
      { kind: 'hash' },
      { kind: 'year' },
      { kind: 'keep-last', count: 4 },
      { kind: 'keep-first', count: 2 },
      { kind: 'round', to: 100 },
      { kind: 'fake', of: 'phone' },
      { kind: 'paths', paths: ['$.contact.ssn'], inner: { kind: 'redact' } },
      { kind: 'paths', paths: ['$.a[*].b'], inner: { kind: 'hash' } },
      { kind: 'paths', paths: ['$.x'], inner: { kind: 'null' } },
    ]);
  });

  test('takes insecure at the top or under listen', () => {
    expect(parseConfig(minimal('insecure: true'), 'x.yaml').insecure).toBe(true);
    expect(parseConfig(minimal().replace('0" }', '0", insecure: true }'), 'x.yaml').insecure).toBe(true);
  });

  test('turns settings into texts as the server takes them', () => {
    const text = minimal().replace(
      '/shop" }',
      '/shop", settings: { Work_Mem: 64MB, jit: off, lock_timeout: 500, x: true } }',
    );
    expect([...(parseConfig(text, 'x.yaml').targets.get('shop')?.settings ?? [])]).toEqual([
      ['work_mem', '64MB'],
      ['jit', 'off'],
      ['lock_timeout', '500'],
      ['x', 'on'],
    ]);
  });

  test('finds keys by discovery, URL or file', () => {
    const keys = (issuer: string) => {
      const first = parseConfig(minimal().replace('{ local: true }', issuer), join(folder, 'x.yaml')).identity
        .issuers[0];
      return first?.kind === 'remote' ? first.keys : undefined;
    };
    expect(keys('{ issuer: "https://idp.example.com/realm/" }')).toMatchObject({
      kind: 'discovery',
      url: 'https://idp.example.com/realm/.well-known/openid-configuration',
    });
    expect(keys('{ issuer: a, jwks: "https://idp.example.com/keys" }')).toMatchObject({ kind: 'url' });
    expect(keys('{ issuer: a, jwks: "http://127.0.0.1:9/keys" }')).toMatchObject({ kind: 'url' });
    expect(keys('{ issuer: a, jwks: "file:k.json" }')).toMatchObject({ kind: 'file', path: join(folder, 'k.json') });
    expect(keys('{ issuer: a, jwks: "file:///etc/k.json" }')).toMatchObject({ kind: 'file', path: '/etc/k.json' });
    expect(keys('{ issuer: a, jwks: "file:/etc/k.json" }')).toMatchObject({ kind: 'file', path: '/etc/k.json' });
  });

  test('tells a file that is not there from one that is no text', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(
      'none.yaml:1:1: expected a file, but there is none',
    );
    await expect(loadConfig(folder)).rejects.toThrow('expected a file, not a folder');
    const path = join(folder, 'latin1.yaml');
    await writeFile(path, Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    await expect(loadConfig(path)).rejects.toThrow('expected a text in UTF-8');
  });
});

describe('a secret', () => {
  test('never prints itself', () => {
    const secret = Secret.literal('hunter2');
    const shown = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { depth: 9, showHidden: true }),
      String(secret),
    ];
    for (const text of shown) {
      expect(text).toContain('[secret]');
      expect(text).not.toContain('hunter2');
    }
  });

  test('is looked up at each use', async () => {
    const path = await written('password', 'first\n');
    const secret = Secret.file(path);
    expect(secret.reveal()).toBe('first');
    await writeFile(path, 'second\r\n');
    expect(secret.reveal()).toBe('second');
  });

  test('names its origin when it is missing', () => {
    expect(() => Secret.env('SALLYPORT_NOT_SET').reveal()).toThrow('environment variable SALLYPORT_NOT_SET is not set');
    expect(() => Secret.file('/nowhere/at/all').reveal()).toThrow('file /nowhere/at/all cannot be read (ENOENT)');
  });

  test('in a URL is taken out of it and does not show in the configuration', () => {
    const config = parseConfig(minimal().replace('gateway@', 'gateway:p%40ss@'), 'x.yaml');
    expect(config.targets.get('shop')?.password?.reveal()).toBe('p@ss');
    expect(inspect(config, { depth: 9 })).not.toMatch(/p(@|%40)ss/);
  });

  test('that is missing is listed by its place in the file', () => {
    const text = minimal().replace('/shop" }', '/shop", password: { env: SALLYPORT_NOT_SET } }');
    expect(missingSecrets(parseConfig(text, 'x.yaml'))).toEqual([
      'targets.shop.password: environment variable SALLYPORT_NOT_SET is not set',
    ]);
  });
});

describe('files that the configuration names', () => {
  test('are listed by their place when they are missing', async () => {
    const text = minimal()
      .replace('0" }', '0", tls: { cert: c.pem, key: k.pem } }')
      .replace('{ local: true }', '{ issuer: a, jwks: "file:keys.json" }')
      .replace('/shop" }', '/shop", tls: { ca: ca.pem } }');
    await written('k.pem', 'x');
    expect(await missingFiles(parseConfig(text, join(folder, 'x.yaml')))).toEqual([
      `listen.tls.cert: ${join(folder, 'c.pem')} cannot be read (ENOENT)`,
      `identity.issuers[0].jwks: ${join(folder, 'keys.json')} cannot be read (ENOENT)`,
      `targets.shop.tls.ca: ${join(folder, 'ca.pem')} cannot be read (ENOENT)`,
    ]);
    expect(await missingFiles(parseConfig(minimal(), 'x.yaml'))).toEqual([]);
  });
});

describe('the mask key', () => {
  test('is made once, for its owner alone, and the same for processes that start together', async () => {
    const data = join(folder, 'keys', 'data');
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadMaskKey({ data, maskKey: undefined })));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect((await stat(join(data, 'mask.key'))).mode & 0o777).toBe(0o600);
  });

  test('from the file must be long enough', async () => {
    await expect(loadMaskKey({ data: folder, maskKey: Secret.literal('short') })).rejects.toThrow('at least 16 bytes');
  });
});

describe('what is published', () => {
  test('the JSON Schema is up to date (npm run schema writes it)', async () => {
    const published: unknown = JSON.parse(
      await readFile(new URL('../../schema/sallyport.schema.json', import.meta.url), 'utf8'),
    );
    expect(published).toEqual(jsonSchema());
  });

  test('every key of the JSON Schema has a description', () => {
    const missing: string[] = [];
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, child] of Object.entries(node)) {
        if (key === 'properties') {
          for (const [name, property] of Object.entries(child as Record<string, { description?: string }>)) {
            if (property.description === undefined) missing.push(`${path}.${name}`);
            walk(property, `${path}.${name}`);
          }
        } else walk(child, path);
      }
    };
    walk(jsonSchema(), '');
    expect(missing).toEqual([]);
  });

  test('the sample file is good and names the schema on its first line', async () => {
    const path = new URL('../../examples/sallyport.yaml', import.meta.url);
    const config = await loadConfig(path.pathname);
    expect(config.targets.has('shop')).toBe(true);
    const first = (await readFile(path, 'utf8')).split('\n')[0];
    expect(first).toBe('# yaml-language-server: $schema=../schema/sallyport.schema.json');
  });
});
