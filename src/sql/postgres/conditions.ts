// Operators and conditions: which columns steer what, and in which way. `Equality` is granted narrowly; the rest is named.
import type { UseKind } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { applyFunctions } from './calls.ts';
import type { Column } from './catalog.ts';
import { allConstant, evaluate } from './expressions.ts';
import { query } from './queries.ts';
import type { Scope } from './scope.ts';
import { checkOperator } from './telling.ts';
import { type A_Expr, as, kindOf, type Node, names } from './tree.ts';
import { typeOids } from './types.ts';
import {
  addChosen,
  chosen,
  constant,
  derive,
  either,
  type Field,
  type How,
  isStored,
  manyConstants,
  rootless,
  rowValue,
  type Sources,
  type Value,
} from './value.ts';

export interface Condition {
  /** Every column that decides. */
  readonly sources: Sources;
}

const operators: ReadonlyMap<string, UseKind> = new Map([
  ['=', 'equality'],
  ['<>', 'equality'],
  ['!=', 'equality'],
  ['<', 'range'],
  ['>', 'range'],
  ['<=', 'range'],
  ['>=', 'range'],
  ['~~', 'pattern'],
  ['!~~', 'pattern'],
  ['~~*', 'pattern'],
  ['!~~*', 'pattern'],
  ['~', 'pattern'],
  ['~*', 'pattern'],
  ['!~', 'pattern'],
  ['!~*', 'pattern'],
  ['^@', 'pattern'],
]);

/** Reads a condition: records how its columns are used and says which ones decide. */
export function condition(analysis: Analysis, node: Node | undefined, scope: Scope): Condition {
  const sources = new Map<Column, How>();
  if (node !== undefined) decide(analysis, node, scope, sources);
  return { sources };
}

function decide(analysis: Analysis, node: Node, scope: Scope, into: Map<Column, How>): void {
  analysis.enter();
  switch (kindOf(node)) {
    case 'BoolExpr':
      for (const arg of as(node, 'BoolExpr')?.args ?? []) decide(analysis, arg, scope, into);
      break;
    case 'BooleanTest': {
      const arg = as(node, 'BooleanTest')?.arg;
      if (arg !== undefined) decide(analysis, arg, scope, into);
      break;
    }
    case 'NullTest': {
      const body = as(node, 'NullTest');
      const value = evaluate(analysis, body?.arg, scope);
      equality(analysis, value, constant(value.type, 1), body?.location, into);
      break;
    }
    case 'ColumnRef': {
      const value = evaluate(analysis, node, scope);
      equality(analysis, value, constant(typeOids.bool), as(node, 'ColumnRef')?.location, into);
      break;
    }
    case 'A_Expr':
      comparison(analysis, as(node, 'A_Expr'), scope, into);
      break;
    case 'SubLink':
      subLink(analysis, node, scope, into);
      break;
    case 'A_Const':
    case 'ParamRef':
      evaluate(analysis, node, scope);
      break;
    default:
      steer(analysis, evaluate(analysis, node, scope), 'computed', undefined, into);
  }
  analysis.leave();
}

function steer(
  analysis: Analysis,
  value: Value,
  how: UseKind,
  offset: number | undefined,
  into: Map<Column, How>,
): void {
  analysis.useValue(value, how, offset);
  addChosen(into, value.sources);
}

