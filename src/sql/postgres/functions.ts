// Functions written in SQL and PL/pgSQL, read once for a catalog with their parameters as unknowns, then applied to each call.

import type { TableUse } from '../reading.ts';
import { Analysis, recursion, TooDeep } from './analysis.ts';
import { type Column, effectivePath, type FunctionFact, type Relation, splitSearchPath } from './catalog.ts';
import { parse } from './parser.ts';
import { readPlpgsql } from './plpgsql.ts';
import type { QueryResult } from './queries.ts';
import { Scope } from './scope.ts';
import { statement } from './statements.ts';
import { as, type Node } from './tree.ts';
import { compositeFields } from './types.ts';
import {
  chosen,
  chosenBy,
  copied,
  derive,
  derived,
  type Field,
  type How,
  isParameter,
  nullValue,
  parametersName,
  rootless,
  rootlessOf,
  rowValue,
  type Sources,
  type Value,
} from './value.ts';

/** Parameters stand in sources as columns of a table that nothing else names. */
export function parameterColumns(names: readonly string[], types: readonly number[]): Column[] {
  const table: Relation = {
    oid: 0,
    schema: '',
    name: parametersName,
    kind: 't',
    rowType: 0,
    columns: [],
    parents: [],
    children: [],
    definition: undefined,
    rules: [],
    triggers: [],
  };
  return types.map((type, at) => ({
    table,
    name: names[at] ?? `$${at + 1}`,
    attnum: at + 1,
    type,
    notNull: false,
    generated: false,
  }));
}

export function parameterValue(column: Column): Value {
  return { sources: new Map([[column, copied]]), pure: true, constants: 0, type: column.type };
}

export class Summary {
  private readonly fact: FunctionFact;
  private readonly inner: Analysis;
  private readonly parameters: readonly Column[];
  private readonly result: Value;

  constructor(fact: FunctionFact, inner: Analysis, parameters: readonly Column[], result: Value) {
    this.fact = fact;
    this.inner = inner;
    this.parameters = parameters;
    this.result = result;
  }

  tables(): Iterable<TableUse> {
    return this.inner.tables.values();
  }

  /** Whether what it is given stands somewhere afterwards, is shown, or goes where nobody can see. */
  keepsArguments(): boolean {
    return (
      this.inner.opaque.length > 0 ||
      this.inner.flows.some((flow) => [...flow.from].some(([column, how]) => how !== chosen && isParameter(column)))
    );
  }

  /** What the body reads, for code that runs it unasked. */
  get analysis(): Analysis {
    return this.inner;
  }

  /** The value of a call with these arguments; what the body does is added to the reading. */
  apply(analysis: Analysis, args: readonly Value[], offset: number | undefined): Value {
    analysis.absorb(this.inner, true);
    const bound = new Map<Column, Value>();
    const { variadic } = this.fact;
    this.parameters.forEach((column, at) => {
      const last = at === this.parameters.length - 1;
      bound.set(column, variadic && last ? derive(args.slice(at)) : (args[at] ?? nullValue));
    });
    for (const use of this.inner.uses) {
      const own = bound.get(use.column);
      const others = use.with ?? [];
      const replaced = others.flatMap((column) => bound.get(column) ?? []);
      const fixed = others.filter((column) => !bound.has(column));
      const whom: readonly (readonly [Column, How])[] = own === undefined ? [[use.column, copied]] : [...own.sources];
      for (const [column, how] of whom) {
        if (how === chosen) continue;
        if (use.how !== 'equality' || how === copied) {
          const constants = replaced.reduce((sum, value) => sum + value.constants, use.constants ?? 0);
          const partners = [...fixed, ...replaced.flatMap((value) => (value.pure ? [...value.sources.keys()] : []))];
          const loose = replaced.some((value) => value.constants === 0 && !value.pure);
          if (loose) analysis.uses.push({ column, how: 'join', offset });
          else if (partners.length > 0) analysis.uses.push({ column, how: use.how, with: partners, offset });
          else
            analysis.uses.push({
              column,
              how: use.how,
              ...(use.how === 'equality' ? { constants: Math.max(1, constants) } : {}),
              offset,
            });
        } else {
          analysis.uses.push({ column, how: 'computed', offset });
        }
      }
    }
    for (const flow of this.inner.flows) analysis.flow(substitute(flow.from, bound), flow.into);
    return this.bind(this.result, bound);
  }

