// Function calls: the server's own by what is known of them, SQL and PL/pgSQL functions by their bodies, others as opaque.
import type { Analysis } from './analysis.ts';
import { copying, effectOf, steady, total } from './builtins.ts';
import type { Column, FunctionFact } from './catalog.ts';
import { condition, pureExtensions } from './conditions.ts';
import { allConstant, evaluate } from './expressions.ts';
import { hidden, summaryOf } from './functions.ts';
import type { Scope } from './scope.ts';
import { callSetConfig } from './settings.ts';
import { checkArguments } from './telling.ts';
import { as, type FuncCall, type Node, names, type WindowDef } from './tree.ts';
import { compositeFields, typeOids } from './types.ts';
import {
  addChosen,
  constant,
  copied,
  derive,
  either,
  type Field,
  fieldOf,
  type How,
  isStored,
  manyConstants,
  nullValue,
  rootlessOf,
  type Sources,
  type Value,
} from './value.ts';

/** The value of a call. `given` replaces the written arguments, for calls in other clothes: operators, casts, `t.f`. */
export function callFunction(
  analysis: Analysis,
  node: Node,
  scope: Scope,
  given?: readonly Value[],
  quiet = false,
): Value {
  const call = as(node, 'FuncCall');
  if (call === undefined) return rootlessOf(0);
  const parts = names(call.funcname);
  const name = parts[parts.length - 1] ?? '';
  const schema = parts.length > 1 ? parts[parts.length - 2] : undefined;
  const written = given ?? (call.args ?? []).map((arg) => evaluate(analysis, arg, scope));
  // WITHIN GROUP (ORDER BY x): x is an argument as well (parse_func.c).
  const ordered = call.agg_within_group === true ? (call.agg_order ?? []) : [];
  const args = [...written, ...ordered.map((item) => evaluate(analysis, as(item, 'SortBy')?.node, scope))];
  const rows = new Map<Column, How>();
  modifiers(analysis, call, scope, name, rows);
  // `f(t)` is t.f where t has a column f.
  const [only] = args;
  const field = schema === undefined && args.length === 1 && only !== undefined ? fieldOf(only, name) : undefined;
  const facts = candidates(analysis, schema, name, args.length, call.func_variadic === true);
  if (
    analysis.around.touched.size > 0 &&
    (analysis.around.touched.has(`()${name}`) || analysis.around.touched.has('*')) &&
    !facts.every(isBuiltin)
  ) {
    analysis.unreadable(
      'function',
      parts.join('.'),
      'changed earlier in this transaction, which the catalog does not show yet',
      call.location,
    );
  }
  if (facts.length === 0) {
    if (field !== undefined) return field;
    const type = analysis.catalog.type(schema, name, analysis.around.path);
    if (type !== undefined && args.length === 1) {
      const value = derive(args, type.oid);
      if (type.category !== 'S') for (const arg of args) analysis.useValue(arg, 'argument', call.location);
      return args[0]?.constants ? constant(type.oid) : value;
    }
    if (!quiet) {
      analysis.missed = true;
      analysis.missedNames.push(name);
      analysis.unreadable('unseen', parts.join('.'), 'no function of this name is known', call.location);
    }
    return derive(args, 0, rows);
  }
  const values: Value[] = field === undefined ? [] : [field];
  const builtin = facts.filter(isBuiltin);
  if (builtin.length > 0) values.push(callBuiltin(analysis, call, name, builtin, args, scope, rows));
  const own = facts.filter((fact) => !isBuiltin(fact));
  const labels = given === undefined ? (call.args ?? []).map((arg) => as(arg, 'NamedArgExpr')?.name) : [];
  values.push(...applyFunctions(analysis, own, args, call.location, labels));
  const [single] = values;
  if (values.length === 1 && single !== undefined && rows.size === 0) return single;
  return either(values, rows);
}

/** The first oid that initdb does not use (transam.h, FirstNormalObjectId). */
const firstUserOid = 16384;

export function isBuiltin(fact: FunctionFact): boolean {
  return fact.oid < firstUserOid && (fact.schema === 'pg_catalog' || fact.schema === 'information_schema');
}

/** Functions the call can mean: by name, along the path, by the number of arguments. Overloads are taken together. */
export function candidates(
  analysis: Analysis,
  schema: string | undefined,
  name: string,
  count: number,
  variadic: boolean,
): FunctionFact[] {
  const named = analysis.catalog.functions.get(name) ?? [];
  return named.filter((fact) => {
    // Functions in pg_temp are found only when the schema is named (namespace.c).
    if (schema === undefined ? !analysis.around.path.includes(fact.schema) : fact.schema !== schema) return false;
    const most = fact.argTypes.length;
    if (fact.kind === 'p' && fact.outTypes.length > 0) return true;
    if (fact.variadic && !variadic) return count >= most - 1 - fact.defaults;
    return count <= most && count >= most - fact.defaults;
  });
}

