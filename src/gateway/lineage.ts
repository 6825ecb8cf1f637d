// A reading's lineage as records keep it: for each output the columns it can reveal, by how.
import type { OutputLineage } from '../audit/index.ts';
import { columnPath, type Reading, type Source } from '../sql/index.ts';

/** More outputs or sources than these are cut: a record says what flows where, and stays readable. */
const mostOutputs = 64;
const mostSources = 32;

/** Undefined where no column flows into an output. */
export function lineageOf({ outputs }: Reading): readonly OutputLineage[] | undefined {
  if (outputs === undefined || outputs.every(({ sources }) => sources.length === 0)) return undefined;
  return outputs.slice(0, mostOutputs).map(({ name, sources }) => {
    const how = (dependence: Source['how']) =>
      [...new Set(sources.filter((source) => source.how === dependence).map(columnPath))].slice(0, mostSources);
    const [copied, derived, chosen] = [how('copied'), how('derived'), how('chosen')];
    return {
      name,
      ...(copied.length === 0 ? {} : { copied }),
      ...(derived.length === 0 ? {} : { derived }),
      ...(chosen.length === 0 ? {} : { chosen }),
    };
  });
}