  private bind(value: Value, bound: ReadonlyMap<Column, Value>): Value {
    const sources = substitute(value.sources, bound);
    const pure = value.pure && [...value.sources.keys()].every((column) => bound.get(column)?.pure !== false);
    const base = { sources, pure, constants: 0, type: value.type };
    return value.fields === undefined
      ? base
      : { ...base, fields: value.fields.map((field) => ({ name: field.name, value: this.bind(field.value, bound) })) };
  }
}

/** Replaces parameters by what the arguments depend on. */
function substitute(sources: Sources, bound: ReadonlyMap<Column, Value>): Sources {
  const result = new Map<Column, How>();
  const add = (column: Column, how: How) => {
    const before = result.get(column);
    if (before === undefined || how > before) result.set(column, how);
  };
  for (const [column, how] of sources) {
    const arg = bound.get(column);
    if (arg === undefined) add(column, how);
    else
      for (const [source, through] of arg.sources)
        add(source, how === chosen || through === chosen ? chosen : how === derived ? derived : through);
  }
  return result;
}

const summaries = new WeakMap<object, Map<string, Summary>>();

/** What a function does, read from its body; cached for the catalog and the search_path. */
export function summaryOf(analysis: Analysis, fact: FunctionFact): Summary {
  const { around } = analysis;
  const setting = fact.settings.find((entry) => entry.toLowerCase().startsWith('search_path='));
  const path =
    setting === undefined
      ? around.path
      : effectivePath(splitSearchPath(setting.slice(setting.indexOf('=') + 1), around.catalog.user));
  const shared = around.local.size === 0 && around.touched.size === 0;
  const key = `${fact.oid} ${path.join(',')}`;
  let known = summaries.get(around.catalog);
  const found = shared ? known?.get(key) : undefined;
  if (found !== undefined) return found;
  if (analysis.running.has(fact)) return recursive(analysis, fact);
  const inner = new Analysis({ ...around, path });
  inner.inside = 1;
  inner.depth = analysis.depth;
  for (const running of analysis.running) inner.running.add(running);
  inner.running.add(fact);
  const before = recursion.hits;
  const made = readFunction(inner, fact);
  // What was read while something above it was still being read is not the whole of it.
  if (shared && (analysis.running.size === 0 || recursion.hits === before)) {
    if (known === undefined) {
      known = new Map();
      summaries.set(around.catalog, known);
    }
    known.set(key, made);
  }
  return made;
}

/** A call of itself: its arguments may come back in any way, and steer whatever the body steers. */
function recursive(analysis: Analysis, fact: FunctionFact): Summary {
  recursion.hits++;
  const inner = new Analysis(analysis.around);
  const parameters = parameterColumns(fact.argNames, fact.argTypes);
  for (const column of parameters) inner.uses.push({ column, how: 'argument', offset: undefined });
  return new Summary(fact, inner, parameters, derive(parameters.map(parameterValue), fact.returnType));
}

/** Compiled code that runs SQL it is given as text. */
const runsText = /^(dblink|crosstab|connectby|xpath_table|schedule)/;

/**
 * How a function whose body cannot be read counts: compiled code cannot be seen into, yet what we do not know to run SQL does not; a
 * body in another procedural language may run any.
 */
export function hidden({ language, name }: Pick<FunctionFact, 'language' | 'name'>): 'function' | 'unseen' {
  return (language === 'c' || language === 'internal') && !runsText.test(name) ? 'unseen' : 'function';
}

