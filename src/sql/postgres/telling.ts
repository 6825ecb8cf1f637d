// What an operator or a function tells of its operands by failing, by giving NULL, by its size or by its time. Whatever might is
// noted as an `argument`, which no masked column may be; what is known to tell nothing is listed here and in builtins.ts.
import type { Analysis } from './analysis.ts';
import { castLike, firstOnly, lastOnly, storedOnly, total } from './builtins.ts';
import type { Column, FunctionFact } from './catalog.ts';
import { type A_Expr, as, type FuncCall, type Node } from './tree.ts';
import { typeOids } from './types.ts';
import { chosen, isPlain, isStored, type Value } from './value.ts';

const integers: ReadonlySet<number> = new Set([typeOids.int2, typeOids.int4, typeOids.int8]);
const moments: ReadonlySet<number> = new Set([typeOids.date, typeOids.timestamp, typeOids.timestamptz]);
const documents: ReadonlySet<number> = new Set([typeOids.json, typeOids.jsonb]);

/** Larger literals in sums could be aimed at the border of a type. */
const mostAdded = 1_000_000;
/** Months of a year; larger whole factors could be aimed at the border of a type. */
const mostTimes = 12;
/** Literals that a function may put in place of a piece of a value, and patterns. */
const mostInserted = 100;
const mostPattern = 200;
/** Fixed widths and repetitions up to this make no text that could fail for its size. */
const mostWide = 1_000;
/** Concatenations of column values in one statement: more could double a text until it no longer fits. */
const mostJoins = 24;

function reveals(value: Value): boolean {
  for (const how of value.sources.values()) if (how !== chosen) return true;
  return false;
}

function constantOf(node: Node | undefined): ReturnType<typeof literal> {
  let at = node;
  for (let cast = as(at, 'TypeCast'); cast !== undefined; cast = as(at, 'TypeCast')) at = cast.arg;
  return literal(at);
}

function literal(node: Node | undefined): { readonly number?: number; readonly text?: string } | undefined {
  const body = as(node, 'A_Const');
  if (body === undefined) {
    const negative = as(node, 'A_Expr');
    if (negative?.lexpr !== undefined || negative?.rexpr === undefined) return undefined;
    return literal(negative.rexpr);
  }
  if (body.ival !== undefined) return { number: body.ival.ival ?? 0 };
  if (body.fval !== undefined) return { number: Math.abs(Number(body.fval.fval)) };
  return body.sval === undefined ? undefined : { text: body.sval.sval ?? '' };
}

/** Notes the arguments of one of the server's own functions by which a call would tell of a value. */
export function checkArguments(
  analysis: Analysis,
  name: string,
  facts: readonly FunctionFact[],
  args: readonly Value[],
  returnsSet: boolean,
  call: FuncCall,
): void {
  if (makesBulk(analysis, name, call)) analysis.bulk = true;
  args.forEach((arg, at) => {
    if (!reveals(arg)) return;
    const safe =
      total.has(name) &&
      !returnsSet &&
      !(firstOnly.has(name) && at > 0) &&
      !(lastOnly.has(name) && at === 0 && args.length > 1) &&
      !(
        castLike.has(name) &&
        facts.length > 0 &&
        arg.type !== typeOids.timestamp &&
        arg.type !== typeOids.timestamptz
      ) &&
      !(storedOnly.has(name) && !isStored(arg)) &&
      !(name === 'array_agg' && isArray(analysis, arg) && !isStored(arg)) &&
      isHarmless(analysis, name, args, call);
    if (!safe) analysis.useValue(arg, 'argument', call.location);
  });
}

/** Functions whose other arguments decide. What they are is a matter of literals, so that the reading holds for these only. */
function isHarmless(analysis: Analysis, name: string, args: readonly Value[], call: FuncCall): boolean {
  const [input] = args;
  switch (name) {
    case 'substr':
    case 'substring':
      // With a pattern, NULL says that it was not found.
      return args.slice(1).every((arg) => integers.has(arg.type));
    case 'lpad':
    case 'rpad':
      analysis.literalSensitive = true;
      return (constantOf(call.args?.[1])?.number ?? mostWide + 1) <= mostWide;
    case 'replace': {
      analysis.literalSensitive = true;
      const [from, to] = [constantOf(call.args?.[1])?.text, constantOf(call.args?.[2])?.text];
      if (from === undefined || to === undefined) return false;
      return to.length <= from.length || (input !== undefined && isPlain(input) && to.length <= mostInserted);
    }
    case 'regexp_replace': {
      analysis.literalSensitive = true;
      const to = constantOf(call.args?.[2])?.text;
      if (to === undefined || !isPlainPattern(call)) return false;
      return to === '' || (input !== undefined && isPlain(input) && to.length <= mostInserted);
    }
    case 'regexp_count':
    case 'regexp_like':
    case 'regexp_instr':
      analysis.literalSensitive = true;
      return isPlainPattern(call);
    case 'convert_to':
      // Characters that an encoding lacks make it fail.
      analysis.literalSensitive = true;
      return /^utf-?8$/i.test(constantOf(call.args?.[1])?.text ?? '');
    case 'concat':
    case 'concat_ws':
    case 'format':
      return ++analysis.joins <= mostJoins;
    default:
      return true;
  }
}

/** Back references can make a pattern take very long on some values. */
function isPlainPattern(call: FuncCall): boolean {
  const pattern = constantOf(call.args?.[1])?.text;
  return pattern !== undefined && pattern.length <= mostPattern && !/\\[1-9mMyY]/.test(pattern);
}

