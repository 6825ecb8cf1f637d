// Literals and parameters that a statement writes into columns as they are, for the write-back check.
import type { ColumnName } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { as, type Node } from './tree.ts';

/** Notes the literals and parameters that `node` may give a column: itself, through casts, or as a branch of a choice. */
export function storeValue(analysis: Analysis, column: ColumnName, node: Node | undefined): void {
  let at = node;
  for (let cast = as(at, 'TypeCast'); cast !== undefined; cast = as(at, 'TypeCast')) at = cast.arg;
  const parameter = as(at, 'ParamRef');
  if (parameter !== undefined) {
    analysis.stores.push({ column, value: { kind: 'parameter', index: (parameter.number ?? 1) - 1 } });
    return;
  }
  for (const branch of branches(at)) storeValue(analysis, column, branch);
  const literal = as(at, 'A_Const');
  if (literal === undefined || literal.isnull === true) return;
  const text =
    literal.sval?.sval ??
    literal.fval?.fval ??
    literal.bsval?.bsval ??
    (literal.ival === undefined ? undefined : String(literal.ival.ival ?? 0));
  if (text !== undefined) analysis.storedLiterals.push({ column, text, offset: literal.location ?? 0 });
}

/** What a choice may give: the arguments of COALESCE, the results of CASE, the first of NULLIF, the output of a scalar sub-select. */
function branches(node: Node | undefined): readonly (Node | undefined)[] {
  const coalesce = as(node, 'CoalesceExpr');
  if (coalesce !== undefined) return coalesce.args ?? [];
  const choice = as(node, 'CaseExpr');
  if (choice !== undefined) {
    return [...(choice.args ?? []).map((arm) => as(arm, 'CaseWhen')?.result), choice.defresult];
  }
  const operator = as(node, 'A_Expr');
  if (operator?.kind === 'AEXPR_NULLIF') return [operator.lexpr];
  const link = as(node, 'SubLink');
  const select = link?.subLinkType === 'EXPR_SUBLINK' ? as(link.subselect, 'SelectStmt') : undefined;
  return (select?.targetList ?? []).slice(0, 1).map((output) => as(output, 'ResTarget')?.val);
}

/** Puts the arguments of EXECUTE in the place of the parameters that the prepared statement stores, from `from` on. */
export function storeArguments(analysis: Analysis, from: number, params: readonly Node[]): void {
  for (const stored of analysis.stores.splice(from)) {
    if (stored.value.kind === 'parameter') storeValue(analysis, stored.column, params[stored.value.index]);
    else analysis.stores.push(stored);
  }
}
