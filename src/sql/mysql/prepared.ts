// PREPARE, EXECUTE and DEALLOCATE in SQL: a text given as a literal is read as that text, any other is refused.
import type { Analysis } from './analysis.ts';
import { analyse } from './read.ts';
import { firstToken, has, kid, kidsOf, type Tree, tokensOf } from './tree.ts';
import type { Value } from './value.ts';
import { userVariable } from './variables.ts';

export function prepared(analysis: Analysis, tree: Tree): void {
  const execute = kid(tree, 'ExecuteStatement');
  if (execute !== undefined) {
    run(analysis, execute);
    return;
  }
  const tokens = tokensOf(tree);
  const name = (tokens[0]?.text.toLowerCase() === 'prepare' ? tokens[1] : tokens[2])?.text.toLowerCase() ?? '';
  if (!has(tree, 'FROM')) {
    analysis.verbs.add('deallocate');
    analysis.effect((state) => {
      const texts = new Map(state.prepared);
      texts.delete(name);
      return { ...state, prepared: texts };
    });
    return;
  }
  analysis.verbs.add('prepare');
  const source = tree.kids[tree.kids.length - 1];
  const text = literalText(source);
  if (text === undefined) {
    refuseText(analysis);
    return;
  }
  const { dialect } = analysis.state;
  behind(analysis, text, undefined);
  analysis.literalSensitive = true;
  analysis.effect((state) => ({ ...state, prepared: new Map(state.prepared).set(name, { text, dialect }) }));
}

/** The text of a string literal, or of several side by side. */
export function literalText(tree: Tree | undefined): string | undefined {
  const tokens = tokensOf(tree);
  if (tokens.length === 0 || tokens.some((token) => token.kind !== 'string')) return undefined;
  return tokens.map((token) => token.text).join('');
}

export function refuseText(analysis: Analysis): void {
  analysis.forbid(
    'dynamic-text',
    'a statement that is prepared from a variable or an expression cannot be read',
    'Write the text of the statement as a literal, or send it as a statement of its own.',
  );
}

function run(analysis: Analysis, tree: Tree): void {
  analysis.verbs.add('execute');
  analysis.stateful = true;
  const name = tokensOf(tree)[1]?.text ?? '';
  const known = analysis.state.prepared.get(name.toLowerCase());
  if (known === undefined) {
    analysis.unread(
      'statement',
      name,
      'no prepared statement of this name is known to the gateway',
      firstToken(tree)?.start,
    );
    return;
  }
  const given = kidsOf(kid(tree, 'ExecuteVarList'), 'UserVariable').map((each) => userVariable(analysis, each));
  const inner = behind(analysis, known.text, given, known.dialect);
  if (inner === undefined) return;
  analysis.outputs = inner.outputs;
  analysis.anyColumns = inner.anyColumns;
  analysis.effects.push(...inner.effects);
}

/** Reads the statement a text holds as if it stood here. */
export function behind(
  analysis: Analysis,
  text: string,
  given: readonly Value[] | undefined,
  dialect = analysis.state.dialect,
): Analysis | undefined {
  const inner = analyse(analysis.catalog, { ...analysis.state, dialect }, text, { given, depth: analysis.depth });
  if (typeof inner === 'string') {
    analysis.forbid('dynamic-text', `the text of a prepared statement cannot be read: ${inner}`, 'Correct the text.');
    return undefined;
  }
  analysis.absorb(inner, true);
  return inner;
}