/** A call that may make a text so large that whether more fits tells of the rest. */
function makesBulk(analysis: Analysis, name: string, call: FuncCall): boolean {
  if (name === 'array_fill') return true;
  if (name !== 'repeat' && name !== 'lpad' && name !== 'rpad') return false;
  analysis.literalSensitive = true;
  const [text, width] = call.args ?? [];
  if ((constantOf(width)?.number ?? mostWide + 1) > mostWide) return true;
  return name === 'repeat' && constantOf(text) === undefined && as(text, 'ColumnRef') === undefined;
}

function isArray(analysis: Analysis, value: Value): boolean {
  const fact = analysis.catalog.types.get(value.type);
  return fact !== undefined && fact.element !== 0 && fact.kind === 'b';
}

/** Elements of ARRAY[...] that are arrays must be of one size. */
export function checkElements(analysis: Analysis, values: readonly Value[], offset: number | undefined): void {
  for (const value of values)
    if (reveals(value) && isArray(analysis, value) && !isStored(value)) analysis.useValue(value, 'argument', offset);
}

/** `document -> key`: whether something is there must follow from the stored document and from a fixed key. */
export function checkPath(
  analysis: Analysis,
  document: Value,
  keys: readonly Value[],
  offset: number | undefined,
): void {
  if (!isStored(document)) analysis.useValue(document, 'argument', offset);
  for (const key of keys) analysis.useValue(key, 'argument', offset);
}

const paths: ReadonlySet<string> = new Set(['->', '->>', '#>', '#>>']);
const fallible: ReadonlySet<string> = new Set('/ % ^ |/ ||/ !! @@ << >> ~ ~* !~ !~* ~~ !~~ ~~* !~~* @? #-'.split(' '));
/** Of these a left operand is harmless: only the right one can make them fail. */
const rightOnly: ReadonlySet<string> = new Set('% ~ ~* !~ !~* ~~ !~~ ~~* !~~* << >>'.split(' '));

/** Notes the operands by which one of the server's own operators would tell of a value. */
export function checkOperator(
  analysis: Analysis,
  name: string,
  body: A_Expr,
  left: Value | undefined,
  rights: readonly Value[],
): void {
  const [right] = rights;
  const values = left === undefined ? rights : [left, ...rights];
  if (!values.some(reveals)) return;
  const offset = body.location;
  if (left === undefined || right === undefined || rights.length > 1) {
    if (fallible.has(name)) for (const value of values) analysis.useValue(value, 'argument', offset);
    return;
  }
  if (paths.has(name)) {
    checkPath(analysis, left, [right], offset);
  } else if (name === '||') {
    if (++analysis.joins > mostJoins) for (const value of values) analysis.useValue(value, 'argument', offset);
    else checkElements(analysis, values, offset);
  } else if (name === '+' || name === '-' || name === '*' || name === '/') {
    arithmetic(analysis, name, body, left, right);
  } else if (fallible.has(name)) {
    // A pattern made of it, a shift by it: whether it fails tells of the value.
    analysis.useValue(right, 'argument', offset);
    if (!rightOnly.has(name)) analysis.useValue(left, 'argument', offset);
  }
}

function arithmetic(analysis: Analysis, name: string, body: A_Expr, left: Value, right: Value): void {
  if (reveals(left) && !isSteady(analysis, name, left, right, body.rexpr, false))
    analysis.useValue(left, 'argument', body.location);
  if (reveals(right) && !isSteady(analysis, name, right, left, body.lexpr, true))
    analysis.useValue(right, 'argument', body.location);
}

/** Whether `value op other` can be computed for every value that may be stored, so that its failing tells nothing. */
function isSteady(
  analysis: Analysis,
  name: string,
  value: Value,
  other: Value,
  otherNode: Node | undefined,
  divisor: boolean,
): boolean {
  if (name === '/' && divisor) return false;
  if (name === '-' && documents.has(value.type)) return isStored(value);
  if (name === '-' && moments.has(value.type) && moments.has(other.type)) return true;
  if (sameTable(value, other)) return true;
  const found = constantOf(otherNode);
  if (found === undefined) return name === '/' && integers.has(other.type);
  analysis.literalSensitive = true;
  const exact = value.type === typeOids.numeric;
  if (found.text !== undefined) return name !== '*' && name !== '/' && isPlain(value) && isShortSpan(found.text);
  const number = found.number ?? 0;
  if (name === '/') return number >= 0.001;
  if (number > mostAdded || !(isPlain(value) || exact)) return false;
  return name !== '*' || exact || !Number.isInteger(number) || other.type === typeOids.numeric || number <= mostTimes;
}

/** `30 days`, `1 year`: numbers of four digits move no date out of range. */
function isShortSpan(text: string): boolean {
  return text.length <= 40 && !/\d{5}/.test(text) && !/[eE.]/.test(text.replace(/[a-zA-Z]{2,}/g, ''));
}

/** Both are columns of one table: who could choose one of the values has written the other beside it. */
function sameTable(one: Value, other: Value): boolean {
  if (!isPlain(one) || !isPlain(other)) return false;
  const table = onlyTable(one);
  return table !== undefined && table === onlyTable(other);
}

/** The table of a column, the first of its family; undefined where it may be of several. */
function onlyTable(value: Value): Column['table'] | undefined {
  let found: Column['table'] | undefined;
  for (const [column, how] of value.sources) {
    if (how === chosen) continue;
    const { table } = column;
    if (found === undefined) found = table;
    else if (found !== table && !table.parents.includes(found) && !table.children.includes(found)) return undefined;
  }
  return found;
}
