// Definitions of code: functions, triggers and rules, and where they would carry values to when they run.
import type { Analysis } from './analysis.ts';
import { TooDeep } from './analysis.ts';
import type { FunctionFact } from './catalog.ts';
import { freeTag } from './code.ts';
import { condition } from './conditions.ts';
import { touch } from './ddl.ts';
import { aside } from './definitions.ts';
import { evaluate } from './expressions.ts';
import { lookup, plainFields } from './from.ts';
import { bodyStatements, hidden, parameterColumns, parameterScope, sqlBody } from './functions.ts';
import { readPlpgsql } from './plpgsql.ts';
import { rowScope } from './rules.ts';
import { Scope } from './scope.ts';
import { statement } from './statements.ts';
import { as, type CreateTrigStmt, type Node, names, type RuleStmt } from './tree.ts';
import { resolveType } from './types.ts';
import type { Field } from './value.ts';

/** A function that would hand out columns is a way around their masks wherever its caller stands: a flow into it. */
export function createFunction(analysis: Analysis, node: Node): void {
  analysis.barrier = true;
  const body = as(node, 'CreateFunctionStmt');
  const name = names(body?.funcname).join('.');
  touch(analysis, [`()${names(body?.funcname).pop() ?? ''}`]);
  let language = body?.sql_body === undefined ? '' : 'sql';
  let source = '';
  for (const entry of body?.options ?? []) {
    const option = as(entry, 'DefElem');
    if (option?.defname === 'language') language = (as(option.arg, 'String')?.sval ?? '').toLowerCase();
    if (option?.defname === 'as') source = names(as(option.arg, 'List')?.items)[0] ?? '';
    if (option?.defname === 'set') {
      const set = as(option.arg, 'VariableSetStmt');
      if (set !== undefined) statement(analysis, { VariableSetStmt: set }, undefined);
    }
  }
  const inputs = (body?.parameters ?? []).flatMap((entry) => {
    const parameter = as(entry, 'FunctionParameter');
    return parameter === undefined || parameter.mode === 'FUNC_PARAM_OUT' || parameter.mode === 'FUNC_PARAM_TABLE'
      ? []
      : [parameter];
  });
  const parameters = parameterColumns(
    inputs.map((parameter) => parameter.name ?? ''),
    inputs.map((parameter) => resolveType(analysis, parameter.argType).oid),
  );
  aside(analysis, (inner) => {
    for (const { defexpr } of inputs)
      if (defexpr !== undefined)
        inner.flow(evaluate(inner, defexpr, new Scope(undefined)).sources, { kind: 'place', what: 'function' });
  });
  if (language !== 'sql' && language !== 'plpgsql') {
    analysis.unreadable('function', name, `its body cannot be read (language ${language})`);
    return;
  }
  const trigger = names(body?.returnType?.names).pop() === 'trigger';
  if (trigger && language === 'plpgsql') rereadTrigger(analysis, names(body?.funcname), source);
  analysis.inside++;
  try {
    if (language === 'plpgsql') {
      const tag = freeTag(source);
      const args = inputs.map((parameter, at) => `${quoted(parameter.name ?? `p${at}`)} text`).join(', ');
      const outs = (body?.parameters ?? []).flatMap((entry) => {
        const parameter = as(entry, 'FunctionParameter');
        return parameter?.mode === 'FUNC_PARAM_OUT' || parameter?.mode === 'FUNC_PARAM_TABLE'
          ? [`OUT ${quoted(parameter.name ?? 'o')} text`]
          : [];
      });
      const kind =
        body?.is_procedure === true
          ? ''
          : trigger
            ? 'RETURNS trigger'
            : outs.length > 0
              ? returnsOuts(outs, body?.returnType?.setof === true || hasTable(body?.parameters))
              : body?.returnType?.setof === true
                ? 'RETURNS SETOF record'
                : 'RETURNS text';
      const all = [args, ...outs].filter((part) => part !== '').join(', ');
      readPlpgsql(
        analysis,
        `CREATE ${body?.is_procedure === true ? 'PROCEDURE' : 'FUNCTION'} f(${all}) ${kind} LANGUAGE plpgsql AS ${tag}${source}${tag}`,
        name,
        parameters,
        undefined,
      );
    } else {
      const nodes = body?.sql_body === undefined ? bodyStatements(source) : sqlBody(body.sql_body);
      for (const entry of nodes) {
        const result = statement(analysis, entry, parameterScope(name, parameters));
        for (const field of result?.fields ?? [])
          analysis.flow(field.value.sources, { kind: 'place', what: 'function' });
      }
    }
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError) throw error;
    analysis.unreadable('function', name, 'its body cannot be read');
  }
  analysis.inside--;
  const read = new Map([...analysis.columns].map((column) => [column, 2 as const]));
  analysis.flow(read, { kind: 'place', what: 'function' });
}

