// The page's own template tag: every value is escaped, and nothing a stranger wrote can act on the page or on who reads it.
import { inert } from '../audit/index.ts';

/** Markup made by `html`; nothing else passes unescaped. */
export class Html {
  readonly #markup: string;

  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

export type Value = Html | string | number | false | undefined | null | readonly Value[];

/**
 * Markup with values, in elements and in double-quoted attributes. Texts are escaped, and characters that move, reorder or hide
 * text stand as visible escapes. Lists are joined; false, null and undefined are nothing.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  let markup = strings[0] ?? '';
  for (const [index, value] of values.entries()) markup += rendered(value) + (strings[index + 1] ?? '');
  return new Html(markup);
}

export const nothing = new Html('');

/** Pieces with a separator between them. */
export function joined(pieces: readonly Value[], separator: Html | string): Html {
  return new Html(pieces.map(rendered).join(rendered(separator)));
}

function rendered(value: Value): string {
  if (value instanceof Html) return value.toString();
  if (typeof value === 'string') return escaped(inert(value));
  if (typeof value === 'number') return String(value);
  if (value === false || value === undefined || value === null) return '';
  return value.map(rendered).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

// As in the audit room's `inert`, but lines and tabs stay: they are laid out, not printed to a terminal.
const DANGEROUS = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** A text of several lines for a `pre`: dangerous characters are marked escapes, lines and tabs are as they were. */
export function preformatted(text: string): Html {
  const plain = text.replace(/\r\n/g, '\n');
  let markup = '';
  let done = 0;
  for (const { 0: character, index } of plain.matchAll(DANGEROUS)) {
    markup += `${escaped(plain.slice(done, index))}<span class="escape">${inert(character)}</span>`;
    done = index + character.length;
  }
  return new Html(markup + escaped(plain.slice(done)));
}

/** A text on one line, cut where it is long: white space is collapsed, dangerous characters are marked escapes. */
export function oneLine(text: string, limit = 240): Html {
  // A megabyte is not looked at for the sake of its first line.
  const head = text
    .slice(0, limit * 4)
    .trim()
    .replace(/\s+/g, ' ');
  const cut = head.length > limit || text.length > limit * 4;
  return cut ? html`${preformatted(whole(head, limit))}…` : preformatted(head);
}

/** At most so many UTF-16 units, not ending in half a character. */
export function whole(text: string, limit: number): string {
  const cut = text.slice(0, limit);
  return /[\ud800-\udbff]$/.test(cut) && text.length > limit ? cut.slice(0, -1) : cut;
}
