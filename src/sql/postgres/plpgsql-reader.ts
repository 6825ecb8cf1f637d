// The walk through one PL/pgSQL body: every statement and expression in it is read; variables carry the lineage of all that is assigned.
import type { Analysis } from './analysis.ts';
import type { Column, FunctionFact } from './catalog.ts';
import { condition } from './conditions.ts';
import { evaluate } from './expressions.ts';
import { parameterValue, shapeResult } from './functions.ts';
import { parse } from './parser.ts';
import { assignedPart } from './plpgsql-text.ts';
import { query } from './queries.ts';
import { Scope } from './scope.ts';
import { statement } from './statements.ts';
import { as, type Node } from './tree.ts';
import {
  chosenBy,
  derive,
  either,
  type Field,
  fieldOf,
  isParameter,
  nullValue,
  rootless,
  rowValue,
  type Value,
} from './value.ts';

export type Json = { readonly [key: string]: unknown };

export const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
export const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(object) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
/** PL/pgSQL's tree wraps each node in an object whose key names its kind. */
function unwrap(node: unknown): { kind: string; body: Json } {
  for (const [kind, body] of Object.entries(object(node))) return { kind, body: object(body) };
  return { kind: '', body: {} };
}

export class Reader {
  readonly variables: Map<string, Value>;
  dynamic = 0;
  private readonly analysis: Analysis;
  private readonly name: string;
  private readonly parameters: readonly Column[];
  private readonly fact: FunctionFact | undefined;
  private readonly columns: ReadonlySet<Column>;
  private datums: readonly { kind: string; body: Json }[] = [];
  private readonly results: Value[] = [];
  private readonly cursors = new Map<string, readonly Field[]>();
  private readonly rows: { readonly old: readonly Field[]; readonly fresh: readonly Field[] } | undefined;

  constructor(
    analysis: Analysis,
    name: string,
    parameters: readonly Column[],
    fact: FunctionFact | undefined,
    variables: ReadonlyMap<string, Value>,
    columns: ReadonlySet<Column>,
    rows: { readonly old: readonly Field[]; readonly fresh: readonly Field[] } | undefined,
  ) {
    this.analysis = analysis;
    this.name = name;
    this.parameters = parameters;
    this.fact = fact;
    this.variables = new Map(variables);
    this.columns = columns;
    this.rows = rows;
  }

  read(body: Json): Value {
    this.datums = list(body.datums).map(unwrap);
    for (const { kind, body: datum } of this.datums) this.declare(kind, datum);
    for (const column of this.parameters)
      if (!column.name.startsWith('$')) this.assign(column.name, parameterValue(column));
    if (this.rows !== undefined) {
      this.assign('old', rowValue(this.rows.old));
      this.assign('new', rowValue(this.rows.fresh));
    }
    // Messages of errors may say anything that the body has read.
    const said = derive([...this.columns].map((column) => ({ ...rootless, sources: new Map([[column, 2 as const]]) })));
    this.assign('sqlerrm', said);
    this.walk(body.action);
    return this.returned();
  }

  private declare(kind: string, datum: Json): void {
    const name = text(datum.refname);
    if (kind === 'PLpgSQL_recfield' || kind === 'PLpgSQL_row') return;
    if (!this.variables.has(name)) this.variables.set(name, { ...nullValue, constants: 0 });
    if (datum.default_val !== undefined) this.assign(name, this.expression(datum.default_val));
    if (datum.cursor_explicit_expr !== undefined) this.cursors.set(name, this.rowsOf(datum.cursor_explicit_expr));
  }

  private assign(name: string, value: Value): void {
    const before = this.variables.get(name);
    const known =
      before === undefined || (before.sources.size === 0 && before.fields === undefined && before.isNull === true)
        ? []
        : [before];
    const next = either([...known, value]);
    this.variables.set(name, next.constants > 0 ? { ...next, constants: 0 } : next);
  }

