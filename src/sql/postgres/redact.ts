// A statement's text as it may stand in a record where its literals may not.
import { numberMark, shapeOf, stringMark } from './lexer.ts';

/** U& strings stand in a shape as they are, since a UESCAPE may follow. */
const literal = new RegExp(`[ebxn]?${stringMark}|${numberMark}|u&'(?:[^']|'')*'`, 'gi');

/** The text with `?` for each literal and without its comments; undefined where a quote or comment does not end. */
export function redactPostgres(text: string): string | undefined {
  const shape = shapeOf(text);
  return shape?.key.replace(literal, '?');
}
