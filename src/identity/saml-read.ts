// A parsed assertion as xml2js gives it: lists of children by local name, attributes in `$`, text in `_`. Read with nothing assumed.
import { TokenRefused } from './errors.ts';

export interface Element {
  readonly $?: Readonly<Record<string, string>>;
  readonly _?: string;
  readonly [name: string]: unknown;
}

/** The children of this name; none where the element is not there. */
export function elements(parent: Element | undefined, name: string): readonly Element[] {
  const found = parent !== undefined && Object.hasOwn(parent, name) ? parent[name] : undefined;
  const list: readonly unknown[] = Array.isArray(found) ? found : found === undefined ? [] : [found];
  return list.map(elementOf);
}

/** The only child of this name; undefined where there is none or several. */
export function only(parent: unknown, name: string): Element | undefined {
  if (typeof parent !== 'object' || parent === null) return undefined;
  const found = elements(parent as Element, name);
  return found.length === 1 ? found[0] : undefined;
}

/** The element's text where it holds nothing else. */
export function text(element: Element | undefined): string | undefined {
  if (element === undefined || Object.keys(element).some((name) => name !== '$' && name !== '_')) return undefined;
  const value = typeof element._ === 'string' ? element._.trim() : '';
  return value === '' ? undefined : value;
}

/** An instant in UTC as SAML writes it (core, 1.3.3), in ms since the epoch. Throws where a text is none. */
export function moment(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw new TokenRefused('format', 'the assertion holds a time that is none');
  return time;
}

function elementOf(value: unknown): Element {
  // An element without attributes and children may come as its text alone.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Element)
    : { _: String(value) };
}
