// What one identity touched, from its latest statements: the tables, columns and verbs it used, and where and as whom.
import type { MergedStatement } from '../audit/index.ts';
import type { ConsoleParts } from './parts.ts';
import type { Range } from './sources.ts';

export interface Used {
  readonly name: string;
  readonly target: string | undefined;
  readonly count: number;
}

export interface Touched {
  /** How many statements this is from; the latest, where there are more. */
  readonly statements: number;
  readonly more: boolean;
  readonly groups: readonly string[];
  readonly targets: readonly string[];
  readonly tables: readonly Used[];
  readonly columns: readonly Used[];
  readonly masked: readonly Used[];
  readonly verbs: readonly Used[];
  /** Who the name stands for in tokens, as open sessions, statements and logins say. */
  readonly subjects: readonly Subject[];
}

export interface Subject {
  readonly issuer: string;
  readonly subject: string;
}

const mostStatements = 1000;
const mostListed = 60;

export async function touchedBy(
  { records, sessions }: Pick<ConsoleParts, 'records' | 'sessions'>,
  name: string,
  { since, until }: Range,
): Promise<Touched> {
  // A star is a wildcard in a filter: a name that has one is looked for among all.
  const identity = name.includes('*') ? undefined : name;
  const [page, open, logins] = await Promise.all([
    records.search({ identity, since, until, kind: 'statement' }, { limit: mostStatements }),
    sessions.list(),
    records.search({ identity, kind: 'login' }, { limit: 50 }),
  ]);
  const statements = page.items.filter(
    (record): record is MergedStatement => record.event === 'statement' && record.identity === name,
  );
  const subjects = new Map<string, Subject>();
  const addSubject = (issuer: string | undefined, subject: unknown) => {
    if (issuer !== undefined && typeof subject === 'string') {
      subjects.set(JSON.stringify([issuer, subject]), { issuer, subject });
    }
  };
  for (const session of open) if (session.identity === name) addSubject(session.issuer, session.subject);
  for (const login of logins.items) {
    if (login.event === 'login' && login.identity === name && login.details.to !== 'console') {
      addSubject(login.issuer, login.details.subject);
    }
  }
  const used = (of: (record: MergedStatement) => readonly string[], byTarget = true): readonly Used[] => {
    const counts = new Map<string, { name: string; target: string | undefined; count: number }>();
    for (const record of statements) {
      const target = byTarget ? record.target : undefined;
      for (const each of of(record)) {
        const key = JSON.stringify([target, each]);
        const found = counts.get(key) ?? { name: each, target, count: 0 };
        found.count += 1;
        counts.set(key, found);
      }
    }
    return [...counts.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)).slice(0, mostListed);
  };
  return {
    statements: statements.length,
    more: page.next !== undefined,
    groups: [...new Set(statements.flatMap(({ groups }) => groups))].sort(),
    targets: [...new Set(statements.map(({ target }) => target))].sort(),
    tables: used(({ tables }) => tables),
    columns: used(({ columns }) => columns),
    masked: used(({ masked }) => masked),
    verbs: used(({ verbs }) => verbs, false),
    subjects: [...subjects.values()],
  };
}
