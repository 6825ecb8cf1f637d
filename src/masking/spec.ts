// What a mask is, and what the second net looks for, as the configuration names them: plain data shared by config, policy and the
// planners of this room.

export type MaskSpec =
  | { readonly kind: 'redact' }
  | { readonly kind: 'null' }
  | { readonly kind: 'keep-last'; readonly count: number }
  | { readonly kind: 'keep-first'; readonly count: number }
  | { readonly kind: 'email' }
  | { readonly kind: 'hash' }
  | { readonly kind: 'year' }
  | { readonly kind: 'round'; readonly to: number }
  | { readonly kind: 'fake'; readonly of: 'name' | 'phone' | 'address' }
  | { readonly kind: 'paths'; readonly paths: readonly string[]; readonly inner: MaskSpec };

export type Detector = 'card' | 'email' | 'iban' | 'phone' | 'ssn' | 'token' | 'private-key';

/** All detectors. */
export const detectors = [
  'card',
  'email',
  'iban',
  'phone',
  'ssn',
  'token',
  'private-key',
] as const satisfies readonly Detector[];
