// The masking room's door: masks planned for the columns of a result.

export { parsePath } from './json-path.ts';
export { type MaskKey, maskKey } from './key.ts';
export { nullMask } from './mask.ts';
export { detectingMask, Findings, type Proposal, proposeMask } from './net.ts';
export { planMask, redactionFor } from './plan.ts';
export { type ColumnProposal, ColumnSample, type SampleKind } from './propose.ts';
export { type Detector, detectors, type MaskSpec } from './spec.ts';
export type { TypeLookup } from './types-postgres.ts';
export { looksMasked, type WrittenValue } from './write-back.ts';
