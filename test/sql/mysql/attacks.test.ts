// The attacks and the ordinary statements against reading and verdict alone, with a real server to say what would come back:
// an attack is stopped when it is refused, or when every column that would show a canary is masked.
import mysql from 'mysql2/promise';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { judge, type OutputMask } from '../../../src/policy/index.ts';
import type { ReadStatement } from '../../../src/sql/index.ts';
import { session as sessionWith } from '../../policy/support.ts';
import { haveMariadb, onMariadb } from '../../support/mariadb.ts';
import { attacks, ordinary } from './attacks.ts';
import { shop } from './support.ts';

// The grammar learns as it reads: the first statement of each kind takes long.
const timeout = 300_000;

const masked = ['ssn', 'email', 'card_number', 'dob', 'salary'];
const policy = sessionWith({
  roles: [{ name: 'all', groups: ['crew'], targets: ['shop'], allow: ['read', 'write', 'ddl', 'session', 'admin'] }],
  masks: [{ columns: [...masked.map((name) => `*.*.customers.${name}`), '*.*.vault.ssn'], mask: 'redact' }],
});

const secrets = [
  '123-45-6789',
  '987-65-4321',
  'ada@example.com',
  'ben@example.com',
  '4929771603428851',
  '5593048172650914',
  '1990-01-01',
  '1980-02-02',
  '100.5',
  '200.5',
];
const forms = secrets.flatMap((secret) => [
  secret,
  [...secret].reverse().join(''),
  secret.replaceAll('-', ''),
  secret.toUpperCase(),
  Buffer.from(secret).toString('hex'),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
]);
const pieces = forms.flatMap((form) =>
  // Half of a birth date is half of many dates.
  form.length < 7 || /^\d{4}-\d\d-\d\d$/.test(form)
    ? [form]
    : Array.from({ length: form.length - 4 }, (_, at) => form.slice(at, at + 5)),
);

function leaks(value: unknown): boolean {
  const text = Buffer.isBuffer(value)
    ? value.toString('latin1')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
  return pieces.some((piece) => text?.includes(piece));
}

interface Answer {
  readonly rows: readonly (readonly unknown[])[];
  readonly fields: readonly { readonly name: string }[] | undefined;
}

function answersOf(result: readonly unknown[], several: boolean): Answer[] {
  const [rows, fields] = several ? result : [[result[0]], [result[1]]];
  return (fields as Answer['fields'][]).map((each, at) => ({
    rows: each === undefined ? [] : ((rows as unknown[])[at] as Answer['rows']),
    fields: each,
  }));
}

/** The first value that would come to the client as it is; fails where the columns are not those that were read. */
function leakOf(
  statement: ReadStatement,
  masks: readonly (OutputMask | undefined)[],
  answer: Answer,
): string | undefined {
  const { outputs } = statement.reading;
  const every = outputs?.[0]?.everyColumn === true;
  if (answer.fields === undefined) {
    expect(every || outputs === undefined, 'rows were read where none come').toBe(true);
    return undefined;
  }
  if (!every) expect(outputs?.length).toBe(answer.fields.length);
  // The server's own texts hold all kinds of numbers.
  else if (!masks[0] && statement.reading.tables.length === 0) return undefined;
  for (const row of answer.rows) {
    for (const [at, value] of row.entries())
      if (masks[every ? 0 : at] === undefined && leaks(value)) return `${answer.fields[at]?.name}: ${String(value)}`;
  }
  return undefined;
}

/** What MySQL (9.7) does not know, and refuses itself. */
const onlyMariadb =
  /max_statement_time|tx_isolation|returning|master status|sequence|nextval|values \(1, "a"\), \(2|fetch next|as int\)|execute immediate/;

describe.skipIf(!haveMariadb)('attacks and ordinary statements on MariaDB, by reading and verdict', () => {
  const at = shop(...(onMariadb ? ['create sequence seq'] : []));
  let connection: mysql.Connection;
  beforeEach(async () => {
    const { config } = at().direct;
    const { host, port, user, password, database } = config;
    connection = await mysql.createConnection({
      ...{ host, port, user, password, database },
      multipleStatements: true,
      rowsAsArray: true,
      dateStrings: true,
    } as mysql.ConnectionOptions);
  });
  afterEach(async () => {
    await connection.end();
  });

  type Outcome =
    | { readonly stopped: string }
    | { readonly leak: string | undefined; readonly failed: string | undefined };

  /** Runs texts one after the other in a session, as far as their verdicts let them. */
  async function attempt(texts: readonly string[], session = at().session()): Promise<Outcome> {
    let failed: string | undefined;
    for (const text of texts) {
      const result = await session.read(text);
      if (result.kind !== 'read') return { stopped: result.message };
      const masks: (readonly (OutputMask | undefined)[])[] = [];
      for (const { reading } of result.statements) {
        const verdict = judge(policy, reading);
        if (verdict.kind !== 'allow') return { stopped: verdict.message };
        masks.push(verdict.masks);
      }
      const answer = await connection.query(text).catch((error: Error) => error);
      if (answer instanceof Error) failed = answer.message;
      else {
        const answers = answersOf(answer, result.statements.length > 1);
        for (const [index, statement] of result.statements.entries()) {
          const one = answers[index];
          const leak = one === undefined ? undefined : leakOf(statement, masks[index] ?? [], one);
          if (leak !== undefined) return { leak, failed };
        }
      }
      for (const statement of result.statements) session.settled(statement, !(answer instanceof Error));
    }
    return { leak: undefined, failed };
  }

  test.each(attacks.map((attack) => [`${attack.tries}: ${attack.texts.join(' ; ')}`, attack] as const))(
    'no canary leaves when a client %s',
    async (_, attack) => {
      await connection.query('start transaction');
      const outcome = await attempt(attack.texts);
      await connection.query('rollback');
      expect('leak' in outcome ? outcome.leak : undefined).toBeUndefined();
    },
  );

  test('attacks that weigh a value, move it or ask by a side door are refused, not only masked', {
    timeout,
  }, async () => {
    const tries = /piece by piece|nothing masks|side door/;
    const ran: string[] = [];
    for (const attack of attacks.filter((each) => tries.test(each.tries))) {
      const session = at().session();
      const results = [];
      for (const text of attack.texts) {
        const result = await session.read(text);
        results.push(
          result.kind !== 'read' || result.statements.some(({ reading }) => judge(policy, reading).kind !== 'allow'),
        );
      }
      if (!results.includes(true)) ran.push(attack.texts.join(' ; '));
    }
    // These give nothing away: what they try does not exist on this server, or shows nothing of a value.
    const ofMariadb = onMariadb ? [] : ["set sql_mode = 'ORACLE'"];
    expect(ran).toEqual(["signal sqlstate '45000' set message_text = @a", ...ofMariadb]);
  });

  test('ordinary statements run, with the columns that were read', { timeout }, async () => {
    const session = at().session();
    const refused: string[] = [];
    for (const text of ordinary.filter((each) => onMariadb || !onlyMariadb.test(each))) {
      const outcome = await attempt([text], session);
      if ('stopped' in outcome) refused.push(`${text}\n    ${outcome.stopped}`);
      else if (outcome.failed !== undefined) refused.push(`${text}\n    failed: ${outcome.failed}`);
      else if (outcome.leak !== undefined) refused.push(`${text}\n    LEAK ${outcome.leak}`);
    }
    expect(refused).toEqual([]);
  });
});