/** ORDER BY, FILTER, DISTINCT, WITHIN GROUP and OVER of a call. */
function modifiers(analysis: Analysis, call: FuncCall, scope: Scope, name: string, rows: Map<Column, How>): void {
  if (call.agg_filter !== undefined) addChosen(rows, condition(analysis, call.agg_filter, scope).sources);
  for (const item of call.agg_order ?? []) {
    const value = evaluate(analysis, as(item, 'SortBy')?.node, scope);
    analysis.useValue(value, 'order', call.location);
    addChosen(rows, value.sources);
  }
  if (call.agg_distinct === true && name !== 'count') {
    for (const arg of call.args ?? []) analysis.useValue(evaluate(analysis, arg, scope), 'distinct', call.location);
  }
  if (call.over !== undefined) addChosen(rows, windowSources(analysis, call.over, scope));
}

/** What a window's partitions, order and frame depend on. */
export function windowSources(analysis: Analysis, window: WindowDef, scope: Scope): Sources {
  const rows = new Map<Column, How>();
  const parts = [
    ...(window.partitionClause ?? []),
    ...(window.orderClause ?? []).flatMap((item) => as(item, 'SortBy')?.node ?? []),
    ...[window.startOffset, window.endOffset].flatMap((node) => node ?? []),
  ];
  for (const part of parts) {
    const value = evaluate(analysis, part, scope);
    analysis.useValue(value, 'window', window.location);
    addChosen(rows, value.sources);
  }
  return rows;
}

function callBuiltin(
  analysis: Analysis,
  call: FuncCall,
  name: string,
  facts: readonly FunctionFact[],
  args: readonly Value[],
  scope: Scope,
  rows: Map<Column, How>,
): Value {
  analysis.functions.add(`pg_catalog.${name}`);
  const effect = effectOf(name);
  // ts_rewrite(query, query, query) only computes; with two arguments it runs the second.
  if (effect !== undefined && !(name === 'ts_rewrite' && args.length === 3)) {
    if (effect.verb !== undefined) analysis.verbs.add(effect.verb);
    if (effect.opaque !== undefined)
      analysis.unreadable('function', `pg_catalog.${name}`, effect.opaque, call.location);
    if (effect.sideDoor !== undefined) analysis.sideDoor(name, effect.sideDoor);
    if (effect.into !== undefined)
      for (const arg of args) analysis.flow(arg.sources, { kind: 'place', what: effect.into });
    if (effect.setting === true) callSetConfig(analysis, call.args ?? [], scope);
  }
  const first = facts[0];
  const type = commonType(facts, args);
  const returnsSet = facts.some((fact) => fact.returnsSet);
  checkArguments(analysis, name, facts, args, returnsSet, call);
  if (first?.kind === 'a') return aggregate(analysis, call, name, args, type);
  if (copying.has(name))
    return either(
      name === 'nth_value'
        ? args.slice(0, 1)
        : args.length === 3
          ? [args[0] ?? rootlessOf(0), args[2] ?? rootlessOf(0)]
          : args.slice(0, 1),
    );
  const fixed =
    !returnsSet &&
    facts.every(
      (fact) => fact.kind === 'f' && (fact.volatility === 'i' || (fact.volatility === 's' && steady.has(name))),
    );
  if (fixed && allConstant(args) && rows.size === 0) {
    const array = analysis.catalog.types.get(type)?.element ?? 0;
    return constant(type, array !== 0 || type === 0 ? manyConstants : 1);
  }
  const path = args[0] !== undefined && (storedPaths.has(name) ? isStored(args[0]) : isFixedDocument(name, args[0]));
  const computed = derive(args, type);
  const value = path ? { ...computed, part: true } : computed;
  const fields = outFields(analysis, facts, args, value);
  return fields === undefined ? value : { ...value, fields };
}

const storedPaths: ReadonlySet<string> = new Set([
  'json_extract_path',
  'json_extract_path_text',
  'jsonb_extract_path',
  'jsonb_extract_path_text',
]);

/** `to_jsonb(t)`: its keys are the columns, whatever is in them. */
function isFixedDocument(name: string, row: Value): boolean {
  if (name !== 'to_jsonb' && name !== 'to_json' && name !== 'row_to_json') return false;
  return row.fields?.every((field) => isStored(field.value)) === true;
}

/** Columns of a function's row, each computed from all its arguments. Overloads that differ in them are told apart by type. */
function outFields(
  analysis: Analysis,
  facts: readonly FunctionFact[],
  args: readonly Value[],
  value: Value,
): Field[] | undefined {
  const shapes = facts.map((fact) => rowShape(analysis, fact));
  const [first] = shapes;
  if (shapes.every((shape) => shape?.join() === first?.join())) return fieldsFor(analysis, facts[0], value);
  const exact = facts.find((fact) => fact.argTypes.every((type, at) => type === args[at]?.type));
  if (exact !== undefined) return fieldsFor(analysis, exact, value);
  // With arguments of a type not known here, a call means the overload for any array or any element.
  const general = facts.find((fact) =>
    fact.argTypes.some((type) => polymorphic.has(type) || polymorphicArrays.has(type)),
  );
  return fieldsFor(analysis, general ?? facts[0], value);
}

