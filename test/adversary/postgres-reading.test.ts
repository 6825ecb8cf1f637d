// The attacks and the ordinary queries against reading and verdict alone, with a real server to say what would come back:
// an attack is stopped when it is refused, or when every column that would show a canary is masked.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge, type OutputMask, type SessionPolicy } from '../../src/policy/index.ts';
import { createPostgresReader, type SqlReader } from '../../src/sql/index.ts';
import { session as sessionWith } from '../policy/support.ts';
import { execute, postgresServer } from '../support/postgres.ts';

interface Case {
  readonly name?: string;
  readonly tries?: string;
  readonly setup?: readonly string[];
  readonly sql: string;
}

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8');
const attacks = JSON.parse(fixture('adversary/postgres.json')) as Case[];
const ordinary = JSON.parse(fixture('ordinary/postgres.json')) as Case[];

const columns = ['ssn', 'email', 'card_number', 'birth_date', 'salary', 'secret', 'iban', 'body'].map(
  (name) => `*.*.*.${name}`,
);
const policy: SessionPolicy = sessionWith({
  roles: [{ name: 'all', groups: ['crew'], targets: ['shop'], allow: ['read', 'write', 'ddl', 'session', 'admin'] }],
  masks: [{ columns, mask: 'redact' }],
});

const secrets = [
  '912-84-7731',
  '934-17-2268',
  '957-60-4419',
  '4929-7716-0342-8851',
  '5312-9084-7763-1120',
  '3782-8224-6310-0057',
  '1961-03-17',
  '1974-11-02',
  '1988-07-29',
  '87412',
  '65239',
  '51876',
  'QX81-PLUM-5520',
  'QX82-FIGS-7741',
  'QX83-KIWI-9063',
  'zq7canary.ada',
  'GLYPH-TANGENT-4471',
  'UMBRA-COPPER-9920',
  'NO93-8601-1117-947',
  'NO55-0539-7712-304',
  '971-33-8084',
  '988-52-1937',
];
const forms = secrets.flatMap((secret) => [
  secret,
  [...secret].reverse().join(''),
  secret.replaceAll('-', ''),
  secret.toUpperCase(),
  Buffer.from(secret).toString('hex'),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
]);
const pieces = new Set(
  // Half of a birth date is half of many dates.
  forms.flatMap((form) =>
    /^\d{4}-\d\d-\d\d$/.test(form)
      ? [form]
      : Array.from({ length: Math.max(0, form.length - 4) }, (_, at) => form.slice(at, at + 5)),
  ),
);

function leaks(value: unknown): boolean {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  for (let at = 0; at + 5 <= (text?.length ?? 0); at++) if (pieces.has(text.slice(at, at + 5))) return true;
  return secrets.some((secret) => text?.includes(secret));
}

type Outcome =
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'ran'; readonly leak: string | undefined; readonly failed: string | undefined };

describe('attacks and ordinary queries on Postgres, by reading and verdict', () => {
  const server = postgresServer();
  let reader: SqlReader;
  let client: pg.Client;
  beforeAll(async () => {
    await execute(server().url(), fixture('adversary/schema-postgres.sql'));
    reader = await createPostgresReader({
      connect: { connectionString: server().url() },
      trustedFunctions: [],
      refreshIntervalMs: 0,
    });
    client = new pg.Client({ connectionString: server().url() });
    await client.connect();
    client.on('notice', () => undefined);
  });
  afterAll(async () => {
    await client.end();
    await reader.close();
  });

  /** Runs one case in a transaction that is undone, as far as its verdict lets it. */
  async function attempt(entry: Case): Promise<Outcome> {
    const session = reader.session(new Map([['search_path', '"$user", public']]));
    let outcome: Outcome = { kind: 'ran', leak: undefined, failed: undefined };
    await client.query('begin');
    try {
      for (const sql of [...(entry.setup ?? []), entry.sql]) {
        const result = await session.read(sql);
        if (result.kind !== 'read') return { kind: 'refused', why: result.message };
        const masks: (readonly (OutputMask | undefined)[])[] = [];
        for (const statement of result.statements) {
          const verdict = judge(policy, statement.reading);
          if (verdict.kind !== 'allow') return { kind: 'refused', why: verdict.message };
          masks.push(verdict.masks);
        }
        if (/^(begin|commit|rollback)$/.test(sql)) continue;
        const answer = await client.query({ text: sql, rowMode: 'array' }).catch((error: Error) => error);
        if (answer instanceof Error) return { kind: 'ran', leak: undefined, failed: answer.message };
        outcome =
          compare(
            Array.isArray(answer) ? answer : [answer],
            result.statements.map((statement) => statement.reading.outputs?.map((output) => output.name)),
            masks,
          ) ?? outcome;
        for (const statement of result.statements) session.settled(statement, true);
      }
    } finally {
      await client.query('rollback');
    }
    return outcome;
  }

  function compare(
    answers: readonly pg.QueryArrayResult[],
    names: readonly (readonly string[] | undefined)[],
    masks: readonly (readonly (OutputMask | undefined)[])[],
  ): Outcome | undefined {
    for (const [at, answer] of answers.entries()) {
      const fields = answer.fields?.map((field) => field.name) ?? [];
      if (fields.length === 0) continue;
      expect(names[at], 'output columns as the server names them').toEqual(fields);
      for (const row of answer.rows) {
        for (const [column, value] of row.entries()) {
          if (masks[at]?.[column] === undefined && leaks(value))
            return { kind: 'ran', leak: `${fields[column]}: ${String(value)}`, failed: undefined };
        }
      }
    }
    return undefined;
  }

  it.each(attacks.map((entry) => [entry.name ?? entry.sql, entry] as const))(
    'no canary leaves by: %s',
    async (_, entry) => {
      const outcome = await attempt(entry);
      expect(outcome.kind === 'ran' ? outcome.leak : undefined).toBeUndefined();
    },
  );

  it('at least 98 % of the ordinary queries run', async () => {
    const refused: string[] = [];
    for (const entry of ordinary) {
      const outcome = await attempt(entry);
      if (outcome.kind === 'refused') refused.push(`${entry.sql}\n    ${outcome.why}`);
      else if (outcome.failed !== undefined) refused.push(`${entry.sql}\n    failed: ${outcome.failed}`);
      else if (outcome.leak !== undefined) refused.push(`${entry.sql}\n    LEAK ${outcome.leak}`);
    }
    if (refused.length > 0 && process.env.SHOW_REFUSED !== undefined) console.log(refused.join('\n'));
    expect(refused.length, refused.join('\n')).toBeLessThanOrEqual(ordinary.length * 0.02);
  });
});
