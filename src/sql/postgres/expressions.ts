// Lineage of expressions: what a value depends on. Conditions are in conditions.ts, function calls in calls.ts.
import type { Analysis } from './analysis.ts';
import { callFunction } from './calls.ts';
import { applyOperator, condition } from './conditions.ts';
import { json } from './json.ts';
import { query } from './queries.ts';
import { anyOpen, itemNamed, noteColumns, type Resolution, resolve, type Scope, wholeRow } from './scope.ts';
import { checkElements, checkPath } from './telling.ts';
import { type A_Const, as, everyNode, kindOf, type Node, names } from './tree.ts';
import { cannotFail, compositeFields, keepsValue, resolveType, typeOids } from './types.ts';
import {
  chosenBy,
  computed,
  constant,
  derive,
  either,
  type Field,
  fieldOf,
  isStored,
  manyConstants,
  noSources,
  nullValue,
  retyped,
  rootless,
  rootlessOf,
  rowValue,
  type Value,
} from './value.ts';

/** Collations of the server's own: only equal texts are equal. */
const wholeCollations: ReadonlySet<string> = new Set([
  'default',
  'C',
  'POSIX',
  'ucs_basic',
  'pg_c_utf8',
  'unicode',
  'pg_unicode_fast',
]);

/** The value of an expression, with everything its parts steer recorded. */
export function evaluate(analysis: Analysis, node: Node | undefined, scope: Scope): Value {
  if (node === undefined) return nullValue;
  analysis.enter();
  const value = evaluateNode(analysis, node, scope);
  analysis.leave();
  return value;
}

export function evaluateAll(analysis: Analysis, nodes: readonly Node[] | undefined, scope: Scope): Value[] {
  return (nodes ?? []).map((node) => evaluate(analysis, node, scope));
}

function evaluateNode(analysis: Analysis, node: Node, scope: Scope): Value {
  const kind = kindOf(node);
  switch (kind) {
    case 'ColumnRef':
      return columnRef(analysis, node, scope);
    case 'A_Const':
      return constantValue(as(node, 'A_Const'));
    case 'ParamRef': {
      const bound = scope.parameter(as(node, 'ParamRef')?.number ?? 0);
      // Its type decides later whether it is an array; `= ANY($1)` counts it as many.
      return bound ?? constant(0);
    }
    case 'TypeCast':
      return cast(analysis, node, scope);
    case 'FuncCall':
      return callFunction(analysis, node, scope);
    case 'A_Expr':
      return applyOperator(analysis, node, scope);
    case 'BoolExpr': {
      const args = evaluateAll(analysis, as(node, 'BoolExpr')?.args, scope);
      return allConstant(args) ? constant(typeOids.bool) : derive(args, typeOids.bool);
    }
    case 'NullTest':
      return test(evaluate(analysis, as(node, 'NullTest')?.arg, scope));
    case 'BooleanTest':
      return test(evaluate(analysis, as(node, 'BooleanTest')?.arg, scope));
    case 'SubLink':
      return subLink(analysis, node, scope);
    case 'CaseExpr':
      return caseValue(analysis, node, scope);
    case 'CoalesceExpr': {
      const values = evaluateAll(analysis, as(node, 'CoalesceExpr')?.args, scope);
      return allConstant(values) ? constant(values[0]?.type ?? 0) : either(values);
    }
    case 'MinMaxExpr': {
      const values = evaluateAll(analysis, as(node, 'MinMaxExpr')?.args, scope);
      if (allConstant(values)) return constant(values[0]?.type ?? 0);
      // GREATEST(ssn, '5...') compares.
      for (const value of values) analysis.useValue(value, 'range');
      return derive(values, values[0]?.type ?? 0);
    }
    case 'A_ArrayExpr': {
      const values = evaluateAll(analysis, as(node, 'A_ArrayExpr')?.elements, scope);
      if (allConstant(values)) return constant(0, values.reduce((sum, value) => sum + value.constants, 0) || 1);
      checkElements(analysis, values, as(node, 'A_ArrayExpr')?.location);
      return derive(values);
    }
    case 'RowExpr':
      return row(analysis, node, scope);
    case 'A_Indirection':
      return indirection(analysis, node, scope);
    case 'CollateClause': {
      const body = as(node, 'CollateClause');
      const arg = evaluate(analysis, body?.arg, scope);
      // Under a collation of a database's own, a constant may equal values that are only like it.
      const whole = wholeCollations.has(names(body?.collname).pop() ?? '');
      return { ...computed(arg, arg.type), ...(whole ? {} : { constants: 0 }) };
    }
    case 'SQLValueFunction':
      return constant(0);
    case 'NamedArgExpr':
      return evaluate(analysis, as(node, 'NamedArgExpr')?.arg, scope);
    case 'SetToDefault':
      return rootless;
    case 'CurrentOfExpr':
      return rootlessOf(typeOids.bool);
    case 'GroupingFunc': {
      evaluateAll(analysis, as(node, 'GroupingFunc')?.args, scope);
      return rootlessOf(typeOids.int4);
    }
    case 'MergeSupportFunc':
      return rootlessOf(typeOids.text);
    case 'List':
      return derive(evaluateAll(analysis, as(node, 'List')?.items, scope));
    case 'XmlExpr': {
      const xml = as(node, 'XmlExpr');
      const values = [
        ...evaluateAll(analysis, xml?.args, scope),
        ...evaluateAll(analysis, unnamed(xml?.named_args), scope),
      ];
      // Whether a text is well-formed is told by failing.
      if (xml?.op === 'IS_XMLPARSE' || xml?.op === 'IS_XMLPI' || xml?.op === 'IS_XMLROOT')
        for (const value of values) analysis.useValue(value, 'argument');
      return derive(values, typeOids.xml);
    }
    case 'XmlSerialize':
      return derive([evaluate(analysis, as(node, 'XmlSerialize')?.expr, scope)], typeOids.text);
    case 'SelectStmt':
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt': {
      const result = query(analysis, node, scope);
      return chosenBy(derive(result.fields.map((field) => field.value)), result.rows);
    }
    default:
      return json(analysis, node, scope) ?? unknown(analysis, node, scope);
  }
}

