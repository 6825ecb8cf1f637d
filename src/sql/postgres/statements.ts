// Statements of every kind: their verbs and what they touch. Kinds that stand in no table here are opaque, hence refused.
import type { Verb } from '../reading.ts';
import { Analysis, type Remembered } from './analysis.ts';
import { isBuiltin } from './calls.ts';
import type { Column } from './catalog.ts';
import { callStatement, doStatement } from './code.ts';
import { copyStatement } from './copy.ts';
import { createTable, createTableAs, createView } from './ddl.ts';
import { alterRename, alterSchema, alterTable, dropStatement } from './ddl-alter.ts';
import { createFunction, createTrigger, ruleStatement } from './ddl-code.ts';
import { generic, reachesOut } from './ddl-other.ts';
import { evaluate } from './expressions.ts';
import { lookup } from './from.ts';
import { noRows, type QueryResult, query } from './queries.ts';
import { Scope } from './scope.ts';
import { setStatement } from './settings.ts';
import { storeArguments } from './stores.ts';
import { as, type Kind, kindOf, type Node, type VariableSetStmt } from './tree.ts';
import { rowsOfUtility, utilities } from './utilities.ts';
import { addChosen, derive, derived, type Field, type How, rootless, type Value } from './value.ts';

/** Reads one statement; gives its rows where it returns some. */
export function statement(analysis: Analysis, node: Node, scope: Scope | undefined): QueryResult | undefined {
  analysis.enter();
  const result = dispatch(analysis, node, scope);
  analysis.leave();
  return result;
}

/** Reads the statement of a reading itself: fills its outputs and summary. */
export function readStatement(analysis: Analysis, node: Node): void {
  const result = statement(analysis, node, undefined);
  if (result !== undefined) analysis.outputs = outputsOf(result);
  // Beside a text of any size, whether another one still fits tells how long that is.
  if (analysis.bulk)
    for (const field of analysis.outputs ?? [])
      for (const [column, how] of field.value.sources)
        if (how === derived) analysis.uses.push({ column, how: 'argument', offset: undefined });
}

export function outputsOf(result: QueryResult): Field[] {
  return result.fields.map((field) => {
    if (result.rows.size === 0) return field;
    const sources = new Map<Column, How>(field.value.sources);
    addChosen(sources, result.rows);
    return { name: field.name, value: { ...field.value, sources } };
  });
}