  private scope(): Scope {
    const scope = new Scope(undefined);
    const own = this.name.slice(this.name.lastIndexOf('.') + 1);
    const find = (path: readonly string[]): Value | undefined => {
      const value = this.variables.get(path[0] ?? '');
      if (value === undefined) return undefined;
      let at = value;
      for (const field of path.slice(1)) at = fieldOf(at, field) ?? derive([at]);
      return at;
    };
    const labels = this.labels;
    scope.variables = (path) =>
      find(path) ??
      (path.length > 1 && (path[0] === own || labels.has(path[0] ?? '')) ? find(path.slice(1)) : undefined);
    scope.parameters = (index) => {
      const column = this.parameters[index - 1];
      return column === undefined ? rootless : parameterValue(column);
    };
    return scope;
  }

  private readonly labels = new Set<string>();

  /** The text of an expression and what kind of text it is (pl_gram.y: 0 statement, 2 expression, 3 to 5 assignment). */
  private parsed(expression: unknown): Node | undefined {
    const { body } = unwrap(expression);
    const mode = Number(body.parseMode ?? 0);
    const written = text(body.query);
    const source = mode >= 3 ? assignedPart(written) : written;
    try {
      if (source === undefined) throw new Error('an assignment without a value');
      return parse(mode === 0 ? source : `SELECT ${source}`)[0]?.stmt;
    } catch {
      this.analysis.unreadable('function', this.name, 'an expression in its body cannot be read');
      return undefined;
    }
  }

  private expression(node: unknown): Value {
    const select = this.parsed(node);
    const body = as(select, 'SelectStmt');
    // Most expressions are one value; `x := count(*) FROM t` is a query.
    if (
      body !== undefined &&
      body.fromClause === undefined &&
      body.whereClause === undefined &&
      body.targetList?.length === 1 &&
      body.op === 'SETOP_NONE'
    ) {
      return evaluate(this.analysis, as(body.targetList[0], 'ResTarget')?.val, this.scope());
    }
    const result = query(this.analysis, select, this.scope());
    const [first] = result.fields;
    return result.fields.length === 1 && first !== undefined
      ? chosenBy(first.value, result.rows)
      : chosenBy(rowValue(result.fields), result.rows);
  }

  private condition(node: unknown): void {
    if (node === undefined) return;
    const body = as(this.parsed(node), 'SelectStmt');
    if (body?.fromClause === undefined && body?.targetList?.length === 1) {
      condition(this.analysis, as(body.targetList[0], 'ResTarget')?.val, this.scope());
    } else {
      this.analysis.useValue(this.expression(node), 'branch');
    }
  }

  private rowsOf(node: unknown): readonly Field[] {
    const parsed = this.parsed(node);
    if (parsed === undefined) return [];
    const result = statement(this.analysis, parsed, this.scope());
    return (result?.fields ?? []).map((field) => ({
      name: field.name,
      value: chosenBy(field.value, result?.rows ?? new Map()),
    }));
  }

  private opaque(why: string): void {
    this.dynamic++;
    this.analysis.unreadable('dynamic-sql', this.name, why);
  }

  /** Puts a row into what INTO, FOR or FETCH names. */
  private into(target: unknown, fields: readonly Field[]): void {
    const { kind, body } = unwrap(target);
    if (kind === 'PLpgSQL_row') {
      const places = list(body.fields);
      const [only] = places;
      if (places.length === 1 && only !== undefined && fields.length > 1) this.store(text(only.name), rowValue(fields));
      else for (const [at, place] of places.entries()) this.store(text(place.name), fields[at]?.value ?? rootless);
    } else if (body.refname !== undefined) {
      this.store(
        text(body.refname),
        kind === 'PLpgSQL_rec' || fields.length !== 1 ? rowValue(fields) : (fields[0]?.value ?? rootless),
      );
    }
  }

  private store(name: string, value: Value): void {
    const [variable, field] = name.split('.');
    if (variable === undefined) return;
    if (field === undefined) {
      this.assign(variable, value);
      return;
    }
    const before = this.variables.get(variable) ?? nullValue;
    const fields = before.fields?.some((entry) => entry.name === field)
      ? before.fields.map((entry) =>
          entry.name === field ? { name: field, value: either([entry.value, value]) } : entry,
        )
      : [...(before.fields ?? []), { name: field, value }];
    const merged = rowValue(fields);
    this.variables.set(variable, { ...derive([merged, { ...before, fields: [] }]), fields });
  }

