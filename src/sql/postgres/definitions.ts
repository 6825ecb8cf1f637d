// Expressions inside definitions: checks, defaults, indexes, policies, statistics. The server computes them over stored rows, when it
// takes the definition or later, so that they count as if the statement had asked.
import type { Flow } from '../reading.ts';
import { Analysis } from './analysis.ts';
import { isBuiltin } from './calls.ts';
import type { Column, Relation } from './catalog.ts';
import { condition, equality } from './conditions.ts';
import { evaluate } from './expressions.ts';
import { item, lookup } from './from.ts';
import { summaryOf } from './functions.ts';
import { fieldNamed, Scope } from './scope.ts';
import { as, type Constraint, everyNode, type IndexElem, type Node, names } from './tree.ts';
import { either, type Field, rootless, type Value } from './value.ts';

/**
 * Reads on the side: what is used, where values flow and what cannot be seen through counts; the verbs and tables of the expressions
 * do not, since a default of nextval() makes no write of a definition.
 */
export function aside(analysis: Analysis, read: (inner: Analysis) => void): void {
  const inner = new Analysis(analysis.around);
  inner.inside = analysis.inside;
  inner.depth = analysis.depth;
  for (const running of analysis.running) inner.running.add(running);
  read(inner);
  analysis.uses.push(...inner.uses);
  analysis.flows.push(...inner.flows);
  for (const column of inner.columns) analysis.columns.add(column);
  for (const name of inner.functions) analysis.functions.add(name);
  for (const fact of inner.opaque) analysis.unreadable(fact.kind, fact.name, fact.why, fact.offset, fact.missing);
  for (const door of inner.sideDoors) analysis.sideDoor(door.name, door.why);
  analysis.readBelow(inner);
  analysis.forbidden ??= inner.forbidden;
  if (inner.missed) analysis.missed = true;
  analysis.missedNames.push(...inner.missedNames);
}

/** The scope of expressions over the rows of a table. */
export function rowsOf(name: string, fields: readonly Field[], relation: Relation | undefined, open = false): Scope {
  const scope = new Scope(undefined);
  scope.items = [item(name, fields, { schema: relation?.schema, relation, open })];
  return scope;
}

/** Reads every expression in a definition over the rows that `scope` shows. */
export function readExpressions(analysis: Analysis, node: unknown, scope: Scope): void {
  // A constraint inside a column is met twice: with its column first, then on its own.
  const seen = new Set<object>();
  const once = (inner: Analysis, body: Constraint | undefined, column: string | undefined) => {
    if (body === undefined || seen.has(body)) return;
    seen.add(body);
    constraint(inner, body, scope, column);
  };
  aside(analysis, (inner) => {
    everyNode(node, (kind, body) => {
      switch (kind) {
        case 'ColumnDef':
          for (const entry of (body.constraints as Node[] | undefined) ?? [])
            once(inner, as(entry, 'Constraint'), String(body.colname ?? ''));
          break;
        case 'Constraint':
          once(inner, body as Constraint, undefined);
          break;
        case 'IndexElem':
          indexed(inner, body as IndexElem, scope);
          if (body.expr !== undefined) inner.useValue(evaluate(inner, body.expr as Node, scope), 'group');
          break;
        case 'PartitionElem':
        case 'StatsElem':
          // Pieces that must be unique, or that ANALYZE keeps, are a grouping of the rows.
          if (body.expr !== undefined) inner.useValue(evaluate(inner, body.expr as Node, scope), 'group');
          break;
        case 'IndexStmt':
        case 'PublicationObjSpec':
        case 'PublicationTable':
          if (body.whereClause !== undefined) condition(inner, body.whereClause as Node, scope);
          break;
        case 'CreatePolicyStmt':
        case 'AlterPolicyStmt':
          for (const part of [body.qual, body.with_check])
            if (part !== undefined) condition(inner, part as Node, scope);
          break;
        default:
      }
    });
  });
}

function constraint(analysis: Analysis, body: Constraint, scope: Scope, column: string | undefined): void {
  switch (body.contype) {
    case 'CONSTR_CHECK':
      if (body.raw_expr !== undefined) condition(analysis, body.raw_expr, scope);
      break;
    case 'CONSTR_DEFAULT':
    case 'CONSTR_GENERATED':
      if (body.raw_expr !== undefined) defaultFlow(analysis, evaluate(analysis, body.raw_expr, scope), scope, column);
      break;
    case 'CONSTR_EXCLUSION':
      for (const pair of body.exclusions ?? []) excluded(analysis, as(pair, 'List')?.items ?? [], scope);
      if (body.where_clause !== undefined) condition(analysis, body.where_clause, scope);
      break;
    case 'CONSTR_FOREIGN': {
      const other = lookup(analysis, body.pktable, 'ddl');
      const own = column === undefined ? names(body.fk_attrs) : [column];
      own.forEach((name, at) => {
        const there = names(body.pk_attrs)[at];
        const partner = there === undefined ? other.fields[at]?.value : fieldNamed(other.fields, there);
        meet(analysis, fieldNamed(scope.items[0]?.fields ?? [], name), partner);
      });
      break;
    }
    default:
  }
}

/** Operator classes of the server's own under which only equal values are equal. */
const wholeClasses =
  /^(?:text|varchar|bpchar|name|int[248]|date|numeric|uuid|bytea|timestamp|timestamptz|bool|oid|float[48]|inet|jsonb|char)(?:_pattern)?_ops$|^jsonb_path_ops$|^array_ops$/;

