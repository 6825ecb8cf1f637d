// Statements in a dress that the grammar does not know: RETURNING, EXECUTE IMMEDIATE, SET STATEMENT, sequences, blocks.
import type { Verb } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { ddlName } from './ddl.ts';
import { lookup } from './from.ts';
import { parse } from './grammar.ts';
import type { Token } from './lexer.ts';
import { behind, refuseText } from './prepared.ts';
import { is, outer, rewritten, word, wordLike } from './rewrite.ts';
import { rowsOfServer, statement } from './statements.ts';
import type { Tree } from './tree.ts';
import { constant, rootless, type Value } from './value.ts';

export type Mended =
  /** All there is to say of the statement has been said. */
  | { readonly kind: 'done' }
  | {
      readonly kind: 'tokens';
      readonly tokens: readonly Token[];
      /** The select list behind RETURNING, as a SELECT. */
      readonly returning: readonly Token[] | undefined;
      /** A block of statements. */
      readonly program: boolean;
      /** What the statement does besides. */
      readonly verbs: readonly Verb[];
    };

/** Brings the tokens of a statement into the form that the grammar reads. */
export function mend(analysis: Analysis, given: readonly Token[]): Mended {
  let tokens = given;
  const { mariadb } = analysis.state.dialect;
  const verbs: Verb[] = [];
  if (mariadb && word(tokens[0]) === 'set' && word(tokens[1]) === 'statement') {
    const rest = setStatementFor(analysis, tokens);
    if (rest === undefined) return plain(tokens);
    tokens = rest;
  }
  const [first, second] = [word(tokens[0]), word(tokens[1])];
  if (first === 'execute' && second === 'immediate') return immediate(analysis, tokens);
  if (mariadb && first === 'begin' && second === 'not') return plain([...tokens.slice(0, 1), ...tokens.slice(3)], true);
  if (mariadb && /^(if|case|loop|while|repeat|for)$/.test(first)) return plain(tokens, true);
  if (/^(create|alter|drop)$/.test(first) && tokens.slice(1, 5).some((token) => word(token) === 'sequence'))
    return sequence(analysis, tokens);
  if (first === 'delete' && second === 'history') return deleteHistory(analysis, tokens);
  if (
    first === 'analyze' &&
    !/^(table|tables|local|no_write_to_binlog|partition)$/.test(second) &&
    tokens[0] !== undefined
  ) {
    // It runs the statement and shows its plan.
    tokens = [wordLike(tokens[0], 'explain'), ...tokens.slice(1)];
  }
  if (
    /^(explain|describe|desc)$/.test(first) &&
    /^(extended|partitions)$/.test(second) &&
    tokens.length > 3 &&
    !is(tokens[2], '.')
  )
    tokens = [...tokens.slice(0, 1), ...tokens.slice(2)];
  if (
    first === 'create' &&
    second === 'or' &&
    word(tokens[2]) === 'replace' &&
    !tokens.slice(0, 12).some((token) => word(token) === 'view')
  )
    verbs.push('drop');
  tokens = withoutAnalyse(analysis, tokens);
  let returning: readonly Token[] | undefined;
  const body = /^(explain|describe|desc)$/.test(word(tokens[0]))
    ? tokens.find((token) => /^(insert|replace|delete)$/.test(word(token)))
    : tokens[0];
  if (mariadb && /^(insert|replace|delete)$/.test(word(body))) {
    const at = outer(tokens, 'returning');
    const start = tokens[at];
    if (at > 0 && start !== undefined) {
      returning = rewritten([wordLike(start, 'select'), ...tokens.slice(at + 1)]);
      tokens = tokens.slice(0, at);
    }
  }
  return { kind: 'tokens', tokens: rewritten(tokens), returning, program: false, verbs };
}

function plain(tokens: readonly Token[], program = false): Mended {
  return { kind: 'tokens', tokens: program ? tokens : rewritten(tokens), returning: undefined, program, verbs: [] };
}

/** SET STATEMENT a = 1, b = 2 FOR statement: the settings hold for the one statement. */
function setStatementFor(analysis: Analysis, tokens: readonly Token[]): readonly Token[] | undefined {
  const at = outer(tokens, 'for', 2);
  if (at < 0) return undefined;
  const parsed = parse([...tokens.slice(0, 1), ...tokens.slice(2, at)], analysis.state.dialect);
  if (parsed.kind === 'error') return undefined;
  const set = firstOf(parsed.tree, 'SetStatement');
  if (set !== undefined) statement(analysis, set, undefined);
  if (analysis.settings.some(({ name }) => name === 'sql_mode' || /^(character_set|collation)/.test(name)))
    analysis.forbid(
      'forbidden-setting',
      'SET STATEMENT cannot change how statements are read',
      'Set it for the session by a statement of its own.',
    );
  analysis.effects.length = 0;
  return tokens.slice(at + 1);
}