export function allConstant(values: readonly Value[]): boolean {
  return values.every((value) => value.constants > 0);
}

function unnamed(nodes: readonly Node[] | undefined): Node[] {
  return (nodes ?? []).flatMap((node) => {
    const target = as(node, 'ResTarget')?.val;
    return target === undefined ? [node] : [target];
  });
}

function test(arg: Value): Value {
  return arg.constants > 0 ? constant(typeOids.bool) : derive([arg], typeOids.bool);
}

function constantValue(node: A_Const | undefined): Value {
  if (node?.isnull === true) return nullValue;
  if (node?.ival !== undefined) return constant(typeOids.int4);
  if (node?.fval !== undefined) return constant(typeOids.numeric);
  if (node?.boolval !== undefined) return constant(typeOids.bool);
  return constant(0);
}

function columnRef(analysis: Analysis, node: Node, scope: Scope): Value {
  const ref = as(node, 'ColumnRef');
  const fields = ref?.fields ?? [];
  const last = fields[fields.length - 1];
  if (last !== undefined && as(last, 'A_Star') !== undefined) {
    // `t.*` where a value stands is the whole row, with all its columns.
    const path = names(fields.slice(0, -1));
    const item = itemNamed(scope, path[path.length - 2], path[path.length - 1] ?? '');
    const resolved: Resolution = item === undefined ? resolve(scope, path) : { kind: 'value', value: wholeRow(item) };
    if (resolved.kind === 'value') {
      noteColumns(analysis, resolved.value.sources);
      return resolved.value;
    }
    const all = scope.items.map(wholeRow);
    return rowValue(all.flatMap((value) => value.fields ?? []));
  }
  const path = names(fields);
  const resolved = resolve(scope, path);
  if (resolved.kind === 'value') {
    noteColumns(analysis, resolved.value.sources);
    return resolved.value;
  }
  const name = path[path.length - 1] ?? '';
  if (resolved.kind === 'method') {
    const whole = wholeRow(resolved.item);
    // `t.f` is f(t) where t has no column f; also a cast, where f is a type.
    const value = callFunction(
      analysis,
      { FuncCall: { funcname: [{ String: { sval: name } }], args: [] } },
      scope,
      [whole],
      true,
    );
    if (value.constants >= 0 && analysis.catalog.functions.has(name)) return value;
    missingColumn(analysis, path, ref?.location);
    return value;
  }
  if (anyOpen(scope)) return rootless;
  missingColumn(analysis, path, ref?.location);
  return rootless;
}

