// The masking room's door: masks planned for the columns of a result.
export { parsePath } from './json-path.ts';
export { type MaskKey, maskKey } from './key.ts';
export { nullMask } from './mask.ts';
export { planMask, redactionFor } from './plan.ts';
export type { MaskSpec } from './spec.ts';
export type { TypeLookup } from './types-postgres.ts';
