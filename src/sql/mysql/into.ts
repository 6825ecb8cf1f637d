// SELECT ... INTO: where the rows go instead of to the client.
import type { Analysis } from './analysis.ts';
import type { QueryResult } from './queries.ts';
import { kidsOf, type Tree, tokensOf } from './tree.ts';
import { chosenBy, rootless } from './value.ts';
import { assignVariable, variableName } from './variables.ts';

/** Rows that went INTO something do not come to the client. */
export const taken = new WeakSet<Analysis>();

export function intoClause(analysis: Analysis, clause: Tree | undefined, result: QueryResult): void {
  if (clause === undefined) return;
  taken.add(analysis);
  const words = tokensOf(clause).map((token) => (token.kind === 'word' ? token.text.toLowerCase() : ''));
  if (words.includes('outfile') || words.includes('dumpfile')) {
    analysis.verbs.add('file');
    for (const field of result.fields) analysis.flow(field.value.sources, { kind: 'place', what: 'file' });
    return;
  }
  kidsOf(clause, 'UserVariable').forEach((variable, at) => {
    const value = result.fields[at]?.value ?? rootless;
    assignVariable(analysis, variableName(variable), chosenBy({ ...value, constants: 0 }, result.rows));
  });
  // Local variables of a routine are not followed: what they hold is taken to go anywhere.
  if (kidsOf(clause, 'UserVariable').length === 0)
    for (const field of result.fields) analysis.flow(field.value.sources, { kind: 'place', what: 'variable' });
}
