// PL/pgSQL bodies: read again and again until the lineage of their variables no longer grows.
import { Analysis } from './analysis.ts';
import type { Column, FunctionFact } from './catalog.ts';
import { parsePlpgsql } from './parser.ts';
import { list, object, Reader } from './plpgsql-reader.ts';
import { type Field, rootless, sameSources, type Value } from './value.ts';

const maxRounds = 8;

/**
 * Reads the body of a function, from its CREATE FUNCTION text. Gives the value it returns; parameters are the placeholders of
 * `functions.ts`. Variables are flow-insensitive: all that is ever assigned to one counts everywhere.
 */
export function readPlpgsql(
  inner: Analysis,
  definition: string,
  name: string,
  parameters: readonly Column[],
  fact: FunctionFact | undefined,
  rows?: { readonly old: readonly Field[]; readonly fresh: readonly Field[] },
): Value {
  // The parser knows no catalog and takes `t%ROWTYPE` for a scalar; as a record its fields can be assigned.
  const readable = definition.replace(/[\w."]+\s*%\s*rowtype/gi, 'record');
  const tree = object(parsePlpgsql(readable));
  const functions = list(tree.plpgsql_funcs);
  const body = object(object(functions[0]).PLpgSQL_function);
  let variables = new Map<string, Value>();
  let columns = new Set<Column>();
  for (let round = 0; ; round++) {
    const target = round >= maxRounds ? inner : trial(inner);
    const reader = new Reader(target, name, parameters, fact, variables, columns, rows);
    const result = reader.read(body);
    if (round >= maxRounds || (target !== inner && same(variables, reader.variables))) {
      if (target === inner) return result;
      const last = new Reader(inner, name, parameters, fact, reader.variables, target.columns, rows);
      const final = last.read(body);
      checkDynamic(inner, readable, last.dynamic, name);
      return final;
    }
    variables = reader.variables;
    columns = target.columns;
  }
}

function trial(inner: Analysis): Analysis {
  const copy = new Analysis(inner.around);
  copy.inside = inner.inside;
  copy.depth = inner.depth;
  for (const running of inner.running) copy.running.add(running);
  return copy;
}

function same(before: ReadonlyMap<string, Value>, after: ReadonlyMap<string, Value>): boolean {
  if (before.size !== after.size) return false;
  for (const [name, value] of after) {
    const known = before.get(name);
    if (known === undefined || !sameValue(known, value)) return false;
  }
  return true;
}

function sameValue(one: Value, other: Value): boolean {
  if (
    one.pure !== other.pure ||
    !sameSources(one.sources, other.sources) ||
    one.fields?.length !== other.fields?.length
  )
    return false;
  return (one.fields ?? []).every((field, at) => sameValue(field.value, other.fields?.[at]?.value ?? rootless));
}

/** If the text says EXECUTE and the tree does not, the tree has left something out. */
function checkDynamic(inner: Analysis, definition: string, dynamic: number, name: string): void {
  const code = definition.replace(/--[^\n]*|'(?:[^']|'')*'/g, ' ');
  const written =
    (code.match(/\bexecute\b(?!\s+on\b)/gi) ?? []).length -
    (code.match(/\b(?:grant|revoke)\b[^;]*\bexecute\b/gi) ?? []).length;
  if (written > 0 && dynamic === 0) inner.unreadable('dynamic-sql', name, 'runs SQL text made at run time');
}
