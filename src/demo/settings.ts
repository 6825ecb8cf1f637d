// The configuration file of the demo: written out in full, so that it can be read, changed and served again by hand.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface DemoSettings {
  /** Absolute path of the file. */
  readonly file: string;
  readonly folder: string;
}

export interface SettingsInput {
  readonly folder: string;
  readonly listen: {
    readonly postgres: number;
    readonly mysql: number | undefined;
    readonly console: number | undefined;
  };
  /** The demo's MySQL server, where the machine has one. */
  readonly crm: { readonly port: number; readonly user: string; readonly password: string } | undefined;
  readonly upstream: { readonly port: number; readonly user: string; readonly password: string };
}

/** Writes the configuration and the password file that it names. */
export async function writeSettings({ folder, listen, upstream, crm }: SettingsInput): Promise<DemoSettings> {
  const absolute = resolve(folder);
  await mkdir(absolute, { recursive: true });
  await writeFile(join(absolute, 'shop-password'), upstream.password, { mode: 0o600 });
  if (crm !== undefined) await writeFile(join(absolute, 'crm-password'), crm.password, { mode: 0o600 });
  const targets = crm === undefined ? 'shop' : 'shop, crm';
  const file = join(absolute, 'sallyport.yaml');
  await writeFile(
    file,
    `# yaml-language-server: $schema=${schemaFile()}
# Written by the demo. Serve it again while the demo's database is up: npx sallyport serve -c ${file}
listen:
  postgres: 127.0.0.1:${listen.postgres}
${listen.mysql === undefined ? '' : `  mysql: 127.0.0.1:${listen.mysql}\n`}${listen.console === undefined ? '' : `  console: 127.0.0.1:${listen.console}\n`}
identity:
  issuers:
    - local: true                      # signs the demo's tokens; its keys stay in this folder

targets:
  shop:
    dialect: postgres
    url: postgres://${upstream.user}@127.0.0.1:${upstream.port}/shop
    password: { file: shop-password }
    tls: disable
${crm === undefined ? '' : crmTarget(crm)}
roles:
  - name: support
    groups: [crew-support]
    targets: [${targets}]
    allow: [read, write, ddl, session]  # far too much, as in real life: the rules below still hold
    tables: ["public.*", "crm.*"]
  - name: analyst
    groups: [crew-analyst]
    targets: [shop]
    allow: [read]
    tables: [public.orders, public.order_items, public.products]

rules:
  - name: no-drops
    on: { verbs: [drop, truncate, alter, grant] }
    then: deny
  - name: no-unbounded-writes
    on: { verbs: [update, delete], unbounded: true }
    then: deny

masks:
  - columns: ["*.*.*.ssn", "*.*.*.card_number"]
    mask: { keep-last: 4 }
  - columns: ["*.*.*.email"]
    mask: email
  - columns: ["shop.public.customers.phone"]
    mask: { keep-last: 2 }
  - columns: ["shop.public.customers.birth_date"]
    mask: year
  - columns: ["shop.public.customers.address"]
    mask: { paths: ["$.street", "$.zip"] }
  - columns: ["shop.public.support_notes.body"]
    mask: redact

mode: enforce

audit:
  journal: journal
  durable: true
`,
  );
  return { file, folder: absolute };
}

function crmTarget({ port, user }: NonNullable<SettingsInput['crm']>): string {
  return `  crm:
    dialect: mysql
    url: mysql://${user}@127.0.0.1:${port}/crm
    password: { file: crm-password }
    tls: disable
`;
}

/** Beside src/ in a checkout, beside dist/ in the package. */
function schemaFile(): string {
  const [checkout, installed] = ['../..', '../../..'].map((up) =>
    fileURLToPath(new URL(`${up}/schema/sallyport.schema.json`, import.meta.url)),
  );
  return (checkout !== undefined && existsSync(checkout) ? checkout : installed) ?? '';
}
