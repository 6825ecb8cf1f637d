// The ordinary queries over masked tables: at least 98 % of them run, judged by their readings against a real server.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge, type SessionPolicy } from '../../src/policy/index.ts';
import { createPostgresReader, type SqlReader } from '../../src/sql/index.ts';
import { session as sessionWith } from '../policy/support.ts';
import { execute, postgresServer } from '../support/postgres.ts';
import { maskedColumns, script } from './support.ts';

interface Case {
  readonly setup?: readonly string[];
  readonly sql: string;
}

const ordinary = JSON.parse(
  readFileSync(new URL('../../fixtures/ordinary/postgres.json', import.meta.url), 'utf8'),
) as Case[];

const policy: SessionPolicy = sessionWith({
  roles: [{ name: 'all', groups: ['crew'], targets: ['shop'], allow: ['read', 'write', 'ddl', 'session', 'admin'] }],
  masks: [{ columns: maskedColumns.map((name) => `*.*.*.${name}`), mask: 'redact' }],
});

describe('ordinary queries on Postgres, by reading and verdict', () => {
  const server = postgresServer();
  let reader: SqlReader;
  let client: pg.Client;
  beforeAll(async () => {
    await execute(server().url(), script);
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

  /** Why one case does not run, in a transaction that is undone. */
  async function attempt(entry: Case): Promise<string | undefined> {
    const session = reader.session(new Map([['search_path', '"$user", public']]));
    await client.query('begin');
    try {
      for (const sql of [...(entry.setup ?? []), entry.sql]) {
        const result = await session.read(sql);
        if (result.kind !== 'read') return result.message;
        for (const statement of result.statements) {
          const verdict = judge(policy, statement.reading);
          if (verdict.kind !== 'allow') return verdict.message;
        }
        if (/^(begin|commit|rollback)$/.test(sql)) continue;
        const answer = await client.query({ text: sql, rowMode: 'array' }).catch((error: Error) => error);
        if (answer instanceof Error) return `failed: ${answer.message}`;
        for (const [at, part] of (Array.isArray(answer) ? answer : [answer]).entries()) {
          const names = part.fields?.map((field: pg.FieldDef) => field.name) ?? [];
          if (names.length > 0)
            expect(result.statements[at]?.reading.outputs?.map((output) => output.name)).toEqual(names);
        }
        for (const statement of result.statements) session.settled(statement, true);
      }
    } finally {
      await client.query('rollback');
    }
    return undefined;
  }

  it('at least 98 % of the ordinary queries run', async () => {
    const refused: string[] = [];
    for (const entry of ordinary) {
      const why = await attempt(entry);
      if (why !== undefined) refused.push(`${entry.sql}\n    ${why}`);
    }
    if (process.env.SHOW_REFUSED !== undefined)
      console.log(`${refused.length} of ${ordinary.length} refused\n${refused.join('\n')}`);
    expect(refused.length, refused.join('\n')).toBeLessThanOrEqual(ordinary.length * 0.02);
    const page = readFileSync(new URL('../../docs/threat-model.md', import.meta.url), 'utf8');
    expect(page).toMatch(new RegExp(`ordinary queries refused in error +\\| ${refused.length} +\\|`));
    expect(page).toMatch(new RegExp(`ordinary queries over masked tables .*\\| ${ordinary.length} +\\|`));
  });
});