function dispatch(analysis: Analysis, node: Node, scope: Scope | undefined): QueryResult | undefined {
  const kind = kindOf(node);
  const verb = utilities.get(kind);
  if (verb !== undefined) {
    analysis.verbs.add(verb);
    analysis.literalSensitive = true;
  }
  switch (kind) {
    case 'SelectStmt': {
      const select = as(node, 'SelectStmt');
      if (select?.intoClause !== undefined) {
        createTableAs(analysis, { query: node, into: select.intoClause, objtype: 'OBJECT_TABLE' }, scope);
        return undefined;
      }
      analysis.verbs.add(select?.valuesLists !== undefined ? 'values' : 'select');
      return query(analysis, node, scope);
    }
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt': {
      const result = query(analysis, node, scope);
      return result.fields.length === 0 && !result.open ? undefined : result;
    }
    case 'ReturnStmt':
      return {
        ...noRows,
        fields: [
          { name: '?column?', value: evaluate(analysis, as(node, 'ReturnStmt')?.returnval, scope ?? emptyScope()) },
        ],
      };
    case 'ExplainStmt':
      return explain(analysis, node, scope);
    case 'PrepareStmt': {
      const body = as(node, 'PrepareStmt');
      if (body?.query === undefined) return undefined;
      behind(analysis, body.query);
      analysis.effects.push({
        kind: 'prepare',
        name: body.name ?? '',
        remembered: { kind: 'statement', node: body.query },
      });
      return undefined;
    }
    case 'ExecuteStmt':
      return execute(analysis, node, scope);
    case 'DeclareCursorStmt': {
      const body = as(node, 'DeclareCursorStmt');
      if (body?.query === undefined) return undefined;
      const inner = behind(analysis, body.query);
      analysis.effects.push({
        kind: 'declare',
        name: body.portalname ?? '',
        remembered: { kind: 'cursor', analysis: inner },
      });
      return undefined;
    }
    case 'FetchStmt':
      return fetch(analysis, node);
    case 'CopyStmt':
      return copyStatement(analysis, as(node, 'CopyStmt') ?? {}, scope);
    case 'DoStmt':
      doStatement(analysis, as(node, 'DoStmt') ?? {});
      return undefined;
    case 'CallStmt':
      return callStatement(analysis, as(node, 'CallStmt') ?? {}, scope ?? emptyScope());
    case 'VariableSetStmt':
      setStatement(analysis, as(node, 'VariableSetStmt') ?? {});
      return undefined;
    case 'VariableShowStmt': {
      const name = as(node, 'VariableShowStmt')?.name ?? '';
      const fields = name === 'all' ? ['name', 'setting', 'description'] : [name === 'timezone' ? 'TimeZone' : name];
      return { ...noRows, fields: fields.map((field) => ({ name: field, value: rootless })) };
    }
    case 'AlterSystemStmt':
    case 'AlterRoleSetStmt':
    case 'AlterDatabaseSetStmt': {
      const set = (Object.values(node)[0] as { setstmt?: VariableSetStmt }).setstmt;
      if (set !== undefined) setStatement(analysis, set);
      return undefined;
    }
    case 'TransactionStmt':
      transaction(analysis, node);
      return undefined;
    case 'TruncateStmt':
      for (const range of as(node, 'TruncateStmt')?.relations ?? []) {
        const found = lookup(analysis, as(range, 'RangeVar'), 'write');
        const name = {
          schema: found.relation?.schema ?? '',
          table: found.relation?.name ?? as(range, 'RangeVar')?.relname ?? '',
        };
        analysis.unbounded.push({ verb: 'truncate', table: name, why: 'TRUNCATE removes every row' });
      }
      return undefined;
    case 'LockStmt':
      for (const range of as(node, 'LockStmt')?.relations ?? []) lookup(analysis, as(range, 'RangeVar'), 'read');
      return undefined;
    case 'ListenStmt':
      if (notifies(analysis)) analysis.sideDoor('LISTEN', 'functions of this database send values to listeners');
      analysis.barrier = true;
      return undefined;
    case 'NotifyStmt':
    case 'UnlistenStmt':
    case 'CheckPointStmt':
    case 'LoadStmt':
    case 'ClosePortalStmt':
    case 'DeallocateStmt':
    case 'DiscardStmt':
    case 'ConstraintsSetStmt':
      analysis.barrier = true;
      sessionEffect(analysis, node);
      return undefined;
    case 'CreateTableAsStmt':
      createTableAs(analysis, as(node, 'CreateTableAsStmt') ?? {}, scope);
      return undefined;
    case 'CreateStmt':
      createTable(analysis, as(node, 'CreateStmt') ?? {});
      return undefined;
    case 'CreateForeignTableStmt':
      createTable(analysis, as(node, 'CreateForeignTableStmt')?.base ?? {});
      analysis.sideDoor('foreign table', reachesOut);
      return undefined;
    case 'ViewStmt':
      createView(analysis, as(node, 'ViewStmt') ?? {});
      return undefined;
    case 'CreateFunctionStmt':
      createFunction(analysis, node);
      return undefined;
    case 'CreateTrigStmt':
      createTrigger(analysis, as(node, 'CreateTrigStmt') ?? {});
      return undefined;
    case 'RuleStmt':
      ruleStatement(analysis, as(node, 'RuleStmt') ?? {});
      return undefined;
    case 'AlterTableStmt':
      alterTable(analysis, as(node, 'AlterTableStmt') ?? {});
      return undefined;
    case 'RenameStmt':
      alterRename(analysis, as(node, 'RenameStmt') ?? {});
      return undefined;
    case 'AlterObjectSchemaStmt':
      alterSchema(analysis, as(node, 'AlterObjectSchemaStmt') ?? {});
      return undefined;
    case 'DropStmt':
      dropStatement(analysis, as(node, 'DropStmt') ?? {});
      return undefined;
    case 'CreateSchemaStmt':
      for (const element of as(node, 'CreateSchemaStmt')?.schemaElts ?? []) statement(analysis, element, undefined);
      analysis.barrier = true;
      return undefined;
    default:
      if (verb === undefined) {
        analysis.unreadable('statement', kind, `a statement of kind ${kind} is not read`);
        analysis.verbs.add('admin');
        analysis.barrier = true;
        return undefined;
      }
      generic(analysis, node);
      return rowsOfUtility(kind);
  }
}

/** Whether some function of the database, a trigger for one, sends notifications or cannot be read. */
function notifies(analysis: Analysis): boolean {
  for (const fact of analysis.catalog.functionsByOid.values()) {
    if (isBuiltin(fact) || fact.extension !== '') continue;
    const source = fact.definition ?? fact.body;
    if (source === undefined ? fact.kind === 'f' : /notify/i.test(source)) return true;
  }
  return false;
}

function emptyScope(): Scope {
  return new Scope(undefined);
}

/** What EXPLAIN prints follows from the statement's conditions, and from functions it computes while planning. */
function explain(analysis: Analysis, node: Node, scope: Scope | undefined): QueryResult {
  const body = as(node, 'ExplainStmt');
  const before = analysis.uses.length;
  const result = body?.query === undefined ? undefined : statement(analysis, body.query, scope);
  const sources = new Map<Column, How>();
  for (const use of analysis.uses.slice(before)) sources.set(use.column, 0);
  addChosen(sources, result?.rows ?? new Map());
  const values: Value[] = [{ ...rootless, sources }];
  // A function of the database that counts as immutable is computed by the planner, and its value is printed.
  if ([...analysis.functions].some((name) => !name.startsWith('pg_catalog.'))) {
    values.push(derive(result?.fields.map((field) => field.value) ?? []));
    if (analysis.columns.size > 0) analysis.sideDoor('EXPLAIN', 'shows values that functions give while planning');
  }
  // Run, it tells bytes and memory of what is computed.
  if (body?.options?.some((option) => as(option, 'DefElem')?.defname === 'analyze') === true) {
    const serialized = body.options.some((option) => as(option, 'DefElem')?.defname === 'serialize');
    const computed = (result?.fields ?? []).filter(
      (field) => serialized || [...field.value.sources.values()].includes(derived),
    );
    if (computed.length > 0) values.push(derive(computed.map((field) => field.value)));
  }
  const value: Value = values.length === 1 && values[0] !== undefined ? values[0] : derive(values, 25);
  return { ...noRows, fields: [{ name: 'QUERY PLAN', value }] };
}

