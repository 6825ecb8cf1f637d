// SHOW, EXPLAIN, HANDLER: what the server tells of itself, of plans, and of tables read without a query.
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { condition } from './conditions.ts';
import { lookup, tableItem } from './from.ts';
import { Scope } from './scope.ts';
import { rowsOfServer, select, statement } from './statements.ts';
import { firstToken, has, kid, nameParts, type Tree, tokensOf } from './tree.ts';
import { derived, type How, rootless, type Sources } from './value.ts';

const doors: readonly (readonly [RegExp, string])[] = [
  [/^(full )?processlist/, 'it shows the text of other statements'],
  [/^engine /, 'it shows statements and rows of other transactions'],
  [/^(binlog|relaylog) events/, 'it shows rows as they were written'],
  [/^create user/, 'it shows the hash of a password'],
  [/^(explain|analyze) /, 'it shows the plan of another statement'],
  [/^(slow|general|user_statistics|client_statistics|query_response_time)/, 'it shows what other sessions do'],
];

export function sideDoorsOfShow(analysis: Analysis, words: string): void {
  for (const [pattern, why] of doors)
    if (pattern.test(words)) analysis.sideDoor(`SHOW ${words.split(' ').slice(0, 2).join(' ').toUpperCase()}`, why);
}

export function show(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  analysis.verbs.add('show');
  const words = tokensOf(tree)
    .slice(1)
    .map((token) => token.text.toLowerCase())
    .join(' ');
  sideDoorsOfShow(analysis, words);
  const reference = kid(tree, 'TableRef') ?? kid(tree, 'ViewRef');
  if (reference !== undefined) {
    const path = nameParts(reference);
    const database = nameParts({ kind: '', kids: (kid(tree, 'InDb')?.kids ?? []).slice(1), token: undefined });
    lookup(analysis, path.length === 1 ? [...database, ...path] : path, 'read', firstToken(reference)?.start);
  }
  const where = kid(kid(tree, 'LikeOrWhere'), 'WhereClause') ?? kid(tree, 'WhereClause');
  if (where !== undefined) {
    // Names here are the columns of what is shown; a subquery reads what it likes.
    const inner = new Scope(scope);
    inner.variables = (path) => (path.length === 1 ? rootless : undefined);
    condition(analysis, where.kids[1], inner);
  }
  if (/^(warnings|errors)/.test(words)) {
    analysis.stateful = true;
    keepsLast.add(analysis);
    rowsOfServer(analysis, { name: '*', value: { ...rootless, sources: analysis.state.last } });
    return;
  }
  rowsOfServer(analysis);
}

/** Statements that leave the warnings of the one before as they are. */
export const keepsLast = new WeakSet<Analysis>();

/** Whatever a message of the server about these columns may quote. */
export function quotable(columns: Iterable<Column>): Sources {
  const sources = new Map<Column, How>();
  for (const column of columns) sources.set(column, derived);
  return sources;
}

/** A plan quotes conditions, with values of tables that were read while planning (constant tables). */
export function explain(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  analysis.verbs.add('explain');
  const inner = kid(tree, 'ExplainableStatement');
  const [body] = inner?.kids ?? [];
  if (has(inner, 'CONNECTION')) {
    analysis.sideDoor('EXPLAIN FOR CONNECTION', 'it shows the plan of another statement');
    rowsOfServer(analysis);
    return;
  }
  const before = analysis.uses.length;
  if (body?.kind === 'SelectStatement') select(analysis, body, scope);
  else if (body !== undefined) statement(analysis, body, scope);
  const used = analysis.uses.slice(before).flatMap((use) => [use.column, ...(use.with ?? [])]);
  rowsOfServer(analysis, { name: '*', value: { ...rootless, sources: quotable(used) } });
}

/** HANDLER reads a table's rows as they lie, or by an index. */
export function handler(analysis: Analysis, tree: Tree): void {
  analysis.verbs.add('handler');
  analysis.stateful = true;
  const reference = kid(tree, 'TableRef');
  if (reference !== undefined) {
    const path = nameParts(reference);
    lookup(analysis, path, 'read', firstToken(reference)?.start);
    const written = path.length > 1 ? path : [analysis.database, ...path];
    const alias = tokensOf(kid(tree, 'TableAlias')).pop()?.text ?? path[path.length - 1] ?? '';
    analysis.effect((state) => ({ ...state, handlers: new Map(state.handlers).set(alias.toLowerCase(), written) }));
    return;
  }
  if (!has(tree, 'READ')) return;
  const name = tokensOf(tree)[1]?.text ?? '';
  const path = analysis.state.handlers.get(name.toLowerCase());
  if (path === undefined) {
    analysis.unread('statement', name, 'no open handler of this name is known to the gateway');
    return;
  }
  const item = tableItem(analysis, path, name, 'read', undefined);
  const scope = new Scope(undefined);
  scope.items = [item];
  const scan = tokensOf(kid(tree, 'HandlerReadOrScan'));
  if (scan.length > 1) {
    // By an index rows come in the order of its columns, or from a value on.
    for (const field of item.fields) analysis.use(field.value, 'order');
  }
  condition(analysis, kid(tree, 'WhereClause')?.kids[1], scope);
  for (const field of item.fields) analysis.note(field.value.sources);
  analysis.outputs = item.fields;
}
