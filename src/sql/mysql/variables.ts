// User variables, which keep what is assigned to them for the session, and the server's own.
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { evaluate } from './expressions.ts';
import type { Scope } from './scope.ts';
import { has, kid, nameParts, operands, type Tree, tokensOf } from './tree.ts';
import { constant, derived, type How, reveals, rootless, type Value } from './value.ts';

export function variable(analysis: Analysis, tree: Tree, scope: Scope): Value {
  const user = kid(tree, 'UserVariable');
  if (user === undefined) {
    const name = (nameParts(kid(tree, 'SystemVariable') ?? tree).pop() ?? '').toLowerCase();
    if (secretVariables.has(name)) analysis.sideDoor(`@@${name}`, 'it shows values or statements of other sessions');
    return constant('unknown');
  }
  if (!has(tree, 'ASSIGN_OPERATOR')) return userVariable(analysis, user);
  const value = evaluate(
    analysis,
    operands(tree).find((each) => each !== user),
    scope,
  );
  assignVariable(analysis, variableName(user), value);
  return { ...value, constants: 0 };
}

const secretVariables: ReadonlySet<string> = new Set(['pseudo_slave_mode', 'debug', 'init_connect', 'init_slave']);

export function variableName(tree: Tree): string {
  return tokensOf(tree)
    .filter((token) => token.kind !== 'operator')
    .map((token) => token.text)
    .join('.')
    .toLowerCase();
}

/** `@name := value`: the session keeps the value. */
export function assignVariable(analysis: Analysis, name: string, value: Value): void {
  analysis.flow(value.sources, { kind: 'place', what: 'variable' });
  const sources = new Map<Column, How>();
  for (const [column, how] of value.sources) if (how !== 0) sources.set(column, derived);
  const { kind } = value;
  analysis.effects.push((state) => {
    const variables = new Map(state.variables);
    const before = variables.get(name)?.sources ?? new Map<Column, How>();
    variables.set(name, { sources: new Map([...before, ...sources]), kind });
    return { ...state, variables };
  });
  // What holds a literal only changes nothing that a reading shared by others depends on, but its kind must be known.
  analysis.stateful = true;
}

export function userVariable(analysis: Analysis, tree: Tree): Value {
  analysis.stateful = true;
  const fact = analysis.state.variables.get(variableName(tree));
  if (fact !== undefined && reveals(fact.sources)) {
    analysis.note(fact.sources);
    return { ...rootless, sources: fact.sources, kind: fact.kind };
  }
  // Within the statement that assigns it, a variable changes from row to row.
  if (analysis.assignsVariables) return { ...rootless, kind: fact?.kind ?? 'unknown' };
  return constant(fact?.kind ?? 'unknown');
}
