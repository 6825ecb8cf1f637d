// Which live records somebody wants: the same filters as a search.
import { type Merged, matcher } from '../audit/index.ts';
import { readFilter } from './filters.ts';
import type { LiveRecord } from './live.ts';

/** A test made of a URL's filters. */
export function liveFilter(parameters: URLSearchParams): (record: LiveRecord) => boolean {
  const { filter } = readFilter(parameters);
  const { whole } = matcher(filter);
  return (record) => whole({ ...record, worker: '', seq: 0 } as Merged);
}
