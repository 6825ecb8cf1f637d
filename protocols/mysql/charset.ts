// How the bytes of a statement are read as text. Only character sets are taken in which a byte below 0x80 is always the ASCII
// character it looks like, and which we can read: in gbk, sjis or big5 a quote or backslash may hide inside a character.

export type TextEncoding = 'utf8' | 'latin1';

/**
 * How text in this character set (character_set_client) is read; undefined: not at all.
 * Text in `binary` is not converted by the server: names in it are taken for the UTF-8 of its dictionary.
 */
export function encodingOf(charset: string): TextEncoding | undefined {
  switch (charset.toLowerCase()) {
    case 'utf8':
    case 'utf8mb3':
    case 'utf8mb4':
    case 'binary':
    case 'ascii':
      return 'utf8';
    case 'latin1':
      return 'latin1';
    default:
      return undefined;
  }
}

/**
 * The bytes to send for a judged text: those of the client where nothing but an addition at the end was made to it, so that
 * bytes that are no characters (binary literals) arrive as they were. Undefined where that cannot be done.
 */
export function judgedBytes(
  original: Buffer,
  text: string,
  judged: string,
  encoding: TextEncoding,
): readonly Buffer[] | undefined {
  if (judged === text) return [original];
  if (judged.startsWith(text)) return [original, Buffer.from(judged.slice(text.length), encoding)];
  const bytes = Buffer.from(judged, encoding);
  // What was changed inside the text can be told only where reading lost nothing.
  return Buffer.from(text, encoding).equals(original) ? [bytes] : undefined;
}