function execute(analysis: Analysis, node: Node, scope: Scope | undefined): QueryResult | undefined {
  const body = as(node, 'ExecuteStmt');
  analysis.sessionDependent = true;
  const name = body?.name ?? '';
  for (const param of body?.params ?? []) {
    const value = evaluate(analysis, param, scope ?? emptyScope());
    analysis.useValue(value, 'argument');
  }
  const known = analysis.around.prepared.get(name);
  if (known === undefined) {
    analysis.unreadable('rows', name, 'no prepared statement of this name is known to the gateway', undefined, {
      sqlstate: '26000',
      message: `prepared statement "${name}" does not exist`,
    });
    return undefined;
  }
  const from = analysis.stores.length;
  const result = remembered(analysis, known);
  storeArguments(analysis, from, body?.params ?? []);
  return result;
}

/** Reads the statement that PREPARE or DECLARE brings along, as if it ran now. */
function behind(analysis: Analysis, node: Node): Analysis {
  const inner = new Analysis(analysis.around);
  inner.depth = analysis.depth;
  inner.inside = analysis.inside;
  readStatement(inner, node);
  analysis.absorb(inner, false);
  analysis.uses.push(...inner.uses);
  analysis.flows.push(...inner.flows);
  analysis.barrier = true;
  return inner;
}

function remembered(analysis: Analysis, known: Remembered): QueryResult | undefined {
  let other: Analysis;
  if (known.kind === 'cursor') other = known.analysis;
  else {
    // The server analyses a prepared statement anew when the search_path or a table has changed.
    other = new Analysis(analysis.around);
    other.depth = analysis.depth;
    readStatement(other, known.node);
  }
  analysis.absorb(other, false);
  analysis.uses.push(...other.uses.map((use) => ({ ...use, offset: undefined })));
  analysis.flows.push(...other.flows);
  if (other.copy !== undefined) analysis.copy = other.copy;
  return other.outputs === undefined ? undefined : { ...noRows, fields: other.outputs };
}

function fetch(analysis: Analysis, node: Node): QueryResult | undefined {
  const body = as(node, 'FetchStmt');
  analysis.sessionDependent = true;
  const name = body?.portalname ?? '';
  const known = analysis.around.cursors.get(name);
  if (known === undefined) {
    // A function may have opened it: with masks that is refused, without them the server knows.
    analysis.unreadable('rows', name, 'no cursor of this name is known to the gateway', undefined, {
      sqlstate: '34000',
      message: `cursor "${name}" does not exist`,
    });
    return undefined;
  }
  const result = remembered(analysis, known);
  return body?.ismove === true ? undefined : result;
}

function sessionEffect(analysis: Analysis, node: Node): void {
  const closed = as(node, 'ClosePortalStmt');
  if (closed !== undefined) analysis.effects.push({ kind: 'close', name: closed.portalname });
  const deallocated = as(node, 'DeallocateStmt');
  if (deallocated !== undefined)
    analysis.effects.push({ kind: 'deallocate', name: deallocated.isall === true ? undefined : deallocated.name });
  const discarded = as(node, 'DiscardStmt')?.target;
  if (discarded === 'DISCARD_ALL' || discarded === 'DISCARD_TEMP') analysis.effects.push({ kind: 'discard' });
  if (discarded === 'DISCARD_ALL')
    analysis.effects.push({ kind: 'search-path', value: undefined, local: false, reset: true });
}

const transactionVerbs: Record<string, Verb> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'savepoint',
  TRANS_STMT_ROLLBACK_TO: 'rollback',
  TRANS_STMT_PREPARE: 'commit',
  TRANS_STMT_COMMIT_PREPARED: 'commit',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollback',
};

function transaction(analysis: Analysis, node: Node): void {
  const kind = as(node, 'TransactionStmt')?.kind ?? '';
  analysis.verbs.add(transactionVerbs[kind] ?? 'admin');
  if (
    kind === 'TRANS_STMT_BEGIN' ||
    kind === 'TRANS_STMT_START' ||
    kind === 'TRANS_STMT_SAVEPOINT' ||
    kind === 'TRANS_STMT_RELEASE'
  )
    return;
  const how = kind === 'TRANS_STMT_ROLLBACK_TO' ? 'rollback-to' : kind.includes('ROLLBACK') ? 'rollback' : 'commit';
  analysis.effects.push({ kind: 'end', how });
  if (how !== 'commit') analysis.barrier = true;
}

export type { Kind };