function hasTable(parameters: readonly Node[] | undefined): boolean {
  return (parameters ?? []).some((entry) => as(entry, 'FunctionParameter')?.mode === 'FUNC_PARAM_TABLE');
}

function returnsOuts(outs: readonly string[], set: boolean): string {
  if (!set) return '';
  return outs.length === 1 ? 'RETURNS SETOF text' : 'RETURNS SETOF record';
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A trigger function is read again here: only now is it known whose rows it gets. */
export function createTrigger(analysis: Analysis, body: CreateTrigStmt): void {
  analysis.barrier = true;
  const found = lookup(analysis, body.relation, 'ddl');
  touch(analysis, [body.relation?.relname ?? '']);
  const parts = names(body.funcname);
  const name = parts[parts.length - 1] ?? '';
  const facts = (analysis.catalog.functions.get(name) ?? []).filter((fact) =>
    parts.length > 1 ? fact.schema === parts[0] : analysis.around.path.includes(fact.schema),
  );
  if (facts.length === 0) {
    analysis.missed = true;
    analysis.missedNames.push(name);
    analysis.unreadable('function', parts.join('.'), 'no function of this name is known');
  }
  const rows = found.relation === undefined ? [] : plainFields(found.relation);
  if (body.whenClause !== undefined && found.relation !== undefined)
    condition(analysis, body.whenClause, rowScope(found.relation, rows, rows));
  for (const fact of facts) readTrigger(analysis, fact, rows);
}

/** A new body for a function that is a trigger already: it gets the rows of those tables. */
function rereadTrigger(analysis: Analysis, parts: readonly string[], source: string): void {
  const name = parts[parts.length - 1] ?? '';
  const tag = freeTag(source);
  for (const relation of analysis.catalog.relationsByOid.values()) {
    if (!relation.triggers.some((fact) => fact.name === name)) continue;
    const rows = plainFields(relation);
    aside(analysis, (inner) => {
      try {
        readPlpgsql(
          inner,
          `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS ${tag}${source}${tag}`,
          name,
          [],
          undefined,
          {
            old: rows,
            fresh: rows,
          },
        );
      } catch (error) {
        if (error instanceof TooDeep || error instanceof RangeError) throw error;
        inner.unreadable('function', parts.join('.'), 'its body cannot be read');
      }
    });
  }
}

function readTrigger(analysis: Analysis, fact: FunctionFact, rows: readonly Field[]): void {
  const name = `${fact.schema}.${fact.name}`;
  analysis.functions.add(name);
  if (fact.language !== 'plpgsql') {
    analysis.unreadable(hidden(fact), name, `its body cannot be read (language ${fact.language})`);
    return;
  }
  analysis.inside++;
  try {
    readPlpgsql(analysis, fact.definition ?? '', name, [], undefined, { old: rows, fresh: rows });
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError) throw error;
    analysis.unreadable('function', name, 'its body cannot be read');
  }
  analysis.inside--;
}

export function ruleStatement(analysis: Analysis, body: RuleStmt): void {
  analysis.barrier = true;
  const found = lookup(analysis, body.relation, 'ddl');
  touch(analysis, [body.relation?.relname ?? '']);
  if (found.relation === undefined) return;
  const rows = plainFields(found.relation);
  for (const action of body.actions ?? []) {
    const result = statement(analysis, action, rowScope(found.relation, rows, rows));
    for (const field of result?.fields ?? []) analysis.flow(field.value.sources, { kind: 'place', what: 'view' });
  }
  condition(analysis, body.whereClause, rowScope(found.relation, rows, rows));
}
