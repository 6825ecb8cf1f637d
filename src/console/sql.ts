// SQL in colours: a light tokenizer for reading, not for judging. Whatever it makes of a text, every character is escaped.
import { type Html, html, preformatted, whole } from './html.ts';

const TOKEN =
  /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<string>[ebnx]?'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|\$(?<tag>\w*)\$[\s\S]*?(?:\$\k<tag>\$|$))|(?<name>"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$))|(?<number>\b\d+(?:\.\d+)?\b)|(?<parameter>\$\d+|\?)|(?<word>[A-Za-z_]\w*)/gi;

const keywords = new Set(
  `select from where join inner left right full outer cross natural on using group by having order limit offset fetch first next
  only with recursive as and or not in is null like ilike between exists any some all distinct case when then else end union
  intersect except values insert into update set delete merge returning truncate create alter drop table view materialized
  index schema database sequence function procedure trigger type role user grant revoke to begin commit rollback savepoint
  release start transaction copy explain analyze verbose vacuum call do declare cursor close prepare execute deallocate show
  reset lock listen notify comment cascade restrict if replace temporary temp primary key references foreign unique check
  default constraint add column rename owner cast collate asc desc nulls last for share nowait skip locked over partition
  window rows range lateral true false use describe handler load data ignore duplicate interval array row`
    .trim()
    .split(/\s+/),
);

/** Longer texts are shown without colours. */
const longest = 20_000;

/** `line`: on one line, cut; `block`: as it was sent, for a `pre`. */
export function sql(text: string, form: 'line' | 'block'): Html {
  const shown = form === 'line' ? whole(text.slice(0, 1200).trim().replace(/\s+/g, ' '), 260) : text;
  const cut = form === 'line' && (text.length > 1200 || shown.length < text.trim().replace(/\s+/g, ' ').length);
  if (shown.length > longest) return preformatted(shown);
  const pieces: Html[] = [];
  let done = 0;
  for (const match of shown.matchAll(TOKEN)) {
    const { 0: token, index, groups = {} } = match;
    const kind = kindOf(token, groups);
    if (kind === undefined) continue;
    pieces.push(preformatted(shown.slice(done, index)), html`<span class="${kind}">${preformatted(token)}</span>`);
    done = index + token.length;
  }
  pieces.push(preformatted(shown.slice(done)));
  return html`${pieces}${cut ? '…' : ''}`;
}

function kindOf(token: string, groups: Readonly<Record<string, string | undefined>>): string | undefined {
  if (groups.comment !== undefined) return 's-comment';
  if (groups.string !== undefined) return 's-string';
  if (groups.number !== undefined) return 's-number';
  if (groups.parameter !== undefined) return 's-number';
  if (groups.word !== undefined) return keywords.has(token.toLowerCase()) ? 's-word' : undefined;
  return undefined;
}
