// Statements about the server itself that the grammar does not know: told apart by their first words. They hold no expressions.
import type { Verb } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { lookup } from './from.ts';
import type { Token } from './lexer.ts';
import { is, word } from './rewrite.ts';
import { sideDoorsOfShow } from './show.ts';
import { rowsOfServer } from './statements.ts';

const kinds: readonly (readonly [RegExp, readonly Verb[]])[] = [
  [/^(grant|revoke)\b/, ['grant']],
  [/^create (or replace )?(user|role|server|tablespace|undo|logfile|resource)\b/, ['create', 'admin']],
  [/^alter (user|role|server|tablespace|undo|logfile|resource|instance)\b/, ['alter', 'admin']],
  [/^drop (user|role|server|tablespace|undo|logfile|resource)\b/, ['drop', 'admin']],
  [/^rename user\b/, ['rename', 'admin']],
  [/^flush\b/, ['flush']],
  [/^kill\b/, ['kill']],
  [/^(analyze|check|optimize|repair) (local |no_write_to_binlog )?(table|tables|view)\b/, ['analyze']],
  [/^xa\b/, ['commit']],
  [/^set (password|default role)\b/, ['set', 'admin']],
  [/^unlock\b/, ['lock']],
  [
    /^(reset|purge|change|start (slave|replica|all|group_replication)|stop (slave|replica|all|group_replication)|backup|install|uninstall|shutdown|restart|binlog|cache|clone|import)\b/,
    ['admin'],
  ],
];

/** Reads the statement by its first words; false where it is none of these. */
export function classify(analysis: Analysis, tokens: readonly Token[]): boolean {
  const words = tokens.map((token) => (token.kind === 'word' ? token.text.toLowerCase() : token.text)).join(' ');
  // A query inside could do anything.
  if (tokens.some((token) => /^(select|values)$/.test(word(token)) && !/^(grant|revoke)/.test(words))) return false;
  if (word(tokens[0]) === 'help') {
    analysis.verbs.add('show');
    rowsOfServer(analysis);
    return true;
  }
  if (word(tokens[0]) === 'show') {
    if (tokens.some((token) => is(token, '('))) return false;
    analysis.verbs.add('show');
    sideDoorsOfShow(analysis, words.slice(5));
    if (/^show create sequence /.test(words)) {
      const qualified = is(tokens[4], '.');
      const path = (qualified ? [tokens[3], tokens[5]] : [tokens[3]]).map((token) => token?.text ?? '');
      lookup(analysis, path, 'read', tokens[3]?.start);
    }
    rowsOfServer(analysis);
    return true;
  }
  for (const [pattern, verbs] of kinds) {
    if (!pattern.test(words)) continue;
    for (const verb of verbs) analysis.verbs.add(verb);
    analysis.barrier = true;
    if (verbs.includes('analyze') || words.startsWith('xa recover')) rowsOfServer(analysis);
    return true;
  }
  return false;
}
