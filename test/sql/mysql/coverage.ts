// How much of what applications send is read, by kind and by parser: `npx tsx test/sql/mysql/coverage.ts` prints the table of
// docs/mysql-grammar.md. The statements are those of statements.sql and of attacks.ts.
import { readFileSync } from 'node:fs';
import { createMysqlReader } from '../../../src/sql/index.ts';
import { Catalog } from '../../../src/sql/mysql/catalog.ts';
import { parse } from '../../../src/sql/mysql/grammar.ts';
import { lex } from '../../../src/sql/mysql/lexer.ts';
import { type Dialect, plainDialect, withVersion } from '../../../src/sql/mysql/modes.ts';
import { secondSight } from '../../../src/sql/mysql/second.ts';
import { ordinary } from './attacks.ts';

export const versions = { MariaDB: '10.11.19-MariaDB', MySQL: '8.0.36' } as const;

/** One statement a line; lines that begin with two dashes say what follows. */
export const statements: readonly string[] = [
  ...readFileSync(new URL('statements.sql', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('--')),
  ...ordinary,
];

const kinds: readonly (readonly [string, RegExp])[] = [
  ['queries', /^(\(|select|with|values|table|analyze (format|select)|set statement)/],
  ['writes', /^(insert|replace|update|delete|load|truncate|call|do|handler)/],
  ['definitions', /^(create|alter|drop|rename)/],
  ['SHOW, EXPLAIN, DESCRIBE', /^(show|explain|desc|describe|help|analyze)/],
  [
    'session and transactions',
    /^(set|use|begin|start transaction|commit|rollback|savepoint|release|lock|unlock|xa|prepare|execute|deallocate|get|signal|flush)/,
  ],
];

export function kindOf(statement: string): string {
  const text = statement
    .replace(/^\/\*(?!M?!).*?\*\/\s*/, '')
    .replace(/^\/\*M?!\d*\s*/, '')
    .toLowerCase();
  return kinds.find(([, pattern]) => pattern.test(text))?.[0] ?? 'administration';
}

/** Statements that are refused for a reason of their own, not since they cannot be read. */
export async function reads(version: string): Promise<(statement: string) => Promise<boolean>> {
  const catalog = new Catalog(false);
  catalog.version = version;
  const reader = await createMysqlReader({ connect: { database: 'crm' }, trustedFunctions: [], catalog });
  return async (statement) => {
    const session = reader.session(new Map());
    await session.read("prepare p from 'select 1'");
    const result = await session.read(statement);
    if (result.kind !== 'read') return result.kind === 'forbidden';
    return result.statements.every(({ reading }) =>
      reading.opaque.every((fact) => fact.kind !== 'statement' || /^[hp]$/.test(fact.name)),
    );
  };
}

function grammarAlone(statement: string, dialect: Dialect): boolean {
  try {
    const { tokens } = lex(statement, dialect);
    const end = tokens.findIndex((token) => token.text === ';' && token.kind === 'operator');
    return parse(end < 0 ? tokens : tokens.slice(0, end), dialect).kind === 'tree';
  } catch {
    return false;
  }
}

async function main(): Promise<void> {
  const dialects = Object.values(versions).map((version) => withVersion(plainDialect, version));
  const ours = await Promise.all(Object.values(versions).map(reads));
  const counts = new Map<string, { total: number; alone: number; ours: number; node: number }>();
  for (const statement of statements) {
    for (const kind of [kindOf(statement), 'all']) {
      const count = counts.get(kind) ?? { total: 0, alone: 0, ours: 0, node: 0 };
      counts.set(kind, count);
      count.total++;
      if (dialects.some((dialect) => grammarAlone(statement, dialect))) count.alone++;
      const [mariadb, mysql] = [await ours[0]?.(statement), await ours[1]?.(statement)];
      if (mariadb === true || mysql === true) count.ours++;
      if (secondSight(statement) !== undefined) count.node++;
    }
  }
  console.log('| kind | statements | grammar alone | our reading | node-sql-parser |');
  console.log('| --- | --- | --- | --- | --- |');
  for (const [kind, { total, alone, ours: read, node }] of counts) {
    const share = (n: number) => `${((100 * n) / total).toFixed(1)} %`;
    console.log(`| ${kind} | ${total} | ${share(alone)} | ${share(read)} | ${share(node)} |`);
  }
}

if (process.argv[1]?.endsWith('coverage.ts') === true) await main();
