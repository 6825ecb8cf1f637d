// Functions that the configuration vouches for are no longer opaque.
import { isFunction, type Reading } from './reading.ts';

/** The reading without the trusted functions among what could not be seen through; the same object where there are none. Names in lower case. */
export function withoutTrusted(reading: Reading, trusted: ReadonlySet<string>): Reading {
  if (trusted.size === 0) return reading;
  const opaque = reading.opaque.filter((fact) => !isFunction(fact) || !trusted.has(fact.name.toLowerCase()));
  return opaque.length === reading.opaque.length ? reading : Object.freeze({ ...reading, opaque });
}
