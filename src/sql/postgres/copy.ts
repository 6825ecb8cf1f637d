// COPY: a read that leaves as data, or a write from data; to and from the client, a file, or a program.
import type { CopyOptions } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { condition } from './conditions.ts';
import { reachesOut } from './ddl-other.ts';
import { item, lookup } from './from.ts';
import { noRows, type QueryResult } from './queries.ts';
import { Scope } from './scope.ts';
import { statement } from './statements.ts';
import { as, type CopyStmt, names } from './tree.ts';
import type { Field } from './value.ts';

export function copyStatement(analysis: Analysis, body: CopyStmt, scope: Scope | undefined): QueryResult | undefined {
  const from = body.is_from === true;
  const place = body.is_program === true ? 'program' : body.filename !== undefined ? 'file' : 'client';
  analysis.verbs.add(from ? 'copy-from' : 'copy-to');
  if (place !== 'client') analysis.verbs.add(place === 'program' ? 'program' : 'file');
  // Files of the server hold its tables and its log; programs hold whatever they like.
  if (place === 'program' || (from && place === 'file')) analysis.sideDoor('COPY', reachesOut);
  analysis.literalSensitive = true;
  analysis.copy = { direction: from ? 'from' : 'to', place, ...options(analysis, body) };
  let result: QueryResult | undefined;
  if (body.query !== undefined) {
    result = statement(analysis, body.query, scope) ?? noRows;
  } else {
    const found = lookup(analysis, body.relation, from ? 'write' : 'read');
    const listed = names(body.attlist);
    const stored = found.relation?.columns.filter((column) => !column.generated).map((column) => column.name) ?? [];
    const wanted = listed.length > 0 ? listed : stored;
    const fields = wanted.flatMap((name): Field[] => {
      const field = found.fields.find((candidate) => candidate.name === name);
      if (field === undefined && !found.open) analysis.unreadable('column', name, 'no column of this name is known');
      return field === undefined ? [] : [field];
    });
    for (const field of fields) for (const column of field.value.sources.keys()) analysis.columns.add(column);
    if (found.open && listed.length === 0) analysis.unreadable('rows', '*', 'the columns of a relation are not known');
    if (body.whereClause !== undefined) {
      const inner = new Scope(undefined);
      inner.items = [item(body.relation?.relname ?? '', found.fields, { relation: found.relation, open: found.open })];
      condition(analysis, body.whereClause, inner);
    }
    result = { ...noRows, fields };
  }
  if (from) return undefined;
  if (place !== 'client') {
    for (const field of result.fields) analysis.flow(field.value.sources, { kind: 'place', what: 'file' });
    return undefined;
  }
  return result;
}

function options(analysis: Analysis, body: CopyStmt): Omit<CopyOptions, 'direction' | 'place'> {
  const given = new Map<string, string>();
  for (const node of body.options ?? []) {
    const option = as(node, 'DefElem');
    const value =
      as(option?.arg, 'String')?.sval ??
      String(as(option?.arg, 'Integer')?.ival ?? as(option?.arg, 'Boolean')?.boolval ?? 'true');
    given.set(option?.defname ?? '', value);
  }
  const named = given.get('format');
  const encoding = given.get('encoding');
  if (encoding !== undefined && !/^(utf-?8|unicode|sql_ascii|latin\d+|iso.?8859.*|win125\d)$/i.test(encoding))
    analysis.unreadable('rows', `encoding ${encoding}`, 'its second bytes can look like delimiters');
  const format = named === 'csv' || named === 'binary' ? named : 'text';
  const csv = format === 'csv';
  const quote = given.get('quote') ?? '"';
  return {
    format,
    delimiter: given.get('delimiter') ?? (csv ? ',' : '\t'),
    nullText: given.get('null') ?? (csv ? '' : '\\N'),
    quote,
    escape: given.get('escape') ?? quote,
    header: /^(true|on|1|match)$/i.test(given.get('header') ?? 'false'),
  };
}
