// Makes text from strangers safe to print: nothing in it can move a cursor, change a colour, reorder or hide what a person reads.

// Controls, marks that reorder or format text, halves of surrogate pairs, line separators, and what Unicode says may be shown
// as nothing (fillers, variation selectors, tags).
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Replaces every dangerous character by its escape: `\n`, `\x1b`, `\u{202e}`. */
export function inert(text: string): string {
  return text.replace(DANGEROUS, (character) => {
    const short = SHORT[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** JSON of the same value in which dangerous characters stand as `\uXXXX`: a program reads what was there, a terminal does nothing. */
export function inertJson(value: unknown): string {
  return JSON.stringify(value).replace(DANGEROUS, (character) => {
    let escaped = '';
    for (let index = 0; index < character.length; index++) {
      escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}

/** At most so many characters, whole ones, with a mark where something was left out. */
export function shorten(text: string, limit: number): string {
  // Twice the limit always holds enough: a character has at most two units. The rest of a long text is never looked at.
  const characters = [...text.slice(0, limit * 2 + 2)];
  if (characters.length <= limit) return text;
  return `${characters.slice(0, Math.max(0, limit - 1)).join('')}…`;
}
