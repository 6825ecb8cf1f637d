// SET: which settings would change how text is read, who acts, or what the gateway learns of the session.
import type { Analysis } from './analysis.ts';
import { evaluate } from './expressions.ts';
import { clientCharsets, withSqlMode } from './modes.ts';
import { Scope } from './scope.ts';
import { everyTree, has, kid, nameParts, type Tree, tokensOf } from './tree.ts';
import { rootless } from './value.ts';
import { assignVariable, variableName } from './variables.ts';

/** Never to be set by a client. */
const forbidden: ReadonlyMap<string, string> = new Map([
  ['session_track_system_variables', 'the gateway follows the session by it'],
  ['session_track_schema', 'the gateway follows the session by it'],
  ['session_track_state_change', 'the gateway follows the session by it'],
  ['debug', 'it writes what the server does into files'],
  ['debug_sync', 'it stops the server at places of its code'],
  ['pseudo_thread_id', 'the session acts as the identity that logged in'],
  ['pseudo_slave_mode', 'it turns off checks'],
  ['init_connect', 'it is for the server alone'],
  ['sql_log_bin', 'it hides writes from the log of the server'],
  ['sql_log_off', 'it hides statements from the log of the server'],
  ['character_set_filesystem', 'the gateway reads texts as UTF-8'],
]);

/** Character sets of texts that the gateway reads; ucs2 and its like are no client sets. */
const charsets = /^character_set_(client|results|connection)$/;

interface Assignment {
  readonly scope: string;
  readonly name: string;
  readonly value: Tree | undefined;
}

export function setStatement(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  analysis.verbs.add('set');
  const outer = scope ?? new Scope(undefined);
  const list = kid(tree, 'StartOptionValueList');
  const [first] = list?.kids ?? [];
  if (has(list, 'PASSWORD') && first?.kind === 'PASSWORD') {
    analysis.verbs.add('admin');
    return;
  }
  let kind = '';
  for (const option of options(list)) {
    if (option.kind === 'OptionType') {
      kind = words(option);
      continue;
    }
    if (option.kind === 'TransactionCharacteristics') {
      note(analysis, { scope: kind, name: 'transaction', value: undefined }, undefined);
      continue;
    }
    one(analysis, option, kind, outer);
    kind = '';
  }
}

/** The parts of a SET list in order: types and assignments. */
function options(list: Tree | undefined): Tree[] {
  const found: Tree[] = [];
  everyTree(list, (each) => {
    if (
      /^(OptionType|OptionValueNoOptionType|OptionValueFollowingOptionType|TransactionCharacteristics)$/.test(each.kind)
    )
      found.push(each);
    // `SET x = 1, GLOBAL y = 2`: the value stands beside its type.
    else if (each.kind === 'OptionValue' && has(each, 'InternalVariableName')) found.push(...typed(each));
  });
  return found;
}

function typed(option: Tree): Tree[] {
  return [
    {
      kind: 'OptionValueFollowingOptionType',
      kids: option.kids.filter((each) => each.kind !== 'OptionType'),
      token: undefined,
    },
  ];
}

function words(tree: Tree | undefined): string {
  return tokensOf(tree)
    .map((token) => token.text.toLowerCase())
    .join(' ');
}

function one(analysis: Analysis, option: Tree, kind: string, scope: Scope): void {
  const value = kid(option, 'SetExprOrDefault');
  const user = kid(option, 'UserVariable');
  if (user !== undefined) {
    assignVariable(analysis, variableName(user), evaluate(analysis, option.kids[2], scope));
    return;
  }
  const system = kid(option, 'SetSystemVariable');
  if (system !== undefined) {
    const type = words(kid(system, 'SetVarIdentType')).replace(/[ .]/g, '');
    set(analysis, { scope: type, name: words(kid(system, 'InternalVariableName')).replaceAll(' ', ''), value }, scope);
    return;
  }
  const internal = kid(option, 'InternalVariableName');
  if (internal !== undefined) {
    const path = nameParts(internal);
    const local = scope.variable(path);
    if (local !== undefined) {
      // A local variable, or NEW.column in a trigger.
      const assigned = evaluate(analysis, value, scope);
      for (const column of local.sources.keys()) analysis.flow(assigned.sources, { kind: 'column', column });
      return;
    }
    set(analysis, { scope: kind, name: path.join('.').toLowerCase(), value }, scope);
    return;
  }
  // SET NAMES x, SET CHARACTER SET x.
  const clause = kid(option, 'CharsetClause');
  const charset = kid(clause ?? option, 'CharsetName');
  if (charset !== undefined || has(option, 'DEFAULT')) {
    for (const name of ['character_set_client', 'character_set_results', 'character_set_connection'])
      charsetSetting(analysis, name, charset === undefined ? undefined : tokensOf(charset).pop()?.text);
    return;
  }
  analysis.forbid('forbidden-setting', 'SET NAMES with an expression cannot be judged', 'Name the character set.');
}