function rowShape(analysis: Analysis, fact: FunctionFact): readonly string[] | undefined {
  if (fact.outNames.length > 1) return fact.outNames;
  return compositeFields(analysis.catalog, fact.returnType)?.map((field) => field.name);
}

function fieldsFor(analysis: Analysis, fact: FunctionFact | undefined, value: Value): Field[] | undefined {
  if (fact === undefined) return undefined;
  if (fact.outNames.length > 1) {
    return fact.outNames.map((name, at) => ({
      name,
      value: { ...value, constants: 0, type: fact.outTypes[at] ?? 0 },
    }));
  }
  return compositeFields(analysis.catalog, fact.returnType, (_, type) => ({ ...value, constants: 0, type }));
}

const polymorphic: ReadonlySet<number> = new Set([2283, 2776, 5077, 3500]);
const polymorphicArrays: ReadonlySet<number> = new Set([2277, 5078]);

function commonType(facts: readonly FunctionFact[], args: readonly Value[]): number {
  const [first] = facts;
  if (first === undefined) return 0;
  const exact = facts.find(
    (fact) => fact.argTypes.length === args.length && fact.argTypes.every((type, at) => type === args[at]?.type),
  );
  const type = (exact ?? first).returnType;
  if (exact === undefined && facts.some((fact) => fact.returnType !== type)) return 0;
  if (polymorphic.has(type)) return args[0]?.type ?? 0;
  return polymorphicArrays.has(type) ? 0 : type;
}

function aggregate(analysis: Analysis, call: FuncCall, name: string, args: readonly Value[], type: number): Value {
  if (name === 'count') {
    const counted = new Map<Column, How>();
    for (const arg of args) {
      for (const [column, how] of arg.sources) {
        if (how === copied) analysis.uses.push({ column, how: 'count', offset: call.location });
        else if (how > copied) analysis.uses.push({ column, how: 'computed', offset: call.location });
      }
      if (arg.pure) addChosen(counted, arg.sources);
      else for (const [column, how] of arg.sources) counted.set(column, how);
    }
    // How many there are is no value of the column; what is computed from it may be.
    return { sources: counted, pure: false, constants: 0, type: typeOids.int8 };
  }
  if (name === 'min' || name === 'max') for (const arg of args) analysis.useValue(arg, 'min-max', call.location);
  if (copying.has(name)) return either(args);
  return derive(args, type);
}

/** Calls functions that are not the server's own with these arguments; one value for each that can be meant. */
export function applyFunctions(
  analysis: Analysis,
  facts: readonly FunctionFact[],
  written: readonly Value[],
  offset: number | undefined,
  labels: readonly (string | undefined)[] = [],
): Value[] {
  return facts.map((fact) => {
    const args = inOrder(fact, written, labels);
    const name = `${fact.schema}.${fact.name}`;
    analysis.functions.add(name);
    if (fact.kind === 'a' || fact.kind === 'w') return aggregateOf(analysis, fact, args, offset);
    if (fact.extension !== '' && pureExtensions.has(fact.extension) && fact.language === 'c') {
      for (const arg of args) if (!total.has(fact.name)) analysis.useValue(arg, 'argument', offset);
      return args.length > 0 && allConstant(args) && fact.volatility !== 'v' && !fact.returnsSet
        ? constant(fact.returnType)
        : derive(args, fact.returnType);
    }
    if (fact.language !== 'sql' && fact.language !== 'plpgsql') {
      analysis.unreadable(hidden(fact), name, `its body cannot be read (language ${fact.language})`, offset);
      for (const arg of args) analysis.useValue(arg, 'argument', offset);
      return derive(args, fact.returnType);
    }
    return summaryOf(analysis, fact).apply(analysis, args, offset);
  });
}

/** Arguments in the order of the parameters: `f(b => 1, a => 2)` names them. */
function inOrder(
  fact: FunctionFact,
  written: readonly Value[],
  labels: readonly (string | undefined)[],
): readonly Value[] {
  if (!labels.some((label) => label !== undefined)) return written;
  const ordered: Value[] = fact.argTypes.map(() => nullValue);
  for (const [at, value] of written.entries()) {
    const label = labels[at];
    const place = label === undefined ? at : fact.argNames.indexOf(label);
    // A name that this function has no parameter for: any of them may be meant.
    if (place < 0) return fact.argTypes.map(() => derive(written));
    ordered[place] = value;
  }
  return ordered;
}

function aggregateOf(
  analysis: Analysis,
  fact: FunctionFact,
  args: readonly Value[],
  offset: number | undefined,
): Value {
  const values: Value[] = [...args];
  for (const oid of fact.support) {
    const support = analysis.catalog.functionsByOid.get(oid);
    if (support === undefined || isBuiltin(support)) continue;
    const state = derive(args);
    values.push(
      ...applyFunctions(
        analysis,
        [support],
        support.argTypes.map(() => state),
        offset,
      ),
    );
  }
  for (const arg of args) analysis.useValue(arg, 'argument', offset);
  return derive(values, fact.returnType);
}