function comparison(analysis: Analysis, body: A_Expr | undefined, scope: Scope, into: Map<Column, How>): void {
  if (body === undefined) return;
  const offset = body.location;
  const name = names(body.name).pop() ?? '';
  const own = isBuiltinOperator(analysis, body);
  switch (body.kind) {
    case 'AEXPR_OP':
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR':
    case 'AEXPR_DISTINCT':
    case 'AEXPR_NOT_DISTINCT': {
      if (!own) callOperator(analysis, body, scope);
      const kind = own ? (body.kind === 'AEXPR_SIMILAR' ? 'pattern' : (operators.get(name) ?? 'computed')) : 'computed';
      const left = evaluate(analysis, body.lexpr, scope);
      const right = evaluate(analysis, body.rexpr, scope);
      compare(analysis, kind, left, right, offset, into);
      return;
    }
    case 'AEXPR_IN': {
      const left = evaluate(analysis, body.lexpr, scope);
      const items = as(body.rexpr, 'List')?.items ?? [];
      const rights = items.map((item) => evaluate(analysis, item, scope));
      if (left.fields === undefined && own && allConstant(rights)) {
        equality(analysis, left, constant(left.type, rights.length), offset, into);
      } else {
        for (const right of rights) compare(analysis, own ? 'equality' : 'computed', left, right, offset, into);
      }
      return;
    }
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL': {
      const left = evaluate(analysis, body.lexpr, scope);
      const right = evaluate(analysis, body.rexpr, scope);
      const array = as(body.rexpr, 'A_ArrayExpr') ?? as(as(body.rexpr, 'TypeCast')?.arg, 'A_ArrayExpr');
      const kind = own ? (operators.get(name) ?? 'computed') : 'computed';
      // ARRAY[...] shows how many there are; a parameter or a text does not.
      const many = right.constants > 0 && array === undefined ? { ...right, constants: manyConstants } : right;
      if (array !== undefined && right.constants === 0 && kind === 'equality') {
        for (const element of array.elements ?? [])
          compare(analysis, kind, left, evaluate(analysis, element, scope), offset, into);
      } else {
        compare(analysis, kind, left, many, offset, into);
      }
      return;
    }
    case 'AEXPR_NULLIF': {
      if (!own) callOperator(analysis, body, scope);
      compare(
        analysis,
        own ? 'equality' : 'computed',
        evaluate(analysis, body.lexpr, scope),
        evaluate(analysis, body.rexpr, scope),
        offset,
        into,
      );
      return;
    }
    default: {
      // BETWEEN and its kin, which look up <= and >= by the path.
      for (const sign of ['<=', '>=', '<', '>']) shadowed(analysis, sign, body, scope);
      const left = evaluate(analysis, body.lexpr, scope);
      const bounds = (as(body.rexpr, 'List')?.items ?? []).map((item) => evaluate(analysis, item, scope));
      for (const value of [left, ...bounds]) steer(analysis, value, 'range', offset, into);
    }
  }
}

function compare(
  analysis: Analysis,
  how: UseKind,
  left: Value,
  right: Value,
  offset: number | undefined,
  into: Map<Column, How>,
): void {
  if (how === 'equality') {
    const [lefts, rights] = [left.fields, right.fields];
    if (lefts !== undefined && rights !== undefined && lefts.length === rights.length) {
      for (const [at, field] of lefts.entries())
        equality(analysis, field.value, rights[at]?.value ?? rootless, offset, into);
    } else {
      equality(analysis, left, right, offset, into);
    }
    return;
  }
  steer(analysis, left, how, offset, into);
  steer(analysis, right, how, offset, into);
}

/** `left = right`: who meets what, uncomputed. */
export function equality(
  analysis: Analysis,
  left: Value,
  right: Value,
  offset: number | undefined,
  into: Map<Column, How>,
): void {
  meets(analysis, left, right, offset, into);
  meets(analysis, right, left, offset, into);
}

function meets(analysis: Analysis, one: Value, other: Value, offset: number | undefined, into: Map<Column, How>): void {
  if (one.sources.size === 0) return;
  addChosen(into, one.sources);
  for (const [column, how] of one.sources) {
    if (how === chosen) continue;
    if (!one.pure) analysis.uses.push({ column, how: 'computed', offset });
    else if (other.constants > 0) analysis.uses.push({ column, how: 'equality', constants: other.constants, offset });
    else if (other.pure) analysis.uses.push({ column, how: 'equality', with: plain(other.sources), offset });
    // Data that stands for no column: a series or inline rows would try out every value.
    else analysis.uses.push({ column, how: 'join', offset });
  }
}

const plains = new WeakMap<Sources, Column[]>();

/** The columns whose values are there, not only chosen by. */
function plain(sources: Sources): Column[] {
  let columns = plains.get(sources);
  if (columns === undefined) {
    columns = [];
    for (const [column, how] of sources) if (how !== chosen) columns.push(column);
    plains.set(sources, columns);
  }
  return columns;
}

function subLink(analysis: Analysis, node: Node, scope: Scope, into: Map<Column, How>): void {
  const link = as(node, 'SubLink');
  const result = query(analysis, link?.subselect, scope);
  addChosen(into, result.rows);
  if (link?.subLinkType === 'EXISTS_SUBLINK') return;
  if (link?.testexpr === undefined) {
    for (const field of result.fields) steer(analysis, field.value, 'computed', link?.location, into);
    return;
  }
  const left = evaluate(analysis, link.testexpr, scope);
  const own = (link.operName?.length ?? 0) < 2 && !analysis.catalog.operators.has(names(link.operName).pop() ?? '=');
  const kind = own ? (operators.get(names(link.operName).pop() ?? '=') ?? 'computed') : 'computed';
  const first = result.fields[0]?.value ?? rootless;
  const right: Value =
    result.fields.length === 1 ? { ...first, constants: 0 } : rowValue(result.fields.map(inconstant));
  compare(analysis, kind, left, right, link.location, into);
}