function set(analysis: Analysis, assignment: Assignment, scope: Scope): void {
  const { name, value } = assignment;
  const text = literal(value);
  const global = /^(global|persist|persist_only|persistonly)$/.test(assignment.scope);
  if (!global) {
    if (name === 'sql_mode') {
      sqlMode(analysis, assignment, text);
      return;
    }
    if (charsets.test(name) || name === 'collation_connection') {
      charsetSetting(analysis, name, text);
      return;
    }
    const why = name.startsWith('debug') ? forbidden.get('debug') : forbidden.get(name);
    if (why !== undefined) refuse(analysis, name, why);
  }
  // What a setting is given stays with the session.
  if (value !== undefined && text === undefined)
    analysis.flow(evaluate(analysis, value, valueScope(scope)).sources, { kind: 'place', what: 'setting' });
  note(analysis, assignment, text);
}

/** In SET a bare word is a text: `SET x = on`. */
function valueScope(scope: Scope): Scope {
  const inner = new Scope(scope);
  inner.variables = (path) => (path.length === 1 ? { ...rootless, constants: 1, kind: 'text' } : undefined);
  return inner;
}

function note(analysis: Analysis, assignment: Assignment, value: string | undefined): void {
  const global = /^(global|persist|persist_only|persistonly)$/.test(assignment.scope);
  if (global) analysis.verbs.add('admin');
  const scope = global ? `${assignment.scope}.` : '';
  analysis.settings.push({ name: `${scope}${assignment.name}`, value });
  analysis.literalSensitive = true;
}

function refuse(analysis: Analysis, name: string, why: string): void {
  analysis.forbid(
    'forbidden-setting',
    `the setting ${name} cannot be changed through the gateway: ${why}`,
    'Leave this setting as the target has it.',
  );
}

/** The text of a value that is a literal, a bare word or a number; undefined for anything that must be computed. */
function literal(value: Tree | undefined): string | undefined {
  const tokens = tokensOf(value);
  const [token] = tokens;
  if (tokens.length !== 1 || token === undefined) return undefined;
  return /^(string|nchar|word|identifier|number|null)$/.test(token.kind) ? token.text : undefined;
}

function sqlMode(analysis: Analysis, assignment: Assignment, text: string | undefined): void {
  const token = tokensOf(assignment.value)[0];
  const named = text !== undefined && token?.kind !== 'number' && !(token?.kind === 'word' && /^default$/i.test(text));
  const dialect = named ? withSqlMode(analysis.state.dialect, text) : undefined;
  if (dialect === undefined || analysis.inside > 0) {
    if (analysis.inside > 0 && dialect !== undefined) {
      note(analysis, assignment, text);
      return;
    }
    refuse(
      analysis,
      'sql_mode',
      'only a text that names the modes can be followed, it decides how statements are read',
    );
    return;
  }
  if (dialect.oracle) {
    refuse(analysis, 'sql_mode', 'statements in the ORACLE mode cannot be read');
    return;
  }
  note(analysis, assignment, text);
  analysis.effect((state) => ({ ...state, dialect: withSqlMode(state.dialect, text ?? '') ?? state.dialect }));
}

function charsetSetting(analysis: Analysis, name: string, text: string | undefined): void {
  const charset = (name === 'collation_connection' ? text?.split('_')[0] : text)?.toLowerCase();
  const null_ = name === 'character_set_results' && charset === 'null';
  if (charset === undefined || (!null_ && !clientCharsets.has(charset)))
    refuse(analysis, name, 'texts are read in utf8, utf8mb4, latin1, ascii or binary only, named by a literal');
  else note(analysis, { scope: '', name, value: undefined }, text);
}

/** Settings of an optimizer hint, for one statement. */
export function hintSettings(analysis: Analysis, hints: readonly string[]): void {
  for (const hint of hints) {
    for (const match of hint.matchAll(/set_var\s*\(\s*([`\w]+)/gi)) {
      const name = (match[1] ?? '').replaceAll('`', '').toLowerCase();
      const why = forbidden.get(name);
      if (why !== undefined || name === 'sql_mode' || charsets.test(name) || name.startsWith('collation'))
        refuse(analysis, name, why ?? 'it decides how statements are read');
      analysis.settings.push({ name, value: undefined });
    }
  }
}
