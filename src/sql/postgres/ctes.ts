// WITH: queries that later ones see by name, recursive ones included.
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { type QueryResult, query, renamed, selectStatement } from './queries.ts';
import { type Cte, fieldNamed, Scope } from './scope.ts';
import { as, type Node, names, type SelectStmt, type WithClause } from './tree.ts';
import { type Field, type How, noSources, rootless, sameSources, type Value } from './value.ts';

/** Makes the WITH queries of a statement known to its scope. */
export function withQueries(analysis: Analysis, clause: WithClause | undefined, scope: Scope): void {
  if (clause === undefined) return;
  scope.ctes = new Map();
  for (const node of clause.ctes ?? []) {
    const cte = as(node, 'CommonTableExpr');
    const name = cte?.ctename ?? '';
    const aliases = names(cte?.aliascolnames);
    // WITH RECURSIVE lets a query see itself and those after it; the latter are rare and read as missing.
    const found =
      clause.recursive === true
        ? recursiveCte(analysis, cte?.ctequery, name, aliases, scope)
        : cteOf(query(analysis, cte?.ctequery, scope), aliases);
    const extra: Field[] = [];
    const search = cte?.search_clause;
    if (search !== undefined) {
      for (const column of names(search.search_col_list))
        analysis.useValue(fieldNamed(found.fields, column) ?? rootless, 'order');
      extra.push({ name: search.search_seq_column ?? '', value: ofColumns(found, names(search.search_col_list)) });
    }
    const cycle = cte?.cycle_clause;
    if (cycle !== undefined) {
      for (const column of names(cycle.cycle_col_list))
        analysis.useValue(fieldNamed(found.fields, column) ?? rootless, 'computed');
      extra.push({ name: cycle.cycle_mark_column ?? '', value: rootless });
      extra.push({ name: cycle.cycle_path_column ?? '', value: ofColumns(found, names(cycle.cycle_col_list)) });
    }
    scope.ctes.set(name, extra.length === 0 ? found : { ...found, fields: [...found.fields, ...extra] });
  }
}

function ofColumns(cte: Cte, columns: readonly string[]): Value {
  const sources = new Map<Column, How>();
  for (const column of columns) {
    for (const [source, how] of fieldNamed(cte.fields, column)?.sources ?? noSources)
      sources.set(source, how === 0 ? 0 : 2);
  }
  return { sources, pure: false, constants: 0, type: 0 };
}

function cteOf(result: QueryResult, aliases: readonly string[]): Cte {
  return { fields: renamed(result, aliases), open: result.open };
}

/** A recursive query is read again until its columns' sources no longer grow. */
function recursiveCte(
  analysis: Analysis,
  node: Node | undefined,
  name: string,
  aliases: readonly string[],
  scope: Scope,
): Cte {
  const select = as(node, 'SelectStmt');
  if (select?.op === undefined || select.op === 'SETOP_NONE' || select.larg === undefined)
    return cteOf(query(analysis, node, scope), aliases);
  const inner = new Scope(scope);
  inner.ctes = new Map();
  withQueries(analysis, select.withClause, inner);
  let now = cteOf(selectStatement(analysis, select.larg, inner), aliases);
  for (let round = 0; round < 50; round++) {
    inner.ctes.set(name, now);
    const body: SelectStmt = { ...select };
    delete body.withClause;
    const next = cteOf(selectStatement(analysis, body, inner), aliases);
    const stable = next.fields.every((field, at) => {
      const before = now.fields[at]?.value;
      return (
        before !== undefined && before.pure === field.value.pure && sameSources(before.sources, field.value.sources)
      );
    });
    now = next;
    if (stable) break;
  }
  return now;
}
