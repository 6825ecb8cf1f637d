// DO and CALL: code that a statement brings along or names.
import type { Analysis } from './analysis.ts';
import { TooDeep } from './analysis.ts';
import { callFunction, candidates } from './calls.ts';
import { readPlpgsql } from './plpgsql.ts';
import { noRows, type QueryResult } from './queries.ts';
import type { Scope } from './scope.ts';
import { as, type CallStmt, type DoStmt, names } from './tree.ts';
import { rootless } from './value.ts';

export function doStatement(analysis: Analysis, body: DoStmt): void {
  let language = 'plpgsql';
  let source = '';
  for (const node of body.args ?? []) {
    const option = as(node, 'DefElem');
    const value = as(option?.arg, 'String')?.sval ?? '';
    if (option?.defname === 'language') language = value.toLowerCase();
    else if (option?.defname === 'as') source = value;
  }
  analysis.barrier = true;
  if (language !== 'plpgsql') {
    analysis.unreadable('function', 'DO', `its body cannot be read (language ${language})`);
    return;
  }
  try {
    const tag = freeTag(source);
    readPlpgsql(
      analysis,
      `CREATE FUNCTION do_block() RETURNS void LANGUAGE plpgsql AS ${tag}${source}${tag}`,
      'DO',
      [],
      undefined,
    );
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError) throw error;
    analysis.unreadable('function', 'DO', 'its body cannot be read');
  }
}

/** A dollar quote that does not stand in the text. */
export function freeTag(source: string): string {
  for (let number = 0; ; number++) {
    const tag = `$body${number}$`;
    if (!source.includes(tag)) return tag;
  }
}

export function callStatement(analysis: Analysis, body: CallStmt, scope: Scope): QueryResult | undefined {
  analysis.barrier = true;
  const call = body.funccall;
  if (call === undefined) return undefined;
  const value = callFunction(analysis, { FuncCall: call }, scope);
  const parts = names(call.funcname);
  const facts = candidates(
    analysis,
    parts.length > 1 ? parts[parts.length - 2] : undefined,
    parts[parts.length - 1] ?? '',
    call.args?.length ?? 0,
    false,
  );
  const outs = facts.find((fact) => fact.outNames.length > 0)?.outNames;
  if (outs === undefined) return undefined;
  return {
    ...noRows,
    fields: outs.map((name, at) => ({
      name,
      value: value.fields?.[at]?.value ?? (outs.length === 1 ? value : rootless),
    })),
  };
}
