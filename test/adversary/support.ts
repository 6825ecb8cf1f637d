// The house of the adversary: the schema of fixtures/adversary behind a real gateway, its masked columns filled with the values of one
// world or the other, and attacks run in it.
import { readFileSync } from 'node:fs';
import { execute } from '../support/postgres.ts';
import { otherWorld } from './canaries.ts';
import type { Listener, Message, Way } from './transcript.ts';

export interface Attack {
  readonly name: string;
  readonly tries: string;
  readonly setup?: readonly string[];
  readonly sql: string;
  /** What shows, after it, what it has left behind. */
  readonly then?: readonly string[];
  /** Statements that put the database back; with them the attack runs outside a transaction, as a client would run it. */
  readonly undo?: readonly string[];
  /** Says that the bare server does not tell anything either, and why it is an attack all the same. */
  readonly harmless?: string;
}

const file = (name: string) => readFileSync(new URL(`../../fixtures/adversary/${name}`, import.meta.url), 'utf8');

export const attacks = JSON.parse(file('postgres.json')) as readonly Attack[];

export const script = file('schema-postgres.sql');
/** As the gateway's login an attacker could do most with: nothing that the server itself would refuse stands in the way. */
export const schema = [
  script,
  `create role gateway login superuser password 'gateway-secret'`,
  // An attack that hangs is an attack that fails.
  `alter database postgres set statement_timeout = '4s'`,
  `alter database postgres set lock_timeout = '1s'`,
];

export const maskedColumns = ['ssn', 'email', 'card_number', 'birth_date', 'salary', 'secret', 'iban', 'body'];

export const policy = `
roles:
  - name: all
    groups: [crew]
    targets: [shop]
    allow: [read, write, ddl, session, admin]
masks:
  - columns: [${maskedColumns.map((name) => `"*.*.*.${name}"`).join(', ')}]
    mask: redact
`;

export type World = 'first' | 'second';

const tables = [...script.matchAll(/^create table (\S+) \(/gm)].map(([, name]) => name).join(', ');
const inserts = script.split('\n').reduce((kept: string[], line) => {
  // An INSERT runs on over the lines that are indented below it.
  if (line.startsWith('insert into ') || (line.startsWith('  (') && kept.length > 0)) kept.push(line);
  return kept;
}, []);

/** Fills the tables with the values of a world; everything else is as it was. */
export async function fill(url: string, world: World): Promise<void> {
  const data = inserts.join('\n');
  await execute(
    url,
    `truncate ${tables} restart identity cascade`,
    world === 'first'
      ? data
      : otherWorld(data).replace(
          /^insert into labels .*$/m,
          inserts.find((line) => line.startsWith('insert into labels')) ?? '',
        ),
    `update customers set created_at = '2024-03-01 12:00+00'; update orders set ordered_at = '2024-03-02 12:00+00'; update support_notes set written_at = '2024-03-03 12:00+00'`,
    'truncate audit_log',
    'refresh materialized view customer_report',
    'refresh materialized view twin_report',
    'analyze',
  );
}

const readsOnly =
  /^\s*(select|with|values|table|explain|show|copy .* to stdout)\b(?!.*\b(insert|update|delete|merge|into|for update)\b)/is;

/** Runs an attack and gives all that its connection was told, from the first statement of its setup to the end of its last. */
export async function run(
  open: () => Promise<Listener>,
  shared: Listener,
  attack: Attack,
  way: Way,
  undo: (statements: readonly string[]) => Promise<void>,
): Promise<readonly Message[]> {
  const alone =
    attack.setup === undefined && attack.then === undefined && attack.undo === undefined && readsOnly.test(attack.sql);
  if (alone) return shared.say(attack.sql, way);
  const listener = await open();
  const transcript: Message[] = [];
  const inTransaction = attack.undo === undefined && !attack.setup?.includes('begin');
  try {
    if (inTransaction) await listener.say('begin');
    for (const statement of attack.setup ?? []) transcript.push(...(await listener.say(statement)));
    transcript.push(...(await listener.say(attack.sql, way)));
    for (const statement of attack.then ?? []) transcript.push(...(await listener.say(statement, way)));
    if (attack.undo === undefined) await listener.say('rollback');
  } finally {
    await listener.close();
    if (attack.undo !== undefined) await undo(attack.undo);
  }
  return transcript;
}
