// Stored programs: what their bodies do is noted (verbs, tables); what they return is not followed, so calls of them are opaque.
import { Analysis } from './analysis.ts';
import type { Routine, Table, Trigger } from './catalog.ts';
import { evaluate } from './expressions.ts';
import { plainFields } from './from.ts';
import { parseProgram } from './grammar.ts';
import { lex } from './lexer.ts';
import { query } from './queries.ts';
import { named, Scope } from './scope.ts';
import { statement } from './statements.ts';
import { everyTree, isExpression, kid, kidsOf, nameParts, type Tree } from './tree.ts';
import { derive, rootless, type Value } from './value.ts';
import { catalogState } from './views.ts';

/** A call of a stored or loaded function, or of a procedure. */
export function routineCall(
  analysis: Analysis,
  kind: Routine['kind'],
  path: readonly string[],
  values: readonly Value[],
  offset: number | undefined,
): Value {
  const name = path[path.length - 1] ?? '';
  const schema = path.length > 1 ? (path[path.length - 2] ?? '') : analysis.database;
  const routine = analysis.catalog.routine(kind, schema, name);
  const shown = routine === undefined ? (path.length > 1 ? path.join('.') : name) : `${routine.schema}.${routine.name}`;
  analysis.functions.add(shown.toLowerCase());
  for (const value of values) {
    analysis.use(value, 'argument', offset);
    analysis.flow(value.sources, { kind: 'place', what: 'function' });
  }
  if (routine === undefined) {
    analysis.missed = true;
    analysis.missedNames.push(name);
    analysis.unread('unseen', shown, `no ${kind} of this name is known`, offset);
    return derive(values);
  }
  analysis.unread('unseen', shown, 'what a stored program does with what it reads is not followed', offset);
  const body = routineBody(analysis, routine);
  if (body !== undefined) {
    for (const verb of body.verbs) analysis.verbs.add(verb);
    for (const use of body.tables.values()) analysis.table(use, use.access, false);
    for (const each of body.functions) analysis.functions.add(each);
    analysis.unbounded.push(...body.unbounded);
  }
  return derive(values);
}

const bodies = new WeakMap<Routine | Trigger, Analysis | null>();

function routineBody(analysis: Analysis, routine: Routine): Analysis | undefined {
  if (routine.body === undefined || analysis.running.has(routine)) return undefined;
  return bodyOf(analysis, routine, routine.body, routine.schema, () => undefined);
}

function bodyOf(
  analysis: Analysis,
  key: Routine | Trigger,
  text: string,
  schema: string,
  variables: Scope['variables'],
): Analysis | undefined {
  const known = bodies.get(key);
  if (known !== undefined) return known ?? undefined;
  const state = { ...catalogState(analysis.state), database: schema };
  const inner = new Analysis(analysis.catalog, state, new Set([...analysis.running, ...('kind' in key ? [key] : [])]));
  inner.inside = 1;
  inner.depth = analysis.depth;
  let found: Analysis | null = null;
  try {
    const tree = parseProgram(lex(text, state.dialect).tokens, state.dialect);
    if (tree !== undefined) {
      walkBody(inner, tree, programScope(tree, [], variables));
      found = inner;
    }
  } catch {
    found = null;
  }
  bodies.set(key, found);
  return found ?? undefined;
}

/**
 * Notes the tables that triggers of a table reach. What triggers do is the owner's word, not the client's: it is judged when
 * a client makes a trigger, not on every write.
 */
export function applyTriggers(analysis: Analysis, table: Table | undefined, event: Trigger['event']): void {
  for (const trigger of table?.triggers ?? []) {
    if (trigger.event !== event) continue;
    const body = bodyOf(analysis, trigger, trigger.body, trigger.table.schema, rowVariables(trigger.table));
    for (const use of body?.tables.values() ?? []) analysis.table(use, use.access, false);
  }
}

/** OLD and NEW of a trigger. */
export function rowVariables(table: Table | undefined): (path: readonly string[]) => Value | undefined {
  return (path) => {
    if (path.length !== 2 || !/^(old|new)$/i.test(path[0] ?? '')) return undefined;
    return (table === undefined ? undefined : named(plainFields(table), path[1] ?? '')[0]) ?? rootless;
  };
}