function inconstant(field: Field): Field {
  return { name: field.name, value: { ...field.value, constants: 0 } };
}

function isBuiltinOperator(analysis: Analysis, body: A_Expr): boolean {
  const parts = names(body.name);
  if (parts.length > 1 && parts[0] !== 'pg_catalog') return false;
  return parts.length > 1 || foreignOperators(analysis, parts).length === 0;
}

const none: readonly number[] = [];

/** Operators of this name that are not the server's own and do more than compute. */
function foreignOperators(analysis: Analysis, parts: readonly string[]): readonly number[] {
  const found = analysis.catalog.operators.get(parts[parts.length - 1] ?? '');
  if (found === undefined) return none;
  return found
    .filter((fact) => (parts.length > 1 ? fact.schema === parts[0] : analysis.around.path.includes(fact.schema)))
    .filter((fact) => fact.extension === '' || !pureExtensions.has(fact.extension))
    .map((fact) => fact.function);
}

/** Extensions whose C code only computes from its arguments. */
export const pureExtensions: ReadonlySet<string> = new Set([
  'btree_gin',
  'btree_gist',
  'citext',
  'cube',
  'earthdistance',
  'fuzzystrmatch',
  'hstore',
  'intarray',
  'isn',
  'ltree',
  'pg_trgm',
  'pgcrypto',
  'seg',
  'unaccent',
  'uuid-ossp',
  'vector',
]);

/** Calls what stands on the path under the name of one of the server's operators. */
function shadowed(analysis: Analysis, sign: string, body: A_Expr, scope: Scope): void {
  if (foreignOperators(analysis, [sign]).length === 0) return;
  const arms = as(body.rexpr, 'List')?.items ?? [];
  for (const arm of arms) callOperator(analysis, { ...body, name: [{ String: { sval: sign } }], rexpr: arm }, scope);
}

/** What JOIN ... USING, NATURAL and the like compare with: `=` by the path. */
export function callEquals(analysis: Analysis, left: Value, right: Value): void {
  const facts = foreignOperators(analysis, ['=']).flatMap((oid) => analysis.catalog.functionsByOid.get(oid) ?? []);
  if (facts.length > 0) applyFunctions(analysis, facts, [left, right], undefined);
}

function callOperator(analysis: Analysis, body: A_Expr, scope: Scope): Value {
  const parts = names(body.name);
  const args = [body.lexpr, body.rexpr].flatMap((node) =>
    node === undefined ? [] : [evaluate(analysis, node, scope)],
  );
  const facts = foreignOperators(analysis, parts).flatMap((oid) => analysis.catalog.functionsByOid.get(oid) ?? []);
  const values = applyFunctions(analysis, facts, args, body.location);
  return derive([...args, ...values]);
}

/** The value of an operator expression where no condition stands. */
export function applyOperator(analysis: Analysis, node: Node, scope: Scope): Value {
  const body = as(node, 'A_Expr');
  if (body === undefined) return rootless;
  if (body.kind === 'AEXPR_NULLIF') {
    const into = new Map<Column, How>();
    comparison(analysis, body, scope, into);
    return either([evaluate(analysis, body.lexpr, scope)], into);
  }
  if (!isBuiltinOperator(analysis, body)) return callOperator(analysis, body, scope);
  const name = names(body.name).pop() ?? '';
  const left = body.lexpr === undefined ? undefined : evaluate(analysis, body.lexpr, scope);
  const list = as(body.rexpr, 'List')?.items;
  const rights =
    list === undefined ? [evaluate(analysis, body.rexpr, scope)] : list.map((item) => evaluate(analysis, item, scope));
  const values = left === undefined ? rights : [left, ...rights];
  if (allConstant(values))
    return constant(
      resultType(name, values),
      name === '||' && values.some((value) => value.constants > 1) ? manyConstants : 1,
    );
  checkOperator(analysis, name, body, left, rights);
  const result = derive(values, resultType(name, values));
  return name.startsWith('->') || name.startsWith('#>')
    ? { ...result, part: left !== undefined && isStored(left) }
    : result;
}

function resultType(name: string, values: readonly Value[]): number {
  if (operators.has(name)) return typeOids.bool;
  const [first, second] = values;
  if (name === '->>' || name === '#>>') return typeOids.text;
  if (name === '->' || name === '#>') return first?.type ?? 0;
  if (name === '||') return first?.type ?? 0;
  return first?.type !== 0 && first?.type === second?.type ? (first?.type ?? 0) : 0;
}
