// MySQL compares a text with a number by what the text begins with ('123-45' = 123 is true): a masked text that meets a parameter
// meets it whole only when the client binds a text.
import type { BoundParameters, Refusal } from '../../protocols/gate.ts';
import type { SessionPolicy } from '../policy/index.ts';
import type { Reading } from '../sql/index.ts';

/** Type bytes of texts and bytes (Protocol::ColumnType): VARCHAR, ENUM and SET, the BLOBs, VAR_STRING, STRING. */
function isText(type: number): boolean {
  return type === 15 || (type >= 247 && type <= 254);
}

/** The refusal of a run that would compare a masked text with a number. */
export function numbersMeetingTexts(
  reading: Reading,
  policy: SessionPolicy,
  parameters: BoundParameters | undefined,
): Refusal | undefined {
  if (!policy.masksApply) return undefined;
  for (const { column, textParameters } of reading.uses) {
    if (textParameters === undefined) continue;
    const mask = policy.maskFor(column);
    if (mask === undefined || mask.observe || mask.predicates === 'allow') continue;
    const number = textParameters.some(
      (index) =>
        parameters === undefined ||
        index >= parameters.count ||
        (parameters.value(index) !== undefined && !isText(parameters.type(index))),
    );
    if (!number) continue;
    return {
      kind: 'policy',
      rule: 'masked-predicate',
      message: `sallyport: denied by rule "masked-predicate": ${reading.summary} (${column.table}.${column.column} meets a number)`,
      hint: `Column ${column.column} is masked and holds texts: bind the parameter as a text.`,
    };
  }
  return undefined;
}