function missingColumn(analysis: Analysis, path: readonly string[], offset: number | undefined): void {
  analysis.missed = true;
  const shown = path.length === 1 ? `"${path[0]}"` : path.join('.');
  // The server knows temporary tables and types that we may not; only a plain name is certain.
  const message = `column ${shown} does not exist`;
  analysis.unreadable('column', path.join('.'), 'no column of this name is known', offset, {
    sqlstate: '42703',
    message,
  });
}

function cast(analysis: Analysis, node: Node, scope: Scope): Value {
  const body = as(node, 'TypeCast');
  const target = resolveType(analysis, body?.typeName);
  const value = evaluate(analysis, body?.arg, scope);
  const { catalog } = analysis;
  if (value.constants > 0) {
    // A constant array, `'{1,2}'::int[]`, holds as many as it likes.
    return target.array
      ? { ...constant(target.oid, Math.max(value.constants, as(body?.arg, 'A_ArrayExpr') ? 1 : manyConstants)) }
      : retyped(value, target.oid);
  }
  for (const fact of catalog.casts) {
    if (fact.target !== target.oid) continue;
    const called = catalog.functionsByOid.get(fact.function);
    if (called !== undefined && (value.type === 0 || catalog.baseType(value.type) === fact.source)) {
      const name = [{ String: { sval: called.schema } }, { String: { sval: called.name } }];
      return callFunction(analysis, { FuncCall: { funcname: name } }, scope, [value]);
    }
  }
  if (keepsValue(catalog, value.type, target)) return retyped(value, target.oid);
  // A row cast to a named type keeps its columns, in order.
  const composite = value.fields === undefined ? undefined : compositeFields(catalog, target.oid);
  if (composite !== undefined && composite.length === value.fields?.length) {
    const fields = composite.map((field, at) => ({
      name: field.name,
      value: computed(value.fields?.[at]?.value ?? rootless, field.value.type),
    }));
    return rowValue(fields, target.oid);
  }
  if (value.sources.size > 0 && !cannotFail(catalog, value.type, target.oid))
    analysis.useValue(value, 'argument', body?.location);
  const result = computed(value, target.oid);
  const domain = catalog.types.get(target.oid);
  if (domain?.kind === 'd') analysis.useValue(value, 'argument', body?.location);
  return result;
}

function subLink(analysis: Analysis, node: Node, scope: Scope): Value {
  const link = as(node, 'SubLink');
  if (
    link?.subLinkType === 'ANY_SUBLINK' ||
    link?.subLinkType === 'ALL_SUBLINK' ||
    link?.subLinkType === 'ROWCOMPARE_SUBLINK'
  ) {
    const sources = condition(analysis, node, scope).sources;
    return derive([{ ...rootless, sources }], typeOids.bool);
  }
  const result = query(analysis, link?.subselect, scope);
  switch (link?.subLinkType) {
    case 'EXISTS_SUBLINK':
      return chosenBy(rootlessOf(typeOids.bool), result.rows);
    case 'EXPR_SUBLINK':
    case 'MULTIEXPR_SUBLINK': {
      const first = result.fields[0]?.value ?? rootless;
      if (result.fields.length > 1) return chosenBy(rowValue(result.fields), result.rows);
      if (result.rows.size === 0 && first.constants > 0) return first;
      return chosenBy(first, result.rows);
    }
    default:
      // ARRAY(SELECT ...)
      return chosenBy(derive(result.fields.map((field) => field.value)), result.rows);
  }
}

