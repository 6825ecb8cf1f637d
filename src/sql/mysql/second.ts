// The second reader of MySQL: node-sql-parser, with its own idea of verbs and tables. It decides nothing.
import { createRequire } from 'node:module';
import type { Verb } from '../reading.ts';

/** What the second reader sees in a text. */
export interface SecondSight {
  readonly verb: readonly Verb[];
  readonly tables: ReadonlySet<string>;
}

interface Parsed {
  /** `verb::database::table`. */
  readonly tableList: readonly string[];
  readonly ast: Ast | readonly Ast[];
}
interface Ast {
  readonly type?: string;
  readonly with?: readonly { readonly name?: { readonly value?: string } }[] | null;
}
interface Parser {
  parse(text: string, options: { database: string }): Parsed;
}

const verbs: Readonly<Record<string, readonly Verb[]>> = {
  select: ['select'],
  insert: ['insert'],
  replace: ['replace'],
  update: ['update'],
  delete: ['delete'],
  truncate: ['truncate'],
  create: ['create', 'index'],
  alter: ['alter', 'rename'],
  drop: ['drop'],
  rename: ['rename'],
  set: ['set'],
  show: ['show'],
  desc: ['show', 'explain'],
  explain: ['explain'],
  use: ['use'],
  call: ['call'],
  grant: ['grant'],
  revoke: ['revoke', 'grant'],
  lock: ['lock'],
  unlock: ['lock'],
  transaction: ['begin', 'commit', 'rollback'],
};

const require = createRequire(import.meta.url);
let parser: Parser | undefined;

/** Only the grammar of this dialect is loaded, when it is first asked for. */
function loaded(): Parser {
  if (parser === undefined) {
    const { Parser: Made } = require('node-sql-parser/build/mariadb.js') as { Parser: new () => Parser };
    parser = new Made();
  }
  return parser;
}

/** Reads one statement; undefined where this parser cannot, or is known to read otherwise than every server does. */
export function secondSight(text: string): SecondSight | undefined {
  // What stands in executable comments it takes for comments.
  if (/\/\*M?!/.test(text)) return undefined;
  let parsed: Parsed;
  try {
    parsed = loaded().parse(text, { database: 'MariaDB' });
  } catch {
    // It reads five of six statements: nothing can be said of the rest.
    return undefined;
  }
  const [ast] = Array.isArray(parsed.ast) ? (parsed.ast as readonly Ast[]) : [parsed.ast as Ast];
  const verb = verbs[ast?.type ?? ''];
  if (ast === undefined || verb === undefined || (Array.isArray(parsed.ast) && parsed.ast.length !== 1))
    return undefined;
  const hidden = new Set(withNames(ast));
  const tables = new Set<string>();
  for (const entry of parsed.tableList) {
    const [, , table] = entry.split('::');
    if (table !== undefined && table !== 'null' && table !== '' && !hidden.has(table.toLowerCase())) tables.add(table);
  }
  return { verb, tables };
}

/** Names of WITH queries, which it lists as tables. */
function withNames(tree: unknown, depth = 0): string[] {
  if (typeof tree !== 'object' || tree === null || depth > 60) return [];
  if (Array.isArray(tree)) return tree.flatMap((each) => withNames(each, depth + 1));
  const { with: clause } = tree as Ast;
  const own = Array.isArray(clause)
    ? clause.flatMap((cte: { name?: { value?: string } }) => cte.name?.value?.toLowerCase() ?? [])
    : [];
  return [...own, ...Object.values(tree).flatMap((each) => withNames(each, depth + 1))];
}