/** A scope in which the names that a program declares stand for values that are not followed. */
export function programScope(body: Tree, parameters: readonly string[], outer: Scope['variables']): Scope {
  const names = new Set(parameters.map((name) => name.toLowerCase()));
  everyTree(body, (each) => {
    if (each.kind !== 'VariableDeclaration') return;
    for (const name of nameParts(kid(each, 'IdentifierList'))) names.add(name.toLowerCase());
  });
  const scope = new Scope(undefined);
  scope.variables = (path) =>
    path.length === 1 && names.has((path[0] ?? '').toLowerCase()) ? rootless : outer?.(path);
  return scope;
}

const structure: ReadonlySet<string> = new Set([
  'CompoundStatement',
  'CompoundStatementList',
  'UnlabeledBlock',
  'LabeledBlock',
  'BeginEndBlock',
  'SpDeclarations',
  'SpDeclaration',
  'VariableDeclaration',
  'HandlerDeclaration',
  'IfStatement',
  'IfBody',
  'ThenStatement',
  'ElseStatement',
  'CaseStatement',
  'WhenExpression',
  'LabeledControl',
  'UnlabeledControl',
  'LoopBlock',
  'WhileDoBlock',
  'RepeatUntilBlock',
  'ReturnStatement',
]);
const inert: ReadonlySet<string> = new Set([
  'ConditionDeclaration',
  'HandlerCondition',
  'IdentifierList',
  'DataType',
  'Collate',
  'Label',
  'LabelRef',
  'LeaveStatement',
  'IterateStatement',
  'CursorOpen',
  'CursorClose',
  'CursorFetch',
]);

/** Reads the statements and expressions of a compound statement. */
export function walkBody(analysis: Analysis, tree: Tree, scope: Scope): void {
  analysis.enter();
  if (tree.kind === 'SimpleStatement') {
    const [inner] = tree.kids;
    if (inner !== undefined) statement(analysis, inner, scope);
  } else if (tree.kind === 'CursorDeclaration') {
    query(analysis, kid(tree, 'SelectStatement'), scope);
  } else if (structure.has(tree.kind)) {
    for (const each of tree.kids) walkBody(analysis, each, scope);
  } else if (!inert.has(tree.kind) && isExpression(tree)) {
    evaluate(analysis, tree, scope);
  }
  analysis.leave();
}

/** CREATE PROCEDURE, FUNCTION, TRIGGER and EVENT: what the body reads would come out of it later. */
export function created(analysis: Analysis, tree: Tree, table: Table | undefined): void {
  const body = kid(tree, 'CompoundStatement');
  if (body === undefined) return;
  const parameters = [...kidsOf(tree, 'FunctionParameter'), ...kidsOf(tree, 'ProcedureParameter')].map((each) => {
    const parameter = kid(each, 'FunctionParameter') ?? each;
    return nameParts(parameter.kids[0])[0] ?? '';
  });
  const inner = new Analysis(analysis.catalog, analysis.state, analysis.running);
  inner.depth = analysis.depth;
  inner.inside = 1;
  const scope = programScope(body, parameters, tree.kind === 'CreateTrigger' ? rowVariables(table) : undefined);
  walkBody(inner, body, scope);
  for (const use of inner.tables.values()) analysis.table(use, use.access, false);
  for (const name of inner.functions) analysis.functions.add(name);
  for (const fact of inner.opaque) analysis.unread(fact.kind, fact.name, fact.why);
  for (const door of inner.sideDoors) analysis.sideDoor(door.name, door.why);
  analysis.missed ||= inner.missed;
  analysis.missedNames.push(...inner.missedNames);
  // An event runs by itself, later, as its definer.
  if (tree.kind === 'CreateEvent' || tree.kind === 'AlterEvent') {
    for (const verb of inner.verbs) analysis.verbs.add(verb);
    analysis.unbounded.push(...inner.unbounded);
  }
  const read = new Map([...inner.columns].map((column) => [column, 2] as const));
  analysis.flow(read, { kind: 'place', what: 'function' });
  analysis.flows.push(...inner.flows);
  analysis.uses.push(...inner.uses.map((use) => ({ ...use, offset: undefined })));
  analysis.forbidden ??= inner.forbidden;
}
