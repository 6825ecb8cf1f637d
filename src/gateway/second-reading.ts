// The second reader beside the one that decides (DESIGN: `second-reader`): each shape is compared once for the whole process.
import type { Refusal } from '../../protocols/gate.ts';
import type { Config } from '../config/index.ts';
import { compare, type Disagreement, type Reading } from '../sql/index.ts';

/** Readings the second reader has seen, and where it differs; they are shared by all sessions of a target. */
const compared = new WeakMap<Reading, Disagreement | undefined>();

/**
 * Lets the second reader look at a shape it has not seen. `observe`: after the verdict, off the statement's path; `enforce`: at once, and
 * what it reads otherwise is refused. `disagreed` is told of each disagreement once.
 */
export function secondRead(
  mode: Config['secondReader'],
  reading: Reading,
  text: string | undefined,
  disagreed: (disagreement: Disagreement) => void,
): Refusal | undefined {
  if (mode === 'off') return undefined;
  if (text !== undefined && !compared.has(reading)) {
    if (mode === 'enforce') look(text, reading, disagreed);
    else {
      compared.set(reading, undefined);
      setImmediate(() => look(text, reading, disagreed));
    }
  }
  const found = mode === 'enforce' ? compared.get(reading) : undefined;
  if (found === undefined) return undefined;
  return {
    kind: 'policy',
    rule: 'second-reader',
    message: `sallyport: denied by rule "second-reader": ${reading.summary} (${found.message})`,
    hint: 'Two parsers read this statement differently. Write it in a plainer way.',
  };
}

function look(text: string, reading: Reading, disagreed: (disagreement: Disagreement) => void): void {
  const found = compare(text, reading);
  compared.set(reading, found);
  if (found !== undefined) disagreed(found);
}