  private datum(index: unknown): string {
    const datum = this.datums[Number(index ?? 0)];
    if (datum?.kind !== 'PLpgSQL_recfield') return text(datum?.body.refname);
    return `${text(this.datums[Number(datum.body.recparentno ?? 0)]?.body.refname)}.${text(datum.body.fieldname)}`;
  }

  private walkAll(nodes: unknown): void {
    if (Array.isArray(nodes)) for (const node of nodes) this.walk(node);
  }

  private walk(node: unknown): void {
    const { kind, body } = unwrap(node);
    this.analysis.enter();
    if (typeof body.label === 'string') this.labels.add(body.label);
    switch (kind) {
      case '':
        break;
      case 'PLpgSQL_stmt_block': {
        this.walkAll(body.body);
        for (const entry of list(object(object(body.exceptions).PLpgSQL_exception_block).exc_list))
          this.walkAll(object(entry.PLpgSQL_exception).action);
        break;
      }
      case 'PLpgSQL_stmt_assign':
        this.store(this.datum(body.varno), this.expression(body.expr));
        break;
      case 'PLpgSQL_stmt_if':
        this.condition(body.cond);
        this.walkAll(body.then_body);
        for (const entry of list(body.elsif_list)) {
          const arm = object(entry.PLpgSQL_if_elsif);
          this.condition(arm.cond);
          this.walkAll(arm.stmts);
        }
        this.walkAll(body.else_body);
        break;
      case 'PLpgSQL_stmt_case':
        if (body.t_expr !== undefined) this.store(this.datum(body.t_varno), this.expression(body.t_expr));
        for (const entry of list(body.case_when_list)) {
          const arm = object(entry.PLpgSQL_case_when);
          this.condition(arm.expr);
          this.walkAll(arm.stmts);
        }
        this.walkAll(body.else_stmts);
        break;
      case 'PLpgSQL_stmt_loop':
        this.walkAll(body.body);
        break;
      case 'PLpgSQL_stmt_while':
        this.condition(body.cond);
        this.walkAll(body.body);
        break;
      case 'PLpgSQL_stmt_exit':
        this.condition(body.cond);
        break;
      case 'PLpgSQL_stmt_fori':
        for (const bound of [body.lower, body.upper, body.step]) {
          if (bound === undefined) continue;
          const value = this.expression(bound);
          this.analysis.useValue(value, 'limit');
          this.store(text(unwrap(body.var).body.refname), value);
        }
        this.walkAll(body.body);
        break;
      case 'PLpgSQL_stmt_fors':
        this.into(body.var, this.rowsOf(body.query));
        this.walkAll(body.body);
        break;
      case 'PLpgSQL_stmt_forc': {
        if (body.argquery !== undefined) this.expression(body.argquery);
        this.into(body.var, this.cursors.get(this.datum(body.curvar)) ?? []);
        this.walkAll(body.body);
        break;
      }
      case 'PLpgSQL_stmt_dynfors':
        this.evaluateAll([body.query, ...list(body.params)]);
        this.opaque('loops over SQL text made at run time');
        this.walkAll(body.body);
        break;
      case 'PLpgSQL_stmt_foreach_a': {
        const value = this.expression(body.expr);
        this.analysis.useValue(value, 'argument');
        this.store(this.datum(body.varno), derive([value]));
        this.walkAll(body.body);
        break;
      }
      case 'PLpgSQL_stmt_return':
        this.results.push(
          body.expr !== undefined
            ? this.expression(body.expr)
            : body.retvarno !== undefined
              ? (this.variables.get(this.datum(body.retvarno)) ?? rootless)
              : { ...nullValue },
        );
        break;
      case 'PLpgSQL_stmt_return_next':
        if (body.expr !== undefined) this.results.push(this.expression(body.expr));
        else if (body.retvarno !== undefined)
          this.results.push(this.variables.get(this.datum(body.retvarno)) ?? rootless);
        break;
      case 'PLpgSQL_stmt_return_query':
        if (body.query !== undefined) this.results.push(rowValue(this.rowsOf(body.query)));
        if (body.dynquery !== undefined) {
          this.evaluateAll([body.dynquery, ...list(body.params)]);
          this.opaque('returns rows of SQL text made at run time');
        }
        break;
      case 'PLpgSQL_stmt_raise':
        for (const param of list(body.params)) this.raised(this.expression(param));
        for (const option of list(body.options)) this.raised(this.expression(object(option.PLpgSQL_raise_option).expr));
        break;
      case 'PLpgSQL_stmt_assert':
        this.condition(body.cond);
        if (body.message !== undefined) this.raised(this.expression(body.message));
        break;
      case 'PLpgSQL_stmt_execsql': {
        const fields = this.rowsOf(body.sqlstmt);
        if (body.into === true) this.into(body.target, fields);
        break;
      }
      case 'PLpgSQL_stmt_perform':
        this.rowsOf(body.expr);
        break;
      case 'PLpgSQL_stmt_call': {
        const fields = this.rowsOf(body.expr);
        if (body.target !== undefined) this.into(body.target, fields);
        break;
      }
      case 'PLpgSQL_stmt_dynexecute':
        this.evaluateAll([body.query, ...list(body.params)]);
        this.opaque('runs SQL text made at run time');
        break;
      case 'PLpgSQL_stmt_getdiag':
        for (const item of list(body.diag_items)) {
          const entry = object(item.PLpgSQL_diag_item);
          if (text(entry.kind) !== 'ROW_COUNT')
            this.store(this.datum(entry.target), this.variables.get('sqlerrm') ?? rootless);
        }
        break;
      case 'PLpgSQL_stmt_open':
        if (body.argquery !== undefined) this.expression(body.argquery);
        if (body.query !== undefined) {
          const name = this.datum(body.curvar);
          this.cursors.set(name, [...(this.cursors.get(name) ?? []), ...this.rowsOf(body.query)]);
        }
        if (body.dynquery !== undefined) {
          this.evaluateAll([body.dynquery, ...list(body.params)]);
          this.opaque('opens a cursor for SQL text made at run time');
        }
        break;
      case 'PLpgSQL_stmt_fetch':
        if (body.expr !== undefined) this.analysis.useValue(this.expression(body.expr), 'limit');
        if (body.target !== undefined) {
          const known = this.cursors.get(this.datum(body.curvar));
          // A cursor from elsewhere may show anything.
          if (known === undefined) this.opaque('reads from a cursor that was opened elsewhere');
          this.into(body.target, known ?? []);
        }
        break;
      case 'PLpgSQL_stmt_close':
        break;
      case 'PLpgSQL_stmt_commit':
        this.analysis.verbs.add('commit');
        break;
      case 'PLpgSQL_stmt_rollback':
        this.analysis.verbs.add('rollback');
        break;
      default:
        this.analysis.unreadable('function', this.name, `a statement of kind ${kind} in its body is not read`);
    }
    this.analysis.leave();
  }

  private evaluateAll(nodes: readonly unknown[]): void {
    for (const node of nodes) if (node !== undefined) this.analysis.useValue(this.expression(node), 'argument');
  }

  /** What RAISE says goes to the client, and its SQLSTATE can be made of any value. */
  private raised(value: Value): void {
    this.analysis.flow(value.sources, { kind: 'place', what: 'unknown' });
    this.analysis.useValue(
      { ...value, sources: new Map([...value.sources].filter(([column]) => isParameter(column))) },
      'argument',
    );
  }

  private returned(): Value {
    const { fact } = this;
    if (fact === undefined) return rootless;
    const outs = fact.outNames.map((name) => ({ name, value: this.variables.get(name) ?? rootless }));
    const shaped = this.results
      .filter((value) => value.isNull !== true)
      .map((value) => shapeResult(this.analysis, fact, value.fields ?? [{ name: '', value }]));
    if (outs.length > 0) shaped.push(shapeResult(this.analysis, fact, outs));
    if (shaped.length === 0) return { ...rootless, type: fact.returnType };
    const value = either(shaped);
    return { ...value, constants: 0, type: fact.returnType };
  }
}
