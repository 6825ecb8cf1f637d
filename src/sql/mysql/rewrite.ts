// Syntax that the grammar does not have, put into words that it has, token by token: MariaDB's own, and of later MySQL.
// What is left out here never holds an expression; where it could, the tokens stay and the grammar refuses them.
import type { Token } from './lexer.ts';

export const word = (token: Token | undefined): string => (token?.kind === 'word' ? token.text.toLowerCase() : '');
export const is = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'operator' && token.text === text;

/** A token that stands for another, at its place. */
function like(token: Token, kind: Token['kind'], text: string, call = false): Token {
  return { ...token, kind, text, raw: text, call, quote: '' };
}

const wordLike = (token: Token, text: string, call = false): Token => like(token, 'word', text, call);
const operatorLike = (token: Token, text: string): Token => like(token, 'operator', text);

/** Where the parenthesis that opens at `open` closes; -1 where it does not. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (is(tokens[at], '(')) depth++;
    else if (is(tokens[at], ')') && --depth === 0) return at;
  }
  return -1;
}

/** The first word of this text outside parentheses, from an index on; -1 for none. */
export function outer(tokens: readonly Token[], text: string, from = 0): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    if (is(tokens[at], '(')) depth++;
    else if (is(tokens[at], ')')) depth--;
    else if (depth === 0 && word(tokens[at]) === text && !is(tokens[at - 1], '.')) return at;
  }
  return -1;
}

/** Runs of words at which something is taken out or replaced; the pass runs only where the first word occurs. */
type Pass = (tokens: readonly Token[]) => readonly Token[];

const queryStart =
  /^(from|join|as|in|union|all|distinct|except|intersect|lateral|exists|any|some|explain|analyze|select|into|desc|describe)$/;

/** Whether a query may begin at this token. */
function queryPlace(tokens: readonly Token[], at: number): boolean {
  let before = at - 1;
  while (is(tokens[before], '(')) before--;
  if (before < 0) return true;
  if (before === at - 1) return /^(union|all|distinct|except|intersect|explain|analyze)$/.test(word(tokens[before]));
  return (
    queryStart.test(word(tokens[before])) ||
    is(tokens[before], ')') ||
    is(tokens[before], ',') ||
    is(tokens[before], '=')
  );
}

/** `TABLE t` is `SELECT * FROM t`. */
const tableStatements: Pass = (tokens) =>
  tokens.flatMap((token, at) => {
    const next = tokens[at + 1];
    const named = next !== undefined && (next.kind === 'word' || next.kind === 'identifier');
    if (word(token) !== 'table' || !named || !queryPlace(tokens, at) || word(tokens[at - 1]) === 'analyze')
      return [token];
    return [wordLike(token, 'select'), operatorLike(token, '*'), wordLike(token, 'from')];
  });

/** `VALUES (1, 2), (3, 4)` and `VALUES ROW(1, 2), ...` as queries: a UNION ALL of rows. */
const valueLists: Pass = (tokens) => {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const rows = word(tokens[at + 1]) === 'row';
    const opens = is(tokens[at + (rows ? 2 : 1)], '(');
    if (word(token) !== 'values' || !opens || !queryPlace(tokens, at)) {
      out.push(token);
      continue;
    }
    let open = at + (rows ? 2 : 1);
    for (let first = true; ; first = false) {
      const close = closing(tokens, open);
      if (close < 0) return tokens;
      if (!first) out.push(wordLike(token, 'union'), wordLike(token, 'all'));
      out.push(wordLike(token, 'select'), ...valueLists(tokens.slice(open + 1, close)));
      at = close;
      const next = close + (rows ? 3 : 2);
      if (!is(tokens[close + 1], ',') || !is(tokens[next], '(')) break;
      open = next;
    }
  }
  return out;
};

/** INTERSECT and EXCEPT stand where UNION does; what they do to rows is no matter of lineage. */
const setOperators: Pass = (tokens) =>
  tokens.map((token, at) => {
    if (!/^(intersect|except)$/.test(word(token)) || is(tokens[at - 1], '.')) return token;
    const next = tokens[at + 1];
    if (!is(next, '(') && !/^(select|all|distinct|values|table|with)$/.test(word(next))) return token;
    return { ...token, text: 'union', call: false };
  });