/** An index under a collation or an operator class of the client's choice calls values equal that are only alike, or runs its code over them. */
function indexed(analysis: Analysis, element: IndexElem, scope: Scope): void {
  if (element.name === undefined) return;
  const path = names(element.opclass);
  const own =
    path.length > 0 &&
    !(wholeClasses.test(path[path.length - 1] ?? '') && (path.length < 2 || path[0] === 'pg_catalog'));
  if ((element.collation ?? []).length === 0 && !own) return;
  const value = fieldNamed(scope.items[0]?.fields ?? [], element.name);
  if (value !== undefined) analysis.useValue(value, 'argument');
}

/** An exclusion constraint compares by the operator that it names. */
function excluded(analysis: Analysis, [element, operator]: readonly Node[], scope: Scope): void {
  const name = as(element, 'IndexElem')?.name;
  const path = names(as(operator, 'List')?.items);
  if (name === undefined || (path[path.length - 1] === '=' && (path.length < 2 || path[0] === 'pg_catalog'))) return;
  const value = fieldNamed(scope.items[0]?.fields ?? [], name);
  if (value !== undefined) analysis.useValue(value, 'argument');
}

/** A foreign key fails or holds by whether the values of one column are among those of the other. */
function meet(analysis: Analysis, one: Value | undefined, other: Value | undefined): void {
  equality(analysis, one ?? rootless, other ?? rootless, undefined, new Map());
}

/** A default is stored in every row that is written without the column. */
export function defaultFlow(analysis: Analysis, value: Value, scope: Scope, name: string | undefined): void {
  const columns = scope.items.flatMap((entry) => entry.relation?.columns ?? []);
  const column = columns.find((candidate) => candidate.name === name);
  const into: Flow['into'] & { kind: 'place' } = { kind: 'place', what: 'new-table' };
  analysis.flow(value.sources, column === undefined ? into : { kind: 'column', column });
}

/** CREATE and ALTER DOMAIN: a check looks at every value there is of the domain. */
export function domainExpressions(analysis: Analysis, node: Node): void {
  const altered = as(node, 'AlterDomainStmt');
  const scope = new Scope(undefined);
  const value = altered === undefined ? rootless : either(valuesOf(analysis, names(altered.typeName)));
  scope.variables = (path) => (path.length === 1 && path[0] === 'value' ? value : undefined);
  readExpressions(analysis, node, scope);
  // SET DEFAULT brings the expression itself.
  const def = altered?.def;
  if (def !== undefined && as(def, 'Constraint') === undefined)
    aside(analysis, (inner) => defaultFlow(inner, evaluate(inner, def, scope), scope, undefined));
}

function valuesOf(analysis: Analysis, parts: readonly string[]): Value[] {
  const { catalog, path } = analysis.around;
  const fact = catalog.type(
    parts.length > 1 ? parts[parts.length - 2] : undefined,
    parts[parts.length - 1] ?? '',
    path,
  );
  const columns: Column[] = [];
  if (fact !== undefined) {
    for (const relation of catalog.relationsByOid.values())
      for (const column of relation.columns) if (overDomain(analysis, column.type, fact.oid)) columns.push(column);
  }
  if (columns.length === 0) return [rootless];
  return columns.map((column) => ({
    sources: new Map([[column, 1 as const]]),
    pure: true,
    constants: 0,
    type: column.type,
  }));
}

function overDomain(analysis: Analysis, type: number, domain: number): boolean {
  for (let at = type, depth = 0; depth < 32; depth++) {
    if (at === domain) return true;
    const fact = analysis.catalog.types.get(at);
    if (fact === undefined) return false;
    at = fact.kind === 'd' ? fact.base : fact.element;
    if (at === 0) return false;
  }
  return false;
}

/**
 * Functions that the server will call where no call is written: of casts, of operator classes, of ranges. One that keeps or shows
 * what it is given would do so unseen.
 */
export function unseenFunctions(analysis: Analysis, node: Node): void {
  const cast = as(node, 'CreateCastStmt');
  const called: (readonly string[])[] = [];
  if (cast?.func?.objname !== undefined && cast.context !== 'COERCION_EXPLICIT') called.push(names(cast.func.objname));
  for (const entry of as(node, 'CreateOpClassStmt')?.items ?? [])
    called.push(names(as(entry, 'CreateOpClassItem')?.name?.objname));
  for (const entry of as(node, 'AlterOpFamilyStmt')?.items ?? [])
    called.push(names(as(entry, 'CreateOpClassItem')?.name?.objname));
  for (const entry of as(node, 'CreateRangeStmt')?.params ?? [])
    called.push(names(as(as(entry, 'DefElem')?.arg, 'TypeName')?.names));
  for (const parts of called) {
    const name = parts[parts.length - 1] ?? '';
    for (const fact of analysis.catalog.functions.get(name) ?? []) {
      if (isBuiltin(fact) || (parts.length > 1 && fact.schema !== parts[parts.length - 2])) continue;
      if (summaryOf(analysis, fact).keepsArguments())
        analysis.unreadable(
          'function',
          `${fact.schema}.${name}`,
          'would be called unseen with values that it keeps or shows',
        );
    }
  }
}