function caseValue(analysis: Analysis, node: Node, scope: Scope): Value {
  const body = as(node, 'CaseExpr');
  const chosen = new Map(noSources);
  const values: Value[] = [];
  for (const arm of body?.args ?? []) {
    const when = as(arm, 'CaseWhen');
    // CASE x WHEN y is x = y.
    const test: Node | undefined =
      body?.arg === undefined || when?.expr === undefined
        ? when?.expr
        : {
            A_Expr: {
              kind: 'AEXPR_OP',
              name: [{ String: { sval: '=' } }],
              lexpr: body.arg,
              rexpr: when.expr,
              location: when.location ?? 0,
            },
          };
    for (const column of condition(analysis, test, scope).sources.keys())
      if (!chosen.has(column)) chosen.set(column, 0);
    values.push(evaluate(analysis, when?.result, scope));
  }
  values.push(body?.defresult === undefined ? nullValue : evaluate(analysis, body.defresult, scope));
  if (allConstant(values) && chosen.size === 0) return { ...rootless, type: values[0]?.type ?? 0 };
  return either(values, chosen);
}

function row(analysis: Analysis, node: Node, scope: Scope): Value {
  const args = as(node, 'RowExpr')?.args ?? [];
  const fields: Field[] = [];
  for (const arg of args) {
    const star = as(arg, 'ColumnRef')?.fields;
    const value = evaluate(analysis, arg, scope);
    const isStar = star !== undefined && as(star[star.length - 1], 'A_Star') !== undefined;
    if (isStar && value.fields !== undefined)
      for (const field of value.fields) fields.push({ name: `f${fields.length + 1}`, value: field.value });
    else fields.push({ name: `f${fields.length + 1}`, value });
  }
  const values = fields.map((field) => field.value);
  if (allConstant(values)) return { ...constant(typeOids.record), fields };
  return rowValue(fields, typeOids.record);
}

function indirection(analysis: Analysis, node: Node, scope: Scope): Value {
  const body = as(node, 'A_Indirection');
  let value = evaluate(analysis, body?.arg, scope);
  for (const step of body?.indirection ?? []) {
    const name = as(step, 'String')?.sval;
    if (name !== undefined) {
      value = fieldOf(value, name) ?? method(analysis, value, name, scope);
      continue;
    }
    if (as(step, 'A_Star') !== undefined) continue;
    const indices = as(step, 'A_Indices');
    const subscripts = [indices?.lidx, indices?.uidx].map((index) =>
      index === undefined ? nullValue : evaluate(analysis, index, scope),
    );
    const element = analysis.catalog.types.get(value.type)?.element ?? 0;
    if (value.constants > 0 && allConstant(subscripts)) value = constant(element);
    else {
      checkPath(analysis, value, subscripts, undefined);
      value = { ...derive([value, ...subscripts], element), part: isStored(value) };
    }
  }
  return value;
}

/** `(x).f` where x has no field f that we know: a field of a composite type, or f(x). */
function method(analysis: Analysis, value: Value, name: string, scope: Scope): Value {
  const fields = compositeFields(analysis.catalog, value.type);
  const type = fields?.find((field) => field.name === name)?.value.type;
  if (type !== undefined) return derive([value], type);
  if (analysis.catalog.functions.has(name)) {
    const called = callFunction(analysis, { FuncCall: { funcname: [{ String: { sval: name } }] } }, scope, [value]);
    return derive([called, value], called.type);
  }
  return derive([value]);
}

/** Values of all column references below a node, wherever they stand. */
export function evaluateBelow(analysis: Analysis, node: unknown, scope: Scope): Value[] {
  const values: Value[] = [];
  everyNode(node, (kind, body) => {
    if (kind === 'ColumnRef') values.push(evaluate(analysis, { ColumnRef: body } as unknown as Node, scope));
    else if (kind === 'SubLink') values.push(evaluate(analysis, { SubLink: body } as unknown as Node, scope));
    else if (kind === 'FuncCall') values.push(evaluate(analysis, { FuncCall: body } as unknown as Node, scope));
  });
  return values;
}

function unknown(analysis: Analysis, node: Node, scope: Scope): Value {
  analysis.unreadable('statement', kindOf(node), `an expression of kind ${kindOf(node)} is not read`);
  return derive(evaluateBelow(analysis, Object.values(node)[0], scope));
}