/** NEXT VALUE FOR s is NEXTVAL(s). */
const sequenceValues: Pass = (tokens) => {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const name = tokens[at + 3];
    const value =
      /^(next|previous)$/.test(word(token)) && word(tokens[at + 1]) === 'value' && word(tokens[at + 2]) === 'for';
    if (!value || name === undefined) {
      out.push(token);
      continue;
    }
    const qualified = is(tokens[at + 4], '.') ? tokens.slice(at + 3, at + 6) : [name];
    out.push(wordLike(token, word(token) === 'next' ? 'nextval' : 'lastval', true), operatorLike(token, '('));
    out.push(...qualified, operatorLike(token, ')'));
    at += 2 + qualified.length;
  }
  return out;
};

/** A time that holds no column: a literal, a parameter, a variable, the present. Gives the index after it, or -1. */
function simpleTime(tokens: readonly Token[], from: number): number {
  let at = from;
  if (/^(timestamp|date|datetime|transaction)$/.test(word(tokens[at]))) at++;
  const token = tokens[at];
  if (token === undefined) return -1;
  if (/^(now|current_timestamp|sysdate|utc_timestamp|curdate)$/.test(word(token))) {
    at++;
    if (is(tokens[at], '(')) at = closing(tokens, at) + 1;
  } else if (/^(string|number|parameter|at-name)$/.test(token.kind)) at++;
  else return -1;
  if ((is(tokens[at], '-') || is(tokens[at], '+')) && word(tokens[at + 1]) === 'interval') {
    return tokens[at + 2]?.kind === 'number' && tokens[at + 3]?.kind === 'word' ? at + 4 : -1;
  }
  return at;
}

/** `FOR SYSTEM_TIME ...` behind a table, `FOR PORTION OF p FROM x TO y`: other rows of the same columns. */
const periods: Pass = (tokens) => {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const end = word(token) === 'for' ? periodEnd(tokens, at) : -1;
    if (end < 0) out.push(token);
    else at = end - 1;
  }
  return out;
};

function periodEnd(tokens: readonly Token[], at: number): number {
  let from = -1;
  if (word(tokens[at + 1]) === 'system_time') from = at + 2;
  else if (word(tokens[at + 1]) === 'portion' && word(tokens[at + 2]) === 'of') from = at + 4;
  if (from < 0) return -1;
  const kind = word(tokens[from]);
  if (kind === 'all') return from + 1;
  if (kind === 'as' && word(tokens[from + 1]) === 'of') return simpleTime(tokens, from + 2);
  const middle = kind === 'between' ? 'and' : kind === 'from' ? 'to' : '';
  const first = middle === '' ? -1 : simpleTime(tokens, from + 1);
  return first < 0 || word(tokens[first]) !== middle ? -1 : simpleTime(tokens, first + 1);
}

/** OFFSET n ROWS FETCH FIRST m ROWS ONLY is LIMIT; ROWS EXAMINED and WAIT n bound time, not rows. */
const limits: Pass = (tokens) => {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const text = word(token);
    const before = word(tokens[at - 1]);
    if (text === 'offset' && /^rows?$/.test(word(tokens[at + 2])) && word(tokens[at + 3]) !== 'fetch') {
      at += 2;
    } else if (text === 'offset' && /^rows?$/.test(word(tokens[at + 2]))) {
      at += 2;
    } else if (text === 'fetch' && /^(first|next)$/.test(word(tokens[at + 1]))) {
      const counted = !/^rows?$/.test(word(tokens[at + 2]));
      const count = counted ? tokens[at + 2] : like(token, 'number', '1');
      if (count === undefined) return tokens;
      at += counted ? 4 : 3;
      if (word(tokens[at]) === 'with') at++;
      out.push(wordLike(token, 'limit'), count);
    } else if (text === 'rows' && word(tokens[at + 1]) === 'examined') {
      if (before === 'limit') out.pop();
      at += 2;
    } else if (text === 'wait' && tokens[at + 1]?.kind === 'number') at++;
    else if (text === 'nowait' && before !== 'update' && before !== 'share') continue;
    else if (text === 'skip' && word(tokens[at + 1]) === 'locked' && before === 'mode') at++;
    else out.push(token);
  }
  return out;
};