function firstOf(tree: Tree, kind: string): Tree | undefined {
  if (tree.kind === kind) return tree;
  for (const each of tree.kids) {
    const found = firstOf(each, kind);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** EXECUTE IMMEDIATE 'text' [USING a, b]. */
function immediate(analysis: Analysis, tokens: readonly Token[]): Mended {
  analysis.verbs.add('execute');
  analysis.literalSensitive = true;
  const using = outer(tokens, 'using', 2);
  const text = tokens.slice(2, using < 0 ? tokens.length : using);
  if (text.length === 0 || text.some((token) => token.kind !== 'string')) {
    refuseText(analysis);
    return { kind: 'done' };
  }
  const given: Value[] = [];
  if (using > 0) {
    for (const token of tokens.slice(using + 1).filter((each) => !is(each, ','))) {
      if (token.kind === 'string') given.push(constant('text'));
      else if (token.kind === 'number') given.push(constant('number'));
      else if (token.kind === 'at-name') {
        analysis.stateful = true;
        const fact = analysis.state.variables.get(token.text.toLowerCase());
        given.push(
          fact === undefined
            ? constant('unknown')
            : { ...rootless, sources: fact.sources, kind: fact.kind, constants: fact.sources.size === 0 ? 1 : 0 },
        );
      } else {
        refuseText(analysis);
        return { kind: 'done' };
      }
    }
  }
  const inner = behind(analysis, text.map((token) => token.text).join(''), given);
  if (inner !== undefined) {
    analysis.outputs = inner.outputs;
    analysis.anyColumns = inner.anyColumns;
    analysis.effects.push(...inner.effects);
  }
  return { kind: 'done' };
}

function nameAt(tokens: readonly Token[], from: number): string[] {
  const first = tokens[from]?.text ?? '';
  return is(tokens[from + 1], '.') ? [first, tokens[from + 2]?.text ?? ''] : [first];
}

function sequence(analysis: Analysis, tokens: readonly Token[]): Mended {
  const first = word(tokens[0]) as Verb;
  analysis.verbs.add(first);
  if (word(tokens[1]) === 'or') analysis.verbs.add('drop');
  analysis.changesCatalog = true;
  analysis.barrier = true;
  let at = tokens.findIndex((token) => word(token) === 'sequence') + 1;
  while (/^(if|not|exists)$/.test(word(tokens[at]))) at++;
  for (;;) {
    const name = nameAt(tokens, at);
    ddlName(analysis, name);
    at += name.length === 2 ? 3 : 1;
    if (first !== 'drop' || !is(tokens[at], ',')) return { kind: 'done' };
    at++;
  }
}

/** DELETE HISTORY removes old versions of rows. */
function deleteHistory(analysis: Analysis, tokens: readonly Token[]): Mended {
  analysis.verbs.add('delete');
  const name = nameAt(tokens, 3);
  const { table } = lookup(analysis, name, 'write', tokens[3]?.start);
  const bounded = tokens.some((token) => word(token) === 'before');
  if (tokens.some((token) => word(token) === 'select'))
    analysis.unread('statement', 'DELETE HISTORY', 'a time that is computed is not read');
  if (!bounded)
    analysis.unbounded.push({
      verb: 'delete',
      table: { schema: table?.schema ?? '', table: table?.name ?? name[name.length - 1] ?? '' },
      why: 'it removes the whole history',
    });
  return { kind: 'done' };
}

/** PROCEDURE ANALYSE() behind a query. */
function withoutAnalyse(analysis: Analysis, tokens: readonly Token[]): readonly Token[] {
  const at = tokens.findIndex((token, index) => word(token) === 'procedure' && word(tokens[index + 1]) === 'analyse');
  if (at < 0) return tokens;
  analysis.sideDoor('PROCEDURE ANALYSE', 'it shows the smallest and largest value of each column');
  const end = tokens.findIndex((token, index) => index > at && is(token, ')'));
  rowsOfServer(analysis);
  return end < 0 ? tokens : [...tokens.slice(0, at), ...tokens.slice(end + 1)];
}
