// SQL/JSON constructors and queries.
import type { Analysis } from './analysis.ts';
import { condition } from './conditions.ts';
import { evaluate, evaluateBelow } from './expressions.ts';
import type { Scope } from './scope.ts';
import { as, kindOf, type Node } from './tree.ts';
import { typeOids } from './types.ts';
import { derive, isStored, noSources, type Value } from './value.ts';

/** SQL/JSON constructors and queries: everything in them is an argument of one function. */
export function json(analysis: Analysis, node: Node, scope: Scope): Value | undefined {
  const kind = kindOf(node);
  if (!kind.startsWith('Json') || kind === 'JsonTable') return undefined;
  const conditions = new Map(noSources);
  const values: Value[] = [];
  const walk = (item: unknown): void => {
    if (Array.isArray(item)) {
      for (const element of item) walk(element);
      return;
    }
    if (typeof item !== 'object' || item === null) return;
    for (const [key, child] of Object.entries(item)) {
      if (key === 'agg_filter') {
        for (const column of condition(analysis, child as Node, scope).sources.keys()) conditions.set(column, 0);
      } else if (key === 'agg_order' || key === 'over') {
        for (const value of evaluateBelow(analysis, child, scope)) analysis.useValue(value, 'order');
      } else if (/^[A-Z]/.test(key) && !key.startsWith('Json') && key !== 'TypeName') {
        values.push(evaluate(analysis, { [key]: child } as unknown as Node, scope));
      } else if (key !== 'output' && typeof child === 'object') {
        walk(child);
      }
    }
  };
  walk(node);
  // Unknown texts may fail to be JSON; building JSON never fails.
  const fails = (kind === 'JsonFuncExpr' && !isPlainPath(analysis, node)) || demandsUnique(node);
  if (kind === 'JsonFuncExpr' || kind === 'JsonParseExpr' || fails) {
    for (const value of values)
      if (fails || !isStored(value) || (value.type !== typeOids.jsonb && value.type !== typeOids.json))
        analysis.useValue(value, 'argument');
  }
  return derive(values, 0, conditions);
}

/** WITH UNIQUE KEYS fails where two keys are the same. */
function demandsUnique(node: Node): boolean {
  const body = Object.values(node)[0] as { readonly unique?: boolean; readonly unique_keys?: boolean };
  return body.unique === true || body.unique_keys === true;
}

/** `$.a.b[0]`: finds what is there. A filter, a method or a strict path finds it, or fails, by its value. */
function isPlainPath(analysis: Analysis, node: Node): boolean {
  analysis.literalSensitive = true;
  const body = as(node, 'JsonFuncExpr');
  // Another type of the result, or ERROR ON ERROR, is one more way to fail.
  const others = [body?.output, body?.on_empty, body?.on_error];
  if (others.some((other) => other !== undefined)) return false;
  const path = (as(body?.pathspec, 'A_Const') ?? as(as(body?.pathspec, 'TypeCast')?.arg, 'A_Const'))?.sval?.sval;
  return (
    path !== undefined &&
    /^\s*(lax\s+)?\$(\.(\w+|"[^"\\]*")|\[\d+\])*\s*$/.test(path) &&
    (body?.passing?.length ?? 0) === 0
  );
}