const castTypes: Readonly<Record<string, string>> = {
  int: 'signed',
  integer: 'signed',
  bigint: 'signed',
  double: 'decimal',
  float: 'decimal',
  real: 'decimal',
  year: 'signed',
  varchar: 'char',
  text: 'char',
  uuid: 'char',
  inet4: 'char',
  inet6: 'char',
  varbinary: 'binary',
};

/** CAST(x AS INT) and the like, in the types that the grammar has. */
const casts: Pass = (tokens) => {
  const stack: boolean[] = [];
  return tokens.map((token, at) => {
    if (is(token, '(')) stack.push(/^(cast|convert)$/.test(word(tokens[at - 1])));
    else if (is(token, ')')) stack.pop();
    const type = castTypes[word(token)];
    const place = word(tokens[at - 1]) === 'as' || is(tokens[at - 1], ',');
    return type !== undefined && place && stack[stack.length - 1] === true ? wordLike(token, type, token.call) : token;
  });
};

/** USE INDEX (a) IGNORE KEY FOR JOIN (b): which indexes to take. */
const indexHints: Pass = (tokens) => {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    let open = at + 2;
    const hint = /^(use|force|ignore)$/.test(word(token)) && /^(index|key)$/.test(word(tokens[at + 1]));
    if (hint && word(tokens[open]) === 'for') open += word(tokens[open + 1]) === 'join' ? 2 : 3;
    const close = hint && is(tokens[open], '(') ? closing(tokens, open) : -1;
    const plain = tokens.slice(open + 1, Math.max(open + 1, close));
    if (close < 0 || plain.some((each) => !is(each, ',') && each.kind !== 'word' && each.kind !== 'identifier')) {
      out.push(token);
      continue;
    }
    at = close;
    if (is(tokens[at + 1], ',') && /^(use|force|ignore)$/.test(word(tokens[at + 2]))) at++;
  }
  return out;
};

/** MEDIAN(x) OVER and PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x) OVER: computed from x over a window as a sum is. */
const percentiles: Pass = (tokens) => {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    if (word(token) === 'median' && token.call) {
      out.push({ ...token, text: 'sum' });
      continue;
    }
    const first =
      /^percentile_(cont|disc)$/.test(word(token)) && is(tokens[at + 1], '(') ? closing(tokens, at + 1) : -1;
    const within = word(tokens[first + 1]) === 'within' && word(tokens[first + 2]) === 'group';
    const last = first > 0 && first === at + 3 && within ? closing(tokens, first + 3) : -1;
    if (last < 0) {
      out.push(token);
      continue;
    }
    const ordered = tokens.slice(first + 6, last).filter((each) => !/^(asc|desc)$/.test(word(each)));
    out.push({ ...token, text: 'sum' }, operatorLike(token, '('), ...ordered, operatorLike(token, ')'));
    at = last;
  }
  return out;
};

/** DATE '2024-01-01' is a value, where the grammar would as well take a column with an alias. */
const temporalLiterals: Pass = (tokens) => {
  if (/^(create|alter)$/.test(word(tokens[0]))) return tokens;
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    const text = tokens[at + 1];
    if (token === undefined) break;
    if (!/^(date|time|timestamp)$/.test(word(token)) || text?.kind !== 'string' || is(tokens[at - 1], '.')) {
      out.push(token);
      continue;
    }
    out.push(wordLike(token, 'cast', true), operatorLike(token, '('), text);
    out.push(wordLike(text, 'as'), wordLike(text, 'datetime'), operatorLike(text, ')'));
    at++;
  }
  return out;
};

/** GROUP_CONCAT(x ORDER BY y LIMIT n): how many are put together. */
const concatLimits: Pass = (tokens) => {
  const out: Token[] = [];
  const stack: boolean[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    if (is(token, '(')) stack.push(/^(group_concat|json_arrayagg)$/.test(word(tokens[at - 1])));
    else if (is(token, ')')) stack.pop();
    if (word(token) === 'limit' && stack[stack.length - 1] === true) {
      at++;
      if (is(tokens[at + 1], ',') || word(tokens[at + 1]) === 'offset') at += 2;
      continue;
    }
    out.push(token);
  }
  return out;
};