function readFunction(inner: Analysis, fact: FunctionFact): Summary {
  const name = `${fact.schema}.${fact.name}`;
  const parameters = parameterColumns(fact.argNames, fact.argTypes);
  let result: Value = rootlessOf(fact.returnType);
  try {
    if (fact.language === 'plpgsql') result = readPlpgsql(inner, fact.definition ?? '', name, parameters, fact);
    else if (fact.language === 'sql') result = readSql(inner, fact, parameters);
    else inner.unreadable(hidden(fact), name, `its body cannot be read (language ${fact.language})`);
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError) throw error;
    inner.unreadable('function', name, 'its body cannot be read');
  }
  if (inner.opaque.some(({ kind, name: of }) => (kind === 'function' || kind === 'unseen') && of === name)) {
    result = derive([result, ...parameters.map(parameterValue)], fact.returnType);
  }
  // A function that calls itself may compute anything from what it returns.
  if (inner.functions.has(name)) {
    const all = derive([result, ...parameters.map(parameterValue)], fact.returnType);
    const fields = result.fields?.map((field) => ({ name: field.name, value: all }));
    result = fields === undefined ? all : { ...all, fields };
  }
  return new Summary(fact, inner, parameters, result);
}

/** The scope of a SQL function's body: parameters by name, by function.name, and by number. */
export function parameterScope(name: string, parameters: readonly Column[]): Scope {
  const scope = new Scope(undefined);
  const named = (wanted: string | undefined) =>
    parameters.find((column) => column.name === wanted && !column.name.startsWith('$'));
  scope.variables = (path) => {
    const own = named(path[0]);
    if (path.length === 1) return own === undefined ? undefined : parameterValue(own);
    if (path[0] === name && path.length === 2) {
      const qualified = named(path[1]);
      if (qualified !== undefined) return parameterValue(qualified);
    }
    return own === undefined ? undefined : derive([parameterValue(own)]);
  };
  scope.parameters = (index) => {
    const column = parameters[index - 1];
    return column === undefined ? rootless : parameterValue(column);
  };
  return scope;
}

/** Statements of a SQL function's body, either form of it. */
export function bodyStatements(body: string): Node[] {
  const standard = /^\s*(begin\s+atomic|return)\b/i.test(body);
  if (!standard) return parse(body).flatMap((raw) => (raw.stmt === undefined ? [] : [raw.stmt]));
  const [created] = parse(`create function f() returns void language sql ${body}`);
  return sqlBody(as(created?.stmt, 'CreateFunctionStmt')?.sql_body);
}

/** `BEGIN ATOMIC ... END` is a list of lists; `RETURN x` a query of one value. */
export function sqlBody(node: Node | undefined): Node[] {
  const returned = as(node, 'ReturnStmt')?.returnval;
  if (returned !== undefined)
    return [
      {
        SelectStmt: {
          targetList: [{ ResTarget: { val: returned } }],
          op: 'SETOP_NONE',
          limitOption: 'LIMIT_OPTION_DEFAULT',
        },
      },
    ];
  const list = as(node, 'List')?.items;
  if (list !== undefined) return list.flatMap(sqlBody);
  // BEGIN ATOMIC END holds nothing, and an empty node says so.
  return node === undefined || Object.keys(node).length === 0 ? [] : [node];
}

function readSql(inner: Analysis, fact: FunctionFact, parameters: readonly Column[]): Value {
  let last: QueryResult | undefined;
  for (const node of bodyStatements(fact.body ?? ''))
    last = statement(inner, node, parameterScope(fact.name, parameters)) ?? last;
  return shapeResult(
    inner,
    fact,
    last === undefined
      ? []
      : last.fields.map((field) => ({ name: field.name, value: chosenBy(field.value, last.rows) })),
  );
}

/** Gives a function's result the columns it declares. */
export function shapeResult(inner: Analysis, fact: FunctionFact, fields: readonly Field[]): Value {
  const names =
    fact.outNames.length > 1
      ? fact.outNames
      : compositeFields(inner.catalog, fact.returnType)?.map((field) => field.name);
  if (names !== undefined) {
    const [first] = fields;
    const given = fields.length === 1 && first?.value.fields !== undefined ? first.value.fields : fields;
    if (given.length === names.length)
      return rowValue(
        given.map((field, at) => ({ name: names[at] ?? field.name, value: field.value })),
        fact.returnType,
      );
    const all = derive(fields.map((field) => field.value));
    return rowValue(
      names.map((name) => ({ name, value: all })),
      fact.returnType,
    );
  }
  if (fields.length === 1 && fields[0] !== undefined)
    return fields[0].value.constants > 0 ? rootlessOf(fact.returnType) : { ...fields[0].value, type: fact.returnType };
  return fields.length === 0 ? rootlessOf(fact.returnType) : rowValue(fields, fact.returnType);
}
