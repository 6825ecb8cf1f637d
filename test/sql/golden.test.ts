// Readings pinned as text a person can review: fixtures/sql/postgres/NAME.sql holds statements, NAME.txt what is read from them.
// GOLDEN=write makes the texts anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPostgresReader, describeReading, type SqlReader } from '../../src/sql/index.ts';
import { execute, postgresServer } from '../support/postgres.ts';

const folder = new URL('../../fixtures/sql/postgres/', import.meta.url);
const schema = readFileSync(new URL('../../fixtures/adversary/schema-postgres.sql', import.meta.url), 'utf8');
const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));

describe('golden readings', () => {
  const server = postgresServer();
  let reader: SqlReader;
  beforeAll(async () => {
    await execute(server().url(), schema);
    reader = await createPostgresReader({
      connect: { connectionString: server().url() },
      trustedFunctions: [],
      refreshIntervalMs: 0,
    });
  });
  afterAll(() => reader.close());

  it.each(files)('%s reads as it did when a person last looked', async (name) => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    const sections: string[] = [];
    for (const statement of text.split(/\n\s*\n/).map((part) => part.trim())) {
      if (statement === '') continue;
      const session = reader.session(new Map([['search_path', '"$user", public']]));
      const result = await session.read(statement);
      const lines =
        result.kind === 'read'
          ? result.statements.flatMap((entry) => describeReading(entry.reading))
          : [`${result.kind}: ${result.message}`];
      sections.push(`${statement}\n${lines.map((line) => `    ${line}`).join('\n')}\n`);
    }
    const golden = new URL(name.replace('.sql', '.txt'), folder);
    if (process.env.GOLDEN === 'write') writeFileSync(golden, sections.join('\n'));
    expect(sections.join('\n')).toBe(readFileSync(golden, 'utf8'));
  });
});