/** IF EXISTS wherever MariaDB takes it; OR REPLACE; versioning, invisibility and other marks of tables and columns. */
const definitions: Pass = (tokens) => {
  if (!/^(create|alter|drop|rename|truncate)$/.test(word(tokens[0]))) return tokens;
  const out: Token[] = [];
  const view = tokens.slice(0, 12).some((token) => word(token) === 'view');
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const [text, second, third] = [word(token), word(tokens[at + 1]), word(tokens[at + 2])];
    if (text === 'if' && second === 'exists' && !is(tokens[at + 2], '(') && !is(tokens[at - 1], ';')) at += 1;
    else if (text === 'if' && second === 'not' && third === 'exists' && !is(tokens[at + 3], '(')) at += 2;
    else if (at === 1 && text === 'or' && second === 'replace' && !view && word(tokens[at + 2]) !== 'spatial') at += 1;
    else if (/^(add|drop)$/.test(text) && second === 'system' && third === 'versioning') {
      at += 2;
      if (is(out[out.length - 1], ',')) out.pop();
    } else if (
      /^(uuid|inet4|inet6)$/.test(text) &&
      !token.call &&
      !is(tokens[at - 1], '.') &&
      !is(tokens[at - 1], ',') &&
      !is(tokens[at - 1], '(')
    )
      out.push(wordLike(token, 'blob'));
    else if (text === 'default' && calledDefault(tokens, at)) {
      // DEFAULT f() is DEFAULT (f()).
      const close = closing(tokens, at + 2);
      out.push(token, operatorLike(token, '('), ...tokens.slice(at + 1, close + 1), operatorLike(token, ')'));
      at = close;
    } else if (/^(with|without)$/.test(text) && second === 'system' && third === 'versioning') at += 2;
    else if (text === 'persistent' && is(tokens[at - 1], ')')) out.push(wordLike(token, 'stored'));
    else if (
      /^(invisible|visible)$/.test(text) &&
      !is(tokens[at - 1], ',') &&
      !is(tokens[at - 1], '(') &&
      !is(tokens[at - 1], '.') &&
      word(tokens[0]) !== 'drop' &&
      !indexed(tokens, at)
    )
      continue;
    else out.push(token);
  }
  return out;
};

function calledDefault(tokens: readonly Token[], at: number): boolean {
  const name = tokens[at + 1];
  const plain = /^(now|current_timestamp|localtime|localtimestamp)$/.test(word(name));
  return name?.kind === 'word' && name.call && !plain && is(tokens[at + 2], '(') && closing(tokens, at + 2) > 0;
}

/** INVISIBLE of an index is known to the grammar. */
function indexed(tokens: readonly Token[], at: number): boolean {
  return tokens.slice(0, at).some((token) => /^(index|key)$/.test(word(token)));
}

const passes: readonly (readonly [RegExp, Pass])[] = [
  [/^(create|alter|drop|rename|truncate)$/, definitions],
  [/^table$/, tableStatements],
  [/^values$/, valueLists],
  [/^(intersect|except)$/, setOperators],
  [/^value$/, sequenceValues],
  [/^(system_time|portion)$/, periods],
  [/^(fetch|examined|wait|nowait|locked|offset)$/, limits],
  [/^(index|key)$/, indexHints],
  [/^(median|percentile_cont|percentile_disc)$/, percentiles],
  [/^(cast|convert)$/, casts],
  [/^(date|time|timestamp)$/, temporalLiterals],
  [/^(group_concat|json_arrayagg)$/, concatLimits],
];

/** All rewritings whose words occur. */
export function rewritten(tokens: readonly Token[]): readonly Token[] {
  let now = tokens;
  for (const [trigger, pass] of passes)
    if (tokens.some((token) => token.kind === 'word' && trigger.test(word(token)))) now = pass(now);
  return now;
}

export { operatorLike, wordLike };
